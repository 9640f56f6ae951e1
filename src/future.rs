use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::{Request, Response};
use http_body::Body;
use pin_project_lite::pin_project;
use tokio::time::Sleep;
use tower_service::Service;

use crate::body::ReplayBody;
use crate::classify::Classify;
use crate::drain::DRAINED_FOR;
use crate::error::{BoxError, RetryError};
use crate::exchange::Exchange;
use crate::pause::Pause;
use crate::reason::StopReason;
use crate::timer::poll_timer;

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
        // The handle that makes the attempts; let go at the end, as it may be ready, and hold a
        // permit for that.
        inner: Option<S>,
        exchange: Exchange<C, B>,
        // Of the attempt's time-out, of the wait, or of the window's end.
        #[pin]
        timer: Option<Sleep>,
        // In a box, made for the first retry and used by all: most requests have none, and so are
        // 300 bytes smaller while they are in flight.
        pause: Option<Pin<Box<Pause<S::Response>>>>,
        #[pin]
        state: State<S::Future>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<F> {
        Called {
            #[pin]
            attempt: F,
        },
        Waiting,
        Readying,
        Completed,
    }
}

impl<S, C, B> ResponseFuture<S, C, B>
where
    S: Service<Request<ReplayBody<B>>>,
{
    #[inline]
    pub(crate) fn new(inner: S, exchange: Exchange<C, B>, attempt: S::Future) -> Self {
        Self {
            inner: Some(inner),
            exchange,
            timer: None,
            pause: None,
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
        if let Some(pause) = self.as_mut().project().pause {
            pause.as_mut().drain_on(cx);
        }
        loop {
            match self.as_mut().project().state.project() {
                StateProj::Called { attempt } => {
                    let mut outcome = match attempt.poll(cx) {
                        Poll::Ready(outcome) => outcome.map_err(Into::into),
                        Poll::Pending => Err(ready!(self.as_mut().poll_timeout(cx))),
                    };
                    let mut this = self.as_mut().project();
                    this.timer.set(None);
                    let Ok(wait) = this.exchange.settle(&mut outcome) else {
                        self.complete();
                        return Poll::Ready(outcome);
                    };
                    Pause::begin(this.pause, outcome, &wait, this.exchange.max_drain_bytes());
                    this.state.set(State::Waiting);
                }
                StateProj::Waiting => {
                    ready!(self.as_mut().poll_wait(cx));
                    self.as_mut().project().state.set(State::Readying);
                }
                StateProj::Readying => {
                    let next = ready!(self.as_mut().poll_next(cx));
                    let mut this = self.as_mut().project();
                    this.timer.set(None);
                    match next {
                        Ok(attempt) => this.state.set(State::Called { attempt }),
                        Err(error) => {
                            self.complete();
                            return Poll::Ready(Err(error));
                        }
                    }
                }
                StateProj::Completed => panic!("`ResponseFuture` polled after completion"),
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
    /// Lets go of all that is of no use any more, however long the future is kept.
    fn complete(self: Pin<&mut Self>) {
        let mut this = self.project();
        this.state.set(State::Completed);
        *this.inner = None;
        // Most have none: 9 instructions less than to drop that.
        if this.pause.is_some() {
            *this.pause = None;
        }
    }

    /// Waits for the attempt's time-out, if it has one.
    fn poll_timeout(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<BoxError> {
        let this = self.project();
        let Some(timeout) = this.exchange.attempt_timeout() else {
            return Poll::Pending;
        };
        let left = || timeout.saturating_sub(this.exchange.attempt_elapsed());
        ready!(poll_timer(this.timer, left, cx));
        Poll::Ready(RetryError::AttemptTimedOut { timeout }.into())
    }

    /// Waits for the wait's end, and drains what was let go meanwhile.
    fn poll_wait(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut this = self.project();
        let Some(pause) = this.pause else {
            return Poll::Ready(());
        };
        let (since, wait) = (pause.since, pause.wait);
        if pause.is_drained_now() {
            if pause.as_mut().poll_drained(cx).is_pending() {
                if !wait.is_zero() {
                    let left = || DRAINED_FOR.min(wait).saturating_sub(since.elapsed());
                    ready!(poll_timer(this.timer.as_mut(), left, cx));
                }
                pause.as_mut().drain_later(cx);
            }
            this.timer.set(None);
        }
        if !wait.is_zero() || this.exchange.retries() >= UNTIMED_RETRIES {
            let left = || wait.saturating_sub(since.elapsed());
            ready!(poll_timer(this.timer.as_mut(), left, cx));
            this.timer.set(None);
        }
        Poll::Ready(())
    }

    /// Waits until the inner service is ready again, and makes the next attempt.
    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<S::Future, BoxError>> {
        let this = self.project();
        let inner = this.inner.as_mut().expect("kept until the end");
        let pause = this.pause.as_mut().expect("made before the wait");
        let next = match inner.poll_ready(cx) {
            Poll::Ready(Ok(())) => this.exchange.next_attempt(pause.window),
            Poll::Ready(Err(error)) => {
                let error = error.into();
                this.exchange.gave_up(StopReason::NotReady, &error);
                return Poll::Ready(Err(error));
            }
            Poll::Pending => {
                let Some(left) = this.exchange.window_left(pause.window) else {
                    return Poll::Pending;
                };
                ready!(poll_timer(this.timer, || left, cx));
                Err(StopReason::Window)
            }
        };
        Poll::Ready(match next {
            Ok(request) => Ok(inner.call(request)),
            Err(reason) => {
                let last = pause.as_mut().take_last();
                let error = BoxError::from(RetryError::Abandoned { reason, last });
                this.exchange.gave_up(reason, &error);
                Err(error)
            }
        })
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
