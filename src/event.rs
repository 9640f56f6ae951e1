use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::{Extensions, Method, StatusCode, Uri};
use tokio::time::Instant;

use crate::budget::Budget;
use crate::classify::Class;

/// One step of a request, told as it happens to [`RetryLayer::on_event`] and, with feature
/// `tracing`, as a tracing event: a retry at level `DEBUG`, a stop with a failure at `WARN` (but a
/// first attempt that is permanent, such as a 404, is not told there: nothing was retried).
///
/// A request is told as `Sent`, then any number of times as `Retry` and `Sent`, then as `Stop`
/// (never, if its caller drops the future). The URL's query and user info are not told: secrets
/// stand there.
///
/// # Example
///
/// ```
/// use tower_http_retry::{RetryLayer, Step};
///
/// let layer = RetryLayer::new().on_event(|event| match event.step() {
///     Step::Retry { after, reason } => {
///         let status = event.status().map_or(0, |status| status.as_u16());
///         println!("attempt {}: {status}; again in {after:?}: {reason}", event.attempt());
///     }
///     Step::Stop(stop) => println!("{} {}: {stop}", event.method(), event.host()),
///     _ => {}
/// });
/// # let _ = layer;
/// ```
///
/// [`RetryLayer::on_event`]: crate::RetryLayer::on_event
pub struct Event<'a> {
    pub(crate) method: &'a Method,
    pub(crate) uri: &'a Uri,
    pub(crate) extensions: &'a Extensions,
    pub(crate) attempt: u32,
    pub(crate) started: Instant,
    pub(crate) attempt_started: Instant,
    pub(crate) class: Option<Class>,
    pub(crate) timed_out: bool,
    pub(crate) outcome: Option<Told<'a>>,
    pub(crate) budget: Option<&'a Budget>,
    pub(crate) step: Step,
}

/// What a request did at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Step {
    /// An attempt was handed to the inner service.
    Sent,
    /// The attempt's outcome is let go; the next attempt follows after a wait.
    Retry {
        /// How long the wait is.
        after: Duration,
        /// What determined it.
        reason: Reason,
    },
    /// The outcome is handed to the caller.
    Stop(Stop),
}

impl Step {
    /// A matter of course, which the features do not retell.
    fn is_routine(self) -> bool {
        matches!(self, Self::Sent | Self::Stop(Stop::Success))
    }
}

/// What determined the length of a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// The back-off.
    Backoff,
    /// The back-off, one step further up after a time-out.
    TimedOut,
    /// The server's own hint.
    Server,
    /// The request was refused in a way that allows sending it again at once.
    AtOnce,
    /// As `AtOnce`; and it does not count, neither as a retry nor for the budget.
    Transparent,
}

/// Why there is no further attempt.
///
/// # Example
///
/// ```
/// use tower_http_retry::Stop;
///
/// assert!(Stop::Budget.is_failure() && !Stop::Success.is_failure());
/// assert_eq!(Stop::Window.to_string(), "the window for retries ends before the next one");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stop {
    /// The outcome is a success.
    Success,
    /// The outcome is a failure that sending again will not cure.
    Permanent,
    /// The retries are used up.
    Attempts,
    /// The body cannot be played again: it is over the limit, or its source failed.
    NotReplayable,
    /// The server may have acted on the request, which may not be repeated.
    NotIdempotent,
    /// The server asks not to be sent the request again.
    ServerSaidNo,
    /// The server asks for a longer wait than allowed.
    ServerWaitTooLong,
    /// The window for retries ends before the next one.
    Window,
    /// The budget does not cover a retry.
    Budget,
    /// The inner service failed while the retry waited for it to be ready.
    NotReady,
}

impl Stop {
    /// Whether the outcome that is handed over is a failure.
    pub fn is_failure(&self) -> bool {
        *self != Self::Success
    }
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Success => "success",
            Self::Permanent => "sending again will not help",
            Self::Attempts => "the retries are used up",
            Self::NotReplayable => "the body cannot be sent again",
            Self::NotIdempotent => {
                "the server may have acted on a request that may not be repeated"
            }
            Self::ServerSaidNo => "the server asks not to be sent the request again",
            Self::ServerWaitTooLong => "the server asks for a longer wait than allowed",
            Self::Window => "the window for retries ends before the next one",
            Self::Budget => "the budget does not cover a retry",
            Self::NotReady => "the service failed before it was ready for a retry",
        })
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Backoff => "backoff",
            Self::TimedOut => "backoff, one step up after a time-out",
            Self::Server => "the server asked for it",
            Self::AtOnce => "refused unprocessed, sent again at once",
            Self::Transparent => "refused unprocessed, sent again transparently",
        })
    }
}

impl<'a> Event<'a> {
    /// What happened.
    pub fn step(&self) -> Step {
        self.step
    }

    /// The request's method.
    pub fn method(&self) -> &'a Method {
        self.method
    }

    /// The host that the request is for; empty where its URI has none.
    pub fn host(&self) -> &'a str {
        self.uri.host().unwrap_or_default()
    }

    /// The port that the request is for, where its URI names one.
    pub fn port(&self) -> Option<u16> {
        self.uri.port_u16()
    }

    /// The URI's path, without the query.
    pub fn path(&self) -> &'a str {
        self.uri.path()
    }

    /// The extensions of the caller's request: what ties the steps of one request together.
    pub fn extensions(&self) -> &'a Extensions {
        self.extensions
    }

    /// The number of the attempt that this is about; the first is 1.
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// The time since the first attempt's start.
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// The time since this attempt's start.
    pub fn attempt_elapsed(&self) -> Duration {
        self.attempt_started.elapsed()
    }

    /// What the classifier said of the attempt's outcome; none while there is no outcome.
    pub fn class(&self) -> Option<Class> {
        self.class
    }

    /// Whether the attempt's outcome was a time-out.
    pub fn is_timed_out(&self) -> bool {
        self.timed_out
    }

    /// The status of the attempt's response, where it had one.
    pub fn status(&self) -> Option<StatusCode> {
        self.outcome?.ok()
    }

    /// The attempt's error, where it had one.
    pub fn error(&self) -> Option<&'a (dyn Error + Send + Sync + 'static)> {
        self.outcome?.err()
    }

    /// What is left in the budget at this moment, in thousandths of a token, after this step's
    /// retry was paid for. None where there is no budget, or one that does not tell.
    pub fn budget(&self) -> Option<u64> {
        self.budget?.level_of(self.uri)
    }
}

impl fmt::Debug for Event<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event")
            .field("step", &self.step)
            .field("method", self.method)
            .field("host", &self.host())
            .field("attempt", &self.attempt)
            .field("class", &self.class)
            .field("status", &self.status())
            .finish_non_exhaustive()
    }
}

/// What is told of an outcome.
pub(crate) type Told<'a> = Result<StatusCode, &'a (dyn Error + Send + Sync + 'static)>;

/// Whoever listens to a layer's events.
pub(crate) type Listener = Arc<dyn Fn(&Event<'_>) + Send + Sync>;

/// The features that retell retries and failures.
const RETELLERS: &[fn(&Event<'_>)] = &[
    #[cfg(feature = "tracing")]
    crate::trace::retell,
];

/// Whether anyone hears of a step: the listener of all, the features of what is not a matter of
/// course.
#[inline]
pub(crate) fn is_heard(step: Step, listener: Option<&Listener>) -> bool {
    listener.is_some() || !(step.is_routine() || RETELLERS.is_empty())
}

/// Tells one step to the listener and, unless it is a matter of course, to the features.
pub(crate) fn tell(event: &Event<'_>, listener: Option<&Listener>) {
    if let Some(listener) = listener {
        listener(event);
    }
    if !event.step.is_routine() {
        for retell in RETELLERS {
            retell(event);
        }
    }
}
