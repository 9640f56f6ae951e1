use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};

use crate::budget::{CallStatus, CommittedCall};
use crate::grpc::STATUS;
use crate::grpc::code::Code;
use crate::grpc::pushback::{Pushback, pushback};
use crate::read_ahead::ReadAhead;

/// Response body of [`PeekTrailers`](crate::grpc::PeekTrailers).
///
/// It is the inner service's body, of which the first frame may have been read already. Data frames are
/// [`Bytes`]. They are not copied if the inner service's are `Bytes`.
pub struct PeekedBody<R>
where
    R: Body,
{
    body: ReadAhead<R>,
    /// `None` once the status of the call was reported.
    call: Option<CommittedCall>,
}

impl<R: Body + Unpin> PeekedBody<R> {
    pub(super) fn new(body: ReadAhead<R>, call: Option<CommittedCall>) -> Self {
        let mut peeked = Self { body, call };
        let status = match peeked.body.first_trailers() {
            Some(trailers) => Some(status_of(trailers)),
            None => peeked.body.is_broken().then(|| failed(Code::UNAVAILABLE)),
        };
        peeked.note(status);
        peeked
    }

    /// Reports the status of the call as soon as it is known: from the trailers, from an error, or because
    /// the body is at its end. The end is checked in advance, because a caller that also checks it does not
    /// poll again.
    fn note(&mut self, status: Option<CallStatus>) {
        let Some(call) = &self.call else {
            return;
        };
        let at_end = || self.body.rest_is_at_end().then(|| failed(Code::UNKNOWN));
        if let Some(status) = status.or_else(at_end) {
            call.end(status);
            self.call = None;
        }
    }
}

/// Creates an empty body. `with_interceptor` of tonic's generated clients requires this implementation.
impl<R: Body + Default + Unpin> Default for PeekedBody<R> {
    fn default() -> Self {
        Self::new(ReadAhead::new(R::default()), None)
    }
}

impl<R: Body + Unpin> Body for PeekedBody<R> {
    type Data = Bytes;
    type Error = R::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, R::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        let status = match &frame {
            Some(Ok(frame)) => frame.trailers_ref().map(status_of),
            Some(Err(_)) => Some(failed(Code::UNAVAILABLE)),
            None => None,
        };
        self.note(status);
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Returns the status in trailers. Without one, the call failed with `UNKNOWN`.
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
