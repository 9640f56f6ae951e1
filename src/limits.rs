use std::time::Duration;

use tokio::time::Instant;

use crate::backoff::Backoff;

/// Settings of a single request, which take precedence over those of the layer.
///
/// The caller adds it to the request's extensions. Settings that it does not contain are those of the
/// layer. Every retry layer that the request passes through reads it.
///
/// # Example
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), tower_http_retry::BoxError> {
/// use std::time::Duration;
/// use http::{Request, Response, StatusCode};
/// use http_body_util::Empty;
/// use tower::ServiceBuilder;
/// use tower_http_retry::{AttemptsHandle, Backoff, BoxError, ReplayBody, RetryLayer, RetryOverride};
///
/// type Body = Empty<bytes::Bytes>;
/// let client = ServiceBuilder::new()
///     .layer(RetryLayer::new())
///     .service_fn(async |_: Request<ReplayBody<Body>>| {
///         let response = Response::builder().status(StatusCode::BAD_GATEWAY);
///         Ok::<_, BoxError>(response.body(Body::new())?)
///     });
/// let attempts = AttemptsHandle::new();
///
/// // The user of a browser can retry this request by hand.
/// let interactive = Request::get("https://example.com/")
///     .extension(RetryOverride::once())
///     .extension(attempts.clone())
///     .body(Body::new())?;
/// client.send(interactive).await?;
/// assert_eq!(attempts.get().count, 1);
///
/// // This POST is safe to repeat, and may take an hour.
/// let job = Request::post("https://example.com/jobs/7/run")
///     .extension(
///         RetryOverride::new()
///             .repeatable(true)
///             .max_retries(6)
///             .window(Duration::from_secs(3600))
///             .backoff(Backoff::fixed(Duration::from_secs(30)))
///             .attempt_timeout(Duration::from_secs(60)),
///     )
///     .extension(attempts.clone())
///     .body(Body::new())?;
/// client.send(job).await?;
/// assert_eq!(attempts.get().count, 7);
/// # Ok(())
/// # }
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
    /// Creates an override without any settings.
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

    /// Creates an override that allows no retries: the request is sent once.
    pub const fn once() -> Self {
        Self::new().max_retries(0)
    }

    /// Sets whether the request is safe to repeat after the server may have acted on it.
    ///
    /// It takes precedence over the layer's [`Idempotency`](crate::Idempotency) and over
    /// [`Verdict::repeatable`](crate::classify::Verdict::repeatable). CONNECT requests and requests with
    /// an `Upgrade` header are never repeated in this case.
    pub const fn repeatable(mut self, repeatable: bool) -> Self {
        self.repeatable = Some(repeatable);
        self
    }

    /// Sets the maximum number of retries. `u32::MAX` disables the limit.
    #[doc(alias = "max_attempts")]
    pub const fn max_retries(mut self, max_retries: u32) -> Self {
        self.max_retries = Some(max_retries);
        self
    }

    /// Sets how long after the start of the first attempt a retry may start. [`Duration::MAX`] disables
    /// the limit.
    ///
    /// It does not extend a shorter deadline that the layer reads from the request's headers: `grpc-timeout`,
    /// or the [`deadline_header`](crate::RetryLayer::deadline_header).
    #[doc(alias = "deadline")]
    pub const fn window(mut self, window: Duration) -> Self {
        self.window = Some(window);
        self
    }

    /// Sets the back-off. It also replaces the layer's
    /// [`backoff_after_refusal`](crate::RetryLayer::backoff_after_refusal).
    pub const fn backoff(mut self, backoff: Backoff) -> Self {
        self.backoff = Some(backoff);
        self
    }

    /// Sets how long each attempt may take until the head of its response arrives. [`Duration::MAX`]
    /// disables the limit.
    pub const fn attempt_timeout(mut self, timeout: Duration) -> Self {
        self.attempt_timeout = Some(timeout);
        self
    }

    /// Sets how many bytes of a streamed request body are recorded for retries, like
    /// [`RetryLayer::max_replay_bytes`](crate::RetryLayer::max_replay_bytes).
    ///
    /// ```
    /// use http::Request;
    /// use tower_http_retry::RetryOverride;
    ///
    /// // This upload is not recorded. It is retried only if none of it has been read.
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
    /// Returns the end of the window of a request whose first attempt started at `started`, or none if the
    /// window has no end.
    pub(crate) fn end_of_window(&self, started: Instant) -> Option<Instant> {
        started.checked_add(self.window?)
    }

    /// Whether this override allows a second attempt while the first one is still in progress.
    pub(crate) fn may_be_hedged(&self) -> bool {
        self.max_retries != Some(0) && self.repeatable != Some(false)
    }
}

/// The limits of a request. The greatest value of each type disables a limit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) max_retries: u32,
    pub(crate) window: Duration,
    pub(crate) backoff: Backoff,
    /// The back-off after a 429 or 503 that does not say how long to wait.
    pub(crate) backoff_after_refusal: Option<Backoff>,
    pub(crate) max_retry_after: Duration,
    /// None also disables the limit.
    pub(crate) attempt_timeout: Option<Duration>,
    pub(crate) max_replay_bytes: usize,
}

/// Whether a request is safe to repeat, if its override or its protocol declares this.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Declared {
    by_request: Option<bool>,
    by_protocol: Option<bool>,
}

impl Declared {
    /// The request takes precedence over the classifier, and both take precedence over the protocol.
    pub(crate) fn with(self, by_classifier: Option<bool>) -> Option<bool> {
        self.by_request.or(by_classifier).or(self.by_protocol)
    }
}

impl Limits {
    /// Returns the limits of one request, given those of the layer. The request's own override takes
    /// precedence over its protocol's, and both take precedence over the layer. The protocol can only
    /// shorten the window.
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

    /// Subtracts the time that the request was held before its first attempt, which is a part of its
    /// window.
    pub(crate) fn shorten(&mut self, held: Duration) {
        if self.window != Duration::MAX {
            self.window = self.window.saturating_sub(held);
        }
    }

    /// Whether any wait has jitter.
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

/// Returns the limits of Microsoft's guidelines: five retries in five minutes.
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
