//! What a record comes to.

use std::time::Duration;

use super::scenario::{FAULT, WARM_UP};
use super::simulation::{Record, SLOT, SLOTS, slot};

/// Recovered is, from when on no slot has fewer successes than this share of its requests.
pub const WELL: f64 = 0.95;

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Figures {
    /// From the fault's end; none if it never recovers.
    pub recovery: Option<Duration>,
    /// For each request in the fault.
    pub attempts: f64,
    /// The share of the requests of the fault that came to a success.
    pub success_in_fault: f64,
    /// The same of all requests.
    pub success: f64,
}

pub fn figures(record: &Record) -> Figures {
    let end = slot(WARM_UP + FAULT);
    let fault = slot(WARM_UP)..end;
    // The last requests may not have come to their end when the watch ends.
    let watched = SLOTS - slot(Duration::from_secs(10));
    let after = end..watched;
    Figures {
        recovery: recovery(&record.answered[after.clone()], &record.started[after]),
        attempts: share(&record.sent[fault.clone()], &record.started[fault.clone()]),
        success_in_fault: share(&record.answered[fault.clone()], &record.started[fault]),
        success: share(&record.answered[..watched], &record.started[..watched]),
    }
}

/// How long it is from the first of these slots until all is well; none if it is not in the last one.
pub fn recovery(answered: &[u32], started: &[u32]) -> Option<Duration> {
    let is_unwell = |slot: &usize| share(&answered[*slot..=*slot], &started[*slot..=*slot]) < WELL;
    match (0..started.len()).rev().find(is_unwell) {
        None => Some(Duration::ZERO),
        Some(last) if last + 1 == started.len() => None,
        Some(last) => Some(SLOT * (last + 1) as u32),
    }
}

pub fn share(part: &[u32], whole: &[u32]) -> f64 {
    sum(part) / sum(whole).max(1.0)
}

pub fn sum(slots: &[u32]) -> f64 {
    slots.iter().map(|&count| f64::from(count)).sum()
}
