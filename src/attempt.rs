use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::class::Class;
use crate::reason::StopReason;

/// Information about one attempt of a request, for layers below the retry that create spans or sign
/// requests, for example.
///
/// [`ReplayBody::attempt`](crate::ReplayBody::attempt) returns it to the layers directly below the retry.
/// For layers that do not receive the `ReplayBody`, [`RetryLayer::mark_attempts`] adds it to the
/// extensions of each attempt's request.
///
/// # Example
///
/// With tower-http's `TraceLayer` below the retry, each attempt has its own span. The example `proxy` also
/// has a span for the whole request, above the retry.
///
/// ```
/// use http::Request;
/// use tower::ServiceBuilder;
/// use tower_http::trace::TraceLayer;
/// use tower_http_retry::{Attempt, RetryLayer};
/// use tracing::{Span, info_span};
///
/// /// OpenTelemetry's `http.request.resend_count`: absent on the first attempt.
/// fn resend_count<B>(request: &Request<B>) -> Option<u32> {
///     let attempt = request.extensions().get::<Attempt>()?;
///     (attempt.number() > 1).then(|| attempt.number() - 1)
/// }
///
/// fn attempt_span<B>(request: &Request<B>) -> Span {
///     info_span!(
///         "attempt",
///         http.request.method = request.method().as_str(),
///         http.request.resend_count = resend_count(request),
///     )
/// }
///
/// let layers = ServiceBuilder::new()
///     .layer(RetryLayer::new().mark_attempts())
///     .layer(TraceLayer::new_for_http().make_span_with(attempt_span));
/// # let client = layers.service_fn(
/// #     async |_: Request<tower_http_retry::ReplayBody<axum::body::Body>>| {
/// #         Ok::<_, tower_http_retry::BoxError>(http::Response::new(axum::body::Body::empty()))
/// #     },
/// # );
/// # fn accepts<S: tower::Service<Request<axum::body::Body>>>(_: S) {}
/// # accepts(client);
/// # assert_eq!(resend_count(&Request::new(())), None);
/// ```
///
/// [`RetryLayer::mark_attempts`]: crate::RetryLayer::mark_attempts
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempt {
    pub(crate) mark: Mark,
    pub(crate) window_end: Option<Instant>,
}

/// The part of an [`Attempt`] that does not depend on the window. It takes eight bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) number: u32,
    pub(crate) previous: Option<Class>,
    pub(crate) may_have_been_acted_on: bool,
    pub(crate) is_last: bool,
    pub(crate) is_hedge: bool,
}

const _: () = assert!(size_of::<Mark>() == 8);

impl Attempt {
    /// Returns the number of the attempt, starting at 1: the first retry is attempt 2.
    pub fn number(&self) -> u32 {
        self.mark.number
    }

    /// Returns the class of the outcome of the attempt before this one. Returns none for the first attempt.
    pub fn previous(&self) -> Option<Class> {
        self.mark.previous
    }

    /// Returns whether the server may have acted on the request before this attempt.
    ///
    /// This is true if the outcome of any earlier attempt, not only of the [`previous`](Self::previous)
    /// one, was [`Class::Transient`]. The attempts of other retry layers are included: those of a layer
    /// above that [marks its attempts](crate::RetryLayer::mark_attempts), and those of a layer below if it
    /// returned a response. If a layer below returned an error, its attempts are not known.
    pub fn may_have_been_acted_on(&self) -> bool {
        self.mark.may_have_been_acted_on
    }

    /// Returns whether this is the last attempt that the number of retries allows.
    pub fn is_last(&self) -> bool {
        self.mark.is_last
    }

    /// Returns whether this is a [hedge](crate::hedge), which is sent in addition to the attempt with this
    /// number.
    pub fn is_hedge(&self) -> bool {
        self.mark.is_hedge
    }

    /// Returns the end of the window in which retries may start.
    ///
    /// Returns none if the window has no end, and for an attempt that
    /// [`ReplayBody::attempt`](crate::ReplayBody::attempt) returned.
    pub fn window_end(&self) -> Option<Instant> {
        self.window_end
    }
}

/// A first attempt.
impl Default for Mark {
    fn default() -> Self {
        Self {
            number: 1,
            previous: None,
            may_have_been_acted_on: false,
            is_last: false,
            is_hedge: false,
        }
    }
}

/// The number of attempts of a request and the total time spent waiting.
///
/// With [`RetryLayer::mark_responses`](crate::RetryLayer::mark_responses), it is an extension of each
/// response that took more than one attempt. An [`AttemptsHandle`] reports it for requests that fail, too.
///
/// # Example
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() {
/// use std::time::Duration;
/// use http::{Request, Response, StatusCode};
/// use http_body_util::Empty;
/// use tower::{ServiceBuilder, ServiceExt};
/// use tower_http_retry::{Attempts, Backoff, BoxError, Jitter, ReplayBody, RetryLayer};
///
/// type Body = Empty<bytes::Bytes>;
/// let backoff = Backoff::exponential(Duration::from_secs(1)).jitter(Jitter::None);
/// let client = ServiceBuilder::new()
///     .layer(RetryLayer::new().backoff(backoff).mark_responses())
///     .service_fn(async |request: Request<ReplayBody<Body>>| {
///         let mut response = Response::new(Body::new());
///         if request.body().attempt().number() < 3 {
///             *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
///         }
///         Ok::<_, BoxError>(response)
///     });
///
/// let response = client.oneshot(Request::new(Body::new())).await.unwrap();
/// let attempts = response.extensions().get::<Attempts>().unwrap();
/// assert_eq!(attempts.count, 3);
/// assert_eq!(attempts.waited, Duration::from_secs(1 + 2));
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Attempts {
    /// The number of attempts that were sent.
    pub count: u32,
    /// The total time spent waiting: the waits between attempts, including all of a wait that has just
    /// begun, and the time that a [`Cooldown`](crate::Cooldown) held the first attempt.
    pub waited: Duration,
    /// Why there was no further attempt. It is none while the request is in progress, and if its future
    /// was dropped.
    pub stopped: Option<StopReason>,
    /// Whether the server may have acted on the request before the last attempt: on an attempt of this layer
    /// or of a retry layer below. Attempts of a retry layer above are not included, because that layer knows
    /// them.
    pub(crate) may_have_been_acted_on: bool,
}

/// A shared handle that reports a request's attempts even if it fails.
///
/// The caller adds a clone of it to the request's extensions. If a layer above the retry follows a redirect
/// or resumes a download, it sends a new request. The handle reports the request that was sent last.
///
/// # Example
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() {
/// use http::{Request, Response};
/// use http_body_util::Empty;
/// use tower::{ServiceBuilder, ServiceExt};
/// use tower_http_retry::event::StopReason;
/// use tower_http_retry::{AttemptsHandle, BoxError, ReplayBody, RetryLayer};
///
/// type Body = Empty<bytes::Bytes>;
/// let client = ServiceBuilder::new()
///     .layer(RetryLayer::new().max_retries(2))
///     .service_fn(async |_: Request<ReplayBody<Body>>| -> Result<Response<Body>, BoxError> {
///         Err(std::io::Error::from(std::io::ErrorKind::ConnectionRefused).into())
///     });
///
/// let attempts = AttemptsHandle::new();
/// let request = Request::builder().extension(attempts.clone()).body(Body::new()).unwrap();
/// assert!(client.oneshot(request).await.is_err());
/// assert_eq!(attempts.get().count, 3);
/// assert_eq!(attempts.get().stopped, Some(StopReason::Attempts));
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct AttemptsHandle {
    attempts: Arc<Mutex<Attempts>>,
}

impl AttemptsHandle {
    /// Creates a handle that reports no attempts until a request with a clone of it is sent.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns the attempts that the request has made so far.
    ///
    /// If several requests carry clones of this handle, it reports the one that was updated last.
    pub fn get(&self) -> Attempts {
        *self.attempts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set(&self, attempts: Attempts) {
        *self.attempts.lock().unwrap_or_else(PoisonError::into_inner) = attempts;
    }
}
