use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame};
use http_body_util::Full;

/// A request body.
pub trait Payload: Body<Data = Bytes, Error = Infallible> + Send + 'static {
    fn empty() -> Self;

    fn full() -> Self;
}

impl Payload for Full<Bytes> {
    fn empty() -> Self {
        Self::default()
    }

    /// Returns a body of 1 KiB whose bytes are not shared yet.
    fn full() -> Self {
        Self::from(vec![b'x'; 1024])
    }
}

/// A stream of chunks that are cheap to clone. Like most streams, it is not `Clone` itself.
pub struct Chunks {
    left: usize,
}

impl Payload for Chunks {
    fn empty() -> Self {
        Self { left: 0 }
    }

    fn full() -> Self {
        Self { left: 16 }
    }
}

impl Body for Chunks {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        const CHUNK: [u8; 1024] = [b'x'; 1024];
        let Some(left) = self.left.checked_sub(1) else {
            return Poll::Ready(None);
        };
        self.left = left;
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&CHUNK)))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }
}
