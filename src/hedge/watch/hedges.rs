use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll};

use http::{HeaderValue, Request};
use http_body::Body;
use tokio::task::unconstrained;
use tokio::time::Instant;
use tower_service::Service;

use super::{Due, Watch};
use crate::attempt::Attempt;
use crate::classify::Classify;
use crate::error::BoxError;
use crate::hedge::body::HedgeBody;
use crate::hedge::control::Group;
use crate::hedge::learned::Permit;
use crate::hedge::next::Next;
use crate::hedge::settings::Plan;
use crate::hedge_event::{HedgeEventKind, NotSent};

/// The hedges.
impl<S, C: Classify, B> Watch<S, C, B>
where
    S: Service<Request<HedgeBody<B>>> + Clone,
    B: Body,
    B::Error: Into<BoxError>,
{
    /// Sends the hedge that is due, if that is allowed.
    pub(in crate::hedge) fn hedge(&mut self, cx: &mut Context<'_>) -> Option<S::Future> {
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
                // `spare` is ready and may hold a permit, so it is dropped and replaced by a clone.
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

    /// Returns the body of the hedge that is due, or the reason why the hedge cannot be sent.
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
        // `unconstrained`, because a ready service could otherwise return `Pending` if the task has used up
        // its cooperative budget.
        let mut ready = unconstrained(poll_fn(|cx| spare.poll_ready(cx)));
        match Pin::new(&mut ready).poll(cx) {
            Poll::Ready(Ok(())) => Ok(body),
            // The next request through the service gets the error.
            Poll::Ready(Err(_)) | Poll::Pending => Err(NotSent::NotReady),
        }
    }

    /// Returns a copy of the request.
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
            // The header is left out if the map is full.
            let _ = headers.try_insert(name, count);
        }
        let elapsed = now.saturating_duration_since(self.started);
        settings.classify.renew(headers, elapsed);
        request
    }
}
