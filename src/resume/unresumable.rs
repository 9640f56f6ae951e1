use std::error::Error;
use std::fmt;

use http::StatusCode;

/// Why the server's answer does not continue a body. It is the [source](Error::source) of a
/// [`ResumeError`](crate::resume::ResumeError).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unresumable {
    /// The representation has changed since the first response: the server answered 412, or with
    /// another validator (or a part without one), length, content encoding or, where that is
    /// [compared](crate::ResumeLayer::verify_prefix), other bytes.
    Changed,
    /// The server ignored the range, and its answer cannot be used: more than
    /// [`skip_limit`](crate::ResumeLayer::skip_limit) bytes would have to be skipped, or nothing shows that
    /// it is the same version.
    RangeIgnored,
    /// A 206 without a `Content-Range` that continues the body, or with one that is malformed.
    WrongRange,
    /// A response has more bytes than its head says.
    TooLong,
    /// The server answered with this status.
    Status(StatusCode),
}

impl fmt::Display for Unresumable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Changed => "the representation has changed since the first response",
            Self::RangeIgnored => "the server ignores the range that it is asked for",
            Self::WrongRange => "the server answered with another range than it was asked for",
            Self::TooLong => "the response has more bytes than its head says",
            Self::Status(status) => return write!(f, "the server answered {status}"),
        })
    }
}

impl Error for Unresumable {}
