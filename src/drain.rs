use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Buf;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

/// A response that is let go is read to its end, so that its connection can be used again; but, unless
/// a layer says otherwise, no more of it than this, and no longer.
pub(crate) const DRAINED_BYTES: usize = 64 * 1024;
pub(crate) const DRAINED_FOR: Duration = Duration::from_secs(1);

/// What a frame counts at least, or one without data could be followed by any number of them.
const DRAINED_FRAME: usize = 16;

/// Once the wait is over, what is left of an HTTP/1 response is read no longer than this.
pub(crate) const DRAINED_ON_FOR: Duration = Duration::from_millis(100);

/// So many frames are read in one poll: of the smallest, as many as the usual limit allows.
const FRAMES_AT_ONCE: usize = DRAINED_BYTES / DRAINED_FRAME;

pin_project! {
    /// What is left of a response that is let go.
    pub(crate) struct Leftover<T> {
        #[pin]
        response: T,
        room: usize,
    }
}

impl<T: Body> Leftover<T> {
    /// Reads so many bytes of this body at most, in what it is `put` into. None if there is nothing to
    /// read, or more than that for certain.
    pub(crate) fn of<R: Body>(body: R, limit: usize, put: impl FnOnce(R) -> T) -> Option<Self> {
        let is_worthwhile =
            limit > 0 && !body.is_end_stream() && body.size_hint().lower() <= limit as u64;
        is_worthwhile.then(|| Self {
            response: put(body),
            room: limit,
        })
    }

    /// Ready at the end, or once enough was read. A body that always has another frame yields in
    /// between, so that the time for it can run out.
    pub(crate) fn poll_drained(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut this = self.project();
        for _ in 0..FRAMES_AT_ONCE {
            if *this.room == 0 {
                return Poll::Ready(());
            }
            let Some(Ok(frame)) = ready!(this.response.as_mut().poll_frame(cx)) else {
                return Poll::Ready(());
            };
            *this.room = this.room.saturating_sub(room_of(&frame));
        }
        if *this.room == 0 {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

/// How much of the room a frame takes.
pub(crate) fn room_of<D: Buf>(frame: &Frame<D>) -> usize {
    length_of(frame).max(DRAINED_FRAME)
}

pub(crate) fn length_of<D: Buf>(frame: &Frame<D>) -> usize {
    frame.data_ref().map_or(0, Buf::remaining)
}

/// The size of what was read ahead, so many bytes, and of what is left.
pub(crate) fn size_with(read: usize, left: &SizeHint) -> SizeHint {
    let read = read as u64;
    let mut hint = SizeHint::new();
    hint.set_lower(left.lower().saturating_add(read));
    if let Some(upper) = left.upper() {
        hint.set_upper(upper.saturating_add(read));
    }
    hint
}
