//! Counts refusals in a row. They are evidence of a used-up quota if no response reports it.

use std::time::Duration;

use tokio::time::Instant;

use crate::timer::later;

/// How many refusals without a success between them start a hold.
const ENOUGH: u32 = 8;

/// How long ago the latest success must be for a hold to start.
const QUIET: Duration = Duration::from_millis(200);

/// The same if no refusal asks for more than `UNASKED`. A limit per second that many clients share is
/// renewed within this time.
const LONG_QUIET: Duration = Duration::from_secs(1);

/// How long requests are held if no refusal asks for a wait: the first time, and at most.
pub(super) const UNASKED: Duration = Duration::from_secs(1);
const MAX_UNASKED: Duration = Duration::from_secs(60);

/// Refusals of attempts that were sent after the latest success.
#[derive(Default)]
pub(super) struct Row {
    /// The success that precedes these refusals.
    after: Option<Instant>,
    count: u32,
    /// The latest time that the refusals ask for.
    asked: Option<Instant>,
    /// The number of holds since that success for which no refusal asked for a wait.
    unasked: u32,
}

impl Row {
    /// Counts a refusal of an attempt that was sent at `sent`, unless the latest success, `success`, came
    /// after it was sent.
    pub(super) fn refused(
        &mut self,
        sent: Instant,
        asked: Option<Instant>,
        success: Option<Instant>,
    ) {
        if self.after != success {
            self.after = success;
            self.unasked = 0;
            self.clear();
        }
        if success.is_some_and(|success| sent < success) {
            return;
        }
        self.count += 1;
        self.asked = self.asked.max(asked);
    }

    /// Returns until when requests must be held, if there were enough refusals.
    pub(super) fn held_until(&mut self, now: Instant) -> Option<Instant> {
        let asked = self.asked.filter(|until| *until > now);
        // Waits are rounded up to seconds, so that one second can stand for a much shorter wait.
        let is_long = asked.is_some_and(|until| until - now > UNASKED);
        let quiet = if is_long { QUIET } else { LONG_QUIET };
        let is_quiet = |success| now.saturating_duration_since(success) >= quiet;
        if self.count < ENOUGH || !self.after.is_none_or(is_quiet) {
            return None;
        }
        asked.or_else(|| {
            let doubled = UNASKED.saturating_mul(1 << self.unasked.min(6));
            self.unasked = self.unasked.saturating_add(1);
            Some(later(now, doubled.min(MAX_UNASKED)))
        })
    }

    /// Starts a new row, because a hold has started or a request was served.
    pub(super) fn clear(&mut self) {
        self.count = 0;
        self.asked = None;
    }
}
