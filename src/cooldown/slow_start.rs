use std::time::Duration;

use tokio::time::Instant;

use super::row::UNASKED;
use super::said::Said;
use crate::timer::later;

/// So long without an outcome, as many requests again may go as are under way.
const PATIENCE: Duration = Duration::from_secs(1);

/// The same if it is known how many may go.
const LONG_PATIENCE: Duration = Duration::from_secs(30);

/// The end of a hold: a few requests at a time.
#[derive(Clone, Debug)]
pub(super) struct SlowStart {
    /// How many may go now.
    permits: u64,
    in_flight: u64,
    /// How many the quota has, without those that are under way, if it was told.
    remaining: Option<u64>,
    /// When others may go, in the place of those that were refused.
    later: Vec<Instant>,
    /// When the last one went, or came back.
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

    /// Whether one may go now. Where nothing is under way, one may whatever remains: it tells what does.
    pub(super) fn may_go(&self) -> bool {
        self.permits > 0 && (self.in_flight == 0 || self.remaining != Some(0))
    }

    pub(super) fn go(&mut self, now: Instant) {
        self.permits -= 1;
        self.in_flight += 1;
        self.remaining = self.remaining.map(|remaining| remaining.saturating_sub(1));
        self.latest = now;
    }

    /// One more may go at least, whatever was asked for.
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
                // What is under way may not be counted yet.
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

    /// Nothing goes for so long.
    pub(super) fn left(&self, now: Instant) -> Duration {
        match self.later.iter().min() {
            Some(next) if self.permits == 0 && self.in_flight == 0 => *next - now,
            _ => Duration::ZERO,
        }
    }

    /// When more may go by time alone.
    pub(super) fn next_change(&self) -> Option<Instant> {
        self.later.iter().copied().chain(self.impatient_at()).min()
    }

    /// If all that may go is under way.
    fn impatient_at(&self) -> Option<Instant> {
        let patience = match self.remaining {
            None => PATIENCE,
            Some(_) => LONG_PATIENCE,
        };
        let is_stalled = self.in_flight > 0 && !self.may_go();
        is_stalled.then(|| self.latest + patience)
    }

    /// How many more may go by its next impatience, for a test.
    #[cfg(test)]
    pub(super) fn impatience(&self, now: Instant) -> u64 {
        match self.impatient_at().is_some_and(|time| time <= now) {
            true => self.in_flight,
            false => 0,
        }
    }
}
