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
use crate::cooldown::Refused;
use crate::error::{BoxError, RetryError};
use crate::exchange::Exchange;
use crate::reason::StopReason;
use crate::timer::{poll_timer, sleep_since};
use crate::waiting::Waiting;

pin_project! {
    /// Response future of [`Retry`](crate::Retry).
    ///
    /// If it is dropped, the request is cancelled: nothing more is sent, and no task or timer remains.
    ///
    /// # Panics
    ///
    /// It panics if it is polled after it has completed, and if it has to wait outside of a tokio runtime
    /// with time enabled.
    ///
    /// # Example
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), tower_http_retry::BoxError> {
    /// use http::{Request, Response};
    /// use http_body_util::Empty;
    /// use tower::{Service, ServiceBuilder, ServiceExt};
    /// use tower_http_retry::{BoxError, ByStatus, ReplayBody, ResponseFuture, RetryLayer};
    ///
    /// type Body = Empty<bytes::Bytes>;
    /// let mut client = ServiceBuilder::new().layer(RetryLayer::new()).service_fn(
    ///     async |_: Request<ReplayBody<Body>>| Ok::<_, BoxError>(Response::new(Body::new())),
    /// );
    /// let request = Request::new(Body::new());
    /// let future: ResponseFuture<_, ByStatus, Body> = client.ready().await?.call(request);
    /// assert!(future.await?.status().is_success());
    /// # Ok(())
    /// # }
    /// ```
    pub struct ResponseFuture<S, C, B>
    where
        S: Service<Request<ReplayBody<B>>>,
    {
        // Makes the attempts. It is dropped when the future completes, because it may be ready and hold
        // a permit.
        inner: Option<S>,
        exchange: Exchange<C, B>,
        // The time-out of the attempt; created when the attempt is first pending.
        timeout: Option<Pin<Box<Sleep>>>,
        waiting: Option<Pin<Box<Waiting<S::Response, B>>>>,
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
        Queued,
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
            waiting: None,
            state: State::Called { attempt },
        }
    }

    /// Creates the future of a request that is held. `inner` is not ready.
    pub(crate) fn held(
        inner: S,
        exchange: Exchange<C, B>,
        waiting: Pin<Box<Waiting<S::Response, B>>>,
    ) -> Self {
        Self {
            inner: Some(inner),
            exchange,
            timeout: None,
            waiting: Some(waiting),
            state: State::Queued,
        }
    }
}

impl<S, C, B, R> Future for ResponseFuture<S, C, B>
where
    S: Service<Request<ReplayBody<B>>, Response = Response<R>> + Clone,
    S::Error: Into<BoxError>,
    C: Classify,
    B: Body,
    R: Body,
{
    type Output = Result<Response<R>, BoxError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let Some(waiting) = self.as_mut().project().waiting {
            waiting.as_mut().drain_on(cx);
        }
        loop {
            match self.as_mut().project().state.project() {
                StateProj::Called { attempt } => {
                    let mut outcome = match attempt.poll(cx) {
                        Poll::Ready(outcome) => outcome.map_err(Into::into),
                        Poll::Pending => Err(ready!(self.as_mut().poll_timeout(cx))),
                    };
                    let mut this = self.as_mut().project();
                    let later = this
                        .waiting
                        .as_mut()
                        .map(|waiting| waiting.as_mut().later());
                    let exchange = this.exchange;
                    let Ok((wait, progress)) = exchange.settle(later, &mut outcome) else {
                        self.complete();
                        return Poll::Ready(outcome);
                    };
                    *this.timeout = None;
                    let max_drain_bytes = exchange.max_drain_bytes();
                    Waiting::begin(this.waiting, progress, outcome, &wait, max_drain_bytes);
                    this.state.set(State::Waiting);
                }
                StateProj::Waiting => {
                    ready!(self.as_mut().poll_wait(cx));
                    let mut this = self.as_mut().project();
                    let has_cooldown = this.exchange.has_cooldown();
                    this.state.set(match has_cooldown {
                        true => State::Queued,
                        false => State::Readying,
                    });
                }
                StateProj::Queued => match ready!(self.as_mut().poll_turn(cx)) {
                    Ok(()) => self.as_mut().project().state.set(State::Readying),
                    Err(error) => {
                        self.complete();
                        return Poll::Ready(Err(error));
                    }
                },
                StateProj::Readying => match ready!(self.as_mut().poll_next(cx)) {
                    Ok(Some(attempt)) => {
                        self.as_mut().project().state.set(State::Called { attempt });
                    }
                    Ok(None) => self.as_mut().project().state.set(State::Queued),
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
    S: Service<Request<ReplayBody<B>>, Response = Response<R>> + Clone,
    S::Error: Into<BoxError>,
    C: Classify,
    B: Body,
    R: Body,
{
    /// Drops what is no longer needed, because the caller may keep the future for a long time.
    fn complete(self: Pin<&mut Self>) {
        let mut this = self.project();
        this.state.set(State::Completed);
        *this.inner = None;
        // Most futures have neither, and the check costs less than dropping them.
        if this.timeout.is_some() || this.waiting.is_some() {
            *this.timeout = None;
            *this.waiting = None;
        }
    }

    /// Waits for the attempt's time-out, if it has one.
    fn poll_timeout(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<BoxError> {
        let this = self.project();
        let Some(timeout) = this.exchange.attempt_timeout() else {
            return Poll::Pending;
        };
        let timer = this.timeout.get_or_insert_with(|| {
            let started = match this.waiting {
                Some(waiting) => waiting.progress.attempt_started,
                None => this.exchange.started(),
            };
            Box::pin(sleep(timeout.saturating_sub(started.elapsed())))
        });
        ready!(timer.as_mut().poll(cx));
        Poll::Ready(RetryError::AttemptTimedOut { timeout }.into())
    }

    /// Waits until the retry is due, and drains the discarded response meanwhile.
    fn poll_wait(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        match self.project().waiting {
            Some(waiting) => waiting.as_mut().poll_wait(cx),
            None => Poll::Ready(()),
        }
    }

    /// Waits for the request's turn, if requests are held.
    fn poll_turn(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        let this = self.project();
        let waiting = this.waiting.as_mut().expect("made before the wait");
        let mut waits = waiting.as_mut().project();
        let exchange = this.exchange;
        let Some(turn) = waits.turn(|progress, window| exchange.turn(progress, window)) else {
            return Poll::Ready(Ok(()));
        };
        let was_waiting = turn.is_waiting();
        let Poll::Ready(passage) = turn.as_mut().poll(cx) else {
            if !was_waiting {
                let left = turn.left();
                exchange.tell_held(waits.progress, left);
            }
            return Poll::Pending;
        };
        Poll::Ready(match passage {
            Ok(passage) => {
                waits.go(passage);
                Ok(())
            }
            Err(Refused { left }) => {
                let error = waits.error(StopReason::Window, left);
                Err(exchange.gave_up(waits.progress, error))
            }
        })
    }

    /// Waits until the inner service is ready, and makes the attempt. Returns none if requests are held
    /// again.
    fn poll_next(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<S::Future>, BoxError>> {
        let this = self.project();
        let exchange = this.exchange;
        let inner = this.inner.as_mut().expect("kept until the end");
        let waiting = this.waiting.as_mut().expect("made before the wait");
        let mut waits = waiting.as_mut().project();
        let next = match inner.poll_ready(cx) {
            Poll::Ready(Ok(())) if !exchange.may_go(waits.hold.as_deref()) => {
                // The service is ready, and may hold a permit. A clone is not ready, and holds none.
                *inner = inner.clone();
                waits.ask_again();
                return Poll::Ready(Ok(None));
            }
            Poll::Ready(Ok(())) => {
                let hold = waits.hold.as_deref_mut();
                exchange.next_attempt(waits.progress, hold, *waits.window, |request| {
                    inner.call(request)
                })
            }
            Poll::Ready(Err(error)) => {
                let stop = (StopReason::NotReady, error.into());
                return Poll::Ready(Err(exchange.gave_up(waits.progress, stop)));
            }
            Poll::Pending => {
                // Only retries are limited by the window. A first attempt waits for readiness without a
                // limit, as it does if it was not held.
                if *waits.window == Duration::MAX || waits.is_unsent() {
                    return Poll::Pending;
                }
                let timer = || sleep_since(exchange.started(), *waits.window);
                ready!(poll_timer(waits.timer.as_mut(), timer, cx));
                Err(StopReason::Window)
            }
        };
        waits.timer.set(None);
        Poll::Ready(match next {
            Ok(attempt) => Ok(Some(attempt)),
            Err(reason) => {
                let error = waits.error(reason, Duration::ZERO);
                Err(exchange.gave_up(waits.progress, error))
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
