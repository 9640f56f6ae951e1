//! Refusals in a row: the evidence that is seen, where no answer says that a quota is used up.

use std::time::Duration;

use tokio::time::Instant;

use crate::timer::later;

/// So many refusals without a success between them.
const ENOUGH: u32 = 8;

/// And so long without one.
const QUIET: Duration = Duration::from_millis(200);

/// The same where no longer wait is asked for. A limit on the requests of each second, which many
/// clients share, is given anew before that.
const LONG_QUIET: Duration = Duration::from_secs(1);

/// How long requests are held if no refusal says for how long: at first, and at most.
pub(super) const UNASKED: Duration = Duration::from_secs(1);
const MAX_UNASKED: Duration = Duration::from_secs(60);

/// Refusals of attempts that were sent after the latest success.
#[derive(Default)]
pub(super) struct Row {
    /// The success that it comes after.
    after: Option<Instant>,
    count: u32,
    /// The latest time that they ask for.
    asked: Option<Instant>,
    /// How many times requests were held since that success without being asked to.
    unasked: u32,
}

impl Row {
    /// One more was refused, which was `sent` after `success`, the latest so far.
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

    /// Until when requests are to be held, if there were enough.
    pub(super) fn held_until(&mut self, now: Instant) -> Option<Instant> {
        let asked = self.asked.filter(|until| *until > now);
        // Seconds are rounded up: one may be next to nothing.
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

    /// Requests are held, or one was served: what comes next is another row.
    pub(super) fn clear(&mut self) {
        self.count = 0;
        self.asked = None;
    }
}
