//! The laws, which hold in every run.

mod commit;
pub mod download;
pub mod hedge;
mod retry;

use std::time::Duration;

use super::ask::Ask;
use super::journal::{ALL, Entry, Left, What};
use super::plan::{Plan, RESUMPTION, TARGETS};
use super::world::Run;

/// The tolerance for timers, each of which is rounded up to a whole millisecond.
const ROUNDING: Duration = Duration::from_millis(2);

/// An error explains how a law was broken.
pub type Held = Result<(), String>;

/// A law for each request and each resumption.
pub struct Law {
    says: &'static str,
    holds: fn(&Plan, &Ask, &[Entry]) -> Held,
}

const NOTHING_LEFT: &str = "no connection, task or body is left when all is dropped";

/// Checks all laws, and returns the first one that is broken.
pub fn check(plan: &Plan, run: &Run) -> Held {
    run.ended.clone()?;
    let entries = &run.entries;
    for ask in &plan.requests {
        let entries = entries_of(ask, entries);
        for part in parts(ask, &entries) {
            let of_this = |entry: &&Entry| entry.id == part.id;
            let entries: Vec<Entry> = entries.iter().filter(of_this).copied().collect();
            let laws = commit::LAWS.iter().chain(&hedge::LAWS).chain(&retry::LAWS);
            hold(laws, plan, &part, &entries)?;
        }
        hold(download::LAWS.iter(), plan, ask, &entries)?;
    }
    hedge::within_what_is_earned(plan, entries)?;
    let left = entries
        .iter()
        .find(|entry| entry.id == ALL && entry.what != What::Over);
    match left.map(|entry| entry.what) {
        Some(What::Left(left)) if left == Left::default() => Ok(()),
        left => Err(format!("{NOTHING_LEFT}: {left:?}")),
    }
}

fn hold<'a>(
    laws: impl Iterator<Item = &'a Law>,
    plan: &Plan,
    ask: &Ask,
    entries: &[Entry],
) -> Held {
    for law in laws {
        let at = |broken| format!("{}: request {}: {broken}", law.says, ask.id);
        (law.holds)(plan, ask, entries).map_err(at)?;
    }
    Ok(())
}

/// Returns the entries of a request and of its resumptions.
pub fn entries_of(ask: &Ask, entries: &[Entry]) -> Vec<Entry> {
    let of_this = |entry: &&Entry| entry.id < TARGETS && entry.id % RESUMPTION == ask.id;
    entries.iter().filter(of_this).copied().collect()
}

/// Returns a request and its resumptions.
pub fn parts(ask: &Ask, entries: &[Entry]) -> impl Iterator<Item = Ask> {
    let last = entries.iter().map(|entry| entry.id / RESUMPTION).max();
    (0..=last.unwrap_or_default()).map(|part| Ask {
        id: ask.id + part * RESUMPTION,
        ..ask.clone()
    })
}

fn verdict(holds: bool, broken: impl FnOnce() -> String) -> Held {
    if holds { Ok(()) } else { Err(broken()) }
}

fn find(entries: &[Entry], is: impl Fn(&What) -> bool) -> Option<Duration> {
    let entry = entries.iter().find(|entry| is(&entry.what));
    entry.map(|entry| entry.at)
}

fn count(entries: &[Entry], is: impl Fn(&What) -> bool) -> u32 {
    entries.iter().filter(|entry| is(&entry.what)).count() as u32
}
