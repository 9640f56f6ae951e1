//! The tables about quotas.

use super::figures::{Own, Shared};
use super::grid::Grid;
use super::runs::Outcomes;
use super::simulation::Record;
use super::{MANNERS, Manner, QUOTAS, Quota};
use crate::names::manner_name;
use crate::simulation::Load;
use crate::table::{Cell, Mark, Table};
use crate::tables::{AS_SOON, percent, recovery_name};

/// Returns a table of the shared limits, and one of the separate quotas.
pub fn all(grid: &Grid, outcomes: &Outcomes) -> Vec<Table> {
    vec![shared(grid, outcomes), own(grid, outcomes)]
}

fn shared(grid: &Grid, outcomes: &Outcomes) -> Table {
    let mut rows = Vec::new();
    for quota in QUOTAS.iter().filter(|quota| !quota.is_own) {
        for load in grid.loads(quota) {
            let record = |manner| outcomes.get(quota, manner, load);
            let figures = |manner| Some(Shared::of(quota, record(manner)?));
            let first = figures(Manner::Earning);
            let cells = MANNERS.into_iter().filter_map(figures);
            let cells = cells.map(|figures| shared_cell(&figures, first));
            let share = Cell::plain(load.share.to_string());
            rows.push(row(quota, load, [share].into_iter().chain(cells)));
        }
    }
    Table {
        caption:
            "Limits that all clients share: recovery after the end of the fault, successes per \
                  second in the fault, requests that succeed, of all"
                .into(),
        head: head(&["scenario", "clients", "load"]),
        rows,
    }
}

fn shared_cell(figures: &Shared, earning: Option<Shared>) -> Cell {
    let Shared {
        recovery,
        goodput,
        success,
        ..
    } = *figures;
    let name = recovery_name(recovery);
    let text = format!("{name}, {goodput:.0}/s, {} %", percent(success));
    let mark = match (recovery, earning.and_then(|earning| earning.recovery)) {
        (None, _) => Some(Mark::Never),
        (Some(recovery), Some(first)) => Some(Mark::Later).filter(|_| recovery > first + AS_SOON),
        (Some(_), None) => None,
    };
    Cell { text, mark }
}

fn own(grid: &Grid, outcomes: &Outcomes) -> Table {
    let mut rows = Vec::new();
    for quota in QUOTAS.iter().filter(|quota| quota.is_own) {
        for load in grid.loads(quota) {
            let records = MANNERS.into_iter();
            let records = records.filter_map(|manner| outcomes.get(quota, manner, load));
            let cells = records.map(|record| own_cell(quota, load, record));
            rows.push(row(quota, load, cells));
        }
    }
    Table {
        caption:
            "A quota for each client: the part of it that is used while requests are sent, 429s \
                  for each success, clients that were blocked"
                .into(),
        head: head(&["scenario", "clients"]),
        rows,
    }
}

fn own_cell(quota: &Quota, load: Load, record: &Record) -> Cell {
    let Own {
        used,
        refusals,
        blocked,
    } = Own::of(quota, load, record);
    let text = format!("{} %, {refusals:.3}", percent(used));
    Cell::plain(match quota.blocks_after {
        None => text,
        Some(_) => format!("{text}, {blocked} blocked"),
    })
}

fn head(first: &[&str]) -> Vec<String> {
    let first = first.iter().copied();
    let all = first.chain(MANNERS.map(manner_name));
    all.map(Into::into).collect()
}

fn row(quota: &Quota, load: Load, cells: impl Iterator<Item = Cell>) -> Vec<Cell> {
    let first = [
        Cell::plain(quota.name),
        Cell::plain(load.clients.to_string()),
    ];
    first.into_iter().chain(cells).collect()
}
