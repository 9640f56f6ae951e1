use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Buf;
use http_body::Body;
use pin_project_lite::pin_project;

/// A response that is let go is read to its end, so that its connection can be used again; but no
/// more of it than this, and no longer.
const DRAINED_BYTES: usize = 64 * 1024;
pub(crate) const DRAINED_FOR: Duration = Duration::from_secs(1);

/// What a frame counts at least, or one without data could be followed by any number of them.
const DRAINED_FRAME: usize = 16;

pin_project! {
    /// What is left of a response that is let go.
    pub(crate) struct Leftover<T> {
        #[pin]
        response: T,
        room: usize,
    }
}

impl<T: Body> Leftover<T> {
    /// A body that is too long to be read to its end is not read at all.
    pub(crate) fn of(response: T) -> Self {
        let worthwhile =
            !response.is_end_stream() && response.size_hint().lower() <= DRAINED_BYTES as u64;
        let room = if worthwhile { DRAINED_BYTES } else { 0 };
        Self { response, room }
    }

    /// Ready at the end, or once enough was read.
    pub(crate) fn poll_drained(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut this = self.project();
        while *this.room > 0 {
            let Some(Ok(frame)) = ready!(this.response.as_mut().poll_frame(cx)) else {
                return Poll::Ready(());
            };
            let size = frame.data_ref().map_or(0, Buf::remaining);
            *this.room = this.room.saturating_sub(size.max(DRAINED_FRAME));
        }
        Poll::Ready(())
    }
}
