use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::{Method, Request, Response, request};
use http_body::Body;
use pin_project_lite::pin_project;
use tokio::time::sleep;
use tower_service::Service;

use super::body::{Kept, VerifyBody};
use super::finding::{Finding, Operation};
use super::leftover::ProbeLeftover;
use super::settings::Settings;
use super::step::{Step, StepOwned, StepProj};
use super::unverified::{Doubt, Unverified};
use crate::body::ReplayBody;
use crate::drain::DRAINED_FOR;
use crate::error::BoxError;
use crate::head::{RequestHead, ResponseHead};
use crate::timer::poll_timer;
use crate::verified::Verified;

mod operation;

/// How much of a conflict is read before it is verified, and for how long.
const LONGEST_CONFLICT: usize = 64 * 1024;
const CONFLICT_READ_FOR: Duration = Duration::from_secs(1);

/// How long a response is held back while the rest of another one is read.
const EMPTIED_FOR: Duration = Duration::from_millis(100);

pin_project! {
    /// One attempt that is verified. It must not be polled again after it has completed.
    pub(super) struct Verifying<S, B, R>
    where
        S: Service<Request<ReplayBody<B>>>,
        R: Body,
    {
        inner: S,
        settings: Arc<Settings>,
        operation: Operation,
        head: request::Parts,
        // None once the operation has been sent.
        body: Option<ReplayBody<B>>,
        probe: Request<()>,
        is_last: bool,
        // The operation's own response, until a probe has shown its cause.
        conflict: Option<Response<VerifyBody<R>>>,
        // The rest of the response to the first probe, read while the operation is in flight.
        #[pin]
        leftover: ProbeLeftover<VerifyBody<R>>,
        #[pin]
        step: Step<S::Future, Response<VerifyBody<R>>, Response<Kept<R>>>,
    }
}

type Outcome<R> = Result<Response<VerifyBody<R>>, BoxError>;

impl<S, B, R> Verifying<S, B, R>
where
    S: Service<Request<ReplayBody<B>>>,
    R: Body,
{
    /// Sends the probe with this clone of the service, which is ready.
    pub(super) fn new(
        mut inner: S,
        settings: Arc<Settings>,
        request: Request<ReplayBody<B>>,
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
            leftover: ProbeLeftover::none(),
            step: Step::Probing { probe: call },
        }
    }
}

impl<S, B, R> Future for Verifying<S, B, R>
where
    S: Service<Request<ReplayBody<B>>, Response = Response<R>>,
    S::Error: Into<BoxError>,
    R: Body,
    R::Error: Into<BoxError>,
{
    type Output = Outcome<R>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            let emptied = self.as_mut().project().leftover.poll_read(cx);
            let answer = match self.as_mut().project().step.project() {
                StepProj::Probing { probe } => {
                    let outcome = ready!(probe.poll(cx));
                    self.as_mut().probed(outcome.map_err(Into::into))
                }
                StepProj::Comparing { found, same } => {
                    ready!(found.body_mut().poll_whole(same.limit, cx));
                    self.as_mut().compare()
                }
                StepProj::Readying => ready!(self.as_mut().poll_readying(cx)),
                StepProj::Sent { attempt } => {
                    let outcome = ready!(attempt.poll(cx));
                    self.as_mut().answered(outcome.map_err(Into::into))
                }
                StepProj::Keeping { conflict, timer } => {
                    let read = conflict.body_mut().poll_whole(LONGEST_CONFLICT, cx);
                    if read.is_pending() {
                        ready!(poll_timer(timer, || sleep(CONFLICT_READ_FOR), cx));
                    }
                    self.as_mut().kept()
                }
                // Reads the rest of the probe's response for a short time, so that its connection can be
                // reused.
                StepProj::Emptying { answer } => {
                    ready!(emptied);
                    answer.take().map(Ok)
                }
            };
            if let Some(answer) = answer {
                return Poll::Ready(answer);
            }
        }
    }
}

impl<S, B, R> Verifying<S, B, R>
where
    S: Service<Request<ReplayBody<B>>, Response = Response<R>>,
    S::Error: Into<BoxError>,
    R: Body,
    R::Error: Into<BoxError>,
{
    /// Handles the outcome of a probe. Returns the outcome for the caller, if it is final.
    fn probed(
        mut self: Pin<&mut Self>,
        outcome: Result<Response<R>, BoxError>,
    ) -> Option<Outcome<R>> {
        let mut this = self.as_mut().project();
        let (head, body) = match outcome {
            Ok(response) => response.into_parts(),
            Err(error) => return Some(self.probe_failed(error)),
        };
        let settings = this.settings;
        let finding = settings.finding(*this.operation, this.head, this.probe, &head);
        match (finding, &settings.same_body) {
            (Finding::Created, Some(same)) => {
                let found = Response::from_parts(head, Kept::new(Box::pin(body)));
                let same = same.clone();
                this.step.set(Step::Comparing { found, same });
                None
            }
            (finding, _) => {
                let response = Response::from_parts(head, VerifyBody::passing(body));
                self.found(finding, response)
            }
        }
    }

    /// Compares the item that was read with the one that the request creates.
    fn compare(mut self: Pin<&mut Self>) -> Option<Outcome<R>> {
        let this = self.as_mut().project();
        let step = this.step.project_replace(Step::Readying);
        let StepOwned::Comparing { found, same } = step else {
            return None;
        };
        let (head, mut kept) = found.into_parts();
        if let Some(error) = kept.take_error() {
            return Some(self.probe_failed(error.into()));
        }
        let is_same = |content| {
            let request = RequestHead::of_parts(this.head);
            (same.is_same)(&request, &ResponseHead::of_parts(&head), content)
        };
        let finding = match kept.whole() {
            None => Finding::Undecidable(Doubt::Longer { limit: same.limit }),
            Some(content) if is_same(&content) => Finding::Created,
            Some(_) => Finding::Conflict,
        };
        self.found(finding, Response::from_parts(head, VerifyBody::kept(kept)))
    }

    /// Returns the outcome if a probe failed. On the last attempt, there is no other probe, so the
    /// operation's own response takes precedence.
    fn probe_failed(self: Pin<&mut Self>, error: BoxError) -> Outcome<R> {
        let this = self.project();
        match this.conflict.take() {
            Some(conflict) if *this.is_last => Ok(conflict),
            _ => Err(error),
        }
    }

    /// Handles the finding of a probe. Returns the outcome for the caller, if it is final.
    fn found(
        mut self: Pin<&mut Self>,
        finding: Finding,
        found: Response<VerifyBody<R>>,
    ) -> Option<Outcome<R>> {
        let mut this = self.as_mut().project();
        let (mut head, body) = found.into_parts();
        let verified = match (finding, this.conflict.take()) {
            (Finding::Created, _) => Verified::Created,
            (Finding::Deleted, _) => Verified::Deleted,
            (Finding::Conflict, None) => Verified::Conflict,
            // The probe confirms the operation's own response.
            (Finding::Conflict | Finding::Undone, Some(conflict)) => {
                return self.emptying(body, conflict);
            }
            (Finding::Undone, None) => {
                this.leftover.hold(body, DRAINED_FOR);
                this.step.set(Step::Readying);
                return None;
            }
            // No other probe follows the last attempt.
            (Finding::Unavailable, Some(conflict)) if *this.is_last => {
                return self.emptying(body, conflict);
            }
            (Finding::Unavailable, _) => Verified::Unavailable,
            (Finding::Undecidable(doubt), conflict) => {
                let conflict = conflict.map(|conflict| conflict.into_parts().0);
                let unverified = Unverified::new(this.probe, head, doubt, conflict);
                return Some(Err(unverified.into()));
            }
        };
        verified.mark(&mut head, this.head, this.probe);
        if verified == Verified::Deleted {
            return self.emptying(body, Response::from_parts(head, VerifyBody::empty()));
        }
        Some(Ok(Response::from_parts(head, body_of(this.probe, body))))
    }

    /// Returns a response without the probe's body, after the rest of that body is read.
    fn emptying(
        self: Pin<&mut Self>,
        body: VerifyBody<R>,
        answer: Response<VerifyBody<R>>,
    ) -> Option<Outcome<R>> {
        let mut this = self.project();
        this.leftover.hold(body, EMPTIED_FOR);
        let answer = Some(answer);
        this.step.set(Step::Emptying { answer });
        None
    }
}

/// With HEAD, the size hint of an HTTP/2 body is the `content-length` of a body that does not follow.
fn body_of<R: Body>(probe: &Request<()>, body: VerifyBody<R>) -> VerifyBody<R> {
    match *probe.method() {
        Method::HEAD => VerifyBody::empty(),
        _ => body,
    }
}

fn with_empty_body<B>(probe: &Request<()>) -> Request<ReplayBody<B>> {
    probe.clone().map(|()| ReplayBody::default())
}
