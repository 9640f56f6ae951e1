use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use bytes::{Buf, Bytes};
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::{Superseded, Unplayable};
use crate::error::BoxError;

pin_project! {
    /// A source, read once, and the record of what it gave.
    pub(super) struct Tape<B> {
        #[pin]
        source: Option<B>,
        exact: Option<u64>,
        record: Result<Record, Unplayable>,
        // How many pieces the source has given.
        given: usize,
        // The latest reader that has begun to read, and whom to wake when another takes its place.
        // Nobody below the next one to come may read what the record cannot keep for it.
        holder: u32,
        reserved_for: u32,
        waker: Option<Waker>,
    }
}

/// The first piece has a place of its own: it is the only one of a body in memory.
struct Record {
    first: First,
    rest: Vec<Piece>,
    room: usize,
}

#[expect(
    clippy::large_enum_variant,
    reason = "it lies in the tape's own allocation, where a box would be another"
)]
enum First {
    None,
    Kept(Piece),
    Copied { bytes: [u8; COPIED], length: usize },
}

/// To share bytes that nobody shares yet takes an allocation; to copy so few takes less.
const COPIED: usize = 1024;

#[derive(Clone)]
enum Piece {
    Data(Bytes),
    Trailers(Box<HeaderMap>),
}

/// One attempt's place on the tape.
pub(super) struct Reader {
    number: u32,
    size: SizeHint,
    /// How many pieces, and bytes, it has been given.
    pieces: usize,
    bytes: u64,
    /// Whether it has been given all: then no later reader can take that back.
    ended: bool,
}

impl<B> Tape<B> {
    pub(super) fn new(source: B, exact: Option<u64>, max_bytes: usize) -> Self {
        Self {
            source: Some(source),
            exact,
            record: Ok(Record {
                first: First::None,
                rest: Vec::new(),
                room: max_bytes,
            }),
            given: 0,
            holder: 0,
            reserved_for: 0,
            waker: None,
        }
    }

    pub(super) fn is_replayable(&self) -> bool {
        self.record.is_ok()
    }

    /// From now on, nothing is read that reader `number` could not play.
    pub(super) fn reserve(self: Pin<&mut Self>, number: u32) {
        *self.project().reserved_for = number;
    }
}

impl<B: Body> Tape<B> {
    pub(super) fn poll_frame(
        mut self: Pin<&mut Self>,
        reader: &mut Reader,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>>
    where
        B::Error: Into<BoxError>,
    {
        if reader.ended {
            return Poll::Ready(None);
        }
        if reader.number < self.holder {
            return Poll::Ready(Some(Err(Superseded.into())));
        }
        let polled = match reader.pieces == self.given {
            true => self.as_mut().poll_source(reader, cx),
            false => Poll::Ready(Some(self.play(reader))),
        };
        reader.ended = self.is_ended_for(reader);
        polled
    }

    fn play(&self, reader: &mut Reader) -> Result<Frame<Bytes>, BoxError> {
        match &self.record {
            Ok(record) => match record.get(reader.pieces) {
                Some(piece) => Ok(reader.take(piece)),
                None => Err(Unplayable::SourceFailed.into()),
            },
            Err(unplayable) => Err((*unplayable).into()),
        }
    }

    /// The latest attempt that reads has the source to itself. Gives the waker of the one before
    /// it, to be woken once the lock is open: it may look at the very body that it is woken for.
    pub(super) fn take_hold(self: Pin<&mut Self>, reader: &Reader) -> Option<Waker> {
        let this = self.project();
        if reader.number <= *this.holder {
            return None;
        }
        *this.holder = reader.number;
        this.waker.take()
    }

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
            let failed = matches!(this.record, Err(Unplayable::SourceFailed));
            return Poll::Ready(failed.then(|| Err(Unplayable::SourceFailed.into())));
        };
        let Poll::Ready(frame) = source.poll_frame(cx) else {
            remember(this.waker, cx);
            return Poll::Pending;
        };
        let frame = match frame {
            Some(Ok(frame)) => frame.map_data(|mut data| data.copy_to_bytes(data.remaining())),
            Some(Err(error)) => {
                this.source.set(None);
                *this.record = Err(Unplayable::SourceFailed);
                return Poll::Ready(Some(Err(error.into())));
            }
            None => {
                this.source.set(None);
                return Poll::Ready(None);
            }
        };
        // An empty one says nothing, and any number of them would fit into the limit.
        if !frame.data_ref().is_some_and(Bytes::is_empty) {
            self.record(&frame);
            reader.passed(&frame);
        }
        Poll::Ready(Some(Ok(frame)))
    }

    fn record(self: Pin<&mut Self>, frame: &Frame<Bytes>) {
        let this = self.project();
        let length = frame.data_ref().map(|data| data.len() as u64);
        let in_memory = *this.given == 0 && length == *this.exact;
        if let Ok(record) = this.record {
            match record.push(frame, in_memory) {
                Err(Unplayable::OverLimit) if *this.holder < *this.reserved_for => {
                    // The one that read it reads no more; who comes next plays it, and goes on.
                    record.keep(frame);
                    record.room = 0;
                    *this.holder = *this.reserved_for;
                }
                Err(unplayable) => *this.record = Err(unplayable),
                Ok(()) => {}
            }
        }
        *this.given += 1;
    }

    fn is_ended_for(&self, reader: &Reader) -> bool {
        let source_ended = match &self.source {
            Some(source) => source.is_end_stream(),
            None => !matches!(self.record, Err(Unplayable::SourceFailed)),
        };
        reader.pieces == self.given && source_ended
    }
}

impl Record {
    fn get(&self, index: usize) -> Option<Piece> {
        match (index, &self.first) {
            (0, First::None) => None,
            (0, First::Kept(piece)) => Some(piece.clone()),
            (0, First::Copied { bytes, length }) => {
                Some(Piece::Data(Bytes::copy_from_slice(&bytes[..*length])))
            }
            _ => self.rest.get(index - 1).cloned(),
        }
    }

    fn push(&mut self, frame: &Frame<Bytes>, in_memory: bool) -> Result<(), Unplayable> {
        let size = match (frame.data_ref(), frame.trailers_ref()) {
            (Some(_), _) if in_memory => 0,
            (Some(data), _) => data.len(),
            (None, Some(trailers)) => size(trailers),
            (None, None) => return Err(Unplayable::UnknownFrame),
        };
        self.room = self.room.checked_sub(size).ok_or(Unplayable::OverLimit)?;
        self.keep(frame);
        Ok(())
    }

    fn keep(&mut self, frame: &Frame<Bytes>) {
        match self.first {
            First::None => self.first = First::new(frame),
            First::Kept(_) | First::Copied { .. } => self.rest.extend(Piece::new(frame)),
        }
    }
}

impl First {
    fn new(frame: &Frame<Bytes>) -> Self {
        match frame.data_ref() {
            Some(data) if data.len() <= COPIED && data.is_unique() => {
                let mut bytes = [0; COPIED];
                bytes[..data.len()].copy_from_slice(data);
                let length = data.len();
                Self::Copied { bytes, length }
            }
            _ => Piece::new(frame).map_or(Self::None, Self::Kept),
        }
    }
}

impl Piece {
    fn new(frame: &Frame<Bytes>) -> Option<Self> {
        let data = frame.data_ref().map(|data| Self::Data(data.clone()));
        data.or_else(|| Some(Self::Trailers(Box::new(frame.trailers_ref()?.clone()))))
    }
}

impl Reader {
    pub(super) fn new(number: u32, size: SizeHint) -> Self {
        Self {
            number,
            size,
            pieces: 0,
            bytes: 0,
            ended: false,
        }
    }

    fn take(&mut self, piece: Piece) -> Frame<Bytes> {
        let frame = match piece {
            Piece::Data(data) => Frame::data(data),
            Piece::Trailers(trailers) => Frame::trailers(*trailers),
        };
        self.passed(&frame);
        frame
    }

    fn passed(&mut self, frame: &Frame<Bytes>) {
        self.pieces += 1;
        self.bytes += frame.data_ref().map_or(0, Bytes::len) as u64;
    }

    /// Not before the first poll, whatever is known of the source by then: each attempt starts as
    /// the first did.
    pub(super) fn is_end_stream(&self) -> bool {
        self.ended
    }

    /// What the source said when it came, less what has passed since.
    pub(super) fn size_hint(&self) -> SizeHint {
        let mut size = SizeHint::new();
        size.set_lower(self.size.lower().saturating_sub(self.bytes));
        if let Some(upper) = self.size.upper() {
            size.set_upper(upper.saturating_sub(self.bytes));
        }
        size
    }
}

fn remember(waker: &mut Option<Waker>, cx: &Context<'_>) {
    match waker {
        Some(waker) => waker.clone_from(cx.waker()),
        None => *waker = Some(cx.waker().clone()),
    }
}

fn size(trailers: &HeaderMap) -> usize {
    let line =
        |(name, value): (&http::HeaderName, &http::HeaderValue)| name.as_str().len() + value.len();
    trailers.iter().map(line).sum()
}
