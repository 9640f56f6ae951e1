use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use http_body::Body;

use super::Tape;
use crate::body::reader::Reader;
use crate::error::BoxError;

/// Reads the source before an attempt does.
impl<B: Body> Tape<B> {
    /// Reads the first piece, which may be the whole body, before reader `number` does.
    pub(in crate::body) fn read_ahead_of(mut self: Pin<&mut Self>, number: u32)
    where
        B::Error: Into<BoxError>,
    {
        if self.size.exact().is_some() && self.as_mut().begin_ahead(number) {
            let mut ahead = self.reader();
            self.as_mut().read_one_ahead(&mut ahead);
            let _nobody_waits = self.confirm(true);
        }
    }

    /// Reads everything that is available immediately, as far as it can be recorded.
    pub(in crate::body) fn read_all_ahead_of(mut self: Pin<&mut Self>, number: u32)
    where
        B::Error: Into<BoxError>,
    {
        // Limited, because a source may never end.
        const MOST: usize = 64;
        if !self.as_mut().begin_ahead(number) {
            return;
        }
        let mut ahead = self.reader();
        for _ in 0..MOST {
            let is_over = self.is_full || self.source_ended();
            if is_over || !self.as_mut().read_one_ahead(&mut ahead) {
                break;
            }
        }
        let _nobody_waits = self.confirm(true);
    }

    fn begin_ahead(self: Pin<&mut Self>, number: u32) -> bool {
        // If a reader has polled the source and waits for it, another poll would replace its waker. Nothing
        // is read for an attempt if the body is reserved for a later one.
        let is_untouched = self.given == 0 && self.begun == 0 && number >= self.reserved_for;
        is_untouched && self.reserve(number)
    }

    /// Reads one frame, and returns whether the source yielded one.
    fn read_one_ahead(mut self: Pin<&mut Self>, ahead: &mut Reader) -> bool
    where
        B::Error: Into<BoxError>,
    {
        let mut cx = Context::from_waker(Waker::noop());
        match self.as_mut().poll_source(ahead, &mut cx) {
            Poll::Ready(Some(Ok(_))) => true,
            Poll::Ready(Some(Err(failure))) => {
                *self.project().failure = Some(failure);
                false
            }
            Poll::Ready(None) | Poll::Pending => false,
        }
    }
}
