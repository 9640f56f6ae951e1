use std::error::Error;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use http::Response;

use crate::reason::StopReason;

/// Any error: the inner service's own, unwrapped, or one of this crate's.
///
/// `error.is::<TheirError>()` and `error.downcast::<TheirError>()` find the inner service's error
/// as if there were no retry layer. This crate's own error is [`RetryError`]. Other layers have one each:
/// [`Unverified`](crate::verify::Unverified), [`BrokenAnswer`](crate::commit::BrokenAnswer), and
/// [`ResumeError`](crate::resume::ResumeError).
pub type BoxError = Box<dyn Error + Send + Sync>;

/// Error of a [`Retry`](crate::Retry) itself, as opposed to one of its inner service.
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
/// use tower_http_retry::{BoxError, ReplayBody, RetryError, RetryLayer};
///
/// type Body = Empty<bytes::Bytes>;
/// let client = ServiceBuilder::new()
///     .layer(RetryLayer::new().max_retries(1).attempt_timeout(Duration::from_secs(3)))
///     .service_fn(async |_: Request<ReplayBody<Body>>| -> Result<Response<Body>, BoxError> {
///         std::future::pending().await
///     });
///
/// let error = client.oneshot(Request::new(Body::new())).await.unwrap_err();
/// match error.downcast_ref() {
///     Some(RetryError::AttemptTimedOut { timeout, .. }) => assert_eq!(timeout.as_secs(), 3),
///     other => panic!("{other:?}"),
/// }
/// # }
/// ```
#[non_exhaustive]
pub enum RetryError {
    /// An attempt had no response head within
    /// [`RetryLayer::attempt_timeout`](crate::RetryLayer::attempt_timeout).
    #[non_exhaustive]
    AttemptTimedOut {
        /// How long the attempt was given.
        timeout: Duration,
    },
    /// A retry could not start after the outcome before it had been discarded.
    ///
    /// Giving up returns the last outcome itself wherever that can be known before the wait. It
    /// cannot where the inner service is not ready again, or the timer does not fire (after a
    /// suspend, say), until the window has ended ([`StopReason::Window`]); or where the source of
    /// the body fails during the wait, in an upload that still goes on
    /// ([`StopReason::NotReplayable`]).
    #[non_exhaustive]
    Abandoned {
        /// Why the retry did not start.
        reason: StopReason,
        /// The last outcome. Of a response it is the head, without extensions: they can hold what
        /// the next attempt needs, a permit for example. An error is this error's source, too.
        last: Result<Response<()>, BoxError>,
    },
    /// The request was not sent: a [`Cooldown`](crate::Cooldown) holds requests for longer than this
    /// one can wait, too many requests wait already, or the request's window ended while it waited.
    #[non_exhaustive]
    CoolingDown {
        /// How much is left of the hold; zero if it has ended, and other requests wait to be sent first.
        left: Duration,
    },
}

/// Without the response's headers: they may contain credentials.
impl fmt::Debug for RetryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AttemptTimedOut { timeout } => f
                .debug_struct("AttemptTimedOut")
                .field("timeout", timeout)
                .finish(),
            Self::Abandoned { reason, last } => f
                .debug_struct("Abandoned")
                .field("reason", reason)
                .field("last", &last.as_ref().map(Response::status))
                .finish(),
            Self::CoolingDown { left } => {
                f.debug_struct("CoolingDown").field("left", left).finish()
            }
        }
    }
}

impl fmt::Display for RetryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AttemptTimedOut { timeout } => {
                write!(f, "the attempt had no response within {timeout:?}")
            }
            Self::Abandoned { reason, last } => {
                write!(f, "gave up before a retry could start: {reason}")?;
                match last {
                    Ok(response) => write!(f, "; the last response was {}", response.status()),
                    Err(_) => Ok(()),
                }
            }
            Self::CoolingDown { left } if left.is_zero() => {
                f.write_str("not sent: other requests wait to be sent first, after a cooldown")
            }
            Self::CoolingDown { left } => {
                // No more digits than a reader needs.
                let left = Duration::from_micros(left.as_micros().div_ceil(1_000) as u64 * 1_000);
                write!(f, "not sent: requests are held for another {left:?}")
            }
        }
    }
}

impl Error for RetryError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Abandoned {
                last: Err(error), ..
            } => Some(&**error),
            Self::AttemptTimedOut { .. } | Self::Abandoned { .. } | Self::CoolingDown { .. } => {
                None
            }
        }
    }
}

/// An error and those that it was made of, the outermost first.
pub(crate) fn chain<'a>(
    error: &'a (dyn Error + 'static),
) -> impl Iterator<Item = &'a (dyn Error + 'static)> + 'a {
    std::iter::successors(Some(error), |&error| {
        // The source of one that wraps an error skips that.
        if let Some(io) = error.downcast_ref::<io::Error>() {
            io.get_ref().map(|inner| inner as _)
        } else if let Some(shared) = error.downcast_ref::<Arc<dyn Error + Send + Sync>>() {
            Some(&**shared as _)
        } else {
            error.source()
        }
    })
}

/// Whether an attempt's own time-out is in the chain.
pub(crate) fn is_attempt_timeout(error: &(dyn Error + 'static)) -> bool {
    let error = error.downcast_ref();
    matches!(error, Some(RetryError::AttemptTimedOut { .. }))
}
