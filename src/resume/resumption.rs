use std::error::Error;
use std::fmt;
use std::time::Duration;

use crate::head::RequestHead;

/// A resumption that is about to start. Passed to the callbacks of
/// [`ResumeLayer::on_resume`](crate::ResumeLayer::on_resume).
///
/// # Example
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), tower_http_retry::BoxError> {
/// use std::sync::{Arc, Mutex};
/// use http::{Request, Response};
/// use http_body_util::{BodyExt, Full};
/// use tower::ServiceBuilder;
/// use tower_http_retry::{BoxError, ResumeLayer};
///
/// type Body = Full<bytes::Bytes>;
/// let log = Arc::new(Mutex::new(Vec::new()));
/// let lines = log.clone();
/// let layer = ResumeLayer::new().max_resumes(1).on_resume(move |resumption| {
///     let (delivered, expected) = (resumption.delivered(), resumption.expected());
///     let line = format!("{delivered} of {expected} bytes: {}", resumption.error());
///     lines.lock().unwrap().push(line);
/// });
/// // The body of each response ends early.
/// let service = ServiceBuilder::new().layer(layer).service_fn(async |_: Request<Body>| {
///     let response = Response::builder().header("etag", "\"v1\"").header("content-length", 10);
///     Ok::<_, BoxError>(response.body(Body::from("0123"))?)
/// });
///
/// use tower::ServiceExt;
/// let response = service.oneshot(Request::new(Body::default())).await?;
/// assert!(response.into_body().collect().await.is_err());
/// assert_eq!(*log.lock().unwrap(), ["4 of 10 bytes: the response body ended early"]);
/// # Ok(())
/// # }
/// ```
pub struct Resumption<'a> {
    pub(super) request: RequestHead<'a>,
    pub(super) number: u32,
    pub(super) delivered: u64,
    pub(super) expected: u64,
    pub(super) after: Duration,
    pub(super) error: &'a (dyn Error + 'static),
}

impl<'a> Resumption<'a> {
    /// Returns the head of the caller's request. Its query and headers may contain credentials.
    pub fn request(&self) -> RequestHead<'a> {
        self.request
    }

    /// Returns the number of this resumption. The first one of a response is 1.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// Returns how many bytes of the body were delivered.
    pub fn delivered(&self) -> u64 {
        self.delivered
    }

    /// Returns how many bytes the head of the first response promised.
    pub fn expected(&self) -> u64 {
        self.expected
    }

    /// Returns how long the layer waits before this resumption.
    pub fn after(&self) -> Duration {
        self.after
    }

    /// Returns the error that ended the body.
    ///
    /// It is the body's own error, or an [`io::Error`](std::io::Error): of the kind `UnexpectedEof` if the
    /// body ended early, or `TimedOut` after the [idle time-out](crate::ResumeLayer::idle_timeout).
    pub fn error(&self) -> &'a (dyn Error + 'static) {
        self.error
    }
}

/// Omits the headers, which may contain credentials.
impl fmt::Debug for Resumption<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resumption")
            .field("request", &self.request)
            .field("number", &self.number)
            .field("delivered", &self.delivered)
            .field("expected", &self.expected)
            .field("after", &self.after)
            .field("error", &self.error)
            .finish()
    }
}
