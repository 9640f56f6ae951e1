use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Buf;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

/// How much of a discarded response is read, so that its connection can be reused, unless the layer has
/// another limit.
pub(crate) const DRAINED_BYTES: usize = 64 * 1024;

/// How long a discarded response is read during the wait.
pub(crate) const DRAINED_FOR: Duration = Duration::from_secs(1);

/// The least size that a frame counts as. Otherwise a body could have any number of empty frames.
const DRAINED_FRAME: usize = 16;

/// How long the rest of an HTTP/1 response is read after the wait.
pub(crate) const DRAINED_ON_FOR: Duration = Duration::from_millis(100);

/// How many frames are read in one poll: as many of the smallest frames as the default limit allows.
const FRAMES_AT_ONCE: usize = DRAINED_BYTES / DRAINED_FRAME;

pin_project! {
    /// The rest of a discarded response.
    pub(crate) struct Leftover<T> {
        #[pin]
        response: T,
        room: usize,
    }
}

impl<T: Body> Leftover<T> {
    /// Creates the leftover of a body, of which at most `limit` bytes are read. `put` wraps the body.
    /// Returns none if there is nothing to read, or if the body is known to be longer than the limit.
    pub(crate) fn of<R: Body>(body: R, limit: usize, put: impl FnOnce(R) -> T) -> Option<Self> {
        let is_worthwhile =
            limit > 0 && !body.is_end_stream() && body.size_hint().lower() <= limit as u64;
        is_worthwhile.then(|| Self {
            response: put(body),
            room: limit,
        })
    }

    /// Reads the body. It is ready at the end of the body, or at the limit. After many frames in one poll it
    /// yields, so that the caller's timer can fire.
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

/// Returns how much a frame counts towards the limit.
pub(crate) fn room_of<D: Buf>(frame: &Frame<D>) -> usize {
    length_of(frame).max(DRAINED_FRAME)
}

pub(crate) fn length_of<D: Buf>(frame: &Frame<D>) -> usize {
    frame.data_ref().map_or(0, Buf::remaining)
}

/// Returns the size hint of a body of which `read` bytes were read ahead, given the hint for the rest.
pub(crate) fn size_with(read: usize, left: &SizeHint) -> SizeHint {
    let read = read as u64;
    let mut hint = SizeHint::new();
    hint.set_lower(left.lower().saturating_add(read));
    if let Some(upper) = left.upper() {
        hint.set_upper(upper.saturating_add(read));
    }
    hint
}
