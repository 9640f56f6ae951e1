use std::fmt;
use std::time::Duration;

/// What a request did at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Step {
    /// An attempt was handed to the inner service.
    Sent,
    /// The attempt's outcome is let go; the next attempt follows after a wait, if it still can.
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
    /// A matter of course.
    #[inline]
    pub(super) fn is_routine(self) -> bool {
        matches!(self, Self::Sent | Self::Stop(Stop::Success))
    }
}

/// What determined the length of a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// The back-off.
    Backoff,
    /// The back-off, one step further up after a time-out.
    TimedOut,
    /// The server's own hint.
    Server,
    /// The failure is one after which the first retry of a request does not wait. It costs the budget
    /// nothing.
    AtOnce,
    /// As `AtOnce`; and it does not count as a retry.
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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

impl Reason {
    /// It in a word, as metrics have it.
    ///
    /// ```
    /// use tower_http_retry::Reason;
    /// assert_eq!(Reason::TimedOut.name(), "timed_out");
    /// ```
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Backoff => "backoff",
            Self::TimedOut => "timed_out",
            Self::Server => "server",
            Self::AtOnce => "at_once",
            Self::Transparent => "transparent",
        }
    }
}

impl Stop {
    /// It in a word, as metrics have it.
    ///
    /// ```
    /// use tower_http_retry::Stop;
    /// assert_eq!(Stop::NotIdempotent.name(), "not_idempotent");
    /// ```
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Permanent => "permanent",
            Self::Attempts => "attempts",
            Self::NotReplayable => "not_replayable",
            Self::NotIdempotent => "not_idempotent",
            Self::ServerSaidNo => "server_said_no",
            Self::ServerWaitTooLong => "server_wait_too_long",
            Self::Window => "window",
            Self::Budget => "budget",
            Self::NotReady => "not_ready",
        }
    }

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
            Self::AtOnce => "sent again at once",
            Self::Transparent => "refused unprocessed, sent again transparently",
        })
    }
}
