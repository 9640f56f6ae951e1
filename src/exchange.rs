use std::borrow::Borrow;
use std::sync::Arc;
use std::time::Duration;

use http::{Extensions, HeaderValue, Request, Response};
use http_body::Body;
use tokio::time::Instant;

use crate::attempt::{Attempts, AttemptsHandle};
use crate::body::ReplayBody;
use crate::class::Class;
use crate::classify::{Attempted, Classify, Elapsed, Outcome, RequestBody, Verdict};
use crate::decide::{Wait, is_final};
use crate::error::BoxError;
use crate::event::EventKind;
use crate::head::{RequestHead, ResponseHead};
use crate::hold::Hold;
use crate::progress::Progress;
use crate::reason::StopReason;
use crate::redirected::may_be_redirected;
use crate::settings::Settings;
use crate::snapshot::Snapshot;

mod beginning;
mod decision;
mod quota;
mod telling;

use telling::{Seen, sending, tell};

/// One request and all of its attempts: decides what happens after each attempt. The progress is stored
/// elsewhere, because most requests end with their first attempt.
pub(crate) struct Exchange<C, B> {
    settings: Arc<Settings<C>>,
    snapshot: Snapshot<B>,
    started: Instant,
    /// Whether the server may have acted on an attempt of a retry layer above this one.
    acted_on_above: bool,
    attempt_timeout: Option<Duration>,
    handle: Option<AttemptsHandle>,
}

/// An attempt after a wait: a retry, or a first attempt that was held.
pub(crate) struct Later<'a, B> {
    pub(crate) progress: &'a Progress,
    pub(crate) hold: Option<&'a mut Hold<B>>,
}

impl<C: Classify, B: Body> Exchange<C, B> {
    /// When the first attempt started or, while it is held, when the request arrived.
    pub(crate) fn started(&self) -> Instant {
        self.started
    }

    /// Sends the next attempt after its wait, or returns why it cannot be sent any more.
    pub(crate) fn next_attempt<F>(
        &mut self,
        progress: &mut Progress,
        hold: Option<&mut Hold<B>>,
        window: Duration,
        send: impl FnOnce(Request<ReplayBody<B>>) -> F,
    ) -> Result<F, StopReason> {
        let now = Instant::now();
        let mut held = Duration::ZERO;
        if let Some(hold) = hold {
            if let Some(first) = hold.first.take() {
                return Ok(send(self.first_attempt(progress, hold, first, window, now)));
            }
            held = hold.held;
        }
        let elapsed = now.duration_since(self.started);
        if elapsed >= window {
            return Err(StopReason::Window);
        }
        if !self.snapshot.is_replayable() {
            return Err(StopReason::NotReplayable);
        }
        progress.next_attempt(now);
        let known_names = &self.settings.known_names;
        let mut head = self.snapshot.parts(progress, window, known_names);
        let counted = progress.counted_retries();
        if let (Some(name), 1..) = (&self.settings.retry_count_header, counted) {
            // If the map is full, the header is left out.
            let _ = head.headers.try_insert(name, HeaderValue::from(counted));
        }
        let since_arrival = elapsed.saturating_add(held);
        let settings = &self.settings;
        settings.classify.renew(&mut head.headers, since_arrival);
        let left = left_of(window, elapsed);
        settings.tell_deadline(&mut head.headers, left, self.attempt_timeout);
        sending(settings, self.head(), || &*progress, self.handle.as_ref());
        let body = self.snapshot.body.next(progress.mark());
        Ok(send(Request::from_parts(head, body)))
    }

    /// Decides what follows an attempt's outcome: the wait and the progress of the next attempt, or the
    /// reason to stop. A response that is returned to the caller is marked.
    // The progress of a first attempt is created only if it is needed, which is rare. This saves 20
    // instructions for each request.
    #[inline]
    pub(crate) fn settle<R>(
        &mut self,
        later: Option<Later<'_, B>>,
        outcome: &mut Result<Response<R>, BoxError>,
    ) -> Result<(Wait, Progress), StopReason> {
        let (started, acted_on_above) = (self.started, self.acted_on_above);
        let (later, mut hold) = match later {
            Some(Later { progress, hold }) => (Some(progress), hold),
            None => (None, None),
        };
        let progress = || match later {
            Some(later) => *later,
            None => Progress::start(started, acted_on_above, false),
        };
        let seen = match &*outcome {
            Ok(response) => Ok(ResponseHead::of(response)),
            Err(error) => Err(&**error as _),
        };
        let verdict = self.classify(&progress(), seen);
        self.hear(progress, verdict, seen, hold.as_deref_mut());
        let (stop, verdict) = match is_final(verdict.class) {
            Some(stop) => {
                self.account(progress, verdict, stop, seen);
                (stop, verdict)
            }
            None => {
                let mut progress = progress();
                let verdict = self.of_this_attempt(verdict, seen);
                let held = hold.map_or(Duration::ZERO, |hold| hold.held);
                match self.decide(&mut progress, held, verdict, seen) {
                    Ok(wait) => return Ok((wait, progress)),
                    Err(stop) => (stop, verdict),
                }
            }
        };
        self.end(progress, stop);
        let kind = EventKind::Stopped(stop);
        self.tell(progress, kind, Some(verdict), Some(seen));
        if let Ok(response) = outcome {
            self.mark(&progress(), stop, response);
        }
        Err(stop)
    }

    /// Makes a refusal transient if another request for this attempt may have been processed before, because
    /// a retry layer below made several attempts, or a redirect was followed.
    fn of_this_attempt(&self, verdict: Verdict, seen: Seen<'_>) -> Verdict {
        let is_of_other = |head: ResponseHead<'_>| {
            let Snapshot { method, uri, .. } = &self.snapshot;
            was_acted_on_below(head.extensions) || may_be_redirected(method, uri, head.extensions)
        };
        match verdict.class == Class::Refused && seen.is_ok_and(is_of_other) {
            true => Verdict {
                class: Class::Transient,
                ..verdict
            },
            false => verdict,
        }
    }

    /// Adds the attempts to a response. A failure always has them if the server may have acted on an earlier
    /// attempt, because a retry layer above could otherwise classify it as a refusal.
    #[inline]
    fn mark<R>(&self, progress: &Progress, stop: StopReason, response: &mut Response<R>) {
        if progress.retries() == 0 {
            return;
        }
        let is_owed = progress.was_acted_on_here() && stop != StopReason::Success;
        if self.settings.marks_responses || is_owed {
            let mut attempts = progress.attempts(Some(stop));
            attempts.may_have_been_acted_on |= was_acted_on_below(response.extensions());
            response.extensions_mut().insert(attempts);
        }
    }

    /// Emits that a scheduled attempt is not sent, with the error that is returned instead.
    pub(crate) fn gave_up(
        &mut self,
        progress: &Progress,
        (stop, error): (StopReason, BoxError),
    ) -> BoxError {
        self.end(|| &*progress, stop);
        let kind = EventKind::Stopped(stop);
        self.tell(|| &*progress, kind, None, Some(Err(&*error)));
        error
    }

    /// Returns the head of the request, as it was first sent.
    fn head(&self) -> RequestHead<'_> {
        self.snapshot.head(&self.settings.known_names)
    }

    /// How long an attempt may take, if there is a limit.
    pub(crate) fn attempt_timeout(&self) -> Option<Duration> {
        self.attempt_timeout
            .filter(|timeout| *timeout != Duration::MAX)
    }

    /// How much of a discarded response is read.
    pub(crate) fn max_drain_bytes(&self) -> usize {
        self.settings.max_drain_bytes
    }

    #[inline]
    fn classify(&self, progress: &Progress, seen: Seen<'_>) -> Verdict {
        let body_progress = || self.snapshot.body_progress();
        let attempted = Attempted {
            number: progress.number(),
            may_have_been_acted_on: progress.may_have_been_acted_on(),
            elapsed: Elapsed::Since(self.started),
            body: RequestBody::Of(&body_progress),
            response_body: None,
            is_of_body: false,
            idempotency: Some(&self.settings.idempotency),
        };
        self.settings.classify.classify(&Outcome {
            request: self.head(),
            result: seen,
            attempted,
        })
    }

    /// Ends the request after its last attempt.
    #[inline]
    fn end<P: Borrow<Progress>>(&mut self, progress: impl Fn() -> P, stop: StopReason) {
        self.snapshot.commit_body();
        if let Some(handle) = &self.handle {
            handle.set(progress().borrow().attempts(Some(stop)));
        }
    }

    #[inline]
    fn tell<P: Borrow<Progress>>(
        &self,
        progress: impl Fn() -> P,
        kind: EventKind,
        verdict: Option<Verdict>,
        seen: Option<Seen<'_>>,
    ) {
        let head = self.head();
        tell(&self.settings, head, progress, kind, verdict, seen);
    }
}

/// Returns the rest of a window; `Duration::MAX` if it has no end.
fn left_of(window: Duration, elapsed: Duration) -> Duration {
    match window {
        Duration::MAX => window,
        _ => window.saturating_sub(elapsed),
    }
}

/// Whether a retry below returned this response after an attempt that the server may have acted on.
fn was_acted_on_below(response: &Extensions) -> bool {
    let below = response.get::<Attempts>();
    below.is_some_and(|below| below.may_have_been_acted_on)
}
