use super::*;

/// What an outcome says about sending the request again.
///
/// # Example
///
/// ```
/// use tower_http_retry::{Class, Verdict};
///
/// // A service known to recognize a repeated request.
/// let verdict: Verdict = Class::Transient.repeatable();
/// assert_eq!(verdict.class(), Class::Transient);
/// assert_ne!(verdict, Verdict::from(Class::Transient));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Class {
    /// Hand it over.
    Success,
    /// A failure that sending again will not cure: hand it over.
    Permanent,
    /// A failure that may pass. The server may have acted on the request, so it is sent again only
    /// if it may be repeated.
    Transient,
    /// The request was turned away, or never arrived: nobody acted on it, and it may be sent again
    /// whatever its method.
    Refused,
}

/// A classifier's word on an outcome: its [`Class`], and what else bears on the next attempt.
///
/// Made from a class, by `into()` or by the class's methods of the same names.
///
/// # Example
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use tower_http_retry::{ByStatus, Class, Classify, RetryLayer};
///
/// // GitHub: 403 or 429 with nothing remaining waits for the reset; 403 otherwise is permanent.
/// let layer = RetryLayer::new().classify_fn(|outcome| {
///     let limited = outcome.result().ok().filter(|head| {
///         matches!(head.status.as_u16(), 403 | 429)
///             && head.header("x-ratelimit-remaining") == Some("0")
///     });
///     let reset = limited.and_then(|head| head.header("x-ratelimit-reset")?.parse().ok());
///     match reset.and_then(|unix| SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(unix))) {
///         Some(reset) => Class::Refused.until(reset),
///         None => ByStatus::new().classify(outcome),
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
    pub(crate) hint: Hint,
    pub(crate) awaited: AwaitedCodes,
}

/// The gRPC codes that count for a throttle when the status of a call comes that has none yet: a
/// bit for each, and `OK`'s among them; none where the outcome is whole.
///
/// They are no part of what a verdict says: all are equal.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct AwaitedCodes(pub(crate) u32);

impl AwaitedCodes {
    pub(crate) fn is_none(self) -> bool {
        self.0 == 0
    }

    /// Whether the code with this bit is among them.
    pub(crate) fn contain(self, code: u32) -> bool {
        self.0 & code != 0
    }
}

impl PartialEq for AwaitedCodes {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for AwaitedCodes {}

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
    /// layer's retries, unless the layer makes none at all. gRPC's transparent retry ([gRFC A6]). There is one for a request, and none where the server says how
    /// long to wait.
    ///
    /// [gRFC A6]: https://github.com/grpc/proposal/blob/master/A6-client-retries.md#transparent-retries
    pub fn transparent(mut self) -> Self {
        self.transparent = true;
        self.at_once()
    }

    /// The server asks to wait at least so long, whatever the response's headers say.
    pub fn at_least(mut self, wait: Duration) -> Self {
        self.hint = Hint::AtLeast(wait);
        self
    }

    /// The server asks to wait until this time by the local clock; a time gone by asks nothing.
    pub fn until(self, time: SystemTime) -> Self {
        let wait = time.duration_since(SystemTime::now());
        self.at_least(wait.unwrap_or(Duration::ZERO))
    }

    /// The server asks to wait exactly so long; after that, the back-off starts again from its
    /// first step.
    pub fn exactly(mut self, wait: Duration) -> Self {
        self.hint = Hint::Exactly(wait);
        self
    }

    /// The server asks not to be sent this request again.
    pub fn never(mut self) -> Self {
        self.hint = Hint::Never;
        self
    }

    /// Leave the response's headers unread.
    pub fn without_hint(mut self) -> Self {
        self.hint = Hint::None;
        self
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
            hint: Hint::Headers,
            awaited: AwaitedCodes::default(),
        }
    }
}

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

    /// [`Verdict::at_least`] of this class.
    pub fn at_least(self, wait: Duration) -> Verdict {
        Verdict::from(self).at_least(wait)
    }

    /// [`Verdict::until`] of this class.
    pub fn until(self, time: SystemTime) -> Verdict {
        Verdict::from(self).until(time)
    }

    /// [`Verdict::exactly`] of this class.
    pub fn exactly(self, wait: Duration) -> Verdict {
        Verdict::from(self).exactly(wait)
    }

    /// [`Verdict::never`] of this class.
    pub fn never(self) -> Verdict {
        Verdict::from(self).never()
    }

    /// [`Verdict::without_hint`] of this class.
    pub fn without_hint(self) -> Verdict {
        Verdict::from(self).without_hint()
    }
}
