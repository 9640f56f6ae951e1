use std::time::Duration;

use tokio::time::Instant;

use crate::backoff::Backoff;

/// Settings of a single request, which take precedence over those of the layer.
///
/// It is an extension of the request. What is not set is as the layer has it. Every retry layer
/// below the caller reads it.
///
/// # Example
///
/// ```
/// use std::time::Duration;
/// use http::Request;
/// use tower_http_retry::{Backoff, RetryOverride};
///
/// // A person waits at a browser, who will press the button again.
/// let interactive = Request::get("https://example.com/")
///     .extension(RetryOverride::once())
///     .body(())
///     .unwrap();
///
/// // This POST is safe to repeat, and worth some patience.
/// let job = Request::post("https://example.com/jobs/7/run")
///     .extension(
///         RetryOverride::new()
///             .repeatable(true)
///             .max_retries(10)
///             .window(Duration::from_secs(3600))
///             .backoff(Backoff::fixed(Duration::from_secs(30)))
///             .attempt_timeout(Duration::from_secs(60)),
///     )
///     .body(())
///     .unwrap();
/// # let _ = (interactive, job);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct RetryOverride {
    repeatable: Option<bool>,
    max_retries: Option<u32>,
    window: Option<Duration>,
    backoff: Option<Backoff>,
    attempt_timeout: Option<Duration>,
    max_replay_bytes: Option<usize>,
}

impl RetryOverride {
    /// Creates an override that sets nothing.
    pub const fn new() -> Self {
        Self {
            repeatable: None,
            max_retries: None,
            window: None,
            backoff: None,
            attempt_timeout: None,
            max_replay_bytes: None,
        }
    }

    /// Creates an override that allows no retry: the request is sent once.
    pub const fn once() -> Self {
        Self::new().max_retries(0)
    }

    /// Sets whether the request may be sent again after an attempt that the server may have acted
    /// on, whatever [`Idempotency`](crate::Idempotency) or the
    /// [`Verdict`](crate::classify::Verdict) says. CONNECT and `Upgrade` requests never may.
    pub const fn repeatable(mut self, repeatable: bool) -> Self {
        self.repeatable = Some(repeatable);
        self
    }

    /// Sets the number of retries. `u32::MAX` is no limit.
    #[doc(alias = "max_attempts")]
    pub const fn max_retries(mut self, max_retries: u32) -> Self {
        self.max_retries = Some(max_retries);
        self
    }

    /// Sets how long after the first attempt's start a retry may start. [`Duration::MAX`] is no
    /// limit.
    #[doc(alias = "deadline")]
    pub const fn window(mut self, window: Duration) -> Self {
        self.window = Some(window);
        self
    }

    /// Sets the back-off, whatever the layer's
    /// [`backoff_after_refusal`](crate::RetryLayer::backoff_after_refusal) is.
    pub const fn backoff(mut self, backoff: Backoff) -> Self {
        self.backoff = Some(backoff);
        self
    }

    /// Sets how long each attempt may take to its response's head. [`Duration::MAX`] is no limit.
    pub const fn attempt_timeout(mut self, timeout: Duration) -> Self {
        self.attempt_timeout = Some(timeout);
        self
    }

    /// Sets how many bytes of a streamed request body are kept for replays, as
    /// [`RetryLayer::max_replay_bytes`](crate::RetryLayer::max_replay_bytes) does.
    ///
    /// ```
    /// use http::Request;
    /// use tower_http_retry::RetryOverride;
    ///
    /// // An upload of which nothing is kept: it is retried only if nothing of it was read.
    /// let upload = Request::put("https://example.com/videos/7")
    ///     .extension(RetryOverride::new().max_replay_bytes(0))
    ///     .body(())
    ///     .unwrap();
    /// # let _ = upload;
    /// ```
    pub const fn max_replay_bytes(mut self, bytes: usize) -> Self {
        self.max_replay_bytes = Some(bytes);
        self
    }
}

impl RetryOverride {
    /// When the window ends of a request whose first attempt started then; none if it has no end.
    pub(crate) fn end_of_window(&self, started: Instant) -> Option<Instant> {
        started.checked_add(self.window?)
    }

    /// Whether the request may be sent a second time while the first attempt is under way, as far as
    /// it says so.
    pub(crate) fn may_be_hedged(&self) -> bool {
        self.max_retries != Some(0) && self.repeatable != Some(false)
    }
}

/// The numbers by which a request is retried. The greatest value of each type is no limit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) max_retries: u32,
    pub(crate) window: Duration,
    pub(crate) backoff: Backoff,
    /// After a response that turned the request away without a word of when to come back.
    pub(crate) backoff_after_refusal: Option<Backoff>,
    pub(crate) max_retry_after: Duration,
    /// None is no limit, too.
    pub(crate) attempt_timeout: Option<Duration>,
    pub(crate) max_replay_bytes: usize,
}

/// Whether a request may be repeated, where it is said.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Declared {
    by_request: Option<bool>,
    by_protocol: Option<bool>,
}

impl Declared {
    /// The request's own word goes before the classifier's, and both before the protocol's.
    pub(crate) fn with(self, by_classifier: Option<bool>) -> Option<bool> {
        self.by_request.or(by_classifier).or(self.by_protocol)
    }
}

impl Limits {
    /// Those of one request, from a layer's. Its own word goes before its protocol's, and both
    /// before the layer's; but what the protocol says only ever shortens the window.
    #[inline]
    pub(crate) fn of_request(
        &self,
        protocol: &RetryOverride,
        own: Option<&RetryOverride>,
    ) -> (Self, Declared) {
        let limits = self.with(protocol);
        let mut limits = own.map_or(limits, |own| limits.with(own));
        let window = own.and_then(|own| own.window).unwrap_or(self.window);
        limits.window = protocol.window.unwrap_or(Duration::MAX).min(window);
        let declared = Declared {
            by_request: own.and_then(|own| own.repeatable),
            by_protocol: protocol.repeatable,
        };
        (limits, declared)
    }

    /// The request was held so long before its first attempt: that is a part of its window.
    pub(crate) fn shorten(&mut self, held: Duration) {
        if self.window != Duration::MAX {
            self.window = self.window.saturating_sub(held);
        }
    }

    /// Whether a wait may be drawn.
    pub(crate) fn is_jittered(&self) -> bool {
        let after_refusal = self.backoff_after_refusal;
        self.backoff.is_jittered() || after_refusal.is_some_and(|backoff| backoff.is_jittered())
    }

    #[inline]
    fn with(&self, other: &RetryOverride) -> Self {
        Self {
            max_retries: other.max_retries.unwrap_or(self.max_retries),
            window: other.window.unwrap_or(self.window),
            backoff: other.backoff.unwrap_or(self.backoff),
            backoff_after_refusal: match other.backoff {
                Some(_) => None,
                None => self.backoff_after_refusal,
            },
            attempt_timeout: other.attempt_timeout.or(self.attempt_timeout),
            max_replay_bytes: other.max_replay_bytes.unwrap_or(self.max_replay_bytes),
            max_retry_after: self.max_retry_after,
        }
    }
}

/// Microsoft's guidelines: five retries in five minutes.
impl Default for Limits {
    fn default() -> Self {
        Self {
            max_retries: 5,
            window: Duration::from_secs(5 * 60),
            backoff: Backoff::default(),
            backoff_after_refusal: None,
            max_retry_after: Duration::from_secs(5 * 60),
            attempt_timeout: None,
            max_replay_bytes: 1024 * 1024,
        }
    }
}
