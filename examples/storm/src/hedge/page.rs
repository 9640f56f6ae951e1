//! The section of the page about latency.

use super::grid::Grid;
use super::runs::Outcomes;
use super::times::SLOW;
use super::{HEDGINGS, Hedging, WORKLOADS, tables};
use crate::conclusions::{code, list};
use crate::figures::WELL;
use crate::names::{hedging_name, hedging_summary};
use crate::page::{Section, term};
use crate::scenario::{FAULT, WARM_UP};
use crate::tables::percent;

pub fn section(grid: &Grid, outcomes: &Outcomes) -> Section {
    Section {
        id: "latency",
        title: "Latency",
        conclusions: conclusion(outcomes).into_iter().collect(),
        summary: tables::summary(outcomes),
        parts: Vec::new(),
        introduction: introduction(grid),
        tables: tables::all(outcomes),
        extent: outcomes.extent(),
    }
}

/// States what hedges gain without a fault, and with which of them the service never recovers from one.
fn conclusion(outcomes: &Outcomes) -> Option<String> {
    let first = &WORKLOADS[0];
    let [without, with] =
        [Hedging::Never, Hedging::Layer].map(|hedging| outcomes.get(first, hedging));
    let (without, with) = (without?, with?);
    let has_never = |hedging: &Hedging| {
        let faults = WORKLOADS
            .iter()
            .filter(|workload| workload.course.has_fault());
        let mut faults = faults.filter_map(|workload| outcomes.get(workload, *hedging));
        faults.any(|figures| figures.recovery.is_none())
    };
    let never = HEDGINGS.iter().filter(|hedging| has_never(hedging));
    let never: Vec<_> = never.map(|hedging| code(hedging_name(*hedging))).collect();
    let mut text = format!(
        "With hedges of {} in {}, 99 % of the requests take at most {} ms instead of {} ms, for {} % more \
         attempts.",
        code(hedging_name(Hedging::Layer)),
        code(first.name),
        with.p99.as_millis(),
        without.p99.as_millis(),
        percent(with.extra)
    );
    if !never.is_empty() {
        text += &format!(
            " There are faults from which the service never recovers with {}.",
            list(&never)
        );
    }
    Some(text)
}

/// Describes the simulation, and how to repeat it.
fn introduction(grid: &Grid) -> String {
    let workloads = WORKLOADS.iter().map(|one| term(one.name, one.summary));
    let hedgings = HEDGINGS.map(|hedging| term(hedging_name(hedging), hedging_summary(hedging)));
    format!(
        "<p>Clients call a service, and send a second attempt (a hedge) if the first one is slow. The \
         times of attempts are lognormal, given as mean ± standard deviation, in whole milliseconds; slow \
         attempts take {SLOW} times as long. Requests arrive at random times, 1,000 per second unless \
         another load is given, from one client unless another number is given. Replicas do not notice \
         that an attempt was dropped because the other one won, and work on it nevertheless. Measuring \
         begins after {} s. Faults last {} s. The service has recovered when at least {:.0} % of the \
         requests of each half second succeed.</p>\n\
         <dl>\n{}</dl>\n<p>The hedges are sent:</p>\n<dl>\n{}</dl>\n\
         <p>Seed {}: <code>{}</code></p>\n\
         <p>Highlighted: the service <span class=\"never\">never recovers</span>, or it <span \
         class=\"later\">recovers later</span> than without hedges, by more than a second.</p>\n",
        WARM_UP.as_secs(),
        FAULT.as_secs(),
        WELL * 100.0,
        workloads.collect::<String>(),
        hedgings.concat(),
        grid.seed(),
        grid.command()
    )
}
