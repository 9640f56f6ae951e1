use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use crate::leftover::{DRAINED_BYTES, length_of, room_of, size_with};

pin_project! {
    /// The body of a [`Verify`](crate::Verify)'s response: the inner service's own, or one that was
    /// read before it was handed over, or none.
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

/// A body that is read, so that its connection can be used, and kept.
pub(super) struct Kept<R>
where
    R: Body,
{
    frames: VecDeque<Result<Frame<R::Data>, R::Error>>,
    /// None once it has come to its end.
    rest: Option<Pin<Box<R>>>,
    room: usize,
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
    pub(super) fn new(body: R) -> Self {
        Self {
            frames: VecDeque::new(),
            rest: Some(Box::pin(body)),
            // Without any left, it is too long.
            room: DRAINED_BYTES + 1,
        }
    }

    /// Whether all of it is there; ready when it is, or when it turns out to be too long.
    pub(super) fn poll_whole(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        while let Some(rest) = &mut self.rest {
            if self.room == 0 {
                return Poll::Ready(false);
            }
            let frame = ready!(rest.as_mut().poll_frame(cx));
            match &frame {
                Some(Ok(frame)) => self.room = self.room.saturating_sub(room_of(frame)),
                Some(Err(_)) | None => self.rest = None,
            }
            self.frames.extend(frame);
        }
        Poll::Ready(true)
    }

    fn size_hint(&self) -> SizeHint {
        let read = self.frames.iter().flatten().map(length_of).sum();
        let rest = match &self.rest {
            Some(rest) => rest.size_hint(),
            None => SizeHint::with_exact(0),
        };
        size_with(read, &rest)
    }
}

impl<R: Body> Body for VerifyBody<R> {
    type Data = R::Data;
    type Error = R::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<R::Data>, R::Error>>> {
        let kept = match self.project().content.project() {
            ContentProj::Passing { body } => return body.poll_frame(cx),
            ContentProj::Kept { kept } => kept,
            ContentProj::Empty => return Poll::Ready(None),
        };
        match (kept.frames.pop_front(), &mut kept.rest) {
            (Some(frame), _) => Poll::Ready(Some(frame)),
            (None, Some(rest)) => rest.as_mut().poll_frame(cx),
            (None, None) => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.content {
            Content::Passing { body } => body.is_end_stream(),
            Content::Kept { kept } => {
                let rest = kept.rest.as_ref();
                kept.frames.is_empty() && rest.is_none_or(Body::is_end_stream)
            }
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

impl<R: Body> fmt::Debug for VerifyBody<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifyBody").finish_non_exhaustive()
    }
}
