use std::fmt;
use std::pin::Pin;
use std::sync::{MutexGuard, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use crate::classify::BodyProgress;
use crate::error::BoxError;

mod record;
mod tape;

use tape::{Reader, SharedTape, Tape};

/// A request body that is read once and can be sent many times; what the service under the retry
/// gets.
///
/// The frames of the caller's body go through to the first attempt as they come. What passes is
/// recorded, trailers included, up to [`RetryLayer::max_replay_bytes`]; a later attempt plays the
/// record, then goes on reading where the earlier one stopped. A body that is in memory already
/// (all of it arrives in its first frame, as with `Full<Bytes>`) costs nothing to keep and is not
/// limited. Over the limit, the attempt goes on unharmed, and the request is not sent again.
///
/// Size hint and end are the same for each attempt, so that each is sent with the same
/// `content-length`, or chunked.
///
/// Once a retry is decided, an earlier attempt that still uploads may go on only as far as the
/// record reaches: nothing is lost for the attempt to come. Once the last answer is there,
/// what a stream gives is not kept any more.
///
/// # Errors
///
/// The caller's own error, to the attempt that met it, and that its source failed, to a later one;
/// [`Superseded`], to an attempt that reads on after a later one has begun to, past what is kept for
/// it, or after the caller has dropped the request. Nothing follows an error.
///
/// # Example
///
/// A service that takes another kind of body goes under the retry with a line that converts it:
///
/// ```
/// use axum::body::Body;
/// use http::Request;
/// use tower::ServiceBuilder;
/// use tower_http::map_request_body::MapRequestBodyLayer;
/// use tower_http_retry::RetryLayer;
///
/// let router: axum::Router = axum::Router::new();
/// let service = ServiceBuilder::new()
///     .layer(RetryLayer::new())
///     .layer(MapRequestBodyLayer::new(Body::new))
///     .service(router);
/// # fn accepts<S: tower::Service<Request<Body>>>(_: S) {}
/// # accepts(service);
/// ```
///
/// [`RetryLayer::max_replay_bytes`]: crate::RetryLayer::max_replay_bytes
pub struct ReplayBody<B> {
    /// None if the body is empty, which costs nothing.
    playing: Option<Playing<B>>,
}

struct Playing<B> {
    tape: SharedTape<B>,
    reader: Reader,
}

/// What is kept of a body: makes the [`ReplayBody`] of each attempt.
pub(crate) struct Replays<B> {
    /// None if the body is empty.
    tape: Option<SharedTape<B>>,
    next: u32,
}

/// A body was read on after a later attempt had begun to read it, past what is kept for one, or after
/// the caller had dropped the request.
///
/// # Example
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() {
/// use std::sync::{Arc, Mutex};
/// use http::{Request, Response, StatusCode};
/// use http_body_util::{BodyExt, Full};
/// use tower::{ServiceBuilder, ServiceExt};
/// use tower_http_retry::{BoxError, ReplayBody, RetryLayer, Superseded};
///
/// type Body = Full<bytes::Bytes>;
/// let earlier = Arc::new(Mutex::new(None::<ReplayBody<Body>>));
/// let client = ServiceBuilder::new().layer(RetryLayer::new()).service_fn(|request: Request<ReplayBody<Body>>| {
///     let earlier = earlier.clone();
///     async move {
///         let kept = earlier.lock().unwrap().take();
///         let Some(old) = kept else {
///             // The first attempt is answered before its body is read.
///             *earlier.lock().unwrap() = Some(request.into_body());
///             let mut response = Response::new(Body::default());
///             *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
///             return Ok(response);
///         };
///         let body = request.into_body().collect().await.unwrap().to_bytes();
///         assert!(old.collect().await.unwrap_err().is::<Superseded>());
///         Ok::<_, BoxError>(Response::new(Body::new(body)))
///     }
/// });
///
/// let response = client.oneshot(Request::put("/").body(Body::from("item")).unwrap()).await.unwrap();
/// assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "item");
/// # }
/// ```
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Superseded;

impl fmt::Display for Superseded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the request body was taken over by a later attempt, or dropped by its caller")
    }
}

impl std::error::Error for Superseded {}

impl<B: Body> Replays<B> {
    /// Keeps a body, and gives the first attempt's.
    #[inline]
    pub(crate) fn of(source: B, max_replay_bytes: usize) -> (Self, ReplayBody<B>) {
        let playing = match source.is_end_stream() {
            true => None,
            false => Some(Playing::first(source, max_replay_bytes)),
        };
        let tape = playing.as_ref().map(|playing| playing.tape.clone());
        (Self { tape, next: 2 }, ReplayBody { playing })
    }

    /// The body of the next attempt.
    pub(crate) fn next(&mut self) -> ReplayBody<B> {
        let number = self.next;
        self.next = number.saturating_add(1);
        let playing = self.tape.as_ref().map(|tape| Playing {
            tape: tape.clone(),
            reader: Reader::new(
                number,
                lock(tape).map_or_else(|_| SizeHint::new(), |tape| tape.size()),
            ),
        });
        ReplayBody { playing }
    }

    /// Makes sure of the body of a next attempt, which this says is possible: those before it may
    /// read on, but only what can be kept for it. What follows is [`confirm`](Self::confirm).
    pub(crate) fn reserve(&self) -> bool {
        let Some(tape) = &self.tape else {
            return true;
        };
        lock(tape).is_ok_and(|mut tape| tape.as_mut().reserve(self.next))
    }

    /// There will be the next attempt that the body was reserved for, or not.
    pub(crate) fn confirm(&self, comes: bool) {
        let tape = self.tape.as_ref();
        let waiting = tape.and_then(|tape| lock(tape).ok()?.as_mut().confirm(comes));
        if let Some(waiting) = waiting {
            waiting.wake();
        }
    }

    /// There will be no next attempt: what is read from now on need not be kept. (Where it is being
    /// read at this moment, it is kept up to the limit: nobody waits here.)
    #[inline]
    pub(crate) fn commit(&mut self) {
        let tape = self.tape.take();
        if let Some(Ok(mut tape)) = tape.as_ref().map(|tape| tape.as_ref().try_lock()) {
            tape.as_mut().commit();
        }
    }

    /// How far the latest attempt's body was read.
    pub(crate) fn progress(&self) -> BodyProgress {
        let has_begun = |tape| lock(tape).is_ok_and(|tape| tape.has_begun(self.next - 1));
        match &self.tape {
            None => BodyProgress::Empty,
            Some(tape) if has_begun(tape) => BodyProgress::Begun,
            Some(_) => BodyProgress::Unread,
        }
    }

    /// Whether all that the source has given so far can be given again.
    pub(crate) fn is_replayable(&self) -> bool {
        let is_whole = |tape| lock(tape).is_ok_and(|tape| tape.is_replayable());
        self.tape.as_ref().is_none_or(is_whole)
    }
}

/// The request ends before its answer is there: nothing more of its body is sent.
impl<B> Drop for Replays<B> {
    fn drop(&mut self) {
        let tape = self.tape.take();
        let reading = tape
            .as_ref()
            .and_then(|tape| lock(tape).ok()?.as_mut().take_back());
        if let Some(reading) = reading {
            reading.wake();
        }
    }
}

impl<B: Body> Playing<B> {
    fn first(source: B, max_replay_bytes: usize) -> Self {
        let size = source.size_hint();
        Self {
            tape: tape::shared(source, size, max_replay_bytes),
            reader: Reader::new(1, size),
        }
    }
}

impl<B> Playing<B>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    #[inline]
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let Self { tape, reader } = self;
        let mut locked = match lock(tape) {
            Ok(locked) => locked,
            Err(broken) => return Poll::Ready(Some(Err(broken.into()))),
        };
        let superseded = locked.as_mut().take_hold(reader);
        let polled = locked.as_mut().poll_frame(reader, cx);
        drop(locked);
        if let Some(waker) = superseded {
            waker.wake();
        }
        polled
    }
}

impl<B> Body for ReplayBody<B>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let Some(playing) = &mut self.get_mut().playing else {
            return Poll::Ready(None);
        };
        if playing.reader.is_over() {
            return Poll::Ready(None);
        }
        let polled = playing.poll_frame(cx);
        if let Poll::Ready(Some(Err(_))) = &polled {
            playing.reader.fail();
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        let playing = self.playing.as_ref();
        playing.is_none_or(|playing| playing.reader.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        match &self.playing {
            Some(Playing { reader, .. }) => reader.size_hint(),
            None => SizeHint::with_exact(0),
        }
    }
}

/// A source that panicked has failed.
fn lock<B>(tape: &SharedTape<B>) -> Result<Pin<MutexGuard<'_, Tape<B>>>, Unplayable> {
    let locked = tape.as_ref().lock();
    locked.map_err(|_: PoisonError<_>| Unplayable::SourceFailed)
}

/// Why a record cannot be played.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unplayable {
    OverLimit,
    SourceFailed,
    UnknownFrame,
}

impl fmt::Display for Unplayable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OverLimit => {
                "the request body cannot be sent again: it is over the limit for replays"
            }
            Self::SourceFailed => "the request body cannot be sent again: its source failed",
            Self::UnknownFrame => {
                "the request body cannot be sent again: it has a frame of an unknown kind"
            }
        })
    }
}

impl std::error::Error for Unplayable {}

/// An empty body.
impl<B> Default for ReplayBody<B> {
    fn default() -> Self {
        Self { playing: None }
    }
}

impl<B> fmt::Debug for ReplayBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReplayBody")
            .field("is_empty", &self.playing.is_none())
            .finish_non_exhaustive()
    }
}
