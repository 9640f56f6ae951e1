//! The tables of the storms.

use std::time::Duration;

use crate::grid::Grid;
use crate::names::variant_name;
use crate::runs::{Outcome, Outcomes};
use crate::scenario::{Fault, Scenario};
use crate::simulation::{Load, Variant};
use crate::table::{Cell, Mark, Table};

/// A recovery that is at most this much later counts as equally fast.
pub const AS_SOON: Duration = Duration::from_secs(1);

/// Formats tables in Markdown, below a line with the seed.
pub fn markdown<'a>(seed: u64, tables: impl Iterator<Item = &'a Table>) -> String {
    let mut text = format!("Seed {seed}\n");
    for table in tables {
        text += &format!("\n{}", table.to_markdown());
    }
    text
}

pub fn all(grid: &Grid, outcomes: &Outcomes) -> Vec<Table> {
    let mut tables = vec![recovery(grid, outcomes), success(grid, outcomes)];
    if grid.is_swept() {
        tables.push(sweep(grid, outcomes));
    }
    tables
}

fn recovery(grid: &Grid, outcomes: &Outcomes) -> Table {
    let caption = format!(
        "Recovery after the end of the fault, and attempts for each request in the fault: {}",
        load_name(grid.base)
    );
    base(grid, outcomes, caption, |scenario, outcome| {
        let attempts = outcome.figures.attempts;
        Cell {
            text: format!("{}, {attempts:.2}", recovery_text(scenario, outcome)),
            mark: mark(scenario, outcome, grid.base, outcomes),
        }
    })
}

fn success(grid: &Grid, outcomes: &Outcomes) -> Table {
    let caption = format!(
        "Requests that succeed, of those in the fault / of all: {}",
        load_name(grid.base)
    );
    base(grid, outcomes, caption, |_, outcome| {
        Cell::plain(success_text(outcome))
    })
}

/// Returns a table with a row for each scenario and a column for each variant.
fn base(
    grid: &Grid,
    outcomes: &Outcomes,
    caption: String,
    cell: impl Fn(&Scenario, &Outcome) -> Cell,
) -> Table {
    let names = grid.variants.iter().map(|variant| variant_name(*variant));
    let row = |scenario: &Scenario| {
        let runs = grid.variants.iter();
        let runs = runs.filter_map(|variant| outcomes.get(scenario, *variant, grid.base));
        let cells = runs.map(|outcome| cell(scenario, outcome));
        [Cell::plain(scenario.name)]
            .into_iter()
            .chain(cells)
            .collect()
    };
    Table {
        caption,
        head: ["scenario"]
            .into_iter()
            .chain(names)
            .map(Into::into)
            .collect(),
        rows: grid
            .scenarios
            .iter()
            .map(|scenario| row(scenario))
            .collect(),
    }
}

/// Returns a table with a row for each scenario and variant, and a column for each load.
fn sweep(grid: &Grid, outcomes: &Outcomes) -> Table {
    let loads = grid.loads.iter();
    let loads = loads.map(|load| format!("{}, {}", load.clients, load.share));
    let mut rows = Vec::new();
    for scenario in &grid.scenarios {
        for variant in grid.swept(scenario) {
            let mut row = vec![
                Cell::plain(scenario.name),
                Cell::plain(variant_name(variant)),
            ];
            let runs = grid.loads.iter();
            let runs =
                runs.filter_map(|load| Some((load, outcomes.get(scenario, variant, *load)?)));
            row.extend(runs.map(|(load, outcome)| swept(scenario, outcome, *load, outcomes)));
            rows.push(row);
        }
    }
    Table {
        caption:
            "Recovery by the number of clients and the load (for background, which has no end: \
                  requests that succeed, of all)"
                .into(),
        head: ["scenario", "variant"]
            .map(Into::into)
            .into_iter()
            .chain(loads)
            .collect(),
        rows,
    }
}

fn swept(scenario: &Scenario, outcome: &Outcome, load: Load, outcomes: &Outcomes) -> Cell {
    let text = match has_end(scenario) {
        true => recovery_text(scenario, outcome),
        false => format!("{} %", percent(outcome.figures.success)),
    };
    Cell {
        text,
        mark: mark(scenario, outcome, load, outcomes),
    }
}

pub fn mark(
    scenario: &Scenario,
    outcome: &Outcome,
    load: Load,
    outcomes: &Outcomes,
) -> Option<Mark> {
    if !has_end(scenario) {
        return None;
    }
    let Some(recovery) = outcome.figures.recovery else {
        return Some(Mark::Never);
    };
    let without = outcomes
        .get(scenario, Variant::NoRetry, load)?
        .figures
        .recovery?;
    Some(Mark::Later).filter(|_| recovery > without + AS_SOON)
}

/// Formats a recovery as `3.0 s`, or `never`, or `-` if the fault has no end.
pub fn recovery_text(scenario: &Scenario, outcome: &Outcome) -> String {
    match outcome.figures.recovery {
        _ if !has_end(scenario) => "-".into(),
        recovery => recovery_name(recovery),
    }
}

pub fn recovery_name(recovery: Option<Duration>) -> String {
    match recovery {
        None => "never".into(),
        Some(recovery) => format!("{:.1} s", recovery.as_secs_f64()),
    }
}

/// Formats the share of the requests that succeed, in the fault and in total.
pub fn success_text(outcome: &Outcome) -> String {
    let figures = outcome.figures;
    let (fault, all) = (percent(figures.success_in_fault), percent(figures.success));
    format!("{fault} / {all} %")
}

pub fn load_name(load: Load) -> String {
    format!("{} clients, load {}", load.clients, load.share)
}

pub fn percent(share: f64) -> String {
    format!("{:.1}", share * 100.0)
}

pub fn has_end(scenario: &Scenario) -> bool {
    !matches!(scenario.fault, Fault::Background(_))
}
