use std::error::Error;
use std::fmt;
use std::time::Duration;

use crate::head::RequestHead;

/// A resumption that is about to be made, passed to
/// [`ResumeLayer::on_resume`](crate::ResumeLayer::on_resume).
///
/// # Example
///
/// ```
/// use tower_http_retry::ResumeLayer;
///
/// let layer = ResumeLayer::new().on_resume(|resumption| {
///     let (delivered, expected) = (resumption.delivered(), resumption.expected());
///     eprintln!("{delivered} of {expected} bytes: {}", resumption.error());
/// });
/// # let _ = layer;
/// ```
pub struct Resumption<'a> {
    pub(super) request: RequestHead<'a>,
    pub(super) number: u32,
    pub(super) delivered: u64,
    pub(super) expected: u64,
    pub(super) after: Duration,
    pub(super) error: &'a (dyn Error + 'static),
}

impl<'a> Resumption<'a> {
    /// The head of the caller's request. Its query and headers may contain credentials.
    pub fn request(&self) -> RequestHead<'a> {
        self.request
    }

    /// The number of this resumption of the response; the first is 1.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// How many bytes of the body were delivered.
    pub fn delivered(&self) -> u64 {
        self.delivered
    }

    /// How many bytes the head of the first response promised.
    pub fn expected(&self) -> u64 {
        self.expected
    }

    /// How long the layer waits before it.
    pub fn after(&self) -> Duration {
        self.after
    }

    /// What the body ended with: its own error, or an [`io::Error`](std::io::Error) of the kind
    /// `UnexpectedEof` if it ended early, or `TimedOut` after
    /// [`idle_timeout`](crate::ResumeLayer::idle_timeout).
    pub fn error(&self) -> &'a (dyn Error + 'static) {
        self.error
    }
}

/// Without headers: they may contain credentials.
impl fmt::Debug for Resumption<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resumption")
            .field("request", &self.request)
            .field("number", &self.number)
            .field("delivered", &self.delivered)
            .field("expected", &self.expected)
            .field("after", &self.after)
            .field("error", &self.error)
            .finish()
    }
}
