use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use http::{HeaderValue, Request, Response};
use http_body::Body;
use tokio::time::Instant;

use crate::attempt::{Attempt, Attempts, AttemptsHandle};
use crate::body::{ReplayBody, Replays};
use crate::budget::{Ending, Failure};
use crate::classify::{Class, Classify, Elapsed, Outcome, RequestHeaders, ResponseHead, Verdict};
use crate::decide::{Decision, Facts, Rules, Wait, decide, is_final};
use crate::error::BoxError;
use crate::event::{Event, Reason, Step, Stop, Told, tell};
use crate::hint::Hint;
use crate::policy::Policy;
use crate::retry_override::RetryOverride;
use crate::snapshot::Snapshot;

/// One request through all of its attempts: what is known of it, and so what is next.
pub(crate) struct Exchange<C, B> {
    policy: Arc<Policy<C>>,
    snapshot: Snapshot<B>,
    started: Instant,
    attempt_started: Instant,
    attempt_timeout: Option<Duration>,
    retries: u32,
    /// Whether one of them was transparent, and so does not count.
    sent_transparently: bool,
    /// How far the back-off has advanced, and what it last came to.
    step: u32,
    previous_wait: Duration,
    /// The wait that is under way, and the sum of those before it.
    wait: Duration,
    waited: Duration,
    /// The class of the outcome before this attempt, whether one was transient, and the failure
    /// whose retry this is.
    previous: Option<Class>,
    may_have_been_acted_on: bool,
    paid_for: Failure,
    sent_at_once: bool,
    jitter: Option<Rng>,
    handle: Option<AttemptsHandle>,
}

impl<C: Classify, B: Body> Exchange<C, B> {
    /// Keeps a snapshot, and gives the request of the first attempt.
    pub(crate) fn begin(
        policy: Arc<Policy<C>>,
        request: Request<B>,
    ) -> (Self, Request<ReplayBody<B>>) {
        let (mut head, body) = request.into_parts();
        if let Some(name) = &policy.settings.attempt_header {
            head.headers.remove(name);
        }
        // What a retry above this one left; it may know of attempts before the first one here.
        let above = head.extensions.remove::<Attempt>();
        let acted_on_above = above.is_some_and(|above| above.may_have_been_acted_on);
        let handle = head.extensions.remove();
        let mut replays = Replays::new(body, policy.settings.max_replay_bytes);
        let first = replays.next();
        let started = Instant::now();
        let mut exchange = Self {
            snapshot: Snapshot::new(&head, replays),
            policy,
            started,
            attempt_started: started,
            attempt_timeout: None,
            retries: 0,
            sent_transparently: false,
            step: 0,
            previous_wait: Duration::ZERO,
            wait: Duration::ZERO,
            waited: Duration::ZERO,
            previous: None,
            may_have_been_acted_on: acted_on_above,
            paid_for: Failure::Quick,
            sent_at_once: false,
            jitter: None,
            handle,
        };
        exchange.attempt_timeout = exchange.timeout();
        if exchange.policy.settings.marks_first_attempt || acted_on_above {
            head.extensions.insert(exchange.attempt());
        }
        exchange.sending();
        (exchange, Request::from_parts(head, first))
    }

    /// The request of the next attempt; or why it cannot be made after all, now that its wait is
    /// over.
    pub(crate) fn next_attempt(&mut self) -> Result<Request<ReplayBody<B>>, Stop> {
        let now = Instant::now();
        if now.duration_since(self.started) >= self.rules().window {
            return Err(Stop::Window);
        }
        if !self.snapshot.is_replayable() {
            return Err(Stop::NotReplayable);
        }
        self.attempt_started = now;
        self.retries += 1;
        self.waited = self.waited.saturating_add(self.wait);
        let mut request = self.snapshot.replay();
        request.extensions_mut().insert(self.attempt());
        let headers = request.headers_mut();
        let counted = self.counted_retries();
        if let (Some(name), 1..) = (&self.policy.settings.attempt_header, counted) {
            headers.insert(name, HeaderValue::from(counted));
        }
        self.policy
            .classify
            .renew(headers, now.duration_since(self.started));
        self.sending();
        Ok(request)
    }

    /// What an attempt's outcome means for the request.
    pub(crate) fn settle<R>(&mut self, outcome: &Result<Response<R>, BoxError>) -> Decision {
        let verdict = self.classify(outcome);
        let decision = match is_final(verdict.class) {
            Some(stop) => {
                self.account(match (stop, outcome) {
                    (Stop::Success, _) => Ending::Success,
                    (_, Ok(_)) => Ending::Answered,
                    (_, Err(_)) => Ending::Failure,
                });
                Decision::Stop(stop)
            }
            None => self.decide(verdict, outcome.as_ref().ok()),
        };
        let step = match decision {
            Decision::Stop(stop) => Step::Stop(stop),
            Decision::Retry(Wait { after, reason }) => Step::Retry { after, reason },
        };
        let told = outcome.as_ref().map(Response::status);
        self.tell(step, Some(verdict), Some(told.map_err(|error| &**error)));
        decision
    }

    /// An outcome on its way to the caller.
    pub(crate) fn hand_over<R>(
        &self,
        outcome: Result<Response<R>, BoxError>,
    ) -> Result<Response<R>, BoxError> {
        outcome.map(|mut response| {
            if self.retries > 0 {
                response.extensions_mut().insert(self.attempts());
            }
            response
        })
    }

    /// Tells that there is no retry although there was to be one, and what is handed over instead.
    pub(crate) fn gave_up(&self, stop: Stop, outcome: Told<'_>) {
        self.tell(Step::Stop(stop), None, Some(outcome));
    }

    fn counted_retries(&self) -> u32 {
        self.retries
            .saturating_sub(u32::from(self.sent_transparently))
    }

    pub(crate) fn retries(&self) -> u32 {
        self.retries
    }

    /// How long an attempt may take, if there is a limit.
    pub(crate) fn attempt_timeout(&self) -> Option<Duration> {
        self.attempt_timeout
    }

    fn timeout(&self) -> Option<Duration> {
        let own = self.overridden().and_then(RetryOverride::timeout);
        own.or_else(|| self.protocol().timeout())
            .or(self.policy.settings.attempt_timeout)
            .filter(|timeout| *timeout != Duration::MAX)
    }

    pub(crate) fn attempt_elapsed(&self) -> Duration {
        self.attempt_started.elapsed()
    }

    /// How long the window still is, if it has an end.
    pub(crate) fn window_left(&self) -> Option<Duration> {
        let window = self.rules().window;
        (window != Duration::MAX).then(|| window.saturating_sub(self.started.elapsed()))
    }

    fn classify<R>(&self, outcome: &Result<Response<R>, BoxError>) -> Verdict {
        self.policy.classify.classify(&Outcome {
            method: &self.snapshot.method,
            uri: &self.snapshot.uri,
            headers: RequestHeaders::Kept(&|| self.snapshot.headers()),
            extensions: &self.snapshot.extensions,
            result: match outcome {
                Ok(response) => Ok(ResponseHead::of(response)),
                Err(error) => Err(&**error as &(dyn Error + 'static)),
            },
            attempt: self.retries.saturating_add(1),
            elapsed: Elapsed::Since(self.started),
        })
    }

    /// An attempt failed in a way that can be retried.
    fn account_failure(&self) {
        self.account(Ending::Failure);
        if let Some(budget) = self.policy.settings.budget.get() {
            budget.failed();
        }
    }

    fn account(&self, ending: Ending) {
        let Some(budget) = self.policy.settings.budget.get() else {
            return;
        };
        match self.counted_retries() {
            0 => budget.first_attempt(ending, self.started),
            _ => budget.retry(ending, self.paid_for, self.attempt_elapsed()),
        }
    }

    fn decide<R>(&mut self, verdict: Verdict, response: Option<&Response<R>>) -> Decision {
        let settings = &self.policy.settings;
        let hint = verdict
            .hint
            .resolve(settings.server_hints, response.map(Response::headers));
        let rules = self.rules();
        let facts = Facts {
            verdict,
            hint,
            retries: self.counted_retries(),
            step: self.step,
            previous_wait: self.previous_wait,
            sent_at_once: self.sent_at_once,
            replayable: self.snapshot.is_replayable(),
            may_repeat: self.may_repeat(verdict),
            elapsed: self.started.elapsed(),
        };
        let budget = settings.budget.get();
        // What is sent again transparently does not count: another attempt takes its place.
        let is_transparent = facts.is_transparent(&rules);
        if !is_transparent {
            self.account_failure();
        }
        let failure = match verdict.timed_out {
            true => Failure::TimedOut {
                took: self.attempt_elapsed(),
            },
            false => Failure::Quick,
        };
        let jitter = self
            .jitter
            .get_or_insert_with(|| settings.jitter.generator());
        let withdraw = || budget.is_none_or(|budget| budget.withdraw(failure));
        let decision = decide(&rules, &facts, jitter, withdraw);
        if is_transparent && matches!(decision, Decision::Stop(_)) {
            self.account_failure();
        }
        if let Decision::Retry(wait) = decision {
            self.snapshot.reserve_body();
            self.previous = Some(verdict.class);
            self.may_have_been_acted_on |= verdict.class == Class::Transient;
            if wait.reason != Reason::Transparent {
                self.paid_for = failure;
            }
            self.advance(wait, hint);
        }
        decision
    }

    /// A server's exact wait starts the back-off again; a retry at once leaves it as it is.
    fn advance(&mut self, wait: Wait, hint: Hint) {
        self.wait = wait.after;
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

    fn may_repeat(&self, verdict: Verdict) -> bool {
        let declared = match verdict.repeatable {
            true => Some(true),
            false => {
                let own = self.overridden().and_then(RetryOverride::declared);
                own.or_else(|| self.protocol().declared())
            }
        };
        let has_header = |name: &_| self.snapshot.has_header(name);
        let idempotency = &self.policy.settings.idempotency;
        idempotency.may_repeat(&self.snapshot.method, has_header, declared)
    }

    fn overridden(&self) -> Option<&RetryOverride> {
        self.snapshot.extensions.get()
    }

    /// What the request's protocol says of it.
    fn protocol(&self) -> RetryOverride {
        self.policy.classify.overrides(&self.snapshot.head())
    }

    /// The request's own word goes before its protocol's, but for a window that would be longer.
    fn rules(&self) -> Rules {
        let protocol = self.protocol();
        let mut rules = protocol.apply(self.policy.settings.rules);
        if let Some(own) = self.overridden() {
            rules = own.apply(rules);
            rules.window = protocol.window().unwrap_or(Duration::MAX).min(rules.window);
        }
        rules
    }

    fn attempt(&self) -> Attempt {
        let rules = self.rules();
        Attempt {
            number: self.retries.saturating_add(1),
            previous: self.previous,
            may_have_been_acted_on: self.may_have_been_acted_on,
            is_last: self.counted_retries() >= rules.max_retries,
            window_end: self.started.checked_add(rules.window),
        }
    }

    fn attempts(&self) -> Attempts {
        Attempts {
            count: self.retries.saturating_add(1),
            waited: self.waited,
        }
    }

    fn sending(&self) {
        if let Some(handle) = &self.handle {
            handle.set(self.attempts());
        }
        self.tell(Step::Sent, None, None);
    }

    fn tell(&self, step: Step, verdict: Option<Verdict>, outcome: Option<Told<'_>>) {
        let settings = &self.policy.settings;
        tell(step, settings.listener.as_ref(), |step| Event {
            method: &self.snapshot.method,
            uri: &self.snapshot.uri,
            extensions: &self.snapshot.extensions,
            attempt: self.retries.saturating_add(1),
            started: self.started,
            attempt_started: self.attempt_started,
            class: verdict.map(|verdict| verdict.class),
            timed_out: verdict.is_some_and(|verdict| verdict.timed_out),
            outcome,
            budget: settings.budget.get(),
            step,
        });
    }
}
