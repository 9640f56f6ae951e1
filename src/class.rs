/// What the outcome of one attempt says about sending the request again.
///
/// # Example
///
/// ```
/// use tower_http_retry::classify::{Class, Verdict};
///
/// // A service known to recognize a repeated request.
/// let verdict: Verdict = Class::Transient.repeatable();
/// assert_eq!(verdict.class(), Class::Transient);
/// assert_ne!(verdict, Verdict::from(Class::Transient));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Class {
    /// The outcome is a success and is returned.
    Success,
    /// The outcome is a failure that a retry would not cure. It is returned.
    Permanent,
    /// The outcome is a failure that may pass. The server may have acted on the request, so it is
    /// retried only if it may be repeated.
    Transient,
    /// The server did not process the request.
    ///
    /// For example, the connection was refused, or the server answered 429. The request is retried
    /// regardless of its method, because no side effects can have happened.
    Refused,
}
