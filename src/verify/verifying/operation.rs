use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::{Request, Response};
use http_body::Body;
use tower_service::Service;

use super::{Outcome, Verifying, with_empty_body};
use crate::body::ReplayBody;
use crate::error::BoxError;
use crate::verify::body::{Kept, VerifyBody};
use crate::verify::step::{Step, StepOwned};

/// The operation itself, and its own response.
impl<S, B, R> Verifying<S, B, R>
where
    S: Service<Request<ReplayBody<B>>, Response = Response<R>>,
    S::Error: Into<BoxError>,
    R: Body,
    R::Error: Into<BoxError>,
{
    /// Sends the operation, or another probe if the operation was already sent.
    pub(super) fn poll_readying(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Outcome<R>>> {
        let mut this = self.project();
        if let Err(error) = ready!(this.inner.poll_ready(cx)) {
            // If no other probe can be sent, a conflict is returned unverified.
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

    /// Handles the operation's outcome. Returns it, unless it is a conflict, which an earlier attempt may
    /// have caused.
    pub(super) fn answered(
        self: Pin<&mut Self>,
        outcome: Result<Response<R>, BoxError>,
    ) -> Option<Outcome<R>> {
        let mut this = self.project();
        this.leftover.let_go();
        let is_conflict = |status| this.settings.is_conflict(*this.operation, status);
        match outcome {
            Ok(response) if is_conflict(response.status()) => {
                let conflict = response.map(|body| Kept::new(Box::pin(body)));
                let timer = None;
                this.step.set(Step::Keeping { conflict, timer });
                None
            }
            outcome => Some(outcome.map(|response| response.map(VerifyBody::passing))),
        }
    }

    /// Handles a conflict whose body was read. A body that is read in part only could block the connection
    /// that the probe needs, so a conflict that is too long or too slow is returned as it is.
    pub(super) fn kept(self: Pin<&mut Self>) -> Option<Outcome<R>> {
        let this = self.project();
        let step = this.step.project_replace(Step::Readying);
        let StepOwned::Keeping { conflict, .. } = step else {
            return None;
        };
        let is_read = conflict.body().is_read();
        let conflict = conflict.map(VerifyBody::kept);
        match is_read {
            true => {
                *this.conflict = Some(conflict);
                None
            }
            false => Some(Ok(conflict)),
        }
    }
}
