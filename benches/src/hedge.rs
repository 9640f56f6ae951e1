//! The cost of a request that could be hedged, but is not.

use std::io;

use cpu_time::ProcessTime;

use crate::bench::Bench;
use crate::case::{Case, Requests};
use crate::contender::Contender;
use crate::instructions;
use crate::rounds::Rounds;
use crate::sequence::Sequence;
use crate::table::{Cell, Goal, Row};
use crate::upstream::Upstream;

/// The number of requests of each contender in a round.
const REQUESTS: u32 = 20_000;

pub fn rows(bench: &Bench) -> io::Result<Vec<Row>> {
    let mut rows = instructions::rows(bench, Case::GetHedge)?;
    rows.extend(instructions::rows(bench, Case::GetHedgeHeaders)?);
    let title = format!("{}: CPU ns over bare", Case::GetHedge.title());
    bench.begin(&title, bench.effort.rounds);
    let rounds = Rounds::measure(bench, bench.effort.rounds, nanos);
    let mut cells = rounds.above_base();
    for (cell, contender) in cells.iter_mut().zip(Contender::COLUMNS) {
        if !contender.can_hedge() {
            *cell = Cell::Cannot;
        }
    }
    rows.push(Row::of_costs(title, Some(Goal::AtMost(40.0)), cells));
    Ok(rows)
}

/// Returns the CPU time of this process per request.
fn nanos(contender: Contender) -> f64 {
    if !contender.can_hedge() {
        return f64::NAN;
    }
    let sequence = || Sequence {
        requests: Requests::of(Case::GetHedge),
        count: REQUESTS,
    };
    let settings = Case::GetHedge.settings();
    contender.in_memory(Upstream::failing(0), &settings, sequence());
    let start = ProcessTime::now();
    contender.in_memory(Upstream::failing(0), &settings, sequence());
    start.elapsed().as_secs_f64() * 1e9 / f64::from(REQUESTS)
}
