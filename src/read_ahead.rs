use std::collections::VecDeque;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};

use crate::drain::{length_of, size_with};

mod answering;
#[cfg(feature = "grpc")]
mod status;

pub(crate) use answering::Answering;

/// How many frames without data are skipped to find the first one with data. The next frame counts as data,
/// so that a server that sends only empty frames does not delay the response without limit.
const SKIPPED_FRAMES: usize = 64;

/// How many frames without data a body may have that is read completely. With more, it counts as too long.
const MOST_EMPTY_FRAMES: usize = 1024;

/// The most memory that is reserved for bytes that are announced but have not arrived.
const MOST_RESERVED: usize = 2 * 1024 * 1024;

/// A body that is read, in part or completely, before it is returned to the caller. It yields what was
/// read, and then the rest.
pub(crate) struct ReadAhead<R: Body> {
    /// The data of the first frames, joined, so that many small frames take no more memory than their bytes.
    data: Data,
    /// The frames after that.
    frames: VecDeque<Frame<Bytes>>,
    rest: Rest<R>,
    read: usize,
    empty_frames: usize,
}

enum Data {
    Nothing,
    /// The data of a single frame, which is not copied.
    Single(Bytes),
    Joined(BytesMut),
}

/// The rest of the body after the frames that were read.
enum Rest<R: Body> {
    Unread(R),
    Broken {
        error: R::Error,
        /// The size hint of the body when it failed.
        size: SizeHint,
    },
    Nothing,
}

impl<R: Body + Unpin> ReadAhead<R> {
    pub(crate) fn new(body: R) -> Self {
        Self {
            data: Data::Nothing,
            frames: VecDeque::new(),
            rest: Rest::Unread(body),
            read: 0,
            empty_frames: 0,
        }
    }

    /// Reads up to the first frame with data or trailers, an error, or the end. Frames without data are
    /// dropped.
    pub(crate) fn poll_first(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while self.gives_nothing() && ready!(self.poll_next(SKIPPED_FRAMES, 0, cx)) {}
        Poll::Ready(())
    }

    /// Reads to the end, or to an error. Stops if the body turns out to have more than `limit` bytes; at most
    /// one frame beyond them is read.
    pub(crate) fn poll_whole(&mut self, limit: usize, cx: &mut Context<'_>) -> Poll<()> {
        while let Rest::Unread(rest) = &self.rest {
            let least = rest.size_hint().lower();
            let room = limit.checked_sub(self.read).map(|room| room as u64);
            if room.is_none_or(|room| least > room) || self.empty_frames > MOST_EMPTY_FRAMES {
                break;
            }
            let least = usize::try_from(least).unwrap_or(usize::MAX);
            ready!(self.poll_next(usize::MAX, least, cx));
        }
        Poll::Ready(())
    }

    /// Reads one frame, and returns false at the end or at an error. Up to `skipped` frames without data are
    /// dropped. `least` is the least number of bytes that are still to come.
    fn poll_next(&mut self, skipped: usize, least: usize, cx: &mut Context<'_>) -> Poll<bool> {
        let Rest::Unread(rest) = &mut self.rest else {
            return Poll::Ready(false);
        };
        if rest.is_end_stream() {
            self.rest = Rest::Nothing;
            return Poll::Ready(false);
        }
        match ready!(Pin::new(&mut *rest).poll_frame(cx)) {
            Some(Ok(frame)) if self.empty_frames == skipped => {
                self.read += length_of(&frame);
                self.frames.push_back(in_bytes(frame));
            }
            Some(Ok(frame)) => self.keep(frame, least),
            Some(Err(error)) => {
                let size = rest.size_hint();
                self.rest = Rest::Broken { error, size };
            }
            None => self.rest = Rest::Nothing,
        }
        Poll::Ready(matches!(self.rest, Rest::Unread(_)))
    }

    fn keep(&mut self, frame: Frame<R::Data>, least: usize) {
        let length = length_of(&frame);
        self.read += length;
        if length == 0 {
            self.empty_frames += 1;
        }
        match frame.into_data() {
            Ok(data) if self.frames.is_empty() => self.data.join(data, least),
            Ok(data) => self.frames.push_back(in_bytes(Frame::data(data))),
            Err(frame) => self.frames.push_back(in_bytes(frame)),
        }
    }
}

impl<R: Body> ReadAhead<R> {
    /// Returns how many bytes of data were read.
    pub(crate) fn read(&self) -> usize {
        self.read
    }

    /// Returns all data in one piece, which remains part of the body. Returns none if the end was not
    /// reached.
    pub(crate) fn whole(&mut self) -> Option<Bytes> {
        let Rest::Nothing = self.rest else {
            return None;
        };
        let data = self.data.take().unwrap_or_default();
        if !data.is_empty() {
            self.data = Data::Single(data.clone());
        }
        Some(data)
    }

    /// Removes the error from the body and returns it, if there was one.
    pub(crate) fn take_error(&mut self) -> Option<R::Error> {
        match mem::replace(&mut self.rest, Rest::Nothing) {
            Rest::Broken { error, .. } => Some(error),
            rest @ (Rest::Unread(_) | Rest::Nothing) => {
                self.rest = rest;
                None
            }
        }
    }

    /// Whether there is nothing left to read, because of an error or the end.
    pub(crate) fn is_read(&self) -> bool {
        !matches!(self.rest, Rest::Unread(_))
    }

    fn gives_nothing(&self) -> bool {
        matches!(self.data, Data::Nothing) && self.frames.is_empty()
    }

    fn pop(&mut self) -> Option<Frame<Bytes>> {
        let data = self.data.take().map(Frame::data);
        data.or_else(|| self.frames.pop_front())
    }
}

impl Data {
    fn join(&mut self, mut data: impl Buf, least: usize) {
        if !data.has_remaining() {
            return;
        }
        *self = match mem::replace(self, Self::Nothing) {
            Self::Nothing => Self::Single(data.copy_to_bytes(data.remaining())),
            Self::Single(first) => {
                let length = first.len() + data.remaining().max(least.min(MOST_RESERVED));
                let mut joined = BytesMut::with_capacity(length);
                joined.put(first);
                joined.put(data);
                Self::Joined(joined)
            }
            Self::Joined(mut joined) => {
                joined.put(data);
                Self::Joined(joined)
            }
        };
    }

    fn take(&mut self) -> Option<Bytes> {
        match mem::replace(self, Self::Nothing) {
            Self::Nothing => None,
            Self::Single(data) => Some(data),
            Self::Joined(data) => Some(data.freeze()),
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Nothing => 0,
            Self::Single(data) => data.len(),
            Self::Joined(data) => data.len(),
        }
    }
}

// Only the rest is ever pinned, and it is `Unpin`.
impl<R: Body + Unpin> Unpin for ReadAhead<R> {}

impl<R: Body> Rest<R> {
    fn is_end_stream(&self) -> bool {
        match self {
            Self::Unread(rest) => rest.is_end_stream(),
            Self::Broken { .. } => false,
            Self::Nothing => true,
        }
    }
}

impl<R: Body + Unpin> Rest<R> {
    /// A body that has ended is not polled again.
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, R::Error>>> {
        match self {
            Self::Unread(rest) => {
                let frame = ready!(Pin::new(rest).poll_frame(cx));
                if frame.is_none() {
                    *self = Self::Nothing;
                }
                Poll::Ready(frame.map(|frame| frame.map(in_bytes)))
            }
            Self::Broken { .. } | Self::Nothing => match mem::replace(self, Self::Nothing) {
                Self::Broken { error, .. } => Poll::Ready(Some(Err(error))),
                Self::Unread(_) | Self::Nothing => Poll::Ready(None),
            },
        }
    }
}

impl<R: Body + Unpin> Body for ReadAhead<R> {
    type Data = Bytes;
    type Error = R::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, R::Error>>> {
        match self.pop() {
            Some(frame) => Poll::Ready(Some(Ok(frame))),
            None => self.rest.poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.gives_nothing() && self.rest.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let frames: usize = self.frames.iter().map(length_of).sum();
        let read = self.data.len() + frames;
        match &self.rest {
            Rest::Unread(rest) => size_with(read, &rest.size_hint()),
            Rest::Broken { size, .. } => size_with(read, size),
            Rest::Nothing => SizeHint::with_exact(read as u64),
        }
    }
}

/// Converts the data of a frame to [`Bytes`]. Data that is `Bytes` already is not copied.
pub(crate) fn in_bytes<D: Buf>(frame: Frame<D>) -> Frame<Bytes> {
    frame.map_data(|mut data| data.copy_to_bytes(data.remaining()))
}
