use std::error::Error;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use http::Response;

use crate::reason::StopReason;

/// Alias for a type-erased error: the error of the inner service, or an error of this crate.
///
/// The error of the inner service is not wrapped: `error.is::<TheirError>()` and
/// `error.downcast::<TheirError>()` find it as if there were no retry layer. The retry layer's own error
/// is [`RetryError`]. Other layers have one error each: [`Unverified`](crate::verify::Unverified),
/// [`BrokenAnswer`](crate::commit::BrokenAnswer), and [`ResumeError`](crate::resume::ResumeError).
///
/// # Example
///
/// ```
/// use std::io::{Error, ErrorKind};
/// use tower_http_retry::{BoxError, RetryError};
///
/// let error = BoxError::from(Error::from(ErrorKind::ConnectionReset));
/// assert!(error.is::<Error>() && !error.is::<RetryError>());
/// ```
pub type BoxError = Box<dyn Error + Send + Sync>;

/// Error of [`Retry`](crate::Retry) itself, as opposed to an error of its inner service.
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
    /// The head of an attempt's response did not arrive within the
    /// [time-out of an attempt](crate::RetryLayer::attempt_timeout).
    #[non_exhaustive]
    AttemptTimedOut {
        /// The time-out of the attempt.
        timeout: Duration,
    },
    /// A retry could not be sent after its wait, and the last outcome had already been discarded.
    ///
    /// If the layer can know before the wait that it has to give up, it returns the last outcome itself.
    /// This error is returned if the reason arises later:
    ///
    /// - [`StopReason::Window`]: the window ended before the inner service was ready or before the timer
    ///   fired, for example after a suspend, or a [`Cooldown`](crate::Cooldown) holds the retry for longer
    ///   than the window.
    /// - [`StopReason::NotReplayable`]: the source of the request body failed in an upload that was still
    ///   in progress.
    #[non_exhaustive]
    Abandoned {
        /// Why the retry was not sent.
        reason: StopReason,
        /// The last outcome. If it is a response, only its head is kept, without extensions, because they
        /// can hold a resource that the next attempt needs, such as a permit. If it is an error, it is also
        /// the source of this error.
        last: Result<Response<()>, BoxError>,
    },
    /// The request was not sent, because a [`Cooldown`](crate::Cooldown) holds requests for longer than
    /// this one can wait, too many requests wait already, or the request's window ended while it waited.
    #[non_exhaustive]
    CoolingDown {
        /// How much is left of the hold. It is zero if the hold has ended and other requests are sent
        /// first.
        left: Duration,
    },
}

/// Omits the headers of the response, which may contain credentials.
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
                // Rounded up to the millisecond, because more digits are not useful.
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

/// Returns an error and its sources, starting with the error itself.
pub(crate) fn chain<'a>(
    error: &'a (dyn Error + 'static),
) -> impl Iterator<Item = &'a (dyn Error + 'static)> + 'a {
    std::iter::successors(Some(error), |&error| {
        // `source` of these two types returns the source of the wrapped error, and skips the error itself.
        if let Some(io) = error.downcast_ref::<io::Error>() {
            io.get_ref().map(|inner| inner as _)
        } else if let Some(shared) = error.downcast_ref::<Arc<dyn Error + Send + Sync>>() {
            Some(&**shared as _)
        } else {
            error.source()
        }
    })
}

/// Whether this is the error of an attempt's time-out.
pub(crate) fn is_attempt_timeout(error: &(dyn Error + 'static)) -> bool {
    let error = error.downcast_ref();
    matches!(error, Some(RetryError::AttemptTimedOut { .. }))
}
