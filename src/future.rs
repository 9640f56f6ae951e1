use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::{Request, Response};
use http_body::Body;
use pin_project_lite::pin_project;
use tokio::time::{Sleep, sleep};
use tower_service::Service;

use crate::body::ReplayBody;
use crate::classify::Classify;
use crate::error::{BoxError, RetryError};
use crate::exchange::Exchange;
use crate::reason::StopReason;
use crate::retrying::Retrying;
use crate::timer::{poll_timer, sleep_since};

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
        // Of an attempt that takes so long that its time-out is waited for.
        timeout: Option<Pin<Box<Sleep>>>,
        retrying: Option<Pin<Box<Retrying<S::Response>>>>,
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
            timeout: None,
            retrying: None,
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
        if let Some(retrying) = self.as_mut().project().retrying {
            retrying.as_mut().drain_on(cx);
        }
        loop {
            match self.as_mut().project().state.project() {
                StateProj::Called { attempt } => {
                    let mut outcome = match attempt.poll(cx) {
                        Poll::Ready(outcome) => outcome.map_err(Into::into),
                        Poll::Pending => Err(ready!(self.as_mut().poll_timeout(cx))),
                    };
                    let mut this = self.as_mut().project();
                    let later = this.retrying.as_ref().map(|retrying| &retrying.progress);
                    let Ok((wait, progress)) = this.exchange.settle(later, &mut outcome) else {
                        self.complete();
                        return Poll::Ready(outcome);
                    };
                    *this.timeout = None;
                    let max_drain_bytes = this.exchange.max_drain_bytes();
                    Retrying::begin(this.retrying, progress, outcome, &wait, max_drain_bytes);
                    this.state.set(State::Waiting);
                }
                StateProj::Waiting => {
                    ready!(self.as_mut().poll_wait(cx));
                    self.as_mut().project().state.set(State::Readying);
                }
                StateProj::Readying => match ready!(self.as_mut().poll_next(cx)) {
                    Ok(attempt) => {
                        self.as_mut().project().state.set(State::Called { attempt });
                    }
                    Err(error) => {
                        self.complete();
                        return Poll::Ready(Err(error));
                    }
                },
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
        // Most have neither: to see that takes less than to drop them.
        if this.timeout.is_some() || this.retrying.is_some() {
            *this.timeout = None;
            *this.retrying = None;
        }
    }

    /// Waits for the attempt's time-out, if it has one.
    fn poll_timeout(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<BoxError> {
        let this = self.project();
        let Some(timeout) = this.exchange.attempt_timeout() else {
            return Poll::Pending;
        };
        let timer = this.timeout.get_or_insert_with(|| {
            let started = match this.retrying {
                Some(retrying) => retrying.progress.attempt_started,
                None => this.exchange.started(),
            };
            Box::pin(sleep(timeout.saturating_sub(started.elapsed())))
        });
        ready!(timer.as_mut().poll(cx));
        Poll::Ready(RetryError::AttemptTimedOut { timeout }.into())
    }

    /// Waits for the wait's end, and drains what was let go meanwhile.
    fn poll_wait(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        match self.project().retrying {
            Some(retrying) => retrying.as_mut().poll_wait(cx),
            None => Poll::Ready(()),
        }
    }

    /// Waits until the inner service is ready again, and makes the next attempt.
    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<S::Future, BoxError>> {
        let this = self.project();
        let inner = this.inner.as_mut().expect("kept until the end");
        let retrying = this.retrying.as_mut().expect("made before the wait");
        let mut waiting = retrying.as_mut().project();
        let next = match inner.poll_ready(cx) {
            Poll::Ready(Ok(())) => this
                .exchange
                .next_attempt(waiting.progress, *waiting.window),
            Poll::Ready(Err(error)) => {
                let error = error.into();
                let stop = StopReason::NotReady;
                this.exchange.gave_up(waiting.progress, stop, &error);
                return Poll::Ready(Err(error));
            }
            Poll::Pending => {
                if *waiting.window == Duration::MAX {
                    return Poll::Pending;
                }
                let timer = || sleep_since(this.exchange.started(), *waiting.window);
                ready!(poll_timer(waiting.timer.as_mut(), timer, cx));
                Err(StopReason::Window)
            }
        };
        waiting.timer.set(None);
        Poll::Ready(match next {
            Ok(request) => Ok(inner.call(request)),
            Err(reason) => {
                let last = retrying.as_mut().take_last();
                let error = BoxError::from(RetryError::Abandoned { reason, last });
                this.exchange.gave_up(&retrying.progress, reason, &error);
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
