use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use crate::read_ahead::ReadAhead;

/// The response body of [`Commit`](crate::commit::Commit): what was read before the response was
/// returned, and then the rest of the inner service's body, unchanged.
///
/// Its data is [`Bytes`], without a copy where the inner service's is. A body that was read whole is
/// one frame of data, and its trailers if it has any.
pub struct CommittedBody<R>
where
    R: Body,
{
    body: ReadAhead<R>,
}

impl<R: Body + Unpin> CommittedBody<R> {
    pub(super) fn new(body: ReadAhead<R>) -> Self {
        Self { body }
    }
}

impl<R: Body + Unpin> Body for CommittedBody<R> {
    type Data = Bytes;
    type Error = R::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, R::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl<R: Body> fmt::Debug for CommittedBody<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CommittedBody").finish_non_exhaustive()
    }
}
