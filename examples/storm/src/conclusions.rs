//! The conclusions from the storms.

use std::time::Duration;

use crate::grid::Grid;
use crate::names::{by_name, variant_name};
use crate::runs::{Outcome, Outcomes};
use crate::scenario::{SCENARIOS, Scenario};
use crate::simulation::{Load, Variant};
use crate::table::{Cell, Mark, Table};
use crate::tables::{has_end, load_name, mark, percent, recovery_name, recovery_text};

/// The scenario of an overload that retries can prolong.
const OVERLOAD: &str = "brown-out";

/// The scenario in which single attempts fail, where retries help.
const SINGLE_FAULTS: &str = "bad-replicas";

/// Returns a table with a row for each variant, and columns for the scenarios that were run, or `None` if
/// neither of them was.
pub fn table(grid: &Grid, outcomes: &Outcomes) -> Option<Table> {
    let overload = asked(grid, OVERLOAD);
    let single_faults = asked(grid, SINGLE_FAULTS);
    if overload.is_none() && single_faults.is_none() {
        return None;
    }
    let mut head = vec!["variant".to_owned()];
    if overload.is_some() {
        head.extend(["recovery", "attempts"].map(|figure| format!("{OVERLOAD}: {figure}")));
    }
    if single_faults.is_some() {
        head.extend(["successes", "attempts"].map(|figure| format!("{SINGLE_FAULTS}: {figure}")));
    }
    let row = |variant| {
        let run = |scenario: Option<&'static Scenario>| {
            let scenario = scenario?;
            Some((scenario, outcomes.get(scenario, variant, grid.base)?))
        };
        let mut row = vec![Cell::plain(variant_name(variant))];
        if let Some((scenario, outcome)) = run(overload) {
            let text = recovery_text(scenario, outcome);
            let mark = mark(scenario, outcome, grid.base, outcomes);
            row.extend([Cell { text, mark }, attempts(outcome)]);
        }
        if let Some((_, outcome)) = run(single_faults) {
            let success = percent(outcome.figures.success_in_fault);
            row.extend([Cell::plain(format!("{success} %")), attempts(outcome)]);
        }
        row
    };
    Some(Table {
        caption: format!(
            "Recovery after the end of the fault, requests in the fault that succeed, and attempts for \
             each request in the fault: {}",
            load_name(grid.base)
        ),
        head,
        rows: grid.variants.iter().map(|variant| row(*variant)).collect(),
    })
}

fn attempts(outcome: &Outcome) -> Cell {
    Cell::plain(format!("{:.2}", outcome.figures.attempts))
}

fn asked(grid: &Grid, name: &str) -> Option<&'static Scenario> {
    let scenario = by_name(&SCENARIOS, name, |scenario| scenario.name);
    grid.scenarios.contains(&scenario).then_some(scenario)
}

/// Returns the conclusions as sentences in HTML.
pub fn sentences(grid: &Grid, outcomes: &Outcomes) -> Vec<String> {
    if !grid.variants.contains(&Variant::NoRetry) {
        return Vec::new();
    }
    let all = [recoveries, gain, many_clients];
    all.iter().filter_map(|one| one(grid, outcomes)).collect()
}

/// States with which variants the service recovers, and when.
fn recoveries(grid: &Grid, outcomes: &Outcomes) -> Option<String> {
    let ended = grid.scenarios.iter().filter(|scenario| has_end(scenario));
    let recovery = |scenario| recovery(scenario, Variant::NoRetry, grid.base, outcomes);
    let (faults, others): (Vec<&Scenario>, Vec<&Scenario>) =
        ended.partition(|scenario| recovery(scenario).is_some());
    if faults.is_empty() {
        return None;
    }
    let (mut never, mut later, mut as_soon) = (Vec::new(), Vec::new(), Vec::new());
    for variant in retrying(grid) {
        let count = |bad| {
            let outcomes = faults.iter().filter(|scenario| {
                let outcome = outcomes.get(scenario, variant, grid.base);
                outcome.and_then(|outcome| mark(scenario, outcome, grid.base, outcomes))
                    == Some(bad)
            });
            outcomes.count()
        };
        let name = code(variant_name(variant));
        let number = faults.len();
        match (count(Mark::Never), count(Mark::Later)) {
            (0, 0) => as_soon.push(name),
            (0, times) => later.push(format!("{name} ({times} of {number})")),
            (times, _) => never.push(format!("{name} ({times} of {number})")),
        }
    }
    let (count, all) = (faults.len(), faults.len() + others.len());
    let mut text = format!("Without retries, the service recovers from {count} of {all} faults.");
    for (names, what) in [
        (
            as_soon,
            "it recovers from all of these as soon, within a second",
        ),
        (
            later,
            "it recovers from some of these more than a second later",
        ),
        (never, "it never recovers from some of these"),
    ] {
        if !names.is_empty() {
            text += &format!(" With {}, {what}.", list(&names));
        }
    }
    Some(text)
}

/// States how many requests succeed with retries if single attempts fail.
fn gain(grid: &Grid, outcomes: &Outcomes) -> Option<String> {
    let scenario = asked(grid, SINGLE_FAULTS)?;
    let success = |variant| {
        let outcome = outcomes.get(scenario, variant, grid.base)?;
        Some((outcome.figures.success_in_fault, variant))
    };
    let (without, _) = success(Variant::NoRetry)?;
    let mut with: Vec<_> = retrying(grid).filter_map(success).collect();
    with.sort_by(|(one, _), (other, _)| other.total_cmp(one));
    let text = |(share, variant)| {
        let name = code(variant_name(variant));
        format!("{} % ({name})", percent(share))
    };
    let (best, worst) = (*with.first()?, *with.last()?);
    let with = match best == worst {
        true => text(best),
        false => format!("from {} to {}", text(worst), text(best)),
    };
    Some(format!(
        "In {}, {} % of the requests in the fault succeed without retries. With retries it is {with}.",
        code(SINGLE_FAULTS),
        percent(without),
    ))
}

/// States when the service recovers with the largest number of clients.
fn many_clients(grid: &Grid, outcomes: &Outcomes) -> Option<String> {
    let scenario = asked(grid, OVERLOAD)?;
    let loads = grid
        .loads
        .iter()
        .filter(|load| load.share == grid.base.share);
    let most = *loads.max_by_key(|load| load.clients)?;
    if most.clients <= grid.base.clients {
        return None;
    }
    let text = |variant| {
        let name = code(variant_name(variant));
        Some(
            match outcomes.get(scenario, variant, most)?.figures.recovery {
                None => format!("never with {name}"),
                recovery => format!("after {} with {name}", recovery_name(recovery)),
            },
        )
    };
    let swept = [Variant::NoRetry, Variant::Earning, Variant::Defaults];
    let recoveries: Vec<_> = swept.into_iter().filter_map(text).collect();
    Some(format!(
        "With {} clients at a load of {}, the service recovers from {} {}.",
        most.clients,
        most.share,
        code(OVERLOAD),
        list(&recoveries)
    ))
}

fn recovery(
    scenario: &Scenario,
    variant: Variant,
    load: Load,
    outcomes: &Outcomes,
) -> Option<Duration> {
    outcomes.get(scenario, variant, load)?.figures.recovery
}

fn retrying(grid: &Grid) -> impl Iterator<Item = Variant> {
    let variants = grid.variants.iter().copied();
    variants.filter(|variant| *variant != Variant::NoRetry)
}

pub fn code(name: &str) -> String {
    format!("<code>{name}</code>")
}

/// Joins items, as in `a, b and c`.
pub fn list(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}
