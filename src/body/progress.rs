/// How far the service under the retry has read an attempt's request body.
///
/// Some errors of HTTP/2 mean "not processed" only if the client had begun to send the body; see
/// [`ByStatus`](crate::ByStatus).
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
    /// Nothing of this attempt's body was read.
    Unread,
    /// This attempt's body was read, at least in part.
    Begun,
}
