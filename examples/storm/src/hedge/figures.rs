//! The figures of a record.

use std::ops::Range;
use std::time::Duration;

use super::Workload;
use super::histogram::quantile;
use super::log::{Record, sending};
use crate::figures::{recovery, share};
use crate::scenario::{FAULT, WARM_UP};
use crate::simulation::slot;

/// The length of the span for [`Figures::worst`].
const LONG: Duration = Duration::from_secs(10);

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Figures {
    /// The quantiles of the requests that succeeded.
    pub p50: Duration,
    pub p99: Duration,
    pub p999: Duration,
    /// The number of hedges for each request.
    pub extra: f64,
    /// The same in the ten seconds with the most hedges.
    pub worst: f64,
    /// The same in the whole run.
    pub extra_of_all: f64,
    /// The time from the end of the fault until the service has recovered, or `None` if it never does.
    pub recovery: Option<Duration>,
    /// The share of the requests that succeed.
    pub success: f64,
    /// The same in the whole run.
    pub success_of_all: f64,
}

/// Returns the time that is measured: the fault, or, without one, everything after the warm-up.
pub fn measured(workload: &Workload) -> Range<Duration> {
    match workload.course.has_fault() {
        true => WARM_UP..WARM_UP + FAULT,
        false => WARM_UP..sending(workload),
    }
}

impl Figures {
    pub fn of(workload: &Workload, record: &Record) -> Self {
        let Range { start, end } = measured(workload);
        let measured = slot(start)..slot(end);
        let took = |share| quantile(&[&record.took], share).unwrap_or_default();
        // The last requests may not have ended when the simulation ends.
        let watched = record.started.len() - slot(Duration::from_secs(5));
        let after = measured.end.min(watched)..watched;
        let Record {
            started,
            answered,
            sent,
            ..
        } = record;
        Self {
            p50: took(0.5),
            p99: took(0.99),
            p999: took(0.999),
            extra: share(&sent[measured.clone()], &started[measured.clone()]) - 1.0,
            worst: worst(sent, started),
            extra_of_all: share(sent, started) - 1.0,
            recovery: recovery(&answered[after.clone()], &started[after]),
            success: share(&answered[measured.clone()], &started[measured]),
            success_of_all: share(&answered[..watched], &started[..watched]),
        }
    }
}

fn worst(sent: &[u32], started: &[u32]) -> f64 {
    let sent = sent.windows(slot(LONG));
    let spans = sent.zip(started.windows(slot(LONG)));
    let extra = spans.map(|(sent, started)| share(sent, started) - 1.0);
    extra.fold(0.0, f64::max)
}
