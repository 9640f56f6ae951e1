//! Instructions and allocations, in memory.

use std::io;

use crate::bench::{Bench, name_of, over_base};
use crate::case::{Case, Requests};
use crate::contender::Contender;
use crate::sequence::Sequence;
use crate::table::{Cell, Goal, Row};
use crate::upstream::Upstream;
use crate::valgrind;

/// Measures a case. Returns one row for the instructions and one for the allocations.
pub fn rows(bench: &Bench, case: Case) -> io::Result<Vec<Row>> {
    let mut contenders = bench.effort.counted.clone();
    contenders.retain(|contender| case.is_for(*contender));
    let (few, many) = bench.effort.requests;
    let jobs: Vec<_> = contenders
        .iter()
        .flat_map(|contender| [few, many].map(|count| arguments(*contender, case, count)))
        .collect();
    bench.begin(case.title(), jobs.len());
    let counts = match bench.has_valgrind {
        true => bench.share(&jobs, |arguments| valgrind::count(arguments))?,
        false => Vec::new(),
    };
    let each = |contender: Contender, figure: fn(&valgrind::Counts) -> u64| {
        let place = contenders.iter().position(|other| *other == contender)?;
        let (few_counts, many_counts) = (counts.get(2 * place)?, counts.get(2 * place + 1)?);
        let difference = figure(many_counts) as f64 - figure(few_counts) as f64;
        Some(difference / (many - few) as f64)
    };
    let (instructions, allocations) = case.goals();
    let row = |what: &str, goal: Option<Goal>, figure: fn(&valgrind::Counts) -> u64| {
        let title = format!("{}: {what}", case.title());
        let mut cells = over_base(|contender| each(contender, figure));
        for (cell, contender) in cells.iter_mut().zip(Contender::COLUMNS) {
            if !case.is_for(contender) {
                *cell = Cell::Cannot;
            }
        }
        Row::of_costs(title, goal, cells)
    };
    Ok(vec![
        row("instructions", instructions, |counts| counts.instructions),
        row("allocations", allocations, |counts| counts.allocations),
    ])
}

/// Returns the arguments of the process that is measured.
pub fn arguments(contender: Contender, case: Case, count: usize) -> Vec<String> {
    let words = [
        "send",
        &name_of(&contender),
        &name_of(&case),
        &count.to_string(),
    ];
    words.map(str::to_owned).to_vec()
}

/// Sends `count` requests, one after another. Does nothing if the contender does not support the case.
pub fn send(contender: Contender, case: Case, count: u32) {
    // The only attempt of a base succeeds, so the further attempts are part of the cost of retries.
    let upstream = match contender.is_base() {
        true => Upstream::failing(0),
        false => Upstream::failing_with(case.failure(), case.failures()),
    };
    let visit = Sequence {
        requests: Requests::of(case),
        count,
    };
    match case {
        Case::PostStream => {
            contender.streamed(upstream, &case.settings(), visit);
        }
        _ => contender.in_memory(upstream, &case.settings(), visit),
    }
}
