use std::error::Error;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{HeaderValue, Request, Response};
use http_body::Body;
use tokio::task::unconstrained;
use tokio::time::Instant;
use tower_service::Service;

use super::body::{HedgeBody, KeptBody};
use super::control::Group;
use super::learned::Permit;
use super::next::Next;
use super::race::By;
use super::settings::{Plan, Shared};
use crate::attempt::Attempt;
use crate::class::Class;
use crate::classify::{Attempted, Classify, Elapsed, Outcome, RequestBody, Verdict};
use crate::error::BoxError;
use crate::head::{RequestHead, ResponseHead};
use crate::hedge_event::{HedgeEventKind, NotSent};
use crate::kept_head::KeptHead;
use crate::retry_after::{Hint, requested_wait};

mod telling;

/// One request that may be hedged: what is kept of it, and what is known.
pub(super) struct Watch<S, C, B> {
    shared: Arc<Shared<C>>,
    head: KeptHead,
    body: KeptBody<B>,
    plan: Plan,
    pub(super) started: Instant,
    /// None before this time, if there is one.
    end: Option<Instant>,
    next: Option<Next<S>>,
    sent: u32,
    /// How many of them take the place of an attempt that the server has not seen.
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
    /// Keeps a request, and gives the first attempt's.
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
    /// When the next hedge is due: so long after that time. None if there is to be no other.
    pub(super) fn next(&self) -> Option<(Instant, Duration)> {
        self.next.as_ref().map(Next::due)
    }

    /// What would be due after the end is none.
    fn set_next(&mut self, next: Option<Next<S>>) {
        let end = self.end;
        self.next = next.filter(|next| end.is_none_or(|end| next.is_before(end)));
    }

    /// Whether it is hedged by a policy.
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
            // The second time, it is the failure that it stands for.
            transparent: verdict.transparent && self.transparent == 0,
            ..verdict
        }
    }

    /// An attempt has come to its outcome.
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

    /// An attempt has failed in a way that may pass, and so a hedge that goes by a policy is sent at once,
    /// or when the server asks for it. Whether there is to be one. It does not count as one if the server
    /// has not seen the attempt.
    pub(super) fn advance<R>(
        &mut self,
        verdict: Verdict,
        outcome: &Result<Response<R>, BoxError>,
    ) -> bool {
        let hint = verdict.hint(|| {
            let response = outcome.as_ref().ok()?;
            requested_wait(response.headers()).map(Hint::AtLeast)
        });
        let is_given = self.is_given();
        let Some(mut next) = self.next.take().filter(|_| is_given) else {
            return false;
        };
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

/// The hedges.
impl<S, C: Classify, B> Watch<S, C, B>
where
    S: Service<Request<HedgeBody<B>>> + Clone,
    B: Body,
    B::Error: Into<BoxError>,
{
    /// Sends the hedge that is due, if it may be.
    pub(super) fn hedge(&mut self, cx: &mut Context<'_>) -> Option<S::Future> {
        let next = self.next.take()?;
        let (_, delay) = next.due();
        let mut spare = next.spare;
        let body = match self.body_if_due(&mut spare, cx) {
            Ok(body) => body,
            Err(reason) => {
                self.tell(HedgeEventKind::NotSent(reason), None);
                return None;
            }
        };
        let now = Instant::now();
        if self.plan == Plan::Learned {
            let is_late = self.due.is_some();
            let permit = self
                .shared
                .at(&self.head.uri, |learned| learned.ask(is_late));
            let group = match permit {
                Permit::Granted => Group::Hedged,
                Permit::Withheld => Group::Withheld,
                Permit::NoBudget => {
                    self.tell(HedgeEventKind::NotSent(NotSent::Budget), None);
                    return None;
                }
            };
            self.due.get_or_insert(Due {
                group,
                at: now,
                within: delay,
            });
            if permit == Permit::Withheld {
                // It is ready, and may hold a permit for that.
                self.next = Some(Next::new(spare.clone(), now, delay));
                self.tell(HedgeEventKind::Withheld, None);
                return None;
            }
        }
        self.sent += 1;
        let hedge = spare.call(self.copy(body, now));
        self.tell(HedgeEventKind::Sent, None);
        self.set_next(match self.plan {
            Plan::Given(policy) if self.sent < policy.max_hedges + self.transparent => {
                Some(Next::new(spare, now, policy.delay))
            }
            Plan::Given(_) | Plan::Learned => None,
        });
        Some(hedge)
    }

    /// Why a hedge that is due cannot be sent, or its body.
    fn body_if_due(&self, spare: &mut S, cx: &mut Context<'_>) -> Result<HedgeBody<B>, NotSent> {
        let settings = &self.shared.settings;
        if self.is_given() {
            self.body.read_ahead();
        }
        let body = self.body.hedge().ok_or(NotSent::NotReplayable)?;
        if settings.is_held(&self.head.uri) {
            return Err(NotSent::CoolingDown);
        }
        if settings.is_budget_low(&self.head.uri) {
            return Err(NotSent::Budget);
        }
        // One that is ready says so even if the task has used up its turn.
        let mut ready = unconstrained(poll_fn(|cx| spare.poll_ready(cx)));
        match Pin::new(&mut ready).poll(cx) {
            Poll::Ready(Ok(())) => Ok(body),
            // Whoever needs it next gets its error.
            Poll::Ready(Err(_)) | Poll::Pending => Err(NotSent::NotReady),
        }
    }

    /// The request once more.
    fn copy(&self, body: HedgeBody<B>, now: Instant) -> Request<HedgeBody<B>> {
        let settings = &self.shared.settings;
        let mut request = self.head.request(body, &settings.known_names);
        if let Some(attempt) = request.extensions_mut().get_mut::<Attempt>() {
            attempt.mark.is_hedge = true;
        }
        let headers = request.headers_mut();
        let counted = self.sent.saturating_sub(self.transparent);
        if let (Some(name), 1..) = (&settings.count_header, counted) {
            let before = |value: &HeaderValue| value.to_str().ok()?.parse::<u32>().ok();
            let before = headers.get(name).and_then(before).unwrap_or(0);
            let count = HeaderValue::from(before.saturating_add(counted));
            // A map that is full goes without it.
            let _ = headers.try_insert(name, count);
        }
        let elapsed = now.saturating_duration_since(self.started);
        settings.classify.renew(headers, elapsed);
        request
    }
}
