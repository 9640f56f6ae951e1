use std::time::Duration;

use tokio::time::Instant;

use super::row::UNASKED;
use super::said::Said;
use crate::timer::later;

/// After this time without an outcome, as many further requests may be sent as are in flight.
const PATIENCE: Duration = Duration::from_secs(1);

/// The same if it is known what remains of the quota.
const LONG_PATIENCE: Duration = Duration::from_secs(30);

/// The end of a hold, in which requests are sent a few at a time.
#[derive(Clone, Debug)]
pub(super) struct SlowStart {
    /// How many requests may be sent now.
    permits: u64,
    in_flight: u64,
    /// What remains of the quota after the requests in flight, if known.
    remaining: Option<u64>,
    /// When further requests may be sent instead of those that were refused.
    later: Vec<Instant>,
    /// When a request was last sent, or an outcome last arrived.
    latest: Instant,
}

impl SlowStart {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            permits: 1,
            in_flight: 0,
            remaining: None,
            later: Vec::new(),
            latest: now,
        }
    }

    /// Whether a request may be sent now. If none is in flight, one may be sent although nothing remains:
    /// its response reports what remains now.
    pub(super) fn may_go(&self) -> bool {
        self.permits > 0 && (self.in_flight == 0 || self.remaining != Some(0))
    }

    pub(super) fn go(&mut self, now: Instant) {
        self.permits -= 1;
        self.in_flight += 1;
        self.remaining = self.remaining.map(|remaining| remaining.saturating_sub(1));
        self.latest = now;
    }

    /// Permits at least one request, regardless of the waits that responses asked for.
    pub(super) fn release(&mut self) {
        self.later.clear();
        self.permits = self.permits.max(1);
    }

    pub(super) fn came_back(&mut self, said: Said, now: Instant) {
        self.in_flight -= 1;
        self.latest = now;
        match said {
            Said::Served { remaining } | Said::Answered { remaining } => {
                self.permits += 2;
                // The server may not have counted the requests in flight yet.
                self.remaining = remaining.map(|left| left.saturating_sub(self.in_flight));
            }
            Said::Throttled { asked } => self.later.push(later(now, asked.unwrap_or(UNASKED))),
            Said::Nothing => self.permits += 1,
        }
    }

    pub(super) fn advance(&mut self, now: Instant) {
        let before = self.later.len();
        self.later.retain(|time| *time > now);
        self.permits += (before - self.later.len()) as u64;
        if self.impatient_at().is_some_and(|time| time <= now) {
            self.permits = self.permits.max(self.in_flight);
            self.remaining = None;
            self.latest = now;
        }
    }

    /// Returns for how long no request can be sent. It is zero if this depends on outcomes.
    pub(super) fn left(&self, now: Instant) -> Duration {
        match self.later.iter().min() {
            Some(next) if self.permits == 0 && self.in_flight == 0 => *next - now,
            _ => Duration::ZERO,
        }
    }

    /// Returns when further requests may be sent even if no outcome arrives.
    pub(super) fn next_change(&self) -> Option<Instant> {
        self.later.iter().copied().chain(self.impatient_at()).min()
    }

    /// Returns when further requests may be sent for lack of outcomes, if none may be sent now.
    fn impatient_at(&self) -> Option<Instant> {
        let patience = match self.remaining {
            None => PATIENCE,
            Some(_) => LONG_PATIENCE,
        };
        let is_stalled = self.in_flight > 0 && !self.may_go();
        is_stalled.then(|| self.latest + patience)
    }

    /// Returns how many further requests may be sent at `now` for lack of outcomes, for a test.
    #[cfg(test)]
    pub(super) fn impatience(&self, now: Instant) -> u64 {
        match self.impatient_at().is_some_and(|time| time <= now) {
            true => self.in_flight,
            false => 0,
        }
    }
}
