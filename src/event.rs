//! Events of requests, for logs, metrics and tests.
//!
//! [`RetryLayer::on_event`](crate::RetryLayer::on_event) adds a callback that receives each [`Event`].

use std::error::Error;
use std::fmt;
use std::time::Duration;

use http::{Method, StatusCode};
use tokio::time::Instant;

use crate::budget::Budget;
use crate::class::Class;
use crate::head::{RequestHead, ResponseHead};
pub use crate::reason::{StopReason, WaitReason};

/// One step of a request, which is passed to the callbacks of [`RetryLayer::on_event`].
///
/// # Order of events
///
/// Each request emits `AttemptStarted`, then `RetryScheduled` and `AttemptStarted` for each retry, then
/// `Stopped`. If its future is dropped, `Stopped` is not emitted. If a retry cannot be sent after its
/// wait, `RetryScheduled` is followed by `Stopped`, with the error that the caller receives. If a
/// [`Cooldown`](crate::Cooldown) holds an attempt, `Held` is emitted before it. If the first attempt is
/// not sent because of a cooldown, `Stopped` is emitted without `AttemptStarted`.
///
/// # Logs and metrics
///
/// With feature `tracing`, events are emitted through `tracing` as well:
///
/// - a retry at level `DEBUG`;
/// - a stop with a failure at level `WARN`, but not if the first attempt failed permanently, as with a
///   404, because nothing was retried;
/// - the start of a cooldown at level `WARN`, and its end at level `INFO`;
/// - a request that a cooldown holds, or that is not sent because of it, at level `DEBUG`.
///
/// With feature `metrics`, all events are counted: see the module `metrics`.
///
/// # Credentials
///
/// [`method`](Self::method), [`host`](Self::host), [`port`](Self::port) and [`path`](Self::path) are
/// safe to log. [`request`](Self::request) returns the whole head, whose user info, query and headers may
/// contain credentials.
///
/// # Example
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), tower_http_retry::BoxError> {
/// use std::sync::{Arc, Mutex};
/// use http::{Request, Response, StatusCode};
/// use http_body_util::Empty;
/// use tower::ServiceBuilder;
/// use tower_http_retry::event::EventKind;
/// use tower_http_retry::{BoxError, ReplayBody, RetryLayer};
///
/// type Body = Empty<bytes::Bytes>;
/// let log = Arc::new(Mutex::new(Vec::new()));
/// let lines = log.clone();
/// let layer = RetryLayer::new().max_retries(1).on_event(move |event| {
///     let status = event.status().map_or(0, |status| status.as_u16());
///     let line = match event.kind() {
///         EventKind::RetryScheduled { reason, .. } => format!("{status}, retrying: {reason}"),
///         EventKind::Stopped(reason) => format!("{status}, stopped: {reason}"),
///         _ => return,
///     };
///     lines.lock().unwrap().push(line);
/// });
/// let client = ServiceBuilder::new()
///     .layer(layer)
///     .service_fn(async |_: Request<ReplayBody<Body>>| {
///         let response = Response::builder().status(StatusCode::BAD_GATEWAY);
///         Ok::<_, BoxError>(response.body(Body::new())?)
///     });
///
/// client.send(Request::new(Body::new())).await?;
/// let lines = ["502, retrying: back-off", "502, stopped: the retries are used up"];
/// assert_eq!(*log.lock().unwrap(), lines);
/// # Ok(())
/// # }
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

/// The kind of an [`Event`].
///
/// # Example
///
/// ```
/// use tower_http_retry::event::{EventKind, StopReason};
///
/// assert_eq!(EventKind::Stopped(StopReason::Window).as_str(), "stopped");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EventKind {
    /// An attempt was passed to the inner service.
    AttemptStarted,
    /// The outcome of the attempt was discarded. The next attempt is sent after a wait, if it is still
    /// possible then.
    #[non_exhaustive]
    RetryScheduled {
        /// The length of the wait.
        after: Duration,
        /// What determined the length of the wait.
        reason: WaitReason,
    },
    /// There is no further attempt, and the outcome is returned to the caller.
    Stopped(StopReason),
    /// A [`Cooldown`](crate::Cooldown) holds the next attempt. The [number](Event::attempt) of the event is
    /// that of the attempt before it, or 0.
    #[non_exhaustive]
    Held {
        /// How much is left of the hold. It is zero if the hold has ended and other requests are sent
        /// first.
        left: Duration,
    },
    /// A [`Cooldown`](crate::Cooldown) started to hold requests because of the outcome of this attempt.
    #[non_exhaustive]
    CooldownStarted {
        /// How long requests are held.
        left: Duration,
    },
    /// A [`Cooldown`](crate::Cooldown) stopped holding requests because of the outcome of this attempt.
    CooldownEnded,
}

impl EventKind {
    /// Returns the name in `snake_case`.
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

    /// Whether a request emits this if its first attempt succeeds.
    #[inline]
    pub(crate) fn is_routine(self) -> bool {
        matches!(
            self,
            Self::AttemptStarted | Self::Stopped(StopReason::Success)
        )
    }
}

impl<'a> Event<'a> {
    /// Returns the kind of this event.
    pub fn kind(&self) -> EventKind {
        self.kind
    }

    /// Returns the head of the caller's request. An extension of it can identify the events of one
    /// request.
    ///
    /// Its query, user info and headers may contain credentials.
    pub fn request(&self) -> RequestHead<'a> {
        self.request
    }

    /// Returns the method of the request.
    pub fn method(&self) -> &'a Method {
        self.request.method
    }

    /// Returns the host of the request's URI, or an empty string if it has none.
    pub fn host(&self) -> &'a str {
        self.request.uri.host().unwrap_or_default()
    }

    /// Returns the port of the request's URI, if it contains one.
    pub fn port(&self) -> Option<u16> {
        self.request.uri.port_u16()
    }

    /// Returns the path of the request's URI, without the query.
    pub fn path(&self) -> &'a str {
        self.request.uri.path()
    }

    /// Returns the number of the attempt that this event belongs to, starting at 1. It is 0 while a cooldown
    /// holds the first attempt, and if the request is not sent because of that.
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// Returns the time since the start of the first attempt. While a cooldown holds the first attempt, this
    /// is the time since the service was called.
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// Returns the time since the start of this attempt.
    pub fn attempt_elapsed(&self) -> Duration {
        self.attempt_started.elapsed()
    }

    /// Returns the class of the attempt's outcome. Returns none if there is no outcome yet, and if an attempt
    /// could not be sent.
    pub fn class(&self) -> Option<Class> {
        self.class
    }

    /// Returns whether the attempt failed with a time-out.
    pub fn is_timed_out(&self) -> bool {
        self.timed_out
    }

    /// Returns the status of the attempt's response, if there is a response.
    pub fn status(&self) -> Option<StatusCode> {
        self.outcome?.ok().map(|head| head.status)
    }

    /// Returns the error of the attempt, if it failed with one. If an attempt could not be sent, returns the
    /// error that the caller receives.
    pub fn error(&self) -> Option<&'a (dyn Error + 'static)> {
        self.outcome?.err()
    }

    /// Returns a short name of the failure for OpenTelemetry's attribute `error.type`:
    ///
    /// - the status, if the response has a status of 400 or above;
    /// - `timeout`, if the attempt failed with a time-out;
    /// - `refused`, if it failed with another error of the class [`Class::Refused`];
    /// - `_OTHER` otherwise, for example for a gRPC error in a response with status 200.
    ///
    /// Returns none after a success, and if there is no outcome yet.
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
        if self.class == Some(Class::Success) {
            return None;
        }
        Some(match self.outcome.as_ref()? {
            Ok(head) if head.status.as_u16() >= 400 => head.status.as_str(),
            Err(_) if self.timed_out => "timeout",
            Err(_) if self.class == Some(Class::Refused) => "refused",
            Ok(_) | Err(_) => "_OTHER",
        })
    }

    /// Returns the total time spent waiting: the waits between attempts, including the wait that follows
    /// this event, and the time that a cooldown held the first attempt.
    pub fn waited(&self) -> Duration {
        self.waited
    }

    /// Returns how many of the retries sent so far were
    /// [transparent](crate::classify::Verdict::transparent). Transparent retries do not count towards
    /// [`max_retries`](crate::RetryLayer::max_retries).
    pub fn transparent_retries(&self) -> u32 {
        self.transparent_retries
    }

    /// Returns the number of tokens that are left in the budget now, after the cost of this event's retry.
    /// Returns none if there is no budget, and if [`Budget::tokens_of`] returns none for it.
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
