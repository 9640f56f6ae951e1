use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use super::reader::Reader;
use super::tape::{SharedTape, lock};
use crate::attempt::{Attempt, Mark};
use crate::error::BoxError;

/// Request body of the service below a retry, which can be sent several times.
///
/// The frames of the caller's body are passed to the first attempt as they arrive, and are recorded,
/// including trailers. A later attempt replays the recording, and then continues to read the caller's body
/// where the earlier attempt stopped.
///
/// - At most [`RetryLayer::max_replay_bytes`] are recorded. If the body is longer, the attempt continues
///   normally, but the request is not retried.
/// - A body that is in memory already is not limited, and costs next to nothing to record. This is a body
///   that arrives completely in its first frame, such as `Full<Bytes>`.
/// - The size hint is the same for each attempt, so each is sent with the same `content-length`, or chunked.
/// - An earlier attempt that is still uploading when a retry is decided can continue only as far as the
///   recording has room, so that no data is lost for the retry.
/// - After the final response has arrived, the rest of a streamed body is not recorded.
///
/// # Errors
///
/// The body ends after its first error, which is one of these:
///
/// - The error of the caller's body. A later attempt that replays it gets an error which says that the body
///   cannot be sent again.
/// - [`Superseded`](super::Superseded), if an attempt continues to read after a later attempt has started to
///   read, beyond what is recorded for a later attempt, or after the caller has dropped the request.
///
/// # Example
///
/// For a service that takes another body type, add a layer below the retry that converts the body:
///
/// ```
/// use axum::body::Body;
/// use http::{Request, Response};
/// use tower::ServiceBuilder;
/// use tower_http::map_request_body::MapRequestBodyLayer;
/// use tower_http_retry::{BoxError, RetryLayer};
///
/// // A client whose requests have axum's body.
/// async fn send(request: Request<Body>) -> Result<Response<Body>, BoxError> {
///     Ok(Response::new(request.into_body()))
/// }
///
/// let service = ServiceBuilder::new()
///     .layer(RetryLayer::new())
///     .layer(MapRequestBodyLayer::new(Body::new))
///     .service_fn(send);
/// # fn accepts<S: tower::Service<Request<Body>>>(_: S) {}
/// # accepts(service);
/// ```
///
/// [`RetryLayer::max_replay_bytes`]: crate::RetryLayer::max_replay_bytes
pub struct ReplayBody<B> {
    /// `None` if the body is empty, so that it needs no allocation.
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

    /// Returns the attempt that this body belongs to.
    ///
    /// Layers directly below the retry can use it instead of the
    /// [extension](crate::RetryLayer::mark_attempts). Its [`window_end`](Attempt::window_end) is always
    /// `None` here.
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
    /// Use it for clients that can repeat a request only if its body is bytes. For example, reqwest follows a
    /// 307 only then. The caller's body is in memory if its size hint is exact and all of it arrives in one
    /// frame at the first poll, as with `Full<Bytes>`.
    ///
    /// A body that was converted into bytes does not count as
    /// [begun](crate::classify::BodyProgress::Begun), because the layer cannot detect whether it was sent.
    ///
    /// # Errors
    ///
    /// Returns the unchanged body if it is not in memory, has trailers, has failed, or was already read in
    /// part.
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

/// Creates the empty body of a first attempt.
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
