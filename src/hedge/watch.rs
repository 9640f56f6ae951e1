use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use http_body::Body;
use tokio::time::Instant;

use super::body::HedgeBody;
use super::control::Group;
use super::kept_body::KeptBody;
use super::next::Next;
use super::race::By;
use super::settings::Plan;
use super::shared::Shared;
use crate::class::Class;
use crate::classify::{Attempted, Classify, Elapsed, Outcome, RequestBody, Verdict};
use crate::error::BoxError;
use crate::head::{RequestHead, ResponseHead};
use crate::kept_head::KeptHead;
use crate::retry_after::{Hint, requested_wait};

mod hedges;
mod telling;

/// The state of one request that may be hedged.
pub(super) struct Watch<S, C, B> {
    shared: Arc<Shared<C>>,
    head: KeptHead,
    body: KeptBody<B>,
    plan: Plan,
    pub(super) started: Instant,
    /// The end of the window, if there is one. No hedge is sent after it.
    end: Option<Instant>,
    next: Option<Next<S>>,
    sent: u32,
    /// How many of the hedges replace an attempt that the server has not processed.
    transparent: u32,
    due: Option<Due>,
}

/// A hedge that was due.
struct Due {
    group: Group,
    at: Instant,
    /// The time for which the two groups are compared.
    within: Duration,
}

impl<S, C: Classify, B: Body> Watch<S, C, B> {
    /// Keeps a copy of a request, and returns the request of the first attempt.
    #[inline(always)]
    pub(super) fn begin(
        shared: Arc<Shared<C>>,
        plan: Plan,
        request: Request<B>,
        spare: impl FnOnce() -> S,
    ) -> (Self, Request<HedgeBody<B>>) {
        let started = Instant::now();
        let delay = match plan {
            Plan::Learned => shared.at(request.uri(), |learned| learned.delay_at(started)),
            Plan::Given(policy) => Some(policy.delay),
        };
        let end = match plan {
            Plan::Learned => None,
            Plan::Given(_) => {
                let protocol = shared
                    .settings
                    .classify
                    .overrides(&RequestHead::of(&request));
                protocol.end_of_window(started)
            }
        };
        let head = KeptHead::of(&request, &shared.settings.known_names);
        let (parts, body) = request.into_parts();
        let (body, first) = KeptBody::of(body);
        let next = delay
            .map(|delay| Next::new(spare(), started, delay))
            .filter(|next| end.is_none_or(|end| next.is_before(end)));
        let watch = Self {
            shared,
            head,
            body,
            plan,
            started,
            end,
            next,
            sent: 0,
            transparent: 0,
            due: None,
        };
        (watch, Request::from_parts(parts, first))
    }
}

impl<S, C, B: Body> Watch<S, C, B> {
    /// When the next hedge is due, as a time and the delay after it. `None` if there is no other hedge.
    pub(super) fn next(&self) -> Option<(Instant, Duration)> {
        self.next.as_ref().map(Next::due)
    }

    /// Sets the next hedge, unless it would be due after the end of the window.
    fn set_next(&mut self, next: Option<Next<S>>) {
        let end = self.end;
        self.next = next.filter(|next| end.is_none_or(|end| next.is_before(end)));
    }

    /// Whether the request is hedged by a policy.
    pub(super) fn is_given(&self) -> bool {
        matches!(self.plan, Plan::Given(_))
    }

    pub(super) fn commit_body(&mut self) {
        self.body.commit();
    }

    fn request(&self) -> RequestHead<'_> {
        self.head.head(&self.shared.settings.known_names)
    }
}

impl<S, C: Classify, B: Body> Watch<S, C, B> {
    #[inline]
    pub(super) fn classify<R>(&self, outcome: &Result<Response<R>, BoxError>) -> Verdict {
        let body = || self.body.progress();
        let attempted = Attempted {
            number: 1 + self.transparent,
            may_have_been_acted_on: false,
            elapsed: Elapsed::Since(self.started),
            body: RequestBody::Of(&body),
            response_body: None,
            is_of_body: false,
            idempotency: Some(&self.shared.settings.idempotency),
        };
        let result = match outcome {
            Ok(response) => Ok(ResponseHead::of(response)),
            Err(error) => Err(&**error as &(dyn Error + 'static)),
        };
        let verdict = self.shared.settings.classify.classify(&Outcome {
            request: self.request(),
            result,
            attempted,
        });
        Verdict {
            // A request has at most one transparent retry. A second such failure counts like any other.
            transparent: verdict.transparent && self.transparent == 0,
            ..verdict
        }
    }

    /// Handles the outcome of an attempt.
    #[inline]
    pub(super) fn hear<R>(
        &self,
        by: By,
        verdict: Verdict,
        outcome: &Result<Response<R>, BoxError>,
    ) {
        match (self.plan, by) {
            (Plan::Learned, By::First) => match verdict.class {
                Class::Success => {
                    let took = self.started.elapsed();
                    self.shared
                        .at(&self.head.uri, |learned| learned.ended(took));
                }
                _ if verdict.timed_out => self.cut(),
                _ => {}
            },
            (Plan::Learned, By::Hedge) => {}
            (Plan::Given(_), _) => {
                let response = outcome.as_ref().ok().map(Response::extensions);
                let settings = &self.shared.settings;
                settings.throttle(&self.head.uri, verdict, response);
            }
        }
    }

    /// Handles an attempt that failed transiently. With a policy, the next hedge is then sent immediately,
    /// or at the time that the server asks for. Returns whether there is one. It does not count as a hedge
    /// if the server has not processed the attempt.
    pub(super) fn advance<R>(
        &mut self,
        verdict: Verdict,
        outcome: &Result<Response<R>, BoxError>,
    ) -> bool {
        let is_given = self.is_given();
        let Some(mut next) = self.next.take().filter(|_| is_given) else {
            return false;
        };
        let hint = verdict.hint(|| {
            let response = outcome.as_ref().ok()?;
            requested_wait(response.headers()).map(Hint::AtLeast)
        });
        match hint {
            None => next.hurry(Instant::now()),
            Some(Hint::AtLeast(wait) | Hint::Exactly(wait)) => next.wait(Instant::now(), wait),
            Some(Hint::Never) => return false,
        }
        self.transparent += u32::from(verdict.transparent);
        self.set_next(Some(next));
        self.next.is_some()
    }
}
