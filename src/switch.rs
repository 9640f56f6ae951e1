use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Switch that turns the retries of one or more layers off and on while the program runs.
///
/// While it is off, each request is sent once and its outcome is returned unchanged. If the request would
/// have been retried otherwise, the reason is
/// [`StopReason::SwitchedOff`](crate::event::StopReason::SwitchedOff). A retry that is already waiting when
/// the switch is turned off is still sent, because the response before it has been discarded. Its outcome is
/// returned.
///
/// Clones share the state. A switch can be set on any number of layers with
/// [`RetryLayer::switch`](crate::RetryLayer::switch).
///
/// # Example
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), tower_http_retry::BoxError> {
/// use http::{Request, Response, StatusCode};
/// use http_body_util::Empty;
/// use tower::ServiceBuilder;
/// use tower_http_retry::{AttemptsHandle, BoxError, ReplayBody, RetryLayer, Switch};
///
/// type Body = Empty<bytes::Bytes>;
/// let retries = Switch::new();
/// let client = ServiceBuilder::new()
///     .layer(RetryLayer::new().switch(retries.clone()))
///     .service_fn(async |_: Request<ReplayBody<Body>>| {
///         let response = Response::builder().status(StatusCode::SERVICE_UNAVAILABLE);
///         Ok::<_, BoxError>(response.body(Body::new())?)
///     });
///
/// // An operator does this, for example through an administrative endpoint.
/// retries.turn_off();
///
/// let attempts = AttemptsHandle::new();
/// let request = Request::builder().extension(attempts.clone()).body(Body::new())?;
/// assert_eq!(client.send(request).await?.status(), StatusCode::SERVICE_UNAVAILABLE);
/// assert_eq!(attempts.get().count, 1);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Switch {
    is_on: Arc<AtomicBool>,
}

impl Switch {
    /// Creates a switch that is on.
    pub fn new() -> Self {
        Self {
            is_on: Arc::new(AtomicBool::new(true)),
        }
    }

    /// Allows retries again.
    pub fn turn_on(&self) {
        self.is_on.store(true, Ordering::Relaxed);
    }

    /// Stops retries from now on.
    pub fn turn_off(&self) {
        self.is_on.store(false, Ordering::Relaxed);
    }

    /// Returns whether requests are retried.
    pub fn is_on(&self) -> bool {
        self.is_on.load(Ordering::Relaxed)
    }
}

impl Default for Switch {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Switch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Switch")
            .field("is_on", &self.is_on())
            .finish()
    }
}
