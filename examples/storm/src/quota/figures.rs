//! The figures of a record.

use std::time::Duration;

use super::Quota;
use super::simulation::{Record, sending};
use crate::figures::{recovery, share, sum};
use crate::scenario::{FAULT, WARM_UP};
use crate::simulation::{Load, slot};

/// The figures if all clients share a limit, and exceed it during the fault.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shared {
    /// The time from the end of the fault until the service has recovered, or `None` if it never does.
    pub recovery: Option<Duration>,
    /// How many attempts per second are accepted in the fault.
    pub goodput: f64,
    /// The share of the requests in the fault that succeed.
    pub success_in_fault: f64,
    /// The share of all requests that succeed.
    pub success: f64,
}

/// The figures if each client has a separate quota, and exceeds it all the time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Own {
    /// The share of the quotas that is used while requests are sent.
    pub used: f64,
    /// The number of 429s for each success.
    pub refusals: f64,
    /// The number of clients that were blocked.
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
