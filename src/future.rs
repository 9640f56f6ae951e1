use std::fmt;
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::{Request, Response};
use http_body::Body;
use pin_project_lite::pin_project;
use tokio::time::{Instant, Sleep, sleep};
use tower::Service;

use crate::body::ReplayBody;
use crate::classify::Classify;
use crate::decide::{Decision, Wait};
use crate::error::{Abandoned, AttemptTimedOut, BoxError, Last};
use crate::event::Stop;
use crate::exchange::Exchange;
use crate::leftover::{DRAINED_FOR, Leftover};

/// So many retries without a wait need no timer; then one is used, as it yields to other tasks.
const UNTIMED_RETRIES: u32 = 32;

pin_project! {
    /// The future of a [`Retry`](crate::Retry): the one place that waits.
    ///
    /// Dropping it stops everything: nothing more is sent, no task or timer is left.
    ///
    /// # Panics
    ///
    /// When polled again after it has completed; and, if it has to wait, outside a tokio runtime
    /// with time enabled.
    pub struct ResponseFuture<S, C, B>
    where
        S: Service<Request<ReplayBody<B>>>,
    {
        inner: S,
        exchange: Exchange<C, B>,
        last: Last,
        // Of the attempt's time-out, of the wait, or of the window's end.
        #[pin]
        timer: Option<Sleep>,
        #[pin]
        state: State<S::Future, S::Response>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<F, T> {
        Called {
            #[pin]
            attempt: F,
        },
        Waiting {
            #[pin]
            leftover: Option<Leftover<T>>,
            since: Instant,
            wait: Duration,
        },
        Readying,
        Completed,
    }
}

impl<S, C, B> ResponseFuture<S, C, B>
where
    S: Service<Request<ReplayBody<B>>>,
{
    pub(crate) fn new(inner: S, exchange: Exchange<C, B>, attempt: S::Future) -> Self {
        Self {
            inner,
            exchange,
            last: Last::default(),
            timer: None,
            state: State::Called { attempt },
        }
    }
}

impl<S, C, B, R> Future for ResponseFuture<S, C, B>
where
    S: Service<Request<ReplayBody<B>>, Response = Response<R>>,
    S::Error: Into<BoxError>,
    C: Classify,
    B: Body,
    R: Body,
{
    type Output = Result<Response<R>, BoxError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            let this = self.as_mut().project();
            let output = match this.state.project() {
                StateProj::Called { .. } => ready!(self.as_mut().poll_called(cx)),
                StateProj::Waiting { .. } => {
                    ready!(self.as_mut().poll_waiting(cx));
                    None
                }
                StateProj::Readying => ready!(self.as_mut().poll_readying(cx)),
                StateProj::Completed => panic!("`ResponseFuture` polled after completion"),
            };
            if let Some(output) = output {
                self.project().state.set(State::Completed);
                return Poll::Ready(output);
            }
        }
    }
}

impl<S, C, B, R> ResponseFuture<S, C, B>
where
    S: Service<Request<ReplayBody<B>>, Response = Response<R>>,
    S::Error: Into<BoxError>,
    C: Classify,
    B: Body,
    R: Body,
{
    fn poll_called(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<<Self as Future>::Output>> {
        let mut this = self.project();
        let StateProj::Called { attempt } = this.state.as_mut().project() else {
            return Poll::Ready(None);
        };
        let outcome = match attempt.poll(cx) {
            Poll::Ready(outcome) => outcome.map_err(Into::into),
            Poll::Pending => {
                let Some(timeout) = this.exchange.attempt_timeout() else {
                    return Poll::Pending;
                };
                let left = || timeout.saturating_sub(this.exchange.attempt_elapsed());
                ready!(poll_timer(this.timer.as_mut(), left, cx));
                Err(AttemptTimedOut { timeout }.into())
            }
        };
        this.timer.set(None);
        let Decision::Retry(Wait { after, .. }) = this.exchange.settle(&outcome) else {
            return Poll::Ready(Some(this.exchange.hand_over(outcome)));
        };
        let (last, leftover) = let_go(outcome);
        *this.last = last;
        this.state.set(State::Waiting {
            leftover,
            since: Instant::now(),
            wait: after,
        });
        Poll::Ready(None)
    }

    fn poll_waiting(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut this = self.project();
        let StateProj::Waiting {
            mut leftover,
            since,
            wait,
        } = this.state.as_mut().project()
        else {
            return Poll::Ready(());
        };
        if let Some(response) = leftover.as_mut().as_pin_mut() {
            if response.poll_drained(cx).is_pending() && !wait.is_zero() {
                let left = || DRAINED_FOR.min(*wait).saturating_sub(since.elapsed());
                ready!(poll_timer(this.timer.as_mut(), left, cx));
            }
            leftover.set(None);
            this.timer.set(None);
        }
        if !wait.is_zero() || this.exchange.retries() >= UNTIMED_RETRIES {
            let left = || wait.saturating_sub(since.elapsed());
            ready!(poll_timer(this.timer.as_mut(), left, cx));
            this.timer.set(None);
        }
        this.state.set(State::Readying);
        Poll::Ready(())
    }

    fn poll_readying(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<<Self as Future>::Output>> {
        let mut this = self.project();
        let next = match this.inner.poll_ready(cx) {
            Poll::Ready(Ok(())) => this.exchange.next_attempt(),
            Poll::Ready(Err(error)) => {
                let error = error.into();
                this.exchange.gave_up(Stop::NotReady, Err(&*error));
                return Poll::Ready(Some(Err(error)));
            }
            Poll::Pending => {
                let Some(left) = this.exchange.window_left() else {
                    return Poll::Pending;
                };
                ready!(poll_timer(this.timer.as_mut(), || left, cx));
                Err(Stop::Window)
            }
        };
        this.timer.set(None);
        let last = mem::take(this.last);
        match next {
            Ok(request) => {
                let attempt = this.inner.call(request);
                this.state.set(State::Called { attempt });
                Poll::Ready(None)
            }
            Err(stop) => {
                let error = BoxError::from(Abandoned { stop, last });
                this.exchange.gave_up(stop, Err(&*error));
                Poll::Ready(Some(Err(error)))
            }
        }
    }
}

/// Starts the timer, if it is not running, for what is left, and waits for its end.
pub(crate) fn poll_timer(
    mut timer: Pin<&mut Option<Sleep>>,
    left: impl FnOnce() -> Duration,
    cx: &mut Context<'_>,
) -> Poll<()> {
    if timer.is_none() {
        timer.set(Some(sleep(left())));
    }
    match timer.as_pin_mut() {
        Some(timer) => timer.poll(cx),
        None => Poll::Ready(()),
    }
}

/// What is remembered of an outcome, and what is left of it to drain.
fn let_go<R: Body>(
    outcome: Result<Response<R>, BoxError>,
) -> (Last, Option<Leftover<Response<R>>>) {
    let mut last = Last::default();
    match outcome {
        Ok(response) => {
            let (head, body) = response.into_parts();
            last.response = Some(head);
            (last, Some(Leftover::of(Response::new(body))))
        }
        Err(error) => {
            last.error = Some(error);
            (last, None)
        }
    }
}

impl<S, C, B> fmt::Debug for ResponseFuture<S, C, B>
where
    S: Service<Request<ReplayBody<B>>>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
