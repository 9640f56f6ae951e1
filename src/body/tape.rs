use std::pin::Pin;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::{Buf, Bytes};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use pinnable::Mutex;

use super::error::{Superseded, Unplayable};
use super::reader::Reader;
use super::record::{Passing, Piece, Record};
use crate::error::BoxError;

mod ahead;
mod reservation;

/// A tape that all attempts share, and its source, in one allocation. A source in a `Pin<Box<_>>` in a
/// mutex of `std` would take one more allocation, and 125 more instructions for a body in memory, or 370 for
/// a stream of 16 chunks.
pub(super) type SharedTape<B> = Pin<Arc<Mutex<Tape<B>>>>;

pin_project! {
    /// A source, which is read once, and the recording of its frames.
    pub(super) struct Tape<B, C: ?Sized = [u8]> {
        #[pin]
        source: Option<B>,
        // The source's size hint at the start.
        size: SizeHint,
        // How many pieces the source has yielded.
        given: usize,
        // Readers with a lower number are superseded. `waker` wakes a reader that waits when this happens.
        holder: u32,
        // Readers with a lower number may read only what the recording can keep for this one.
        reserved_for: u32,
        // Whether it is decided that there is a reader `reserved_for`. If not, `is_full` is whether
        // everything that can be kept for it was read.
        is_certain: bool,
        is_full: bool,
        // The latest reader that has begun to read.
        begun: u32,
        waker: Option<Waker>,
        // The error that the source returned when it was read ahead, for the reader that reaches it.
        failure: Option<BoxError>,
        record: Record<C>,
    }
}

/// Creates a tape for a source. Cloning bytes with a single owner takes an allocation, so a body of up to
/// 1 KiB is copied into the tape's own allocation instead.
pub(super) fn shared<B>(source: B, size: SizeHint, max_bytes: usize) -> SharedTape<B> {
    match size.exact() {
        Some(1..=128) => Arc::pin(Mutex::new(Tape::new(source, size, max_bytes, [0; 128]))),
        Some(129..=1024) => Arc::pin(Mutex::new(Tape::new(source, size, max_bytes, [0; 1024]))),
        Some(_) | None => Arc::pin(Mutex::new(Tape::new(source, size, max_bytes, []))),
    }
}

impl<B, C> Tape<B, C> {
    fn new(source: B, size: SizeHint, max_bytes: usize, copy: C) -> Self {
        Self {
            source: Some(source),
            size,
            given: 0,
            holder: 0,
            reserved_for: 0,
            is_certain: true,
            is_full: false,
            begun: 0,
            waker: None,
            failure: None,
            record: Record::new(max_bytes, copy),
        }
    }
}

impl<B> Tape<B> {
    /// Creates a reader at the start.
    pub(super) fn reader(&self) -> Reader {
        Reader::new(&self.size)
    }

    pub(super) fn is_replayable(&self) -> bool {
        self.record.unplayable().is_none()
    }
}

impl<B: Body> Tape<B> {
    // Inlined like the functions that it calls, which saves 35 instructions for each frame.
    #[inline]
    pub(super) fn poll_frame(
        mut self: Pin<&mut Self>,
        number: u32,
        reader: &mut Reader,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>>
    where
        B::Error: Into<BoxError>,
    {
        if number < self.holder {
            return Poll::Ready(Some(Err(Superseded.into())));
        }
        let polled = match reader.pieces == self.given {
            true if self.is_full => {
                remember(self.as_mut().project().waker, cx);
                Poll::Pending
            }
            true => self.as_mut().poll_source(reader, cx),
            false => Poll::Ready(Some(self.as_mut().play(reader))),
        };
        reader.ended = self.is_ended_for(reader);
        polled
    }

    /// Returns the whole body for reader `number`, if it is in memory. Otherwise, the reader can still read
    /// it.
    pub(super) fn whole(mut self: Pin<&mut Self>, number: u32) -> Option<Bytes>
    where
        B::Error: Into<BoxError>,
    {
        let length = self.size.exact()?;
        if number < self.holder {
            return None;
        }
        self.as_mut().read_ahead_of(number);
        let is_whole = self.given == usize::from(length > 0) && self.source_ended();
        match self.record.get(0) {
            _ if !is_whole => None,
            Ok(Piece::Data(data)) if data.len() as u64 == length => Some(data),
            _ => (length == 0).then(Bytes::new),
        }
    }

    /// Whether the recording has everything that the source yields.
    pub(super) fn is_whole(&self) -> bool {
        self.is_replayable() && self.source_ended()
    }

    fn play(self: Pin<&mut Self>, reader: &mut Reader) -> Result<Frame<Bytes>, BoxError> {
        match self.record.get(reader.pieces) {
            Ok(piece) => Ok(reader.take(piece)),
            Err(why) => Err(self.project().failure.take().unwrap_or_else(|| why.into())),
        }
    }

    /// Records that reader `number` reads, and supersedes the readers before it. Returns the waker of the one
    /// that waits, if there is one. It must be woken after the lock is released, because the waker may read
    /// this body.
    #[inline]
    pub(super) fn take_hold(self: Pin<&mut Self>, number: u32) -> Option<Waker> {
        let this = self.project();
        *this.begun = number.max(*this.begun);
        if number <= *this.holder {
            return None;
        }
        *this.holder = number;
        this.waker.take()
    }

    #[inline]
    fn poll_source(
        mut self: Pin<&mut Self>,
        reader: &mut Reader,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>>
    where
        B::Error: Into<BoxError>,
    {
        let mut this = self.as_mut().project();
        let Some(source) = this.source.as_mut().as_pin_mut() else {
            if let Some(failure) = this.failure.take() {
                return Poll::Ready(Some(Err(failure)));
            }
            let failed = this.record.unplayable() == Some(Unplayable::SourceFailed);
            return Poll::Ready(failed.then(|| Err(Unplayable::SourceFailed.into())));
        };
        match source.poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => Poll::Ready(Some(Ok(self.pass(frame, reader)))),
            Poll::Ready(Some(Err(error))) => {
                this.source.set(None);
                this.record.drop_all(Unplayable::SourceFailed);
                Poll::Ready(Some(Err(error.into())))
            }
            Poll::Ready(None) => {
                this.source.set(None);
                Poll::Ready(None)
            }
            Poll::Pending => {
                remember(this.waker, cx);
                Poll::Pending
            }
        }
    }

    /// Records a frame of the source, for the readers after this one.
    #[inline]
    fn pass(self: Pin<&mut Self>, frame: Frame<B::Data>, reader: &mut Reader) -> Frame<Bytes> {
        match frame.into_data() {
            Ok(mut data) => {
                let data = data.copy_to_bytes(data.remaining());
                // Any number of empty frames would fit into the limit, so they are not recorded.
                if !data.is_empty() {
                    self.record(Passing::Data(&data));
                    reader.passed(data.len());
                }
                Frame::data(data)
            }
            Err(other) => {
                let frame = other.map_data(|mut data| data.copy_to_bytes(data.remaining()));
                self.record(
                    frame
                        .trailers_ref()
                        .map_or(Passing::Unknown, Passing::Trailers),
                );
                reader.passed(0);
                frame
            }
        }
    }

    #[inline]
    fn record(self: Pin<&mut Self>, piece: Passing<'_>) {
        let this = self.project();
        let length = piece.data().map(|data| data.len() as u64);
        let in_memory = *this.given == 0 && length == this.size.exact();
        if this.record.unplayable().is_none() {
            match this.record.push(piece, in_memory) {
                Err(Unplayable::OverLimit) if *this.holder < *this.reserved_for => {
                    // This reader may not read more. The next one replays this piece, and then continues to
                    // read the source.
                    this.record.push_last(piece);
                    match *this.is_certain {
                        true => *this.holder = *this.reserved_for,
                        false => *this.is_full = true,
                    }
                }
                Err(unplayable) => this.record.drop_all(unplayable),
                Ok(()) => {}
            }
        }
        *this.given += 1;
    }

    #[inline]
    fn is_ended_for(&self, reader: &Reader) -> bool {
        reader.pieces == self.given && self.source_ended()
    }

    #[inline]
    fn source_ended(&self) -> bool {
        match &self.source {
            Some(source) => source.is_end_stream(),
            None => self.record.unplayable() != Some(Unplayable::SourceFailed),
        }
    }
}

fn remember(waker: &mut Option<Waker>, cx: &Context<'_>) {
    match waker {
        Some(waker) => waker.clone_from(cx.waker()),
        None => *waker = Some(cx.waker().clone()),
    }
}

/// Locks a tape. A source that has panicked counts as failed.
pub(super) fn lock<B>(tape: &SharedTape<B>) -> Result<Pin<MutexGuard<'_, Tape<B>>>, Unplayable> {
    let locked = tape.as_ref().lock();
    locked.map_err(|_: PoisonError<_>| Unplayable::SourceFailed)
}
