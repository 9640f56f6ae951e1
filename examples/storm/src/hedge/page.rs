//! The part of the page that is about latency.

use super::grid::Grid;
use super::runs::Outcomes;
use super::times::SLOW;
use super::{HEDGINGS, WORKLOADS, tables};
use crate::figures::WELL;
use crate::names::{hedging_name, hedging_summary};
use crate::page::{Section, term};
use crate::scenario::{FAULT, WARM_UP};

pub fn section(grid: &Grid, outcomes: &Outcomes) -> Section {
    Section {
        introduction: introduction(grid),
        tables: tables::all(outcomes),
        extent: outcomes.extent(),
    }
}

/// What is simulated, and how to do it again.
fn introduction(grid: &Grid) -> String {
    let workloads = WORKLOADS.iter().map(|one| term(one.name, one.summary));
    let hedgings = HEDGINGS.map(|hedging| term(hedging_name(hedging), hedging_summary(hedging)));
    format!(
        "<h2 id=\"hedge\">Latency</h2>\n\
         <p>A service, and clients that send a second attempt beside one that is slow. Times are \
         lognormal, given as mean ± standard deviation, in whole milliseconds; what is slow takes {SLOW} \
         times as long. Requests come at random times, 1,000 in a second unless the load says \
         otherwise, from one client unless it says so. Replicas do not know of an attempt that was \
         dropped as the other one won: they work on it all the same. It is measured after a warm-up of \
         {} s. Faults last for {} s. Recovered is a service from when on {:.0} % of the requests, or \
         more, succeed in each half second.</p>\n\
         <dl>\n{}</dl>\n<p>When they send it:</p>\n<dl>\n{}</dl>\n\
         <p>Seed {}: <code>{}</code></p>\n\
         <p>Marked: <span class=\"never\">it never recovers</span>, <span class=\"later\">it \
         recovers later than without hedges</span>, by more than a second.</p>\n",
        WARM_UP.as_secs(),
        FAULT.as_secs(),
        WELL * 100.0,
        workloads.collect::<String>(),
        hedgings.concat(),
        grid.seed(),
        grid.command()
    )
}
