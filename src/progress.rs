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

/// How far a request has come.
#[derive(Clone, Copy)]
pub(crate) struct Progress {
    pub(crate) started: Instant,
    pub(crate) attempt_started: Instant,
    /// When the latest attempt failed after which there is another one.
    pub(crate) waiting_since: Instant,
    retries: u32,
    pub(crate) series: Series,
    /// The sum of the waits, with the one that is under way, and that before the first attempt.
    pub(crate) waited: Duration,
    /// The failure whose retry was last paid for.
    pub(crate) paid_for: Option<Failure>,
    /// The state of the generator of the request's jitter, once it was drawn from.
    pub(crate) jitter: Option<u64>,
    /// The class of the outcome before this attempt.
    previous: Option<Class>,
    acted_on: ActedOn,
    /// How one of the retries was sent, if it was at once.
    immediate: Option<Immediate>,
    is_last: bool,
    /// The first attempt is held.
    is_unsent: bool,
}

/// Which attempt the server may have acted on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ActedOn {
    None,
    /// One of a retry layer above this one.
    Above,
    Own,
}

impl Progress {
    /// The first attempt, of which nothing is known yet; a retry above this one may have made others
    /// before.
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

    /// The first attempt of a request that came then, and is held.
    pub(crate) fn held(came: Instant, acted_on_above: bool) -> Self {
        Self {
            is_unsent: true,
            ..Self::start(came, acted_on_above, false)
        }
    }

    /// The first attempt starts after it was held.
    pub(crate) fn first_attempt(&mut self, now: Instant) {
        self.waited = now.duration_since(self.started);
        (self.started, self.attempt_started) = (now, now);
        self.is_unsent = false;
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
        self.counted(self.retries)
    }

    fn counted(&self, retries: u32) -> u32 {
        retries.saturating_sub(u32::from(self.immediate == Some(Immediate::Transparent)))
    }

    /// The number of the attempt that is under way, or was last.
    pub(crate) fn number(&self) -> u32 {
        let sent = u32::from(!self.is_unsent);
        self.retries.saturating_add(sent)
    }

    pub(crate) fn may_have_been_acted_on(&self) -> bool {
        self.acted_on != ActedOn::None
    }

    /// Whether the server may have acted on an attempt of this layer's own.
    pub(crate) fn was_acted_on_here(&self) -> bool {
        self.acted_on == ActedOn::Own
    }

    pub(crate) fn was_sent_at_once(&self) -> bool {
        self.immediate.is_some()
    }

    /// The attempt, for the layers below.
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

    /// How the attempt has failed by now.
    pub(crate) fn failure(&self, now: Instant, verdict: Verdict) -> Failure {
        match verdict.timed_out {
            true => Failure::TimedOut {
                took: now.duration_since(self.attempt_started),
            },
            false => Failure::Quick,
        }
    }

    /// Tells a budget what the attempt has come to.
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

    /// The same of one that failed in a way that can be retried.
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

    /// There will be a retry, after this wait.
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
