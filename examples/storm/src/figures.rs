//! The figures of a record.

use std::time::Duration;

use super::scenario::{FAULT, WARM_UP};
use super::simulation::{Record, SLOT, SLOTS, slot};

/// The service has recovered when this share of the requests of every later slot succeeds.
pub const WELL: f64 = 0.95;

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Figures {
    /// The time from the end of the fault until the service has recovered, or `None` if it never does.
    pub recovery: Option<Duration>,
    /// The number of attempts for each request in the fault.
    pub attempts: f64,
    /// The share of the requests in the fault that succeed.
    pub success_in_fault: f64,
    /// The share of all requests that succeed.
    pub success: f64,
}

pub fn figures(record: &Record) -> Figures {
    let end = slot(WARM_UP + FAULT);
    let fault = slot(WARM_UP)..end;
    // The last requests may not have ended when the simulation ends.
    let watched = SLOTS - slot(Duration::from_secs(10));
    let after = end..watched;
    Figures {
        recovery: recovery(&record.answered[after.clone()], &record.started[after]),
        attempts: share(&record.sent[fault.clone()], &record.started[fault.clone()]),
        success_in_fault: share(&record.answered[fault.clone()], &record.started[fault]),
        success: share(&record.answered[..watched], &record.started[..watched]),
    }
}

/// Returns the time from the first of these slots until the service has recovered, or `None` if it has
/// not recovered in the last slot.
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
