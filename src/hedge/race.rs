use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::Response;
use http_body::Body;

use crate::class::Class;
use crate::drain::{DRAINED_BYTES, Leftover};
use crate::error::BoxError;

/// The hedges of a request that are in flight, and the failure of another attempt. Few requests have one.
pub(super) struct Race<F, T> {
    hedges: Vec<Pin<Box<F>>>,
    failed: Option<Failed<T>>,
    leftovers: Vec<Pin<Box<Leftover<T>>>>,
}

/// An attempt that failed transiently while others are in flight.
pub(super) struct Failed<T> {
    pub(super) by: By,
    pub(super) class: Class,
    pub(super) outcome: Result<T, BoxError>,
}

/// The first attempt or a hedge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum By {
    First,
    Hedge,
}

impl<F: Future, R: Body> Race<F, Response<R>> {
    pub(super) fn new() -> Self {
        Self {
            hedges: Vec::new(),
            failed: None,
            leftovers: Vec::new(),
        }
    }

    pub(super) fn send(&mut self, hedge: F) {
        self.hedges.push(Box::pin(hedge));
    }

    pub(super) fn is_running(&self) -> bool {
        !self.hedges.is_empty()
    }

    /// Polls the hedges for an outcome. `None` if no hedge is in flight.
    pub(super) fn poll_hedges(&mut self, cx: &mut Context<'_>) -> Poll<Option<F::Output>> {
        self.leftovers
            .retain_mut(|leftover| leftover.as_mut().poll_drained(cx).is_pending());
        for place in 0..self.hedges.len() {
            if let Poll::Ready(outcome) = self.hedges[place].as_mut().poll(cx) {
                drop(self.hedges.remove(place));
                return Poll::Ready(Some(outcome));
            }
        }
        match self.is_running() {
            true => Poll::Pending,
            false => Poll::Ready(None),
        }
    }

    /// Keeps the failure that is returned if all attempts fail, and drops the other one.
    pub(super) fn keep(&mut self, failed: Failed<Response<R>>) {
        let let_go = match self.failed.take() {
            Some(before) if before.goes_before(&failed) => {
                self.failed = Some(before);
                Some(failed)
            }
            before => {
                self.failed = Some(failed);
                before
            }
        };
        self.let_go(let_go);
    }

    fn let_go(&mut self, failed: Option<Failed<Response<R>>>) {
        if let Some(Ok(response)) = failed.map(|failed| failed.outcome) {
            let (_, body) = response.into_parts();
            let leftover = Leftover::of(body, DRAINED_BYTES, Response::new);
            self.leftovers.extend(leftover.map(Box::pin));
        }
    }

    pub(super) fn take_failed(&mut self) -> Option<Failed<Response<R>>> {
        self.failed.take()
    }

    /// Ends the race, because the outcome of another attempt is returned. Reads what has arrived of discarded
    /// responses, for connection reuse. Returns the hedges that are in flight.
    pub(super) fn end(mut self, cx: &mut Context<'_>) -> Vec<Pin<Box<F>>> {
        let failed = self.failed.take();
        self.let_go(failed);
        for leftover in &mut self.leftovers {
            let _ = leftover.as_mut().poll_drained(cx);
        }
        self.hedges
    }
}

impl<T> Failed<T> {
    /// Prefers the first attempt's outcome, unless it is a refusal and the server may have acted on another
    /// attempt. A retry above would otherwise conclude that the server did not process the request.
    fn goes_before(&self, later: &Self) -> bool {
        match (self.class, later.class) {
            (Class::Refused, Class::Refused) => self.by == By::First,
            (Class::Refused, _) => false,
            (_, Class::Refused) => true,
            _ => self.by == By::First,
        }
    }
}
