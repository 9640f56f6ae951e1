use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::classify::Class;

/// Which attempt of a request this is: an extension of each retry, for the layers below (spans,
/// signing anew, asking before doing again).
///
/// The first attempt carries none, so that a request which succeeds at once costs no allocation
/// for it; [`RetryLayer::mark_first_attempt`] puts it there, too. So does a retry above this one,
/// after an attempt that the server may have acted on.
///
/// # Example
///
/// A span for each attempt, with tower-http's `TraceLayer` under the retry; the example `proxy` has
/// one for the whole request above it, too.
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
///     .layer(RetryLayer::new())
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
/// [`RetryLayer::mark_first_attempt`]: crate::RetryLayer::mark_first_attempt
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempt {
    pub(crate) number: u32,
    pub(crate) previous: Option<Class>,
    pub(crate) may_have_been_acted_on: bool,
    pub(crate) is_last: bool,
    pub(crate) window_end: Option<Instant>,
}

impl Attempt {
    /// The attempt's number; the first is 1.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// The class of the outcome before this attempt; none for the first.
    pub fn previous(&self) -> Option<Class> {
        self.previous
    }

    /// Whether the server may have acted on the request already: the class of an outcome before
    /// this attempt, not only of the [`previous`](Self::previous) one, was [`Class::Transient`];
    /// here, in a retry above this one, or in one under it that handed up a response (an error that
    /// it hands up does not tell).
    pub fn may_have_been_acted_on(&self) -> bool {
        self.may_have_been_acted_on
    }

    /// Whether the number of retries allows none after this one.
    pub fn is_last(&self) -> bool {
        self.is_last
    }

    /// When the window ends in which retries may start; none if it has no end.
    pub fn window_end(&self) -> Option<Instant> {
        self.window_end
    }
}

/// What a request took: an extension of its response, where there was more than one attempt.
///
/// Put an [`AttemptsHandle`] among the request's extensions to learn it of a request that fails,
/// too.
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
/// use tower_http_retry::{Attempt, Attempts, Backoff, BoxError, Jitter, ReplayBody, RetryLayer};
///
/// type Body = Empty<bytes::Bytes>;
/// let backoff = Backoff::exponential(Duration::from_secs(1)).jitter(Jitter::None);
/// let client = ServiceBuilder::new()
///     .layer(RetryLayer::new().backoff(backoff))
///     .service_fn(async |request: Request<ReplayBody<Body>>| {
///         let mut response = Response::new(Body::new());
///         if request.extensions().get::<Attempt>().is_none_or(|attempt| attempt.number() < 3) {
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
    /// How many attempts were sent.
    pub count: u32,
    /// How long was waited between them, in sum.
    pub waited: Duration,
    /// Whether the server may have acted on the request before the last of them, by one of this
    /// layer's own attempts: a retry above knows of its own.
    pub(crate) may_have_been_acted_on: bool,
}

/// Tells what a request took so far, whatever becomes of it. A clone of it is put among the
/// request's extensions.
///
/// # Example
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() {
/// use http::{Request, Response};
/// use http_body_util::Empty;
/// use tower::{ServiceBuilder, ServiceExt};
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
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct AttemptsHandle {
    attempts: Arc<Mutex<Attempts>>,
}

impl AttemptsHandle {
    /// A handle that no request has filled yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// What the request that last carried this handle has taken so far.
    pub fn get(&self) -> Attempts {
        *self.attempts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set(&self, attempts: Attempts) {
        *self.attempts.lock().unwrap_or_else(PoisonError::into_inner) = attempts;
    }
}
