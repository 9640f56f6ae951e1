//! The tables about latency.

use super::figures::Figures;
use super::runs::Outcomes;
use super::{HEDGINGS, Hedging, WORKLOADS, Workload};
use crate::names::hedging_name;
use crate::table::{Cell, Mark, Table};
use crate::tables::{AS_SOON, percent, recovery_name};

/// Returns a table of what hedges gain without a fault, and how many are sent, or `None` if no workload
/// was run both with and without hedges.
pub fn summary(outcomes: &Outcomes) -> Option<Table> {
    let run = [Hedging::Never, Hedging::Layer];
    let workloads = WORKLOADS.iter();
    let workloads = workloads.filter(|workload| !workload.course.has_fault());
    let row = |workload: &Workload| {
        let [without, with] = run.map(|hedging| outcomes.get(workload, hedging));
        let (without, with) = (without?, with?);
        let times = [without, with].map(|figures| figures.p99.as_millis().to_string());
        let cells = times.into_iter().chain([percent(with.extra)]);
        let cells = [workload.name.to_owned()].into_iter().chain(cells);
        Some(cells.map(Cell::plain).collect::<Vec<_>>())
    };
    let rows: Vec<_> = workloads.filter_map(row).collect();
    let [without, with] = run.map(hedging_name);
    let table = Table {
        caption: format!(
            "99th percentile of the latency in ms, without hedges and with {with}; hedges in percent of \
             the requests"
        ),
        head: vec![
            "scenario".into(),
            format!("{without}: p99"),
            format!("{with}: p99"),
            format!("{with}: extra"),
        ],
        rows,
    };
    (!table.rows.is_empty()).then_some(table)
}

/// Returns a table of the workloads without a fault, and one of the others.
pub fn all(outcomes: &Outcomes) -> Vec<Table> {
    vec![usual(outcomes), faults(outcomes)]
}

fn usual(outcomes: &Outcomes) -> Table {
    let rows = rows(outcomes, false, |_, figures| {
        let times = [figures.p50, figures.p99, figures.p999];
        let times = times.map(|time| time.as_millis().to_string());
        let shares = [figures.extra, figures.worst].map(percent);
        times.into_iter().chain(shares).map(Cell::plain).collect()
    });
    Table {
        caption:
            "Latency in ms; hedges in percent of the requests, of all and in the 10 s with the most"
                .into(),
        head: head(&["p50", "p99", "p99.9", "extra", "worst 10 s"]),
        rows,
    }
}

fn faults(outcomes: &Outcomes) -> Table {
    let rows = rows(outcomes, true, |workload, figures| {
        let without = outcomes.get(workload, Hedging::Never);
        let mut cells = vec![recovery(figures, without)];
        let times = [figures.p50, figures.p99];
        let times = times.map(|time| time.as_millis().to_string());
        let shares = [
            figures.extra,
            figures.worst,
            figures.success,
            figures.success_of_all,
        ];
        let texts = times.into_iter().chain(shares.map(percent));
        cells.extend(texts.map(Cell::plain));
        cells
    });
    Table {
        caption:
            "Faults: recovery after the end of the fault; latency in ms in the fault; hedges in percent \
             of the requests, of those in the fault and in the 10 s with the most; requests that succeed \
             in percent, of those in the fault and of all"
                .into(),
        head: head(&[
            "recovery",
            "p50",
            "p99",
            "extra",
            "worst 10 s",
            "success",
            "of all",
        ]),
        rows,
    }
}

fn recovery(figures: &Figures, without: Option<Figures>) -> Cell {
    let without = without.and_then(|figures| figures.recovery);
    let mark = match (figures.recovery, without) {
        (None, _) => Some(Mark::Never),
        (Some(recovery), Some(first)) => Some(Mark::Later).filter(|_| recovery > first + AS_SOON),
        (Some(_), None) => None,
    };
    Cell {
        text: recovery_name(figures.recovery),
        mark,
    }
}

fn head(rest: &[&str]) -> Vec<String> {
    let all = ["scenario", "hedges"].iter().chain(rest);
    all.map(|&text| text.into()).collect()
}

/// Returns a row for each workload and way to hedge.
fn rows(
    outcomes: &Outcomes,
    has_fault: bool,
    cells: impl Fn(&Workload, &Figures) -> Vec<Cell>,
) -> Vec<Vec<Cell>> {
    let mut rows = Vec::new();
    let workloads = WORKLOADS.iter();
    for workload in workloads.filter(|workload| workload.course.has_fault() == has_fault) {
        for hedging in HEDGINGS {
            if let Some(figures) = outcomes.get(workload, hedging) {
                let first = [workload.name, hedging_name(hedging)].map(Cell::plain);
                rows.push(first.into_iter().chain(cells(workload, &figures)).collect());
            }
        }
    }
    rows
}
