use std::error::Error;
use std::fmt;
use std::time::Duration;

use http::Extensions;
use http::response::Parts;

use crate::event::Stop;

/// Any error: the inner service's own, unwrapped, or one of this crate's.
///
/// `error.is::<TheirError>()` and `error.downcast::<TheirError>()` find the inner service's error
/// as if there were no retry layer. This crate's own are [`AttemptTimedOut`] and [`Abandoned`], and
/// a verify layer's [`Unverified`](crate::Unverified).
pub type BoxError = Box<dyn Error + Send + Sync>;

/// An attempt had no response within [`RetryLayer::attempt_timeout`].
///
/// # Example
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() {
/// use std::time::Duration;
/// use http::{Request, Response};
/// use http_body_util::Empty;
/// use tower::{ServiceBuilder, ServiceExt};
/// use tower_http_retry::{AttemptTimedOut, BoxError, ReplayBody, RetryLayer};
///
/// type Body = Empty<bytes::Bytes>;
/// let client = ServiceBuilder::new()
///     .layer(RetryLayer::new().max_retries(1).attempt_timeout(Duration::from_secs(3)))
///     .service_fn(async |_: Request<ReplayBody<Body>>| -> Result<Response<Body>, BoxError> {
///         std::future::pending().await
///     });
///
/// let error = client.oneshot(Request::new(Body::new())).await.unwrap_err();
/// let timed_out = error.downcast_ref::<AttemptTimedOut>().unwrap();
/// assert_eq!(timed_out.timeout(), Duration::from_secs(3));
/// # }
/// ```
///
/// [`RetryLayer::attempt_timeout`]: crate::RetryLayer::attempt_timeout
#[derive(Debug)]
pub struct AttemptTimedOut {
    pub(crate) timeout: Duration,
}

impl AttemptTimedOut {
    /// How long the attempt was given.
    pub fn timeout(&self) -> Duration {
        self.timeout
    }
}

impl fmt::Display for AttemptTimedOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the attempt had no response within {:?}", self.timeout)
    }
}

impl Error for AttemptTimedOut {}

/// A retry that could not be started after the outcome before it had been let go.
///
/// Giving up hands over the last response itself wherever that can be known before the wait. It
/// cannot where the inner service is not ready again, or the timer does not fire (after a suspend,
/// say), until the window has ended ([`Stop::Window`]); or where the source of the body fails
/// during the wait, in an upload that still goes on ([`Stop::NotReplayable`]). This error then
/// carries what the attempt came to: the head of its response, or its error as the source.
///
/// # Example
///
/// ```
/// use tower_http_retry::{Abandoned, BoxError};
///
/// fn status(error: &BoxError) -> Option<http::StatusCode> {
///     let abandoned = error.downcast_ref::<Abandoned>()?;
///     Some(abandoned.response()?.status)
/// }
/// # assert_eq!(status(&"other".into()), None);
/// ```
pub struct Abandoned {
    pub(crate) stop: Stop,
    pub(crate) last: Last,
}

/// What is remembered of an outcome that was let go.
#[derive(Default)]
pub(crate) struct Last {
    pub(crate) response: Option<Parts>,
    pub(crate) error: Option<BoxError>,
}

impl Last {
    /// Without the extensions, which can hold what the next attempt needs: a permit, for instance.
    pub(crate) fn response(mut head: Parts) -> Self {
        head.extensions = Extensions::new();
        Self {
            response: Some(head),
            error: None,
        }
    }

    pub(crate) fn error(error: BoxError) -> Self {
        Self {
            response: None,
            error: Some(error),
        }
    }
}

impl Abandoned {
    /// Why the retry was not started.
    pub fn stop(&self) -> Stop {
        self.stop
    }

    /// The head of the last attempt's response, where it had one. Its body is gone, and so are its
    /// extensions.
    pub fn response(&self) -> Option<&Parts> {
        self.last.response.as_ref()
    }
}

/// Without the response's headers: secrets stand there.
impl fmt::Debug for Abandoned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Abandoned")
            .field("stop", &self.stop)
            .field("status", &self.response().map(|head| head.status))
            .field("error", &self.last.error)
            .finish()
    }
}

impl fmt::Display for Abandoned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "gave up before a retry could start: {}", self.stop)?;
        match &self.last.response {
            Some(head) => write!(f, "; the last response was {}", head.status),
            None => Ok(()),
        }
    }
}

impl Error for Abandoned {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        let error = self.last.error.as_deref()?;
        Some(error)
    }
}
