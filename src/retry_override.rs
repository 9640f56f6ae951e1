use std::time::Duration;

use crate::backoff::Backoff;
use crate::decide::Rules;

/// What one request says instead of its layer, as one of its extensions.
///
/// What is not set is as the layer says.
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
///             .within(Duration::from_secs(3600))
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
    within: Option<Duration>,
    backoff: Option<Backoff>,
    attempt_timeout: Option<Duration>,
}

impl RetryOverride {
    /// Everything as the layer says.
    pub const fn new() -> Self {
        Self {
            repeatable: None,
            max_retries: None,
            within: None,
            backoff: None,
            attempt_timeout: None,
        }
    }

    /// Sends the request once only.
    pub const fn once() -> Self {
        Self::new().max_retries(0)
    }

    /// Whether the request may be sent again after an attempt that the server may have acted on,
    /// whatever [`Idempotency`](crate::Idempotency) or the [`Verdict`](crate::Verdict) says of it.
    /// CONNECT and `Upgrade` requests never may.
    pub const fn repeatable(mut self, repeatable: bool) -> Self {
        self.repeatable = Some(repeatable);
        self
    }

    /// The request's own number of retries.
    pub const fn max_retries(mut self, max_retries: u32) -> Self {
        self.max_retries = Some(max_retries);
        self
    }

    /// The request's own window, from the first attempt's start, in which retries may start.
    pub const fn within(mut self, window: Duration) -> Self {
        self.within = Some(window);
        self
    }

    /// The request's own back-off.
    pub const fn backoff(mut self, backoff: Backoff) -> Self {
        self.backoff = Some(backoff);
        self
    }

    /// How long each attempt of the request may take to its response's head.
    pub const fn attempt_timeout(mut self, timeout: Duration) -> Self {
        self.attempt_timeout = Some(timeout);
        self
    }

    pub(crate) fn declared(&self) -> Option<bool> {
        self.repeatable
    }

    pub(crate) fn window(&self) -> Option<Duration> {
        self.within
    }

    pub(crate) fn timeout(&self) -> Option<Duration> {
        self.attempt_timeout
    }

    pub(crate) fn apply(&self, rules: Rules) -> Rules {
        Rules {
            max_retries: self.max_retries.unwrap_or(rules.max_retries),
            window: self.within.unwrap_or(rules.window),
            backoff: self.backoff.unwrap_or(rules.backoff),
            max_server_wait: rules.max_server_wait,
        }
    }
}
