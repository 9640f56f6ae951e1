use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body::Body;
use tokio::time::Instant;

use crate::attempt::{Attempt, Attempts, AttemptsHandle};
use crate::body::{ReplayBody, Replays};
use crate::budget::{Budget, Ending, Failure, Rule};
use crate::classify::{
    Attempted, Class, Classify, Elapsed, Outcome, RequestBody, RequestHead, ResponseHead, Verdict,
};
use crate::decide::{Decision, Facts, Wait, decide, is_final};
use crate::error::BoxError;
use crate::event::{Step, Stop, Told};
use crate::policy::Policy;
use crate::progress::Progress;
use crate::redirected::may_be_redirected;
use crate::snapshot::Snapshot;

/// One request through all of its attempts: what is known of it, and so what is next.
pub(crate) struct Exchange<C, B> {
    policy: Arc<Policy<C>>,
    snapshot: Snapshot<B>,
    progress: Progress,
    attempt_timeout: Option<Duration>,
    jitter: Option<Rng>,
    handle: Option<AttemptsHandle>,
}

impl<C: Classify, B: Body> Exchange<C, B> {
    /// Keeps a snapshot of a request, and sends the first attempt.
    #[inline]
    pub(crate) fn begin<F>(
        policy: Arc<Policy<C>>,
        request: Request<B>,
        send: impl FnOnce(Request<ReplayBody<B>>) -> F,
    ) -> (Self, F) {
        let (mut head, body) = request.into_parts();
        if let Some(name) = &policy.settings.attempt_header {
            head.headers.remove(name);
        }
        // What a retry above this one left; it may know of attempts before the first one here.
        let (above, handle) = match &mut head.extensions {
            extensions if extensions.is_empty() => (None, None),
            extensions => (extensions.remove::<Attempt>(), extensions.remove()),
        };
        let progress = Progress::start(above.is_some_and(|above| above.may_have_been_acted_on));
        let (replays, first) = Replays::of(body, policy.settings.max_replay_bytes);
        let snapshot = Snapshot::of(&head, replays);
        let attempt_timeout = policy.attempt_timeout(&snapshot.head());
        if policy.settings.marks_first_attempt || progress.may_have_been_acted_on {
            let rules = policy.rules(&snapshot.head());
            head.extensions.insert(progress.attempt(&rules));
        }
        sending(&policy, &snapshot.head(), &progress, handle.as_ref());
        let attempt = send(Request::from_parts(head, first));
        // Put together when nothing more can panic, it is built in its place: 250 instructions less
        // than to build it first and move it there.
        let exchange = Self {
            policy,
            snapshot,
            progress,
            attempt_timeout,
            jitter: None,
            handle,
        };
        (exchange, attempt)
    }

    /// The request of the next attempt; or why it cannot be made after all, now that its wait is
    /// over.
    pub(crate) fn next_attempt(&mut self) -> Result<Request<ReplayBody<B>>, Stop> {
        let now = Instant::now();
        let elapsed = now.duration_since(self.progress.started);
        let rules = self.policy.rules(&self.snapshot.head());
        if elapsed >= rules.window {
            return Err(Stop::Window);
        }
        if !self.snapshot.is_replayable() {
            return Err(Stop::NotReplayable);
        }
        self.progress.next_attempt(now);
        let mut request = self.snapshot.replay();
        let attempt = self.progress.attempt(&rules);
        request.extensions_mut().insert(attempt);
        let headers = request.headers_mut();
        let counted = self.progress.counted_retries();
        if let (Some(name), 1..) = (&self.policy.settings.attempt_header, counted) {
            // A map that is full goes without it.
            let _ = headers.try_insert(name, HeaderValue::from(counted));
        }
        self.policy.classify.renew(headers, elapsed);
        self.sending();
        Ok(request)
    }

    /// What an attempt's outcome means for the request.
    #[inline]
    pub(crate) fn settle<R>(&mut self, outcome: &Result<Response<R>, BoxError>) -> Decision {
        let mut verdict = self.classify(outcome);
        let decision = match is_final(verdict.class) {
            Some(stop) if self.is_counted_later(verdict, outcome) => Decision::Stop(stop),
            Some(stop) => {
                self.account(match (stop, outcome) {
                    (Stop::Success, _) => Ending::Success,
                    (_, Ok(_)) => Ending::Answered,
                    (_, Err(_)) => Ending::Failure,
                });
                Decision::Stop(stop)
            }
            None => {
                let is_of_other = |response| self.is_of_other_attempt(response);
                if verdict.class == Class::Refused && outcome.as_ref().is_ok_and(is_of_other) {
                    verdict.class = Class::Transient;
                }
                self.decide(verdict, outcome.as_ref().ok().map(Response::headers))
            }
        };
        let step = match decision {
            Decision::Stop(stop) => {
                self.snapshot.commit_body();
                Step::Stop(stop)
            }
            Decision::Retry(Wait { after, reason }) => Step::Retry { after, reason },
        };
        let told = outcome.as_ref().map(Response::status);
        self.tell(step, Some(verdict), Some(told.map_err(|error| &**error)));
        decision
    }

    /// Whether a response that says "refused" says it of the last of several requests alone: a
    /// retry under this one made others before, or a redirect was followed.
    fn is_of_other_attempt<R>(&self, response: &Response<R>) -> bool {
        was_acted_on_below(response)
            || may_be_redirected(
                &self.snapshot.method,
                &self.snapshot.uri,
                response.extensions(),
            )
    }

    /// Says on a response that is handed over what it took, if that was more than one attempt.
    pub(crate) fn mark<R>(&self, outcome: &mut Result<Response<R>, BoxError>) {
        if let (Ok(response), 1..) = (outcome, self.progress.retries()) {
            let mut attempts = self.progress.attempts();
            attempts.may_have_been_acted_on |= was_acted_on_below(response);
            response.extensions_mut().insert(attempts);
        }
    }

    /// Tells that there is no retry although there was to be one, and what is handed over instead.
    pub(crate) fn gave_up(&mut self, stop: Stop, outcome: Told<'_>) {
        self.snapshot.commit_body();
        self.tell(Step::Stop(stop), None, Some(outcome));
    }

    pub(crate) fn retries(&self) -> u32 {
        self.progress.retries()
    }

    /// How long an attempt may take, if there is a limit.
    pub(crate) fn attempt_timeout(&self) -> Option<Duration> {
        self.attempt_timeout
    }

    /// How much of a response that is let go is read.
    pub(crate) fn max_drain_bytes(&self) -> usize {
        self.policy.settings.max_drain_bytes
    }

    pub(crate) fn attempt_elapsed(&self) -> Duration {
        self.progress.attempt_started.elapsed()
    }

    /// How long the window still is, if it has an end.
    pub(crate) fn window_left(&self) -> Option<Duration> {
        let window = self.policy.rules(&self.snapshot.head()).window;
        (window != Duration::MAX).then(|| window.saturating_sub(self.progress.started.elapsed()))
    }

    #[inline]
    fn classify<R>(&self, outcome: &Result<Response<R>, BoxError>) -> Verdict {
        let body_progress = || self.snapshot.body_progress();
        let attempted = Attempted {
            number: self.progress.number(),
            may_have_been_acted_on: self.progress.may_have_been_acted_on,
            elapsed: Elapsed::Since(self.progress.started),
            body: RequestBody::Of(&body_progress),
            idempotency: Some(&self.policy.settings.idempotency),
        };
        self.policy.classify.classify(&Outcome {
            request: self.snapshot.head(),
            result: match outcome {
                Ok(response) => Ok(ResponseHead::of(response)),
                Err(error) => Err(&**error as &(dyn Error + 'static)),
            },
            attempted,
        })
    }

    /// An attempt failed in a way that can be retried.
    fn account_failure(&self) {
        self.account(Ending::Failure);
        if let Some(budget) = self.policy.settings.budget.get() {
            budget.at(&self.snapshot.uri, Rule::failed);
        }
    }

    #[inline]
    fn account(&self, ending: Ending) {
        let Some(budget) = self.policy.settings.budget.get() else {
            return;
        };
        let progress = &self.progress;
        budget.at(&self.snapshot.uri, |rule| match progress.paid_for {
            None => rule.first_attempt(ending, progress.started),
            Some(failure) => {
                let took = || self.attempt_elapsed();
                rule.retry(ending, progress.started, failure, took);
            }
        });
    }

    /// Whether the call's status is still to come, and its budget waits for that.
    #[inline]
    fn is_counted_later<R>(
        &self,
        verdict: Verdict,
        outcome: &Result<Response<R>, BoxError>,
    ) -> bool {
        if verdict.awaited.is_none() {
            return false;
        }
        let (Ok(response), Some(budget)) = (outcome, self.policy.settings.budget.get()) else {
            return false;
        };
        budget.counts_later(&self.snapshot.uri, verdict.awaited, response.extensions())
    }

    fn decide(&mut self, verdict: Verdict, response: Option<&HeaderMap>) -> Decision {
        let settings = &self.policy.settings;
        let hint = verdict.hint.resolve(settings.server_hints, response);
        let now = Instant::now();
        let rules = self.policy.rules(&self.snapshot.head());
        let facts = Facts {
            verdict,
            hint,
            retries: self.progress.counted_retries(),
            step: self.progress.step,
            previous_wait: self.progress.previous_wait,
            sent_at_once: self.progress.sent_at_once,
            replayable: self.snapshot.is_replayable(),
            may_repeat: self.policy.may_repeat(&self.snapshot.head(), verdict),
            elapsed: now.duration_since(self.progress.started),
        };
        let budget = settings.budget.get();
        // Of an attempt whose place another one takes at once, the budget does not hear.
        let is_free = facts.is_free();
        if !is_free {
            self.account_failure();
        }
        let failure = self.failure(verdict);
        let jitter = self
            .jitter
            .get_or_insert_with(|| settings.jitter.generator());
        let snapshot = &self.snapshot;
        let is_first = self.progress.paid_for.is_none();
        let withdraw = |rule: &Rule| rule.withdraw(failure, is_first);
        let withdraw = |budget: &Budget| budget.at(&snapshot.uri, withdraw);
        let claim = || {
            let is_covered = || is_free || budget.is_none_or(withdraw);
            match snapshot.reserve_body(is_covered) {
                Some(true) => Ok(()),
                Some(false) => Err(Stop::Budget),
                // It was read on meanwhile, beyond what is kept.
                None => Err(Stop::NotReplayable),
            }
        };
        let decision = decide(&rules, &facts, jitter, claim);
        if is_free && matches!(decision, Decision::Stop(_)) {
            self.account_failure();
        }
        if let Decision::Retry(wait) = decision {
            let paid = (!is_free).then_some(failure);
            self.progress.advance(verdict.class, paid, wait, hint);
            if let Some(handle) = &self.handle {
                handle.set(self.progress.attempts());
            }
        }
        decision
    }

    fn failure(&self, verdict: Verdict) -> Failure {
        match verdict.timed_out {
            true => Failure::TimedOut {
                took: self.attempt_elapsed(),
            },
            false => Failure::Quick,
        }
    }

    fn sending(&self) {
        let head = self.snapshot.head();
        sending(&self.policy, &head, &self.progress, self.handle.as_ref());
    }

    #[inline]
    fn tell(&self, step: Step, verdict: Option<Verdict>, outcome: Option<Told<'_>>) {
        let head = self.snapshot.head();
        self.policy
            .tell(&head, &self.progress, step, verdict, outcome);
    }
}

/// Whether a retry under this one hands it up after an attempt that the server may have acted on.
fn was_acted_on_below<R>(response: &Response<R>) -> bool {
    let below = response.extensions().get::<Attempts>();
    below.is_some_and(|below| below.may_have_been_acted_on)
}

/// An attempt is about to be handed to the inner service.
#[inline]
fn sending<C: Classify>(
    policy: &Policy<C>,
    head: &RequestHead<'_>,
    progress: &Progress,
    handle: Option<&AttemptsHandle>,
) {
    if let Some(handle) = handle {
        handle.set(progress.attempts());
    }
    policy.tell(head, progress, Step::Sent, None, None);
}
