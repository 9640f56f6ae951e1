use std::error::Error;
use std::fmt;

use http::StatusCode;

/// Reason why the response to a resumption does not continue the body.
///
/// It is the [source](Error::source) of a [`ResumeError`](crate::resume::ResumeError).
///
/// # Example
///
/// ```
/// use http::StatusCode;
/// use tower_http_retry::resume::Unresumable;
///
/// let reason = Unresumable::Status(StatusCode::NOT_FOUND);
/// assert_eq!(reason.to_string(), "the server answered 404 Not Found");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unresumable {
    /// The representation has changed since the first response.
    ///
    /// The server answered 412, or 416 with a length below the promised one, or its response has another
    /// validator, length or content encoding, or is a 206 without the validator. With
    /// [`verify_prefix`](crate::ResumeLayer::verify_prefix), it is also used if the bytes differ.
    Changed,
    /// The server ignored the range, and its response cannot be used.
    ///
    /// More than [`skip_limit`](crate::ResumeLayer::skip_limit) bytes would have to be skipped, or nothing
    /// proves that the version is the same.
    RangeIgnored,
    /// The server answered 206 with a `Content-Range` that is missing, malformed, or does not continue
    /// the body.
    WrongRange,
    /// The body of a response is longer than its head says.
    TooLong,
    /// The server answered with this status.
    Status(StatusCode),
}

impl fmt::Display for Unresumable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Changed => "the representation has changed since the first response",
            Self::RangeIgnored => "the server ignored the requested range",
            Self::WrongRange => "the server answered with a range that does not continue the body",
            Self::TooLong => "the response body is longer than its head says",
            Self::Status(status) => return write!(f, "the server answered {status}"),
        })
    }
}

impl Error for Unresumable {}
