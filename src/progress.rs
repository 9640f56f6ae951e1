use std::time::Duration;

use tokio::time::Instant;

use crate::attempt::{Attempt, Attempts, Mark};
use crate::backoff::Series;
use crate::budget::{Ending, Failure, Rule};
use crate::class::Class;
use crate::classify::Verdict;
use crate::decide::{Immediate, Wait};
use crate::limits::Limits;
use crate::reason::StopReason;

/// The progress of a request through its attempts.
#[derive(Clone, Copy)]
pub(crate) struct Progress {
    pub(crate) started: Instant,
    pub(crate) attempt_started: Instant,
    /// When the latest wait started, which is when the attempt before it failed.
    pub(crate) waiting_since: Instant,
    retries: u32,
    pub(crate) series: Series,
    /// The sum of the waits, including the current one and the hold before the first attempt.
    pub(crate) waited: Duration,
    /// The last failure whose retry was paid for from the budget.
    pub(crate) paid_for: Option<Failure>,
    /// The state of the generator of the request's jitter, after its first use.
    pub(crate) jitter: Option<u64>,
    /// The class of the previous attempt's outcome.
    previous: Option<Class>,
    acted_on: ActedOn,
    /// How the retry was sent that did not wait for the back-off, if there was one.
    immediate: Option<Immediate>,
    is_last: bool,
    /// Whether the first attempt is held.
    is_unsent: bool,
}

/// Which attempt the server may have acted on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ActedOn {
    None,
    /// An attempt of a retry layer above this one.
    Above,
    Own,
}

impl Progress {
    /// Creates the progress of a first attempt. A retry layer above may have made attempts before.
    #[inline]
    pub(crate) fn start(started: Instant, acted_on_above: bool, is_last: bool) -> Self {
        Self {
            started,
            attempt_started: started,
            waiting_since: started,
            retries: 0,
            series: Series::default(),
            waited: Duration::ZERO,
            paid_for: None,
            jitter: None,
            previous: None,
            acted_on: match acted_on_above {
                true => ActedOn::Above,
                false => ActedOn::None,
            },
            immediate: None,
            is_last,
            is_unsent: false,
        }
    }

    /// Creates the progress of a request that arrived at `came`, and whose first attempt is held.
    pub(crate) fn held(came: Instant, acted_on_above: bool) -> Self {
        Self {
            is_unsent: true,
            ..Self::start(came, acted_on_above, false)
        }
    }

    /// Records the start of a first attempt that was held.
    pub(crate) fn first_attempt(&mut self, now: Instant) {
        self.waited = now.duration_since(self.started);
        (self.started, self.attempt_started) = (now, now);
        self.is_unsent = false;
    }

    /// Records the start of the next attempt.
    pub(crate) fn next_attempt(&mut self, now: Instant) {
        self.attempt_started = now;
        self.retries += 1;
    }

    pub(crate) fn retries(&self) -> u32 {
        self.retries
    }

    pub(crate) fn counted_retries(&self) -> u32 {
        self.counted(self.retries)
    }

    fn counted(&self, retries: u32) -> u32 {
        retries.saturating_sub(u32::from(self.immediate == Some(Immediate::Transparent)))
    }

    /// Returns the number of the current attempt, or of the last one. It is 0 if none was sent.
    pub(crate) fn number(&self) -> u32 {
        let sent = u32::from(!self.is_unsent);
        self.retries.saturating_add(sent)
    }

    pub(crate) fn may_have_been_acted_on(&self) -> bool {
        self.acted_on != ActedOn::None
    }

    /// Whether the server may have acted on an attempt that this layer made.
    pub(crate) fn was_acted_on_here(&self) -> bool {
        self.acted_on == ActedOn::Own
    }

    pub(crate) fn was_sent_at_once(&self) -> bool {
        self.immediate.is_some()
    }

    /// Returns the attempt for the layers below.
    pub(crate) fn attempt(&self, window: Duration) -> Attempt {
        Attempt {
            mark: self.mark(),
            window_end: self.started.checked_add(window),
        }
    }

    pub(crate) fn mark(&self) -> Mark {
        Mark {
            number: self.number(),
            previous: self.previous,
            may_have_been_acted_on: self.may_have_been_acted_on(),
            is_last: self.is_last,
            is_hedge: false,
        }
    }

    /// Returns how the attempt failed, given that it failed at `now`.
    pub(crate) fn failure(&self, now: Instant, verdict: Verdict) -> Failure {
        match verdict.timed_out {
            true => Failure::TimedOut {
                took: now.duration_since(self.attempt_started),
            },
            false => Failure::Quick,
        }
    }

    /// Reports the outcome of the attempt to a budget.
    #[inline]
    pub(crate) fn account(&self, rule: &Rule, ending: Ending) {
        match self.paid_for {
            None => rule.first_attempt(ending, self.started),
            Some(failure) => {
                let attempt_started = self.attempt_started;
                rule.retry(ending, self.started, failure, || attempt_started.elapsed());
            }
        }
    }

    /// Reports to a budget that the attempt failed in a way that can be retried.
    pub(crate) fn account_failure(&self, rule: &Rule) {
        self.account(rule, Ending::Failure);
        rule.failed();
    }

    pub(crate) fn attempts(&self, stopped: Option<StopReason>) -> Attempts {
        Attempts {
            count: self.number(),
            waited: self.waited,
            stopped,
            may_have_been_acted_on: self.was_acted_on_here(),
        }
    }

    /// Updates the progress for a retry after this wait.
    pub(crate) fn advance(
        &mut self,
        now: Instant,
        class: Class,
        paid: Option<Failure>,
        wait: &Wait,
        limits: &Limits,
    ) {
        self.waiting_since = now;
        self.previous = Some(class);
        if class == Class::Transient {
            self.acted_on = ActedOn::Own;
        }
        self.waited = self.waited.saturating_add(wait.after);
        self.paid_for = paid.or(self.paid_for);
        self.series = wait.series;
        self.immediate = wait.immediate.or(self.immediate);
        self.is_last = self.counted(self.number()) >= limits.max_retries;
    }
}
