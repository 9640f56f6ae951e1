use std::time::{Duration, SystemTime};

use crate::budget::AwaitedCodes;
use crate::class::Class;
use crate::retry_after::Hint;

/// The result of classifying one outcome: its [`Class`], and settings for the next attempt, such as the
/// wait.
///
/// Create one from a class, with `into()` or with the methods of [`Class`] that have the same names as those
/// of a verdict.
///
/// # Example
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use http::{Request, Response};
/// use tower_http_retry::RetryLayer;
/// use tower_http_retry::classify::{Class, Outcome, Verdict};
///
/// // GitHub responds with 403 or 429 if a quota is used up. Any other 403 is permanent.
/// fn github(outcome: &Outcome<'_>) -> Verdict {
///     let limited = outcome.result().ok().filter(|head| {
///         matches!(head.status().as_u16(), 403 | 429)
///             && head.header("x-ratelimit-remaining") == Some("0")
///     });
///     let reset = limited.and_then(|head| head.header("x-ratelimit-reset")?.parse().ok());
///     match reset.and_then(|unix| SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(unix))) {
///         Some(reset) => Class::Refused.retry_at(reset),
///         None => outcome.by_status(),
///     }
/// }
/// let layer = RetryLayer::new().classify_fn(github);
/// # let _ = layer;
///
/// let request = Request::new(());
/// let forbidden = Response::builder().status(403).header("x-ratelimit-remaining", "0");
/// let limited = forbidden.header("x-ratelimit-reset", "4070908800").body(()).unwrap();
/// assert_eq!(github(&Outcome::response(&request, &limited)).class(), Class::Refused);
/// let forbidden = Response::builder().status(403).body(()).unwrap();
/// assert_eq!(github(&Outcome::response(&request, &forbidden)).class(), Class::Permanent);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    pub(crate) class: Class,
    pub(crate) repeatable: bool,
    pub(crate) timed_out: bool,
    pub(crate) at_once: bool,
    pub(crate) transparent: bool,
    /// The hint that the classifier gives, which replaces the one in the response's headers.
    pub(crate) hint: Option<Hint>,
    pub(crate) ignores_retry_after: bool,
    /// The classifier's own wait.
    pub(crate) backoff: Option<Duration>,
    /// The client's quota is used up until the end of the wait in `hint`.
    pub(crate) exhausted: bool,
    pub(crate) awaited: AwaitedCodes,
}

impl Verdict {
    /// Returns the class.
    pub fn class(&self) -> Class {
        self.class
    }

    /// Allows a retry regardless of the request's method, if the service is known to handle a repeated
    /// request.
    ///
    /// [`RetryOverride::repeatable`](crate::RetryOverride::repeatable) of the request takes precedence.
    /// CONNECT requests and requests with an `Upgrade` header are not repeated after the server may have
    /// acted on them.
    pub fn repeatable(mut self) -> Self {
        self.repeatable = true;
        self
    }

    /// Marks the failure as a time-out.
    ///
    /// The back-off is one step longer, because the cause of a time-out takes longer to resolve. With
    /// [`Budget::earning`](crate::Budget::earning), the retry costs two tokens.
    pub fn timed_out(mut self) -> Self {
        self.timed_out = true;
        self
    }

    /// Sends the retry immediately, unless an earlier retry of the request was already sent immediately.
    ///
    /// Such a retry costs the budget nothing, and the budget does not count the failure before it. If the
    /// server asks for a wait, the retry waits for that time and costs the same as any other.
    ///
    /// Use this only for failures that cause no work on the server. For other failures, each request could
    /// cause one more attempt, and the budget would not limit these attempts.
    pub fn at_once(mut self) -> Self {
        self.at_once = true;
        self
    }

    /// Sends the retry immediately, like [`at_once`](Self::at_once), and does not count it as a retry. This
    /// is gRPC's transparent retry ([gRFC A6]).
    ///
    /// Such a retry counts neither towards [`max_retries`](crate::RetryLayer::max_retries) nor against the
    /// budget. Each request has at most one retry that is sent immediately. It has none if the server asks
    /// for a wait, or if `max_retries` is 0.
    ///
    /// [gRFC A6]: https://github.com/grpc/proposal/blob/master/A6-client-retries.md#transparent-retries
    pub fn transparent(mut self) -> Self {
        self.transparent = true;
        self.at_once()
    }

    /// Sets the minimum wait that the server asks for. It replaces the wait in the response's headers.
    ///
    /// If `wait` is zero, no wait is set, and the headers are used.
    /// [`max_retry_after`](crate::RetryLayer::max_retry_after) applies.
    pub fn retry_after(mut self, wait: Duration) -> Self {
        self.hint = (!wait.is_zero()).then_some(Hint::AtLeast(wait));
        self
    }

    /// Sets the earliest time that the server asks for, measured against the local clock. It replaces the
    /// wait in the response's headers.
    ///
    /// If `time` has passed, no wait is set, and the headers are used.
    /// [`max_retry_after`](crate::RetryLayer::max_retry_after) applies.
    pub fn retry_at(self, time: SystemTime) -> Self {
        let wait = time.duration_since(SystemTime::now());
        self.retry_after(wait.unwrap_or(Duration::ZERO))
    }

    /// Sets the exact wait that the server asks for. It replaces the wait in the response's headers.
    ///
    /// The back-off starts again from its first step after that. If `wait` is zero, the retry is sent
    /// immediately. [`max_retry_after`](crate::RetryLayer::max_retry_after) applies.
    pub fn retry_after_exactly(mut self, wait: Duration) -> Self {
        self.hint = Some(Hint::Exactly(wait));
        self
    }

    /// Sets the wait before the next attempt, which replaces the wait of the back-off.
    ///
    /// No jitter is added, and [`max_retry_after`](crate::RetryLayer::max_retry_after) does not apply. If
    /// the server asks for a longer wait, the longer wait is used. A retry that is sent immediately because
    /// the verdict is also [`at_once`](Self::at_once) does not wait.
    ///
    /// ```
    /// use std::time::Duration;
    /// use http::StatusCode;
    /// use tower_http_retry::RetryLayer;
    /// use tower_http_retry::classify::Class;
    ///
    /// // A lock is held for some seconds, regardless of the number of attempts.
    /// let layer = RetryLayer::new().classify_fn(|outcome| match outcome.status() {
    ///     Some(StatusCode::LOCKED) => Class::Refused.backoff(Duration::from_secs(2)),
    ///     _ => outcome.by_status(),
    /// });
    /// # let _ = layer;
    /// ```
    pub fn backoff(mut self, wait: Duration) -> Self {
        self.backoff = Some(wait);
        self
    }

    /// Marks the client's quota as used up, and sets the time after which it is renewed.
    ///
    /// A [`Cooldown`](crate::Cooldown) holds all requests until then, even if the outcome is a success. A
    /// retry of this request waits at least as long, as with [`retry_after`](Self::retry_after). If `wait`
    /// is zero, the quota is not marked as used up, and no wait is set.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_http_retry::RetryLayer;
    /// use tower_http_retry::classify::Verdict;
    ///
    /// // This service sends the rest of a quota in its own header.
    /// let layer = RetryLayer::new().classify_fn(|outcome| {
    ///     let verdict: Verdict = outcome.by_status();
    ///     let response = outcome.result().ok();
    ///     let credit = response.and_then(|head| head.header("x-credit-left"));
    ///     let renewal = response.and_then(|head| head.header("x-credit-renewal")?.parse().ok());
    ///     match (credit, renewal) {
    ///         (Some("0"), Some(seconds)) => verdict.exhausted(Duration::from_secs(seconds)),
    ///         _ => verdict,
    ///     }
    /// });
    /// # let _ = layer;
    /// ```
    pub fn exhausted(mut self, wait: Duration) -> Self {
        self.exhausted = !wait.is_zero();
        self.retry_after(wait)
    }

    /// Prevents a retry, because the server asks not to retry the request.
    pub fn no_retry(mut self) -> Self {
        self.hint = Some(Hint::Never);
        self
    }

    /// Ignores the wait in the response's headers, such as `Retry-After`.
    pub fn ignore_retry_after(mut self) -> Self {
        self.ignores_retry_after = true;
        self
    }

    /// Returns the hint of the classifier, or else that of the response's headers.
    pub(crate) fn hint(self, headers: impl FnOnce() -> Option<Hint>) -> Option<Hint> {
        match self.ignores_retry_after {
            true => self.hint,
            false => self.hint.or_else(headers),
        }
    }
}

impl From<Class> for Verdict {
    fn from(class: Class) -> Self {
        Self {
            class,
            repeatable: false,
            timed_out: false,
            at_once: false,
            transparent: false,
            hint: None,
            ignores_retry_after: false,
            backoff: None,
            exhausted: false,
            awaited: AwaitedCodes::default(),
        }
    }
}

/// Methods that create a [`Verdict`] of this class and call its method of the same name.
impl Class {
    /// Creates a verdict of this class with [`Verdict::repeatable`].
    pub fn repeatable(self) -> Verdict {
        Verdict::from(self).repeatable()
    }

    /// Creates a verdict of this class with [`Verdict::timed_out`].
    pub fn timed_out(self) -> Verdict {
        Verdict::from(self).timed_out()
    }

    /// Creates a verdict of this class with [`Verdict::at_once`].
    pub fn at_once(self) -> Verdict {
        Verdict::from(self).at_once()
    }

    /// Creates a verdict of this class with [`Verdict::transparent`].
    pub fn transparent(self) -> Verdict {
        Verdict::from(self).transparent()
    }

    /// Creates a verdict of this class with [`Verdict::retry_after`].
    pub fn retry_after(self, wait: Duration) -> Verdict {
        Verdict::from(self).retry_after(wait)
    }

    /// Creates a verdict of this class with [`Verdict::retry_at`].
    pub fn retry_at(self, time: SystemTime) -> Verdict {
        Verdict::from(self).retry_at(time)
    }

    /// Creates a verdict of this class with [`Verdict::retry_after_exactly`].
    pub fn retry_after_exactly(self, wait: Duration) -> Verdict {
        Verdict::from(self).retry_after_exactly(wait)
    }

    /// Creates a verdict of this class with [`Verdict::backoff`].
    pub fn backoff(self, wait: Duration) -> Verdict {
        Verdict::from(self).backoff(wait)
    }

    /// Creates a verdict of this class with [`Verdict::exhausted`].
    pub fn exhausted(self, wait: Duration) -> Verdict {
        Verdict::from(self).exhausted(wait)
    }

    /// Creates a verdict of this class with [`Verdict::no_retry`].
    pub fn no_retry(self) -> Verdict {
        Verdict::from(self).no_retry()
    }

    /// Creates a verdict of this class with [`Verdict::ignore_retry_after`].
    pub fn ignore_retry_after(self) -> Verdict {
        Verdict::from(self).ignore_retry_after()
    }
}

#[cfg(test)]
mod tests;
