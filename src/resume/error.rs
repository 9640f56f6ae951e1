use std::error::Error;
use std::fmt;

use super::unresumable::Unresumable;
use crate::error::BoxError;
use crate::reason::StopReason;

/// Error of a [`ResumeBody`](crate::resume::ResumeBody) that ends before all of it was delivered.
///
/// What was delivered is the beginning of one version of the representation; the rest is missing. The
/// [source](Error::source) says why it could not be resumed:
///
/// - [`Unresumable`](crate::resume::Unresumable), if the server's answer does not continue the body;
/// - the body's own error, if the [classifier](crate::ResumeLayer::classify) calls it neither transient
///   nor refused, or if there was no other resumption; in its place an
///   [`io::Error`](std::io::Error) of the kind `UnexpectedEof` for a body that ended early, or `TimedOut`
///   after [`idle_timeout`](crate::ResumeLayer::idle_timeout);
/// - the inner service's error, if a resumption failed with one.
///
/// # Example
///
/// ```
/// use tower_http_retry::BoxError;
/// use tower_http_retry::resume::{ResumeError, Unresumable};
///
/// /// Whether to start the download again from its beginning.
/// fn has_changed(error: &BoxError) -> bool {
///     let error = error.downcast_ref::<ResumeError>();
///     error.and_then(ResumeError::unresumable) == Some(Unresumable::Changed)
/// }
/// # assert!(!has_changed(&"other".into()));
/// ```
#[derive(Debug)]
pub struct ResumeError {
    delivered: u64,
    expected: u64,
    reason: StopReason,
    source: BoxError,
}

/// What is said of them beside the source.
const REASONS: [(StopReason, &str); 3] = [
    (StopReason::Attempts, ", and its resumptions are used up"),
    (
        StopReason::Window,
        ", and the window for resumptions has ended",
    ),
    (StopReason::NotReplayable, ", too many to be compared"),
];

impl ResumeError {
    pub(super) fn new(delivered: u64, expected: u64, reason: StopReason, source: BoxError) -> Self {
        Self {
            delivered,
            expected,
            reason,
            source,
        }
    }

    /// Returns how many bytes of the body were delivered.
    pub fn delivered(&self) -> u64 {
        self.delivered
    }

    /// Returns how many bytes the head of the first response promised.
    pub fn expected(&self) -> u64 {
        self.expected
    }

    /// Returns why the body was not resumed again:
    ///
    /// - [`Attempts`](StopReason::Attempts):
    ///   [`max_resumes`](crate::ResumeLayer::max_resumes) resumptions have brought no progress;
    /// - [`Window`](StopReason::Window): the [window](crate::ResumeLayer::window) has ended;
    /// - [`NotReplayable`](StopReason::NotReplayable): without a validator, more was delivered than
    ///   [`verify_prefix`](crate::ResumeLayer::verify_prefix) allows to compare;
    /// - [`Permanent`](StopReason::Permanent): the body's error will not pass, a resumption failed with an
    ///   error, or the server's answer does not continue the body.
    pub fn reason(&self) -> StopReason {
        self.reason
    }

    /// Returns the source.
    pub fn into_source(self) -> BoxError {
        self.source
    }

    /// Returns why the server's answer does not continue the body, if that is what failed.
    pub fn unresumable(&self) -> Option<Unresumable> {
        self.source.downcast_ref().copied()
    }
}

impl fmt::Display for ResumeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            delivered,
            expected,
            ..
        } = self;
        write!(f, "the body ended after {delivered} of {expected} bytes")?;
        let mut reasons = REASONS.iter().filter(|(reason, _)| *reason == self.reason);
        reasons.try_for_each(|(_, words)| f.write_str(words))
    }
}

impl Error for ResumeError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.source)
    }
}
