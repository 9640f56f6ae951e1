//! The bodies of requests and responses, in pieces with pauses, of any size up to 1 MiB, and a check that
//! a received body is the one that was sent.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use fastrand::Rng;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use http_body_util::Collected;
use tokio::time::{Sleep, sleep};
use tower_http_retry::BoxError;

use super::answer::How;
use super::hedging::Source;
use super::plan::{millis, one_in};

/// Random bytes, so that no two positions have the same content.
pub static BYTES: LazyLock<Bytes> = LazyLock::new(|| {
    let mut random = Rng::with_seed(1);
    (0..(1 << 20) + OFFSETS).map(|_| random.u8(..)).collect()
});
/// The number of positions at which the bytes of a body can start.
const OFFSETS: usize = 1 << 16;

/// A pause that is long enough that everything before it is sent before what follows.
const FLUSHED: Duration = Duration::from_millis(10);

/// The shape of a body.
#[derive(Clone, Debug)]
pub struct Shape {
    /// The pause before each piece, and the size of the piece.
    pieces: Vec<(Duration, usize)>,
    /// Whether its size is known in advance.
    is_sized: bool,
    pub has_trailers: bool,
    /// Whether it breaks instead of ending.
    pub breaks: bool,
}

impl Shape {
    pub fn empty() -> Self {
        Self {
            pieces: Vec::new(),
            is_sized: true,
            has_trailers: false,
            breaks: false,
        }
    }

    /// Draws a shape. One in a hundred has 1 MiB.
    pub fn draw(random: &mut Rng) -> Self {
        let large = [vec![1 << 20], vec![1 << 15; 32]];
        if random.u8(..100) == 0 {
            let pieces = &large[random.usize(..large.len())];
            return Self {
                pieces: pieces
                    .iter()
                    .map(|piece| (Duration::ZERO, *piece))
                    .collect(),
                is_sized: random.bool(),
                ..Self::empty()
            };
        }
        let (pieces, longest) = match random.u8(..16) {
            0 => (0, 0),
            1 => (random.usize(1..=32), 1 << 15),
            2..=5 => (random.usize(2..=8), 1 << 14),
            6..=9 => (random.usize(2..=5), 700),
            _ => (1, 4_000),
        };
        let piece = |_| {
            let pause = millis(random, 1..=20);
            let pause = one_in(random, 4, pause).unwrap_or_default();
            (pause, random.usize(1..=longest))
        };
        let pieces = (0..pieces).map(piece).collect();
        let is_sized = random.bool();
        Self {
            pieces,
            is_sized,
            has_trailers: !is_sized && random.u8(..4) == 0,
            // A body of known size is complete with its last byte.
            breaks: !is_sized && random.u8(..16) == 0,
        }
    }

    /// Returns the same shape, but broken: either at its end, or without any data.
    pub fn broken(mut self, random: &mut Rng) -> Self {
        if random.bool() {
            self.pieces.clear();
        }
        Self {
            is_sized: false,
            breaks: true,
            ..self
        }
    }

    /// Whether the body is empty, and known to be.
    pub fn is_none(&self) -> bool {
        self.is_sized && self.pieces.is_empty()
    }

    /// Whether the body has more than one piece.
    pub fn is_streamed(&self) -> bool {
        self.pieces.len() > 1
    }

    pub fn len(&self) -> usize {
        self.pieces.iter().map(|(_, len)| len).sum()
    }

    /// Whether a received body has exactly the bytes and the trailers of this body.
    pub fn is(&self, mark: usize, whole: Collected<Bytes>) -> bool {
        let trailers = whole.trailers().cloned();
        let start = mark % OFFSETS;
        let is_right = whole.to_bytes() == BYTES[start..start + self.len()];
        is_right && !self.breaks && trailers == self.has_trailers.then(|| trailers_of(mark))
    }
}

/// A body with a shape. A number, the mark, determines its bytes.
pub struct Payload {
    pieces: VecDeque<(Duration, Bytes)>,
    pause: Option<Pin<Box<Sleep>>>,
    trailers: Option<HeaderMap>,
    is_sized: bool,
    /// The error that takes the place of the end.
    error: Option<BoxError>,
    /// Whether the whole body has been read.
    pub source: Source,
    /// Shows that the body has not been dropped.
    _alive: Arc<()>,
}

impl Payload {
    pub fn new(shape: &Shape, mark: usize, alive: &Arc<()>) -> Self {
        let mut start = mark % OFFSETS;
        let piece = |&(pause, len): &(Duration, usize)| {
            start += len;
            (pause, BYTES.slice(start - len..start))
        };
        let source = Source::default();
        source.0.store(shape.is_none(), Ordering::Relaxed);
        Self {
            source,
            pieces: shape.pieces.iter().map(piece).collect(),
            pause: None,
            trailers: shape.has_trailers.then(|| trailers_of(mark)),
            is_sized: shape.is_sized,
            error: shape
                .breaks
                .then(|| io::Error::other("the source broke").into()),
            _alive: alive.clone(),
        }
    }

    /// Creates a body of unknown size from pieces, each with the pause before it.
    pub fn of(pieces: Vec<(Duration, Bytes)>) -> Self {
        Self {
            pieces: pieces.into(),
            is_sized: false,
            ..Self::default()
        }
    }

    /// Sets the way in which the body ends.
    pub fn ending(mut self, how: How) -> Self {
        self.error = match how {
            How::Short => None,
            How::Breaks => Some("the source broke".into()),
            How::Reset(reason) => {
                // The pause lets the head be sent first. A reset that overtakes the head would be an
                // error of the request.
                self.pieces.push_back((FLUSHED, Bytes::new()));
                Some(h2::Error::from(reason).into())
            }
        };
        self
    }

    /// Whether it breaks instead of ending.
    pub fn breaks(&self) -> bool {
        self.error.is_some()
    }

    fn last(&mut self) -> Option<Result<Frame<Bytes>, BoxError>> {
        let is_whole = self.error.is_none() && self.trailers.is_none();
        self.source.0.store(is_whole, Ordering::Relaxed);
        if let Some(error) = self.error.take() {
            self.trailers = None;
            return Some(Err(error));
        }
        self.trailers.take().map(Frame::trailers).map(Ok)
    }
}

/// An empty body.
impl Default for Payload {
    fn default() -> Self {
        Self::new(&Shape::empty(), 0, &Arc::default())
    }
}

impl Body for Payload {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let Some(&(pause, _)) = self.pieces.front() else {
            return Poll::Ready(self.last());
        };
        if !pause.is_zero() {
            let timer = self.pause.get_or_insert_with(|| Box::pin(sleep(pause)));
            ready!(timer.as_mut().poll(cx));
            self.pause = None;
        }
        let piece = self
            .pieces
            .pop_front()
            .map(|(_, piece)| Ok(Frame::data(piece)));
        self.source.0.store(self.is_end_stream(), Ordering::Relaxed);
        Poll::Ready(piece)
    }

    fn is_end_stream(&self) -> bool {
        self.is_sized && self.pieces.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        if !self.is_sized {
            return SizeHint::default();
        }
        SizeHint::with_exact(
            self.pieces
                .iter()
                .map(|(_, piece)| piece.len() as u64)
                .sum(),
        )
    }
}

fn trailers_of(mark: usize) -> HeaderMap {
    let mut trailers = HeaderMap::new();
    trailers.insert("x-mark", mark.into());
    trailers
}
