use std::fmt;
use std::time::Duration;

use crate::head::RequestHead;

/// Step of a request for which a hedge was due. Passed to the callbacks of
/// [`HedgeLayer::on_event`](crate::HedgeLayer::on_event).
///
/// No event is emitted when the caller drops a request.
///
/// # Example
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), tower_http_retry::BoxError> {
/// use std::sync::{Arc, Mutex};
/// use std::time::Duration;
/// use http::{Request, Response};
/// use http_body_util::Empty;
/// use tokio::time::sleep;
/// use tower::{ServiceBuilder, ServiceExt};
/// use tower_http_retry::hedge::{HedgeBody, HedgeEventKind};
/// use tower_http_retry::{BoxError, HedgeLayer};
///
/// type Body = Empty<bytes::Bytes>;
/// let kinds = Arc::new(Mutex::new(Vec::new()));
/// let seen = kinds.clone();
/// let layer = HedgeLayer::new()
///     .after(Duration::from_millis(50))
///     .control(0.0)
///     .on_event(move |event| seen.lock().unwrap().push(event.kind()));
/// // The first attempt takes a second, the hedge takes no time.
/// let client = ServiceBuilder::new().layer(layer).service_fn(async |request: Request<HedgeBody<Body>>| {
///     if !request.body().is_hedge() {
///         sleep(Duration::from_secs(1)).await;
///     }
///     Ok::<_, BoxError>(Response::new(Body::new()))
/// });
///
/// client.oneshot(Request::get("http://service.test/").body(Body::new())?).await?;
/// assert_eq!(*kinds.lock().unwrap(), [HedgeEventKind::Sent, HedgeEventKind::Won]);
/// # Ok(())
/// # }
/// ```
pub struct HedgeEvent<'a> {
    pub(crate) request: RequestHead<'a>,
    pub(crate) kind: HedgeEventKind,
    pub(crate) elapsed: Duration,
    pub(crate) sent: u32,
    pub(crate) transparent: u32,
    pub(crate) saved: Option<f64>,
}

/// Kind of a [`HedgeEvent`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HedgeEventKind {
    /// A hedge was sent.
    Sent,
    /// A hedge was due, but is withheld for one more delay, to
    /// [compare](crate::guide::hedging#what-it-saves) requests with and without a hedge.
    Withheld,
    /// A hedge was due, but was not sent.
    NotSent(NotSent),
    /// The outcome of a hedge is returned.
    Won,
    /// A hedge was sent, but the outcome of the first attempt is returned, which is not a transient failure.
    Lost,
    /// A hedge was sent, and all attempts failed: the first attempt transiently, and each hedge transiently
    /// or with an error.
    Failed,
}

/// Reason why a hedge that was due was not sent.
///
/// # Example
///
/// ```
/// use tower_http_retry::hedge::{HedgeEventKind, NotSent};
///
/// let kind = HedgeEventKind::NotSent(NotSent::Budget);
/// assert_eq!(kind.as_str(), "budget");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NotSent {
    /// Successes have not earned a hedge, or at most half of the
    /// [budget of the retry](crate::HedgeLayer::retry_budget) is left.
    Budget,
    /// The inner service was not ready immediately.
    NotReady,
    /// The request body has not been read to its end, or is too large to be recorded.
    NotReplayable,
    /// A [`Cooldown`](crate::Cooldown) holds requests.
    CoolingDown,
}

impl HedgeEventKind {
    /// Returns the `snake_case` name that is used in metrics. For [`NotSent`](Self::NotSent), it is the name
    /// of the reason.
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
    /// Returns what happened.
    pub fn kind(&self) -> HedgeEventKind {
        self.kind
    }

    /// Returns the head of the caller's request. Its query and headers may contain credentials.
    pub fn request(&self) -> RequestHead<'a> {
        self.request
    }

    /// Returns the time since the start of the first attempt.
    pub fn elapsed(&self) -> Duration {
        self.elapsed
    }

    /// Returns how many hedges were sent for the request so far.
    pub fn sent(&self) -> u32 {
        self.sent
    }

    /// Returns how many of the hedges replaced an attempt whose stream the server refused. They exist only
    /// with a gRPC service config, and do not count towards its `maxAttempts`.
    pub fn transparent_retries(&self) -> u32 {
        self.transparent.min(self.sent)
    }

    /// Returns how many seconds a hedge [saves](crate::guide::hedging#what-it-saves) on average.
    ///
    /// It is negative if requests without a hedge were faster. It is `None` if the request does not end with
    /// this event, or while too little is known.
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

/// Extension of a response for which a hedge was sent.
///
/// Added if [`HedgeLayer::mark_responses`](crate::HedgeLayer::mark_responses) is set.
///
/// # Example
///
/// ```
/// use http::Response;
/// use tower_http_retry::hedge::Hedged;
///
/// /// Returns whether a hedge was faster than the first attempt.
/// fn was_hedge_faster<R>(response: &Response<R>) -> bool {
///     response.extensions().get().is_some_and(|hedged: &Hedged| hedged.won)
/// }
/// assert!(!was_hedge_faster(&Response::new(())));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Hedged {
    /// The number of hedges that were sent.
    pub sent: u32,
    /// Whether the response is that of a hedge.
    pub won: bool,
}
