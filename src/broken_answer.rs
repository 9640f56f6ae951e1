use std::error::Error;
use std::fmt;

use http::response;

use crate::error::{BoxError, chain};
use crate::head::ResponseHead;

/// Error of a response whose body failed before a [`CommitLayer`](crate::CommitLayer) returned it.
///
/// There are three cases. The [source](Error::source) is the error in brackets:
///
/// - The body ended with an error (the body's own error).
/// - The body was shorter than its `Content-Length` (an [`io::Error`](std::io::Error) of the kind
///   `UnexpectedEof`).
/// - The body did not arrive within [`CommitLayer::timeout`](crate::CommitLayer::timeout) (an
///   [`io::Error`](std::io::Error) of the kind `TimedOut`).
///
/// A retry above classifies it by its source, with two differences:
///
/// - A source that would otherwise be [refused](crate::classify::Class::Refused) is transient, because the
///   server acted on the request.
/// - The headers of the response are read: the wait is at least its `Retry-After`.
///
/// # Example
///
/// ```
/// use tower_http_retry::BoxError;
/// use tower_http_retry::commit::BrokenAnswer;
///
/// fn advice(error: &BoxError) -> Option<String> {
///     let broken = error.downcast_ref::<BrokenAnswer>()?;
///     let status = broken.response().status();
///     Some(format!("{status}, but only {} bytes arrived", broken.delivered()))
/// }
/// # assert_eq!(advice(&"other".into()), None);
/// ```
pub struct BrokenAnswer {
    head: Box<response::Parts>,
    delivered: u64,
    source: BoxError,
}

impl BrokenAnswer {
    /// Clears the extensions of the head, which can hold resources that the next attempt needs.
    pub(crate) fn new(mut head: response::Parts, delivered: u64, source: BoxError) -> Self {
        head.extensions.clear();
        Self {
            head: Box::new(head),
            delivered,
            source,
        }
    }

    /// Returns the head of the response, without its extensions.
    pub fn response(&self) -> ResponseHead<'_> {
        ResponseHead::of_parts(&self.head)
    }

    /// Returns how many bytes of the body arrived. They were discarded.
    pub fn delivered(&self) -> u64 {
        self.delivered
    }

    /// Consumes the error and returns its source.
    pub fn into_source(self) -> BoxError {
        self.source
    }

    /// Returns the head of the response whose body failed, if that is the cause of `error`.
    pub(crate) fn head_in<'a>(error: &'a (dyn Error + 'static)) -> Option<ResponseHead<'a>> {
        chain(error).find_map(|error| Some(error.downcast_ref::<Self>()?.response()))
    }
}

/// Omits the response's headers, which may contain credentials.
impl fmt::Debug for BrokenAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BrokenAnswer")
            .field("status", &self.head.status)
            .field("delivered", &self.delivered)
            .field("source", &self.source)
            .finish()
    }
}

impl fmt::Display for BrokenAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            head, delivered, ..
        } = self;
        let status = head.status;
        write!(
            f,
            "the body of the {status} response failed after {delivered} bytes"
        )
    }
}

impl Error for BrokenAnswer {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.source)
    }
}
