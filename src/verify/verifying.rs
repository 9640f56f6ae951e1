use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, TRAILER, TRANSFER_ENCODING};
use http::{HeaderName, Method, Request, Response, request};
use http_body::Body;
use pin_project_lite::pin_project;
use tokio::time::{Sleep, sleep};
use tower::Service;

use super::finding::{Finding, Operation};
use super::{Settings, Unverified, Verified};
use crate::error::BoxError;
use crate::leftover::{DRAINED_FOR, Leftover};

/// What says how content is sent: an answer to HEAD has none.
const OF_CONTENT: [HeaderName; 5] = [
    CONTENT_ENCODING,
    CONTENT_LENGTH,
    CONTENT_RANGE,
    TRAILER,
    TRANSFER_ENCODING,
];

pin_project! {
    /// One attempt that is verified.
    pub(super) struct Verifying<S, B>
    where
        S: Service<Request<B>>,
    {
        inner: S,
        settings: Arc<Settings>,
        operation: Operation,
        head: request::Parts,
        // None once the operation has been sent.
        body: Option<B>,
        probe: Request<()>,
        // The operation's own answer, until a probe has explained it.
        conflict: Option<S::Response>,
        #[pin]
        timer: Option<Sleep>,
        #[pin]
        step: Step<S::Future, S::Response>,
    }
}

pin_project! {
    #[project = StepProj]
    #[project_replace = StepOwned]
    enum Step<F, T> {
        Probing {
            #[pin]
            probe: F,
        },
        Draining {
            leftover: Leftover<T>,
            next: Next,
        },
        Readying,
        Sent {
            #[pin]
            attempt: F,
        },
        Completed,
    }
}

type Outcome<R> = Result<Response<R>, BoxError>;

/// What follows when the answer to a probe has been read to its end.
#[derive(Clone, Copy)]
enum Next {
    Send,
    Answer,
}

impl<S, B> Verifying<S, B>
where
    S: Service<Request<B>>,
    B: Default,
{
    /// Probes with this handle, which is ready.
    pub(super) fn new(
        mut inner: S,
        settings: Arc<Settings>,
        request: Request<B>,
        operation: Operation,
        probe: Request<()>,
    ) -> Self {
        let (head, body) = request.into_parts();
        let call = inner.call(with_empty_body(&probe));
        Self {
            inner,
            settings,
            operation,
            head,
            body: Some(body),
            probe,
            conflict: None,
            timer: None,
            step: Step::Probing { probe: call },
        }
    }
}

impl<S, B, R> Future for Verifying<S, B>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Error: Into<BoxError>,
    B: Default,
    R: Body + Unpin,
{
    type Output = Result<Response<R>, BoxError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            let answer = match self.as_mut().project().step.project() {
                StepProj::Probing { probe } => {
                    let outcome = ready!(probe.poll(cx));
                    self.as_mut().probed(outcome.map_err(Into::into))
                }
                StepProj::Draining { .. } => ready!(self.as_mut().poll_draining(cx)),
                StepProj::Readying => ready!(self.as_mut().poll_readying(cx)),
                StepProj::Sent { attempt } => {
                    let outcome = ready!(attempt.poll(cx));
                    self.as_mut().answered(outcome.map_err(Into::into))
                }
                StepProj::Completed => panic!("`VerifyFuture` polled after completion"),
            };
            if let Some(answer) = answer {
                self.project().step.set(Step::Completed);
                return Poll::Ready(answer);
            }
        }
    }
}

impl<S, B, R> Verifying<S, B>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Error: Into<BoxError>,
    B: Default,
    R: Body + Unpin,
{
    /// A probe's outcome: the answer to the caller, if that is the end.
    fn probed(self: Pin<&mut Self>, outcome: Outcome<R>) -> Option<Outcome<R>> {
        let response = match outcome {
            Ok(response) => response,
            Err(error) => return Some(Err(error)),
        };
        let mut this = self.project();
        let (mut head, body) = response.into_parts();
        let finding = this.settings.finding(*this.operation, this.head, &head);
        if *this.probe.method() == Method::HEAD {
            for name in OF_CONTENT {
                head.headers.remove(name);
            }
        }
        let verified = match (finding, this.conflict.take()) {
            (Finding::Created, _) => Verified::Created,
            (Finding::Deleted, _) => Verified::Deleted,
            (Finding::Conflict, None) => Verified::Conflict,
            // The operation's own answer was right.
            (Finding::Conflict | Finding::Undone, Some(conflict)) => return Some(Ok(conflict)),
            (Finding::Undone, None) => {
                let response = Response::from_parts(head, body);
                this.step.set(Step::draining(response, Next::Send));
                return None;
            }
            // The retry above backs off, and its next attempt asks anew.
            (Finding::Unavailable, _) => return Some(Ok(Response::from_parts(head, body))),
            (Finding::Undecidable, _) => {
                return Some(Err(Unverified::new(this.probe, head).into()));
            }
        };
        verified.mark(&mut head, this.head, this.probe);
        let response = Response::from_parts(head, body);
        if verified == Verified::Deleted {
            this.step.set(Step::draining(response, Next::Answer));
            return None;
        }
        Some(Ok(response))
    }

    fn poll_draining(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Outcome<R>>> {
        let mut this = self.project();
        let StepProj::Draining { leftover, .. } = this.step.as_mut().project() else {
            return Poll::Ready(None);
        };
        if Pin::new(leftover).poll_drained(cx).is_pending() {
            if this.timer.is_none() {
                this.timer.set(Some(sleep(DRAINED_FOR)));
            }
            if let Some(timer) = this.timer.as_mut().as_pin_mut() {
                ready!(timer.poll(cx));
            }
        }
        this.timer.set(None);
        let drained = this.step.project_replace(Step::Readying);
        if let StepOwned::Draining {
            leftover,
            next: Next::Answer,
        } = drained
        {
            return Poll::Ready(Some(Ok(leftover.into_response())));
        }
        Poll::Ready(None)
    }

    /// Sends the operation, once; after that, another probe.
    fn poll_readying(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Outcome<R>>> {
        let mut this = self.project();
        if let Err(error) = ready!(this.inner.poll_ready(cx)) {
            return Poll::Ready(Some(Err(error.into())));
        }
        let step = match this.body.take() {
            Some(body) => {
                let request = Request::from_parts(this.head.clone(), body);
                let attempt = this.inner.call(request);
                Step::Sent { attempt }
            }
            None => {
                let probe = this.inner.call(with_empty_body(this.probe));
                Step::Probing { probe }
            }
        };
        this.step.set(step);
        Poll::Ready(None)
    }

    /// The operation's outcome: the answer to the caller, unless it may be a conflict with the
    /// operation itself, done before.
    fn answered(self: Pin<&mut Self>, outcome: Outcome<R>) -> Option<Outcome<R>> {
        let mut this = self.project();
        let is_conflict = |status| this.settings.is_conflict(*this.operation, status);
        match outcome {
            Ok(response) if is_conflict(response.status()) => {
                *this.conflict = Some(response);
                this.step.set(Step::Readying);
                None
            }
            outcome => Some(outcome),
        }
    }
}

impl<F, T: Body> Step<F, T> {
    fn draining(response: T, next: Next) -> Self {
        Self::Draining {
            leftover: Leftover::of(response),
            next,
        }
    }
}

fn with_empty_body<B: Default>(probe: &Request<()>) -> Request<B> {
    probe.clone().map(|()| B::default())
}
