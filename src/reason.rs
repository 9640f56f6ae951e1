use std::fmt;

/// Why there is no further attempt.
///
/// # Example
///
/// ```
/// use tower_http_retry::event::StopReason;
///
/// assert!(StopReason::Budget.is_failure() && !StopReason::Success.is_failure());
/// assert_eq!(StopReason::Window.to_string(), "the window for retries ends before the next one");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StopReason {
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
    RetryAfterTooLong,
    /// The window for retries ends before the next one.
    Window,
    /// The budget does not cover a retry.
    Budget,
    /// Retries are turned off by a [`Switch`](crate::Switch).
    SwitchedOff,
    /// The inner service failed while the retry waited for it to be ready.
    NotReady,
    /// The request was not sent: a [`Cooldown`](crate::Cooldown) holds requests for longer than it can
    /// wait, or too many wait.
    CoolingDown,
}

/// What determined the length of a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WaitReason {
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
    /// A [`Cooldown`](crate::Cooldown) that holds requests for longer than the wait would be otherwise.
    Cooldown,
}

impl StopReason {
    /// Returns the `snake_case` name used in metrics.
    ///
    /// ```
    /// use tower_http_retry::event::StopReason;
    /// assert_eq!(StopReason::NotIdempotent.as_str(), "not_idempotent");
    /// ```
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Permanent => "permanent",
            Self::Attempts => "attempts",
            Self::NotReplayable => "not_replayable",
            Self::NotIdempotent => "not_idempotent",
            Self::ServerSaidNo => "server_said_no",
            Self::RetryAfterTooLong => "retry_after_too_long",
            Self::Window => "window",
            Self::Budget => "budget",
            Self::SwitchedOff => "switched_off",
            Self::NotReady => "not_ready",
            Self::CoolingDown => "cooling_down",
        }
    }

    /// Whether the outcome that is handed over is a failure.
    pub fn is_failure(&self) -> bool {
        *self != Self::Success
    }
}

impl fmt::Display for StopReason {
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
            Self::RetryAfterTooLong => "the server asks for a longer wait than allowed",
            Self::Window => "the window for retries ends before the next one",
            Self::Budget => "the budget does not cover a retry",
            Self::SwitchedOff => "retries are switched off",
            Self::NotReady => "the service failed before it was ready for a retry",
            Self::CoolingDown => "not sent: requests are held by a cooldown",
        })
    }
}

impl WaitReason {
    /// Returns the `snake_case` name used in metrics.
    ///
    /// ```
    /// use tower_http_retry::event::WaitReason;
    /// assert_eq!(WaitReason::TimedOut.as_str(), "timed_out");
    /// ```
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Backoff => "backoff",
            Self::TimedOut => "timed_out",
            Self::Server => "server",
            Self::AtOnce => "at_once",
            Self::Transparent => "transparent",
            Self::Cooldown => "cooldown",
        }
    }
}

impl fmt::Display for WaitReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Backoff => "backoff",
            Self::TimedOut => "backoff, one step up after a time-out",
            Self::Server => "the server asked for it",
            Self::AtOnce => "sent again at once",
            Self::Transparent => "refused unprocessed, sent again transparently",
            Self::Cooldown => "requests are held by a cooldown",
        })
    }
}
