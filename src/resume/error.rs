use std::error::Error;
use std::fmt;

use super::unresumable::Unresumable;
use crate::error::BoxError;
use crate::reason::StopReason;

/// Error of a [`ResumeBody`](crate::resume::ResumeBody) that could not be delivered completely.
///
/// The delivered bytes are the beginning of one version of the representation; the rest is missing. The
/// [source](Error::source) is one of these errors:
///
/// - [`Unresumable`](crate::resume::Unresumable), if the response to a resumption does not continue the
///   body.
/// - The inner service's error, if a resumption failed with one.
/// - The body's own error, if the [classifier](crate::ResumeLayer::classify) classifies it neither as
///   transient nor as refused, or if no further resumption is allowed. A body that ended early has an
///   [`io::Error`](std::io::Error) of the kind `UnexpectedEof` instead, and one that exceeded the
///   [idle time-out](crate::ResumeLayer::idle_timeout) has one of the kind `TimedOut`.
///
/// # Example
///
/// ```
/// use tower_http_retry::BoxError;
/// use tower_http_retry::resume::{ResumeError, Unresumable};
///
/// /// Returns whether to start the download again from the beginning.
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

/// The reasons that the message adds to that of the source.
const REASONS: [(StopReason, &str); 3] = [
    (StopReason::Attempts, ", and no resumptions are left"),
    (
        StopReason::Window,
        ", and the window for resumptions has ended",
    ),
    (
        StopReason::NotReplayable,
        ", which is more than `verify_prefix` allows",
    ),
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

    /// Returns why the body was not resumed again.
    ///
    /// - [`Attempts`](StopReason::Attempts): [`max_resumes`](crate::ResumeLayer::max_resumes) resumptions
    ///   in a row made no progress.
    /// - [`Window`](StopReason::Window): the [window](crate::ResumeLayer::window) has ended.
    /// - [`NotReplayable`](StopReason::NotReplayable): the response has no strong validator, and more bytes
    ///   were delivered than [`verify_prefix`](crate::ResumeLayer::verify_prefix) allows to compare.
    /// - [`Permanent`](StopReason::Permanent): the body's error is permanent, a resumption failed with an
    ///   error, or the response to a resumption does not continue the body.
    pub fn reason(&self) -> StopReason {
        self.reason
    }

    /// Consumes the error and returns its source.
    pub fn into_source(self) -> BoxError {
        self.source
    }

    /// Returns why the response to a resumption does not continue the body, if the body ended for this
    /// reason.
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
        write!(
            f,
            "the response body ended after {delivered} of {expected} bytes"
        )?;
        let mut reasons = REASONS.iter().filter(|(reason, _)| *reason == self.reason);
        reasons.try_for_each(|(_, words)| f.write_str(words))
    }
}

impl Error for ResumeError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.source)
    }
}
