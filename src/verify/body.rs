use std::collections::VecDeque;
use std::fmt;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use crate::drain::{length_of, size_with};

/// A body that is read ends after so many empty frames, or it could give any number of them.
const MOST_EMPTY_FRAMES: usize = 1024;

pin_project! {
    /// The response body of [`Verify`](crate::verify::Verify).
    ///
    /// It is the inner service's body, or one that was read before the response was returned, or
    /// empty. Its data is [`Bytes`], without a copy where the inner service's is.
    pub struct VerifyBody<R>
    where
        R: Body,
    {
        #[pin]
        content: Content<R>,
    }
}

pin_project! {
    #[project = ContentProj]
    enum Content<R>
    where
        R: Body,
    {
        Passing {
            #[pin]
            body: R,
        },
        Kept {
            kept: Kept<R>,
        },
        Empty,
    }
}

/// A body that is read, so that its connection can be used or its data looked at, and kept.
pub(super) struct Kept<R>
where
    R: Body,
{
    /// All data that was read in a row: many small frames take no more room than their bytes.
    data: BytesMut,
    /// What comes after it.
    frames: VecDeque<Frame<Bytes>>,
    pub(super) rest: Rest<R>,
    /// How many bytes may still be read.
    room: Option<usize>,
    empty_frames: usize,
}

/// What follows the frames that were read.
pub(super) enum Rest<R>
where
    R: Body,
{
    /// More than there is room for, unless it is still to be read.
    Unread(Pin<Box<R>>),
    Broken(R::Error),
    Nothing,
}

impl<R: Body> VerifyBody<R> {
    pub(super) fn passing(body: R) -> Self {
        Self {
            content: Content::Passing { body },
        }
    }

    pub(super) fn kept(kept: Kept<R>) -> Self {
        Self {
            content: Content::Kept { kept },
        }
    }

    pub(super) fn empty() -> Self {
        Self {
            content: Content::Empty,
        }
    }
}

impl<R: Body> Kept<R> {
    /// Reads no more than one frame beyond so many bytes.
    pub(super) fn new(body: R, limit: usize) -> Self {
        Self {
            data: BytesMut::new(),
            frames: VecDeque::new(),
            rest: Rest::Unread(Box::pin(body)),
            room: Some(limit),
            empty_frames: 0,
        }
    }

    /// Ready at the end, at an error, or when it turns out to be too long.
    pub(super) fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while let Rest::Unread(rest) = &mut self.rest {
            let is_too_long = |room| rest.size_hint().lower() > room as u64;
            if self.room.is_none_or(is_too_long) || self.empty_frames > MOST_EMPTY_FRAMES {
                return Poll::Ready(());
            }
            match ready!(rest.as_mut().poll_frame(cx)) {
                Some(Ok(frame)) => self.keep(frame),
                Some(Err(error)) => self.rest = Rest::Broken(error),
                None => self.rest = Rest::Nothing,
            }
        }
        Poll::Ready(())
    }

    /// The data in one piece.
    pub(super) fn data(&mut self) -> Bytes {
        let data = self.data.split().freeze();
        if !data.is_empty() {
            self.frames.push_front(Frame::data(data.clone()));
        }
        data
    }

    fn keep(&mut self, frame: Frame<R::Data>) {
        let length = length_of(&frame);
        self.room = self.room.and_then(|room| room.checked_sub(length));
        if length == 0 {
            self.empty_frames += 1;
        }
        match frame.into_data() {
            Ok(data) if self.frames.is_empty() => self.data.put(data),
            Ok(data) => self.frames.push_back(in_bytes(Frame::data(data))),
            Err(frame) => self.frames.push_back(in_bytes(frame)),
        }
    }

    fn pop(&mut self) -> Option<Frame<Bytes>> {
        match self.data.is_empty() {
            true => self.frames.pop_front(),
            false => Some(Frame::data(self.data.split().freeze())),
        }
    }

    fn size_hint(&self) -> SizeHint {
        let frames: usize = self.frames.iter().map(length_of).sum();
        let rest = match &self.rest {
            Rest::Unread(rest) => rest.size_hint(),
            Rest::Broken(_) | Rest::Nothing => SizeHint::with_exact(0),
        };
        size_with(self.data.len() + frames, &rest)
    }

    fn is_end_stream(&self) -> bool {
        self.data.is_empty()
            && self.frames.is_empty()
            && match &self.rest {
                Rest::Unread(rest) => rest.is_end_stream(),
                Rest::Broken(_) => false,
                Rest::Nothing => true,
            }
    }
}

impl<R: Body> Rest<R> {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, R::Error>>> {
        match self {
            Self::Unread(rest) => rest.as_mut().poll_frame(cx).map_ok(in_bytes),
            Self::Broken(_) | Self::Nothing => match mem::replace(self, Self::Nothing) {
                Self::Broken(error) => Poll::Ready(Some(Err(error))),
                Self::Unread(_) | Self::Nothing => Poll::Ready(None),
            },
        }
    }
}

impl<R: Body> Body for VerifyBody<R> {
    type Data = Bytes;
    type Error = R::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, R::Error>>> {
        match self.project().content.project() {
            ContentProj::Passing { body } => body.poll_frame(cx).map_ok(in_bytes),
            ContentProj::Kept { kept } => match kept.pop() {
                Some(frame) => Poll::Ready(Some(Ok(frame))),
                None => kept.rest.poll_frame(cx),
            },
            ContentProj::Empty => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.content {
            Content::Passing { body } => body.is_end_stream(),
            Content::Kept { kept } => kept.is_end_stream(),
            Content::Empty => true,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Passing { body } => body.size_hint(),
            Content::Kept { kept } => kept.size_hint(),
            Content::Empty => SizeHint::with_exact(0),
        }
    }
}

/// Whole [`Bytes`] are given away, not copied.
fn in_bytes<D: Buf>(frame: Frame<D>) -> Frame<Bytes> {
    frame.map_data(|mut data| data.copy_to_bytes(data.remaining()))
}

impl<R: Body> fmt::Debug for VerifyBody<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifyBody").finish_non_exhaustive()
    }
}
