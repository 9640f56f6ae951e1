/// How much of the request body an attempt has read.
///
/// Some HTTP/2 errors prove that the server did not process the request, but only if the client had started
/// to send the body. See [`ByStatus`](crate::ByStatus).
///
/// # Example
///
/// ```
/// use http::Request;
/// use tower_http_retry::classify::{BodyProgress, Outcome};
///
/// let (request, error) = (Request::new(()), std::fmt::Error);
/// let outcome = Outcome::error(&request, &error);
/// assert_eq!(outcome.request_body(), BodyProgress::Empty);
/// let outcome = outcome.with_request_body(BodyProgress::Begun);
/// assert_eq!(outcome.request_body(), BodyProgress::Begun);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BodyProgress {
    /// The request has no body.
    Empty,
    /// The request has a body, but this attempt has not read any of it.
    Unread,
    /// This attempt has read at least a part of the body.
    Begun,
}
