use std::time::{Duration, SystemTime};

use crate::budget::AwaitedCodes;
use crate::class::Class;
use crate::retry_after::Hint;

/// The result of classifying one outcome: its [`Class`], and what else bears on the next attempt.
///
/// Made from a class, by `into()` or by the class's methods of the same names.
///
/// # Example
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use tower_http_retry::RetryLayer;
/// use tower_http_retry::classify::Class;
///
/// // GitHub: 403 or 429 with nothing remaining waits for the reset; 403 otherwise is permanent.
/// let layer = RetryLayer::new().classify_fn(|outcome| {
///     let limited = outcome.result().ok().filter(|head| {
///         matches!(head.status().as_u16(), 403 | 429)
///             && head.header("x-ratelimit-remaining") == Some("0")
///     });
///     let reset = limited.and_then(|head| head.header("x-ratelimit-reset")?.parse().ok());
///     match reset.and_then(|unix| SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(unix))) {
///         Some(reset) => Class::Refused.retry_at(reset),
///         None => outcome.by_status(),
///     }
/// });
/// # let _ = layer;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    pub(crate) class: Class,
    pub(crate) repeatable: bool,
    pub(crate) timed_out: bool,
    pub(crate) at_once: bool,
    pub(crate) transparent: bool,
    /// What the classifier asks of the next attempt, in the place of the response's headers.
    pub(crate) hint: Option<Hint>,
    pub(crate) ignores_retry_after: bool,
    /// The classifier's own wait.
    pub(crate) backoff: Option<Duration>,
    /// Nothing is left of the client's quota until then.
    pub(crate) exhausted: bool,
    pub(crate) awaited: AwaitedCodes,
}

impl Verdict {
    /// The class.
    pub fn class(&self) -> Class {
        self.class
    }

    /// The request may be sent again whatever its method, unless it
    /// [says otherwise](crate::RetryOverride::repeatable) itself: for services known to be safe.
    pub fn repeatable(mut self) -> Self {
        self.repeatable = true;
        self
    }

    /// The failure was a time-out, which takes longer to pass: the wait is one step further up.
    pub fn timed_out(mut self) -> Self {
        self.timed_out = true;
        self
    }

    /// The first retry of a request that is asked for in this way does not wait for the back-off.
    ///
    /// It costs the budget nothing, and the failure before it is not counted there, unless the server
    /// says when to come back. Use it only for failures that cost the server no work: otherwise each
    /// request adds an attempt that no budget bounds.
    pub fn at_once(mut self) -> Self {
        self.at_once = true;
        self
    }

    /// As [`at_once`](Self::at_once); and a retry that is sent at once so does not count as one of the
    /// layer's retries, unless the layer makes none at all. gRPC's transparent retry ([gRFC A6]).
    /// There is one for a request, and none where the server says how long to wait.
    ///
    /// [gRFC A6]: https://github.com/grpc/proposal/blob/master/A6-client-retries.md#transparent-retries
    pub fn transparent(mut self) -> Self {
        self.transparent = true;
        self.at_once()
    }

    /// The server asks to wait at least so long, whatever the response's headers say. Zero asks for
    /// nothing.
    pub fn retry_after(mut self, wait: Duration) -> Self {
        self.hint = (!wait.is_zero()).then_some(Hint::AtLeast(wait));
        self
    }

    /// The server asks to wait until this time by the local clock; a time gone by asks nothing.
    pub fn retry_at(self, time: SystemTime) -> Self {
        let wait = time.duration_since(SystemTime::now());
        self.retry_after(wait.unwrap_or(Duration::ZERO))
    }

    /// The server asks to wait exactly so long; after that, the back-off starts again from its
    /// first step.
    pub fn retry_after_exactly(mut self, wait: Duration) -> Self {
        self.hint = Some(Hint::Exactly(wait));
        self
    }

    /// Sets the wait before the next attempt in the place of the back-off's.
    ///
    /// No jitter is added, and [`max_retry_after`](crate::RetryLayer::max_retry_after) does not
    /// bound it. If the server asks for a longer wait, that holds. The first retry of a verdict that
    /// is [`at_once`](Self::at_once), too, does not wait.
    ///
    /// ```
    /// use std::time::Duration;
    /// use http::StatusCode;
    /// use tower_http_retry::RetryLayer;
    /// use tower_http_retry::classify::Class;
    ///
    /// // A lock that is held for some seconds, whatever the number of the attempt.
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

    /// The response says that the client's quota is used up and is renewed after this time.
    ///
    /// A [`Cooldown`](crate::Cooldown) holds all requests until then, also if the verdict is a success. A
    /// retry of this request waits at least as long, as with [`retry_after`](Self::retry_after). Zero has
    /// no effect.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_http_retry::RetryLayer;
    /// use tower_http_retry::classify::Verdict;
    ///
    /// // This service counts down in a header of its own.
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

    /// The server asks not to be sent this request again.
    pub fn no_retry(mut self) -> Self {
        self.hint = Some(Hint::Never);
        self
    }

    /// The response's headers are not read for a wait.
    pub fn ignore_retry_after(mut self) -> Self {
        self.ignores_retry_after = true;
        self
    }

    /// What is asked of the next attempt: by the classifier, or else by the response's headers.
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

/// A verdict of this class, with what the [`Verdict`]'s method of the same name adds.
impl Class {
    /// [`Verdict::repeatable`] of this class.
    pub fn repeatable(self) -> Verdict {
        Verdict::from(self).repeatable()
    }

    /// [`Verdict::timed_out`] of this class.
    pub fn timed_out(self) -> Verdict {
        Verdict::from(self).timed_out()
    }

    /// [`Verdict::at_once`] of this class.
    pub fn at_once(self) -> Verdict {
        Verdict::from(self).at_once()
    }

    /// [`Verdict::transparent`] of this class.
    pub fn transparent(self) -> Verdict {
        Verdict::from(self).transparent()
    }

    /// [`Verdict::retry_after`] of this class.
    pub fn retry_after(self, wait: Duration) -> Verdict {
        Verdict::from(self).retry_after(wait)
    }

    /// [`Verdict::retry_at`] of this class.
    pub fn retry_at(self, time: SystemTime) -> Verdict {
        Verdict::from(self).retry_at(time)
    }

    /// [`Verdict::retry_after_exactly`] of this class.
    pub fn retry_after_exactly(self, wait: Duration) -> Verdict {
        Verdict::from(self).retry_after_exactly(wait)
    }

    /// [`Verdict::backoff`] of this class.
    pub fn backoff(self, wait: Duration) -> Verdict {
        Verdict::from(self).backoff(wait)
    }

    /// [`Verdict::exhausted`] of this class.
    pub fn exhausted(self, wait: Duration) -> Verdict {
        Verdict::from(self).exhausted(wait)
    }

    /// [`Verdict::no_retry`] of this class.
    pub fn no_retry(self) -> Verdict {
        Verdict::from(self).no_retry()
    }

    /// [`Verdict::ignore_retry_after`] of this class.
    pub fn ignore_retry_after(self) -> Verdict {
        Verdict::from(self).ignore_retry_after()
    }
}

#[cfg(test)]
mod tests;
