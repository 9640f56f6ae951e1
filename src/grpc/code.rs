use std::fmt;

use h2::Reason;
use http::{HeaderValue, StatusCode};

use super::pushback::number;

/// A gRPC status code.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Code(u8);

/// The names of the codes, indexed by their numbers.
pub(super) const NAMES: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

impl Code {
    pub(super) const OK: Self = Self(0);
    const CANCELLED: Self = Self(1);
    pub(super) const UNKNOWN: Self = Self(2);
    pub(super) const DEADLINE_EXCEEDED: Self = Self(4);
    const PERMISSION_DENIED: Self = Self(7);
    const RESOURCE_EXHAUSTED: Self = Self(8);
    const UNIMPLEMENTED: Self = Self(12);
    const INTERNAL: Self = Self(13);
    pub(super) const UNAVAILABLE: Self = Self(14);
    const UNAUTHENTICATED: Self = Self(16);

    pub(super) const fn new(number: i32) -> Option<Self> {
        match number {
            0..=16 => Some(Self(number as u8)),
            _ => None,
        }
    }

    pub(super) const fn number(self) -> i32 {
        self.0 as i32
    }

    pub(super) const fn bit(self) -> u32 {
        1 << self.0
    }

    pub(super) const fn is_ok(self) -> bool {
        self.0 == Self::OK.0
    }

    pub(super) fn all() -> impl Iterator<Item = Self> {
        (0..NAMES.len()).map(|number| Self(number as u8))
    }

    /// Returns the code in a header. A value that is not a code counts as `UNKNOWN`.
    pub(super) fn of_header(value: &HeaderValue) -> Self {
        let number = number(value).and_then(|number| i32::try_from(number).ok());
        number.and_then(Self::new).unwrap_or(Self::UNKNOWN)
    }

    /// Returns the code that the HTTP status of a response without a gRPC status maps to
    /// ([HTTP to gRPC status code mapping]). `None` for 200, which is followed by a gRPC status.
    ///
    /// [HTTP to gRPC status code mapping]: https://github.com/grpc/grpc/blob/master/doc/http-grpc-status-mapping.md
    pub(super) fn of_http(status: StatusCode) -> Option<Self> {
        match status.as_u16() {
            200 => None,
            400 => Some(Self::INTERNAL),
            401 => Some(Self::UNAUTHENTICATED),
            403 => Some(Self::PERMISSION_DENIED),
            404 => Some(Self::UNIMPLEMENTED),
            429 | 502 | 503 | 504 => Some(Self::UNAVAILABLE),
            _ => Some(Self::UNKNOWN),
        }
    }

    /// Returns the code that the reason of an HTTP/2 reset maps to ([gRPC over HTTP/2, errors]).
    ///
    /// [gRPC over HTTP/2, errors]: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#errors
    pub(super) fn of_reset(reason: Reason) -> Self {
        match reason {
            Reason::REFUSED_STREAM => Self::UNAVAILABLE,
            Reason::CANCEL => Self::CANCELLED,
            Reason::ENHANCE_YOUR_CALM => Self::RESOURCE_EXHAUSTED,
            Reason::INADEQUATE_SECURITY => Self::PERMISSION_DENIED,
            Reason::STREAM_CLOSED | Reason::HTTP_1_1_REQUIRED => Self::UNKNOWN,
            _ => Self::INTERNAL,
        }
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(NAMES[usize::from(self.0)])
    }
}
