/// Whether the outcome of an attempt is a success or a failure, and which kind of failure.
///
/// # Example
///
/// ```
/// use tower_http_retry::classify::{Class, Verdict};
///
/// // This service recognizes a repeated request.
/// let verdict: Verdict = Class::Transient.repeatable();
/// assert_eq!(verdict.class(), Class::Transient);
/// assert_ne!(verdict, Verdict::from(Class::Transient));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Class {
    /// The outcome is a success and is returned.
    Success,
    /// The outcome is a failure that a retry would not cure, such as a 404. It is returned.
    Permanent,
    /// The outcome is a failure that can be temporary, such as a 503 or a reset connection.
    ///
    /// The server may have acted on the request, so it is retried only if it is safe to repeat.
    Transient,
    /// The server did not process the request.
    ///
    /// For example, the connection was refused, or the server answered 429. The request is retried
    /// regardless of its method, because no side effects can have happened.
    Refused,
}
