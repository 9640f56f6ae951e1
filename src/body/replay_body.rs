use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use super::reader::Reader;
use super::tape::{SharedTape, lock};
use crate::attempt::{Attempt, Mark};
use crate::error::BoxError;

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
/// [`Superseded`](super::Superseded), to an attempt that reads on after a later one has begun to,
/// past what is kept for it, or after the caller has dropped the request. Nothing follows an error.
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
    mark: Mark,
}

pub(super) struct Playing<B> {
    pub(super) tape: SharedTape<B>,
    pub(super) reader: Reader,
}

impl<B> ReplayBody<B> {
    pub(super) fn new(playing: Option<Playing<B>>, mark: Mark) -> Self {
        Self { playing, mark }
    }

    /// The attempt that this is the body of: for layers right under the retry, which need no
    /// [extension](crate::RetryLayer::mark_attempts) for it. Its
    /// [`window_end`](Attempt::window_end) is not known here.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() {
    /// use bytes::Bytes;
    /// use http::{Request, Response, StatusCode};
    /// use http_body_util::Empty;
    /// use tower::{ServiceBuilder, ServiceExt};
    /// use tower_http_retry::{BoxError, ReplayBody, RetryLayer};
    ///
    /// let client = ServiceBuilder::new()
    ///     .layer(RetryLayer::new())
    ///     .service_fn(async |request: Request<ReplayBody<Empty<Bytes>>>| {
    ///         let mut response = Response::new(Empty::<Bytes>::new());
    ///         if request.body().attempt().number() == 1 {
    ///             *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    ///         }
    ///         Ok::<_, BoxError>(response)
    ///     });
    /// let response = client.oneshot(Request::new(Empty::new())).await.unwrap();
    /// assert_eq!(response.status(), StatusCode::OK);
    /// # }
    /// ```
    pub fn attempt(&self) -> Attempt {
        Attempt {
            mark: self.mark,
            window_end: None,
        }
    }
}

impl<B> ReplayBody<B>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    /// Returns the whole body as bytes, if all of it is in memory.
    ///
    /// It is for clients whose own body can be sent again only if it is bytes: reqwest follows a 307
    /// only then. The caller's body is in memory if it knows its exact size and all of it comes in
    /// one frame at the first poll, as with `Full<Bytes>`.
    ///
    /// A body that was turned into bytes does not count as
    /// [begun](crate::classify::BodyProgress::Begun): the layer cannot see whether it was sent.
    ///
    /// # Errors
    ///
    /// The body itself, from which nothing is lost, if it is not in memory, has trailers, failed, or
    /// was read already in part.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() {
    /// use bytes::Bytes;
    /// use http::{Request, Response};
    /// use http_body_util::{BodyExt, Full};
    /// use tower::{ServiceBuilder, ServiceExt};
    /// use tower_http_retry::{BoxError, ReplayBody, RetryLayer};
    ///
    /// let client = ServiceBuilder::new()
    ///     .layer(RetryLayer::new())
    ///     .service_fn(async |request: Request<ReplayBody<Full<Bytes>>>| {
    ///         let bytes = request.into_body().into_bytes().expect("it is in memory");
    ///         Ok::<_, BoxError>(Response::new(Full::new(bytes)))
    ///     });
    /// let response = client.oneshot(Request::new(Full::from("an item"))).await.unwrap();
    /// assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "an item");
    /// # }
    /// ```
    pub fn into_bytes(self) -> Result<Bytes, Self> {
        let whole = match &self.playing {
            None => Some(Bytes::new()),
            Some(Playing { reader, .. }) if !reader.is_at_start() => None,
            Some(Playing { tape, .. }) => lock(tape)
                .ok()
                .and_then(|mut tape| tape.as_mut().whole(self.mark.number)),
        };
        whole.ok_or(self)
    }
}

impl<B> Playing<B>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    #[inline]
    fn poll_frame(
        &mut self,
        number: u32,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let Self { tape, reader } = self;
        let mut locked = match lock(tape) {
            Ok(locked) => locked,
            Err(broken) => return Poll::Ready(Some(Err(broken.into()))),
        };
        let superseded = locked.as_mut().take_hold(number);
        let polled = locked.as_mut().poll_frame(number, reader, cx);
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
        let Self { playing, mark } = self.get_mut();
        let Some(playing) = playing else {
            return Poll::Ready(None);
        };
        if playing.reader.is_over() {
            return Poll::Ready(None);
        }
        let polled = playing.poll_frame(mark.number, cx);
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

/// An empty body, of a first attempt.
impl<B> Default for ReplayBody<B> {
    fn default() -> Self {
        Self::new(None, Mark::default())
    }
}

impl<B> fmt::Debug for ReplayBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReplayBody")
            .field("is_empty", &self.playing.is_none())
            .finish_non_exhaustive()
    }
}
