//! Events of requests: for logs, metrics and tests.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use http::{Method, StatusCode};
use tokio::time::Instant;

use crate::budget::Budget;
use crate::class::Class;
use crate::head::{RequestHead, ResponseHead};
pub use crate::reason::{StopReason, WaitReason};

/// One step of a request, passed to [`RetryLayer::on_event`] as it happens and, with feature
/// `tracing`, emitted as a tracing event: a retry at level `DEBUG`, a stop with a failure at `WARN`
/// (but a first attempt that is permanent, such as a 404, is not: nothing was retried). The start of a
/// cooldown is at `WARN`, its end at `INFO`; requests that are held, or not sent because of it, are at
/// `DEBUG`. Feature `metrics` counts all of them.
///
/// Each request emits `AttemptStarted`, then any number of times `RetryScheduled` and
/// `AttemptStarted`, then `Stopped` (never, if its caller drops the future). A retry that cannot be
/// sent after its wait emits `RetryScheduled` and `Stopped`, the latter with what the caller gets
/// instead. If a [`Cooldown`](crate::Cooldown) holds an attempt, `Held` is emitted before it.
///
/// [`method`](Self::method), [`host`](Self::host), [`port`](Self::port) and [`path`](Self::path) are
/// safe to log. [`request`](Self::request) is the whole head, whose query and headers may contain
/// credentials.
///
/// # Example
///
/// ```
/// use tower_http_retry::RetryLayer;
/// use tower_http_retry::event::EventKind;
///
/// let layer = RetryLayer::new().on_event(|event| match event.kind() {
///     EventKind::RetryScheduled { after, reason, .. } => {
///         let status = event.status().map_or(0, |status| status.as_u16());
///         println!("attempt {}: {status}; again in {after:?}: {reason}", event.attempt());
///     }
///     EventKind::Stopped(reason) => println!("{} {}: {reason}", event.method(), event.host()),
///     _ => {}
/// });
/// # let _ = layer;
/// ```
///
/// [`RetryLayer::on_event`]: crate::RetryLayer::on_event
pub struct Event<'a> {
    pub(crate) request: RequestHead<'a>,
    pub(crate) attempt: u32,
    pub(crate) started: Instant,
    pub(crate) attempt_started: Instant,
    pub(crate) waited: Duration,
    pub(crate) transparent_retries: u32,
    pub(crate) class: Option<Class>,
    pub(crate) timed_out: bool,
    pub(crate) outcome: Option<Result<ResponseHead<'a>, &'a (dyn Error + 'static)>>,
    pub(crate) budget: Option<&'a Budget>,
    pub(crate) kind: EventKind,
}

/// What happened to a request at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EventKind {
    /// An attempt was passed to the inner service.
    AttemptStarted,
    /// The attempt's outcome is discarded; the next attempt follows after a wait, if it still can.
    #[non_exhaustive]
    RetryScheduled {
        /// How long the wait is.
        after: Duration,
        /// What determined it.
        reason: WaitReason,
    },
    /// The outcome is returned to the caller.
    Stopped(StopReason),
    /// A [`Cooldown`](crate::Cooldown) holds the next attempt. The event's attempt is the one before it, or
    /// 0.
    #[non_exhaustive]
    Held {
        /// How much is left of the hold; zero if it has ended, and the attempt waits for others.
        left: Duration,
    },
    /// With the outcome of this attempt, a [`Cooldown`](crate::Cooldown) started to hold requests.
    #[non_exhaustive]
    CooldownStarted {
        /// How long requests are held.
        left: Duration,
    },
    /// With the outcome of this attempt, a [`Cooldown`](crate::Cooldown) stopped holding requests.
    CooldownEnded,
}

impl EventKind {
    /// Returns the `snake_case` name.
    ///
    /// ```
    /// use tower_http_retry::event::EventKind;
    /// assert_eq!(EventKind::AttemptStarted.as_str(), "attempt_started");
    /// ```
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::AttemptStarted => "attempt_started",
            Self::RetryScheduled { .. } => "retry_scheduled",
            Self::Stopped(_) => "stopped",
            Self::Held { .. } => "held",
            Self::CooldownStarted { .. } => "cooldown_started",
            Self::CooldownEnded => "cooldown_ended",
        }
    }

    /// Whether it happens to a request that succeeds at once.
    #[inline]
    pub(crate) fn is_routine(self) -> bool {
        matches!(
            self,
            Self::AttemptStarted | Self::Stopped(StopReason::Success)
        )
    }
}

impl<'a> Event<'a> {
    /// What happened.
    pub fn kind(&self) -> EventKind {
        self.kind
    }

    /// The head of the caller's request. Its extensions tie the events of one request together.
    ///
    /// Its query, user info and headers may contain credentials.
    pub fn request(&self) -> RequestHead<'a> {
        self.request
    }

    /// The request's method.
    pub fn method(&self) -> &'a Method {
        self.request.method
    }

    /// The host that the request is for; empty where its URI has none.
    pub fn host(&self) -> &'a str {
        self.request.uri.host().unwrap_or_default()
    }

    /// The port that the request is for, where its URI names one.
    pub fn port(&self) -> Option<u16> {
        self.request.uri.port_u16()
    }

    /// The URI's path, without the query.
    pub fn path(&self) -> &'a str {
        self.request.uri.path()
    }

    /// The number of the attempt that this is about; the first is 1. It is 0 while a cooldown holds the
    /// first attempt.
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// The time since the first attempt's start; while a cooldown holds the first attempt, since the
    /// request was made.
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// The time since this attempt's start.
    pub fn attempt_elapsed(&self) -> Duration {
        self.attempt_started.elapsed()
    }

    /// What the classifier said of the attempt's outcome; none while there is no outcome, and for a
    /// retry that could not be sent.
    pub fn class(&self) -> Option<Class> {
        self.class
    }

    /// Whether the attempt's outcome was a time-out.
    pub fn is_timed_out(&self) -> bool {
        self.timed_out
    }

    /// The status of the attempt's response, where it had one.
    pub fn status(&self) -> Option<StatusCode> {
        self.outcome?.ok().map(|head| head.status)
    }

    /// The attempt's error, where it had one; or the one that tells why a retry could not be sent.
    pub fn error(&self) -> Option<&'a (dyn Error + 'static)> {
        self.outcome?.err()
    }

    /// What failed, in a word, as OpenTelemetry's `error.type` has it: the response's status, from
    /// 400 on; `timeout` or `refused`, if the error was that; else `_OTHER`, as for gRPC's errors in
    /// a 200. None after a success, and while there is no outcome.
    ///
    /// ```
    /// use tower_http_retry::RetryLayer;
    ///
    /// let layer = RetryLayer::new().on_event(|event| {
    ///     if let Some(error_type) = event.error_type() {
    ///         println!("attempt {} failed: {error_type}", event.attempt());
    ///     }
    /// });
    /// # let _ = layer;
    /// ```
    pub fn error_type(&self) -> Option<&str> {
        if self.kind == EventKind::Stopped(StopReason::Success) {
            return None;
        }
        Some(match self.outcome.as_ref()? {
            Ok(head) if head.status.as_u16() >= 400 => head.status.as_str(),
            Err(_) if self.timed_out => "timeout",
            Err(_) if self.class == Some(Class::Refused) => "refused",
            Ok(_) | Err(_) => "_OTHER",
        })
    }

    /// How long was waited between the attempts, in sum, with the wait that follows this step; and how
    /// long a cooldown held the first attempt.
    pub fn waited(&self) -> Duration {
        self.waited
    }

    /// How many of the retries that were sent by now were
    /// [transparent](crate::classify::Verdict::transparent), and do not count as retries.
    pub fn transparent_retries(&self) -> u32 {
        self.transparent_retries
    }

    /// The tokens that are left in the budget at this moment, after this step's retry was paid for.
    /// None without a budget, and for one that has [no tokens to tell](Budget::tokens).
    pub fn budget_tokens(&self) -> Option<f64> {
        self.budget?.tokens_of(self.request.uri)
    }
}

impl fmt::Debug for Event<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event")
            .field("kind", &self.kind)
            .field("method", self.request.method)
            .field("host", &self.host())
            .field("attempt", &self.attempt)
            .field("class", &self.class)
            .field("status", &self.status())
            .finish_non_exhaustive()
    }
}
