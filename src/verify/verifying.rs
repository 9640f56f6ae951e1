use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, TRAILER, TRANSFER_ENCODING};
use http::{HeaderName, Method, Request, Response, request};
use http_body::Body;
use pin_project_lite::pin_project;
use tokio::time::Sleep;
use tower::Service;

use super::body::{Kept, VerifyBody};
use super::finding::{Finding, Operation};
use super::{Settings, Unverified, Verified};
use crate::error::BoxError;
use crate::future::poll_timer;
use crate::leftover::{DRAINED_BYTES, DRAINED_FOR, Leftover};

/// What says how content is sent: an answer to HEAD has none.
const OF_CONTENT: [HeaderName; 5] = [
    CONTENT_ENCODING,
    CONTENT_LENGTH,
    CONTENT_RANGE,
    TRAILER,
    TRANSFER_ENCODING,
];

/// An answer waits no longer for the rest of another one to be read.
const EMPTIED_FOR: Duration = Duration::from_millis(100);

pin_project! {
    /// One attempt that is verified.
    pub(super) struct Verifying<S, B, R>
    where
        S: Service<Request<B>>,
        R: Body,
    {
        inner: S,
        settings: Arc<Settings>,
        operation: Operation,
        head: request::Parts,
        // None once the operation has been sent.
        body: Option<B>,
        probe: Request<()>,
        is_last: bool,
        // The operation's own answer, until a probe has explained it.
        conflict: Option<Response<VerifyBody<R>>>,
        // Of the answer to the first probe; read while the operation is under way.
        #[pin]
        leftover: Option<Leftover<R>>,
        // Of the leftover, or of the conflict that is read.
        #[pin]
        timer: Option<Sleep>,
        #[pin]
        step: Step<S::Future, Response<VerifyBody<R>>, Response<Kept<R>>>,
    }
}

pin_project! {
    #[project = StepProj]
    #[project_replace = StepOwned]
    enum Step<F, T, K> {
        Probing {
            #[pin]
            probe: F,
        },
        Readying,
        Sent {
            #[pin]
            attempt: F,
        },
        Keeping {
            conflict: K,
        },
        Emptying {
            answer: Option<T>,
        },
        Completed,
    }
}

type Outcome<R> = Result<Response<VerifyBody<R>>, BoxError>;

impl<S, B, R> Verifying<S, B, R>
where
    S: Service<Request<B>>,
    B: Default,
    R: Body,
{
    /// Probes with this handle, which is ready.
    pub(super) fn new(
        mut inner: S,
        settings: Arc<Settings>,
        request: Request<B>,
        operation: Operation,
        probe: Request<()>,
        is_last: bool,
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
            is_last,
            conflict: None,
            leftover: None,
            timer: None,
            step: Step::Probing { probe: call },
        }
    }
}

impl<S, B, R> Future for Verifying<S, B, R>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Error: Into<BoxError>,
    B: Default,
    R: Body,
{
    type Output = Outcome<R>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let _ = self.as_mut().poll_leftover(DRAINED_FOR, cx);
        loop {
            let answer = match self.as_mut().project().step.project() {
                StepProj::Probing { probe } => {
                    let outcome = ready!(probe.poll(cx));
                    self.as_mut().probed(outcome.map_err(Into::into), cx)
                }
                StepProj::Readying => ready!(self.as_mut().poll_readying(cx)),
                StepProj::Sent { attempt } => {
                    let outcome = ready!(attempt.poll(cx));
                    self.as_mut().answered(outcome.map_err(Into::into))
                }
                StepProj::Keeping { .. } => ready!(self.as_mut().poll_keeping(cx)),
                StepProj::Emptying { .. } => ready!(self.as_mut().poll_emptying(cx)),
                StepProj::Completed => panic!("`VerifyFuture` polled after completion"),
            };
            if let Some(answer) = answer {
                self.project().step.set(Step::Completed);
                return Poll::Ready(answer);
            }
        }
    }
}

impl<S, B, R> Verifying<S, B, R>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Error: Into<BoxError>,
    B: Default,
    R: Body,
{
    /// What is left of a probe's answer is held no longer than it is of use.
    fn poll_leftover(self: Pin<&mut Self>, limit: Duration, cx: &mut Context<'_>) -> Poll<()> {
        let mut this = self.project();
        if let Some(leftover) = this.leftover.as_mut().as_pin_mut() {
            if leftover.poll_drained(cx).is_pending() {
                ready!(poll_timer(this.timer.as_mut(), || limit, cx));
            }
            this.leftover.set(None);
            this.timer.set(None);
        }
        Poll::Ready(())
    }

    /// A probe's outcome: the answer to the caller, if that is the end.
    fn probed(
        mut self: Pin<&mut Self>,
        outcome: Result<Response<R>, BoxError>,
        cx: &mut Context<'_>,
    ) -> Option<Outcome<R>> {
        let mut this = self.as_mut().project();
        let conflict = this.conflict.take();
        let (mut head, body) = match (outcome, conflict.is_some() && *this.is_last) {
            (Ok(response), _) => response.into_parts(),
            (Err(_), true) => return conflict.map(Ok),
            (Err(error), false) => return Some(Err(error)),
        };
        let finding = this.settings.finding(*this.operation, this.head, &head);
        if *this.probe.method() == Method::HEAD {
            for name in OF_CONTENT {
                head.headers.remove(name);
            }
        }
        let verified = match (finding, conflict) {
            (Finding::Created, _) => Verified::Created,
            (Finding::Deleted, _) => Verified::Deleted,
            (Finding::Conflict, None) => Verified::Conflict,
            // The operation's own answer was right.
            (Finding::Conflict | Finding::Undone, Some(conflict)) => {
                return self.emptying(body, conflict);
            }
            (Finding::Undone, None) => {
                this.leftover.set(Some(Leftover::of(body, DRAINED_BYTES)));
                this.step.set(Step::Readying);
                let _ = self.poll_leftover(DRAINED_FOR, cx);
                return None;
            }
            // Nobody will ask again.
            (Finding::Unavailable, Some(conflict)) if *this.is_last => {
                return self.emptying(body, conflict);
            }
            (Finding::Unavailable, _) => Verified::Unavailable,
            (Finding::Undecidable, conflict) => {
                let conflict = conflict.map(|conflict| conflict.into_parts().0);
                return Some(Err(Unverified::new(this.probe, head, conflict).into()));
            }
        };
        verified.mark(&mut head, this.head, this.probe);
        if verified == Verified::Deleted {
            return self.emptying(body, Response::from_parts(head, VerifyBody::empty()));
        }
        // What a body of HTTP/2 says of its size is the length that HEAD was answered with.
        let body = match *this.probe.method() {
            Method::HEAD => VerifyBody::empty(),
            _ => VerifyBody::passing(body),
        };
        Some(Ok(Response::from_parts(head, body)))
    }

    /// The answer does not have the probe's body, which is read first.
    fn emptying(
        self: Pin<&mut Self>,
        body: R,
        answer: Response<VerifyBody<R>>,
    ) -> Option<Outcome<R>> {
        let mut this = self.project();
        this.leftover.set(Some(Leftover::of(body, DRAINED_BYTES)));
        let answer = Some(answer);
        this.step.set(Step::Emptying { answer });
        None
    }

    /// The probe's connection can be used again, if that takes no time to speak of.
    fn poll_emptying(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Outcome<R>>> {
        ready!(self.as_mut().poll_leftover(EMPTIED_FOR, cx));
        let StepProj::Emptying { answer } = self.project().step.project() else {
            return Poll::Ready(None);
        };
        Poll::Ready(answer.take().map(Ok))
    }

    /// Sends the operation, once; after that, another probe.
    fn poll_readying(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Outcome<R>>> {
        let mut this = self.project();
        if let Err(error) = ready!(this.inner.poll_ready(cx)) {
            // Nobody can ask again about a conflict.
            let conflict = this.conflict.take();
            return Poll::Ready(Some(conflict.ok_or_else(|| error.into())));
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
    fn answered(
        self: Pin<&mut Self>,
        outcome: Result<Response<R>, BoxError>,
    ) -> Option<Outcome<R>> {
        let mut this = self.project();
        this.leftover.set(None);
        this.timer.set(None);
        let is_conflict = |status| this.settings.is_conflict(*this.operation, status);
        match outcome {
            Ok(response) if is_conflict(response.status()) => {
                let conflict = response.map(Kept::new);
                this.step.set(Step::Keeping { conflict });
                None
            }
            outcome => Some(outcome.map(|response| response.map(VerifyBody::passing))),
        }
    }

    /// To hold an answer that is half read could keep a probe from being sent at all. One that is
    /// too long, or does not come, is handed up as it is.
    fn poll_keeping(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Outcome<R>>> {
        let mut this = self.project();
        let StepProj::Keeping { conflict } = this.step.as_mut().project() else {
            return Poll::Ready(None);
        };
        let is_whole = match conflict.body_mut().poll_whole(cx) {
            Poll::Ready(is_whole) => is_whole,
            Poll::Pending => {
                ready!(poll_timer(this.timer.as_mut(), || DRAINED_FOR, cx));
                false
            }
        };
        this.timer.set(None);
        let StepOwned::Keeping { conflict } = this.step.project_replace(Step::Readying) else {
            return Poll::Ready(None);
        };
        let conflict = conflict.map(VerifyBody::kept);
        if !is_whole {
            return Poll::Ready(Some(Ok(conflict)));
        }
        *this.conflict = Some(conflict);
        Poll::Ready(None)
    }
}

fn with_empty_body<B: Default>(probe: &Request<()>) -> Request<B> {
    probe.clone().map(|()| B::default())
}
