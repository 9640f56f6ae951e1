use std::fmt;
use std::time::Duration;

use crate::head::RequestHead;

/// One step of a request that was, or could have been, hedged: what
/// [`HedgeLayer::on_event`](crate::HedgeLayer::on_event) is told.
///
/// No event is emitted when the caller drops a request.
///
/// # Example
///
/// ```
/// use tower_http_retry::HedgeLayer;
/// use tower_http_retry::hedge::HedgeEventKind;
///
/// let layer = HedgeLayer::new().on_event(|event| {
///     if event.kind() == HedgeEventKind::Won {
///         println!("{}: the hedge was faster", event.request().uri().path());
///     }
/// });
/// # let _ = layer;
/// ```
pub struct HedgeEvent<'a> {
    pub(crate) request: RequestHead<'a>,
    pub(crate) kind: HedgeEventKind,
    pub(crate) elapsed: Duration,
    pub(crate) sent: u32,
    pub(crate) transparent: u32,
    pub(crate) saved: Option<f64>,
}

/// What happened to a request at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HedgeEventKind {
    /// A hedge was sent.
    Sent,
    /// A hedge was due, and is withheld for another delay, so that a
    /// [comparison](crate::hedge#what-it-saves) can be made.
    Withheld,
    /// A hedge was due, and was not sent.
    NotSent(NotSent),
    /// The outcome of a hedge is returned.
    Won,
    /// A hedge was sent, and the outcome of the first attempt is returned. It was no transient failure.
    Lost,
    /// A hedge was sent, and all attempts have failed: each transiently, or the hedge with an error.
    Failed,
}

/// Why a hedge that was due was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NotSent {
    /// Successes have not earned enough; or little is left in the
    /// [budget of the retry](crate::HedgeLayer::retry_budget).
    Budget,
    /// The inner service was not ready at once.
    NotReady,
    /// The request's body has not been read to its end, or is too large to be kept.
    NotReplayable,
    /// A [`Cooldown`](crate::Cooldown) holds requests.
    CoolingDown,
}

impl HedgeEventKind {
    /// Returns the `snake_case` name; of one that was not sent, the reason's.
    ///
    /// ```
    /// use tower_http_retry::hedge::{HedgeEventKind, NotSent};
    /// assert_eq!(HedgeEventKind::Won.as_str(), "won");
    /// assert_eq!(HedgeEventKind::NotSent(NotSent::NotReady).as_str(), "not_ready");
    /// ```
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Withheld => "withheld",
            Self::NotSent(NotSent::Budget) => "budget",
            Self::NotSent(NotSent::NotReady) => "not_ready",
            Self::NotSent(NotSent::NotReplayable) => "not_replayable",
            Self::NotSent(NotSent::CoolingDown) => "cooling_down",
            Self::Won => "won",
            Self::Lost => "lost",
            Self::Failed => "failed",
        }
    }
}

impl<'a> HedgeEvent<'a> {
    /// What happened.
    pub fn kind(&self) -> HedgeEventKind {
        self.kind
    }

    /// The head of the caller's request. Its query and headers may contain credentials.
    pub fn request(&self) -> RequestHead<'a> {
        self.request
    }

    /// The time since the first attempt's start.
    pub fn elapsed(&self) -> Duration {
        self.elapsed
    }

    /// How many hedges were sent for the request by now.
    pub fn sent(&self) -> u32 {
        self.sent
    }

    /// How many of them replaced an attempt whose stream the server refused, in a call that goes by a gRPC
    /// service config. They do not count towards its `maxAttempts`.
    pub fn transparent_retries(&self) -> u32 {
        self.transparent.min(self.sent)
    }

    /// How many seconds a hedge [saves](crate::hedge#what-it-saves) on average, as far as is known when a request
    /// ends whose hedge was due. It is negative if the requests without a hedge were faster.
    pub fn saved_seconds(&self) -> Option<f64> {
        self.saved
    }
}

impl fmt::Debug for HedgeEvent<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HedgeEvent")
            .field("kind", &self.kind)
            .field("request", &self.request)
            .field("elapsed", &self.elapsed)
            .finish_non_exhaustive()
    }
}

/// How a response was hedged: an extension of responses for which a hedge was sent, with
/// [`HedgeLayer::mark_responses`](crate::HedgeLayer::mark_responses).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Hedged {
    /// How many hedges were sent.
    pub sent: u32,
    /// Whether the response is that of a hedge.
    pub won: bool,
}
