//! The summary of all requests.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, Instant};

use crate::report::{Ending, Report};

pub(crate) struct Summary {
    started: Instant,
    ending: Ending,
    first_error: Option<String>,
    /// The number of requests with each status or error.
    outcomes: BTreeMap<String, u64>,
    attempts: u64,
    most_attempts: u32,
    waited: Duration,
    latencies: Vec<Duration>,
}

impl Summary {
    pub(crate) fn new() -> Self {
        Self {
            started: Instant::now(),
            ending: Ending::Fine,
            first_error: None,
            outcomes: BTreeMap::new(),
            attempts: 0,
            most_attempts: 0,
            waited: Duration::ZERO,
            latencies: Vec::new(),
        }
    }

    pub(crate) fn add(&mut self, report: Report) {
        *self.outcomes.entry(report.outcome()).or_default() += 1;
        self.ending = self.ending.max(report.ending());
        self.first_error = self.first_error.take().or_else(|| report.error());
        self.attempts += u64::from(report.attempts.count);
        self.most_attempts = self.most_attempts.max(report.attempts.count);
        self.waited = self.waited.saturating_add(report.attempts.waited);
        self.latencies.push(report.took);
    }

    /// Records that the reports could not be printed.
    pub(crate) fn fail(&mut self) {
        self.ending = Ending::Error;
    }

    pub(crate) fn ending(&self) -> Ending {
        self.ending
    }

    pub(crate) fn first_error(&self) -> Option<&str> {
        self.first_error.as_deref()
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.latencies.len();
        let took = self.started.elapsed();
        let rate = count as f64 / took.as_secs_f64();
        writeln!(f, "{count} requests in {took:.1?}, {rate:.1} a second")?;
        for (outcome, number) in &self.outcomes {
            writeln!(f, "  {number:>8}  {outcome}")?;
        }
        writeln!(
            f,
            "attempts: {} in all, at most {} for a request; waited {:.1?} before and between them in sum",
            self.attempts, self.most_attempts, self.waited
        )?;
        let mut latencies = self.latencies.clone();
        latencies.sort_unstable();
        writeln!(
            f,
            "latency, retries included: min {:.1?}, median {:.1?}, p99 {:.1?}, max {:.1?}",
            percentile(&latencies, 0),
            percentile(&latencies, 50),
            percentile(&latencies, 99),
            percentile(&latencies, 100),
        )
    }
}

/// The smallest value that `percent` of the values do not exceed.
fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    let rank = (sorted.len() * percent).div_ceil(100);
    let index = rank.saturating_sub(1);
    sorted.get(index).copied().unwrap_or_default()
}
