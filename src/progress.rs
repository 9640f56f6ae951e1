use std::time::Duration;

use tokio::time::Instant;

use crate::attempt::{Attempt, Attempts};
use crate::budget::Failure;
use crate::classify::Class;
use crate::decide::{Rules, Wait};
use crate::event::Reason;
use crate::hint::Hint;

/// How far a request has come.
pub(crate) struct Progress {
    pub(crate) started: Instant,
    pub(crate) attempt_started: Instant,
    retries: u32,
    /// How far the back-off has advanced, and what it last came to.
    pub(crate) step: u32,
    pub(crate) previous_wait: Duration,
    /// The sum of the waits, with the one that is under way.
    waited: Duration,
    /// The failure whose retry was last paid for.
    pub(crate) paid_for: Option<Failure>,
    /// The class of the outcome before this attempt, and whether one was transient.
    pub(crate) previous: Option<Class>,
    pub(crate) may_have_been_acted_on: bool,
    /// Whether it was an attempt of this layer's own, and not of a retry above.
    acted_on_here: bool,
    pub(crate) sent_at_once: bool,
    /// Whether one of the retries was transparent, and so does not count.
    sent_transparently: bool,
}

impl Progress {
    /// The first attempt starts now; a retry above this one may have made others before.
    #[inline]
    pub(crate) fn start(may_have_been_acted_on: bool) -> Self {
        let now = Instant::now();
        Self {
            started: now,
            attempt_started: now,
            retries: 0,
            step: 0,
            previous_wait: Duration::ZERO,
            waited: Duration::ZERO,
            paid_for: None,
            previous: None,
            may_have_been_acted_on,
            acted_on_here: false,
            sent_at_once: false,
            sent_transparently: false,
        }
    }

    /// The next attempt starts.
    pub(crate) fn next_attempt(&mut self, now: Instant) {
        self.attempt_started = now;
        self.retries += 1;
    }

    pub(crate) fn retries(&self) -> u32 {
        self.retries
    }

    pub(crate) fn counted_retries(&self) -> u32 {
        self.retries
            .saturating_sub(u32::from(self.sent_transparently))
    }

    /// The number of the attempt that is under way, or was last.
    pub(crate) fn number(&self) -> u32 {
        self.retries.saturating_add(1)
    }

    /// What an attempt's request says of it to the layers below.
    pub(crate) fn attempt(&self, rules: &Rules) -> Attempt {
        Attempt {
            number: self.number(),
            previous: self.previous,
            may_have_been_acted_on: self.may_have_been_acted_on,
            is_last: self.counted_retries() >= rules.max_retries,
            window_end: self.started.checked_add(rules.window),
        }
    }

    pub(crate) fn attempts(&self) -> Attempts {
        Attempts {
            count: self.number(),
            waited: self.waited,
            may_have_been_acted_on: self.acted_on_here,
        }
    }

    /// There will be a retry, after this wait. A server's exact wait starts the back-off again; a
    /// retry at once leaves it as it is.
    pub(crate) fn advance(&mut self, class: Class, paid: Option<Failure>, wait: Wait, hint: Hint) {
        self.previous = Some(class);
        self.acted_on_here |= class == Class::Transient;
        self.may_have_been_acted_on |= self.acted_on_here;
        self.waited = self.waited.saturating_add(wait.after);
        self.paid_for = paid.or(self.paid_for);
        match wait.reason {
            Reason::AtOnce => self.sent_at_once = true,
            Reason::Transparent => {
                self.sent_at_once = true;
                self.sent_transparently = true;
            }
            Reason::Server if matches!(hint, Hint::Exactly(_)) => {
                self.step = 0;
                self.previous_wait = Duration::ZERO;
            }
            Reason::Server => self.step = self.step.saturating_add(1),
            Reason::Backoff | Reason::TimedOut => {
                self.step = self.step.saturating_add(1);
                self.previous_wait = wait.after;
            }
        }
    }
}
