//! Pseudo-random bytes, which are generated when they are read.

use std::convert::Infallible;
use std::ops::Range;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use fastrand::Rng;
use http_body::{Body, Frame, SizeHint};

/// The number of bytes that are generated at a time. Each block has its own seed.
const BLOCK: u64 = 32 * 1024;

/// A number of bytes that are determined by a seed.
#[derive(Clone, Copy)]
pub(crate) struct Content {
    seed: u64,
    length: u64,
}

impl Content {
    pub(crate) fn new(seed: u64, length: u64) -> Self {
        Self { seed, length }
    }

    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// Returns a strong ETag, which is unique to this content.
    pub(crate) fn etag(&self) -> String {
        format!("\"{:x}-{:x}\"", self.seed, self.length)
    }

    pub(crate) fn part(&self, range: Range<u64>) -> Part {
        Part {
            seed: self.seed,
            left: range,
        }
    }
}

/// A part of the content, as an iterator or as a body.
pub(crate) struct Part {
    seed: u64,
    left: Range<u64>,
}

impl Iterator for Part {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        if self.left.is_empty() {
            return None;
        }
        let (index, offset) = (self.left.start / BLOCK, self.left.start % BLOCK);
        let end = BLOCK.min(offset + (self.left.end - self.left.start));
        self.left.start += end - offset;
        let mut block = vec![0; BLOCK as usize];
        Rng::with_seed(self.seed.rotate_left(32) ^ index).fill(&mut block);
        Some(Bytes::from(block).slice(offset as usize..end as usize))
    }
}

impl Body for Part {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.next().map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.left.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left.end - self.left.start)
    }
}
