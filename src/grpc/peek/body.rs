use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use crate::budget::{CallStatus, CommittedCall};
use crate::drain::{length_of, size_with};
use crate::grpc::STATUS;
use crate::grpc::code::Code;
use crate::grpc::pushback::{Pushback, pushback};

pin_project! {
    /// The body of a response that a [`PeekTrailers`](crate::grpc::PeekTrailers) has handed over: gives
    /// the frame first that was read already.
    pub struct PeekedBody<R>
    where
        R: Body,
    {
        first: Option<Result<Frame<R::Data>, R::Error>>,
        // Nobody is asked again after the end.
        ended: bool,
        // None once its status was seen.
        call: Option<CommittedCall>,
        #[pin]
        rest: R,
    }
}

/// What a body gives when it is polled, but for its end.
pub(super) type Given<R> = Result<Frame<<R as Body>::Data>, <R as Body>::Error>;

impl<R: Body> PeekedBody<R> {
    /// With the first frame, if it was read, or the end, if that came in its place.
    pub(super) fn new(
        first: Option<Given<R>>,
        ended: bool,
        rest: R,
        mut call: Option<CommittedCall>,
    ) -> Self {
        note(&mut call, first.as_ref(), ended, &rest);
        Self {
            first,
            ended,
            call,
            rest,
        }
    }
}

impl<R: Body> Body for PeekedBody<R> {
    type Data = R::Data;
    type Error = R::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<R::Data>, R::Error>>> {
        let mut this = self.project();
        match this.first.take() {
            Some(first) => Poll::Ready(Some(first)),
            None if *this.ended => Poll::Ready(None),
            None => {
                let frame = ready!(this.rest.as_mut().poll_frame(cx));
                *this.ended = frame.is_none();
                note(this.call, frame.as_ref(), *this.ended, &*this.rest);
                Poll::Ready(frame)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.first.is_none() && (self.ended || self.rest.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        let rest = self.rest.size_hint();
        let Some(Ok(first)) = &self.first else {
            return rest;
        };
        size_with(length_of(first), &rest)
    }
}

/// Tells a call's status as soon as it can be seen: by its trailers, by an error, or by the end,
/// which whoever sees it coming does not ask for.
fn note<R: Body>(call: &mut Option<CommittedCall>, last: Option<&Given<R>>, ended: bool, rest: &R) {
    let Some(waiting) = call else {
        return;
    };
    let status = match last {
        Some(Ok(frame)) => frame.trailers_ref().map(status_of),
        Some(Err(_)) => Some(failed(Code::UNAVAILABLE)),
        None => None,
    };
    let is_end = status.is_none() && (ended || rest.is_end_stream());
    if let Some(status) = status.or_else(|| is_end.then(|| failed(Code::UNKNOWN))) {
        waiting.end(status);
        *call = None;
    }
}

/// What trailers say; without a status they are those of a call that failed.
fn status_of(trailers: &HeaderMap) -> CallStatus {
    let code = trailers.get(STATUS).map_or(Code::UNKNOWN, Code::of_header);
    match code.is_ok() {
        true => CallStatus::Ok,
        false => CallStatus::Failed {
            code: code.bit(),
            says_never: pushback(trailers) == Some(Pushback::Never),
        },
    }
}

fn failed(code: Code) -> CallStatus {
    CallStatus::Failed {
        code: code.bit(),
        says_never: false,
    }
}

impl<R: Body> fmt::Debug for PeekedBody<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PeekedBody").finish_non_exhaustive()
    }
}
