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

/// Response body of [`PeekTrailers`](crate::grpc::PeekTrailers): the body of the inner service, of which the
/// first frame may have been read already. Data that is [`Bytes`] already is not copied.
pub struct PeekedBody<R>
where
    R: Body,
{
    body: ReadAhead<R>,
    /// None once its status was seen.
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

    /// Tells a call's status as soon as it can be seen: by its trailers, by an error, or by the end,
    /// which whoever sees it coming does not ask for.
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
