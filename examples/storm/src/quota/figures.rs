//! What a record comes to.

use std::time::Duration;

use super::Quota;
use super::simulation::{Record, sending};
use crate::figures::{recovery, share, sum};
use crate::scenario::{FAULT, WARM_UP};
use crate::simulation::{Load, slot};

/// Where all clients share a limit, and ask for too much of it for a time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shared {
    /// From the fault's end; none if it never recovers.
    pub recovery: Option<Duration>,
    /// How many attempts a second are served in the fault.
    pub goodput: f64,
    /// The share of the requests of the fault that came to a success.
    pub success_in_fault: f64,
    /// The same of all requests.
    pub success: f64,
}

/// Where each client has a quota of its own, and asks for too much of it all the time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Own {
    /// What is used of the quotas while requests are sent.
    pub used: f64,
    /// Answers of 429 for each success.
    pub refusals: f64,
    /// How many clients were blocked.
    pub blocked: u32,
}

impl Shared {
    pub fn of(quota: &Quota, record: &Record) -> Self {
        let end = slot(WARM_UP + FAULT);
        let fault = slot(WARM_UP)..end;
        let watched = end..slot(sending(quota));
        let Record {
            started,
            answered,
            served,
            ..
        } = record;
        Self {
            recovery: recovery(&answered[watched.clone()], &started[watched]),
            goodput: sum(&served[fault.clone()]) / FAULT.as_secs_f64(),
            success_in_fault: share(&answered[fault.clone()], &started[fault]),
            success: share(answered, started),
        }
    }
}

impl Own {
    pub fn of(quota: &Quota, load: Load, record: &Record) -> Self {
        let sending = sending(quota);
        let windows = sending.as_secs_f64() / quota.window.as_secs_f64();
        let quotas = f64::from(quota.limit) * windows * load.clients as f64;
        Self {
            used: sum(&record.served[..slot(sending)]) / quotas,
            refusals: share(&record.refused, &record.served),
            blocked: record.blocked,
        }
    }
}
