use std::fmt;

/// The reason why there is no further attempt.
///
/// # Example
///
/// ```
/// use tower_http_retry::event::StopReason;
///
/// assert!(StopReason::Budget.is_failure() && !StopReason::Success.is_failure());
/// assert_eq!(StopReason::Window.to_string(), "the window ends before the next retry");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StopReason {
    /// The outcome is a success.
    Success,
    /// The outcome is a failure that a retry would not cure.
    Permanent,
    /// The maximum number of retries was made.
    Attempts,
    /// The request body cannot be replayed, because it is longer than the limit or its source failed.
    NotReplayable,
    /// The server may have acted on the request, which is not safe to repeat.
    NotIdempotent,
    /// The server asks not to retry the request.
    ServerSaidNo,
    /// The server asks for a longer wait than [allowed](crate::RetryLayer::max_retry_after).
    RetryAfterTooLong,
    /// The [window](crate::RetryLayer::window) ends before the next retry.
    Window,
    /// The budget does not cover a retry.
    Budget,
    /// Retries are turned off by a [`Switch`](crate::Switch).
    SwitchedOff,
    /// The inner service failed while a retry, or a request that a [`Cooldown`](crate::Cooldown) had held,
    /// waited for it to be ready.
    NotReady,
    /// The request was not sent, because a [`Cooldown`](crate::Cooldown) holds requests for longer than
    /// this one can wait, or because too many requests wait.
    CoolingDown,
}

/// The reason for the length of a wait.
///
/// # Example
///
/// ```
/// use tower_http_retry::event::WaitReason;
///
/// assert_eq!(WaitReason::Server.to_string(), "requested by the server");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WaitReason {
    /// The back-off, or the wait that the classifier [set](crate::classify::Verdict::backoff) instead.
    Backoff,
    /// The back-off, increased by one step after a time-out.
    TimedOut,
    /// The wait that the server asked for, or that the classifier gave on its behalf.
    Server,
    /// The retry is sent without a wait, because the classifier allows one retry to be sent
    /// [immediately](crate::classify::Verdict::at_once). It costs the budget nothing.
    AtOnce,
    /// The retry does not wait, and does not count towards the number of retries. See
    /// [`Verdict::transparent`](crate::classify::Verdict::transparent).
    Transparent,
    /// The hold of a [`Cooldown`](crate::Cooldown), which is longer than the wait would be otherwise.
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

    /// Returns whether the returned outcome is a failure.
    pub fn is_failure(&self) -> bool {
        *self != Self::Success
    }
}

impl fmt::Display for StopReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Success => "success",
            Self::Permanent => "a retry would not help",
            Self::Attempts => "the retries are used up",
            Self::NotReplayable => "the body cannot be sent again",
            Self::NotIdempotent => {
                "the server may have acted on the request, which is not safe to repeat"
            }
            Self::ServerSaidNo => "the server asks not to retry the request",
            Self::RetryAfterTooLong => "the server asks for a longer wait than allowed",
            Self::Window => "the window ends before the next retry",
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
            Self::Backoff => "back-off",
            Self::TimedOut => "back-off, one step up after a time-out",
            Self::Server => "requested by the server",
            Self::AtOnce => "retried immediately",
            Self::Transparent => "not processed by the server, retried transparently",
            Self::Cooldown => "requests are held by a cooldown",
        })
    }
}
