use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use http::Uri;
use tokio::time::Instant;

use crate::authorities::Authorities;
use crate::sync::{AtomicU64, Ordering};

mod belief;
mod gate;
mod row;
mod state;
mod turn;

use gate::Gate;
use state::Patience;
pub(crate) use state::{Change, Said, Terms};
pub(crate) use turn::{Passage, Refused, Turn};

/// Holds requests while a quota is used up, until the server gives it anew.
///
/// A client whose quota is used up gets a 429 for each further request, and some services block a client
/// that goes on sending. [`RetryLayer::cooldown`] makes a layer hold its requests instead: those that
/// are sent now and the retries of those that were refused. They wait, and go when the quota is given
/// anew. It is off unless set.
///
/// # When requests are held
///
/// A single 429 does not prove that a quota is used up: a limit that is shared, or refills all the
/// time, refuses one request and serves the next. Requests are held if
///
/// - a response says that nothing remains of the quota, and when it is given anew. That is read from
///   [rate-limit headers](RetryLayer::rate_limit_headers), if the layer reads them, of a success as well;
///   or a classifier says so with [`Verdict::exhausted`];
/// - or 8 attempts in a row are throttled, all of them sent after the last success, which is at least
///   200 ms ago. Throttled is an answer of 429, or of 503 with a `Retry-After`; gRPC's pushback; and any
///   failure for which the classifier gives a wait
///   ([`Verdict::retry_after`](crate::classify::Verdict::retry_after)).
///
/// They are held until the latest time that these responses ask for, but not longer than
/// [`longest`](Self::longest). If none asks for a time it is 1 s, then 2 s, 4 s, .. up to 60 s, until
/// there is a success. Jitter adds up to a quarter of the wait, so that not all clients come back at
/// once; with [`Jitter::None`](crate::Jitter::None) it adds nothing. An attempt that was sent before
/// requests were held can make the hold longer, and does not start another.
///
/// # What is held
///
/// A request that is sent meanwhile waits, in order of arrival, if what is left is at most
/// [`max_hold`](Self::max_hold) and ends within the request's [window](RetryLayer::window), and if fewer
/// than [`max_waiting`](Self::max_waiting) others wait. Otherwise it fails at once with
/// [`RetryError::CoolingDown`], unsent. It is not ready to be sent while it waits, and so holds nothing
/// that another needs, such as the permit of a `ConcurrencyLimit`. Its time in the queue is part of its
/// window.
///
/// A retry waits for the end of the hold if its own wait is shorter. It takes no second token of the
/// budget. If the hold ends after the request's window, the last outcome is returned at once.
///
/// # How it ends
///
/// First one request goes. Each one that is served lets two more go: 1, 2, 4, .. until none waits. If
/// the responses say what remains of the quota, no more go than that. In the place of a request that is
/// throttled another one goes, when that response's wait is over; in the place of one that fails
/// otherwise, at once. If no outcome comes for 1 s, as many go again as are under way.
///
/// # Example
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), tower_http_retry::BoxError> {
/// use std::time::Duration;
/// use http::{Request, Response};
/// use http_body_util::Empty;
/// use tokio::time::Instant;
/// use tower::{ServiceBuilder, ServiceExt};
/// use tower_http_retry::{BoxError, Cooldown, Jitter, Backoff, ReplayBody, RetryLayer};
///
/// type Body = Empty<bytes::Bytes>;
/// let layer = RetryLayer::new()
///     .rate_limit_headers(true)
///     .cooldown(Cooldown::new().max_hold(Duration::from_secs(10)))
///     .backoff(Backoff::exponential(Duration::from_secs(1)).jitter(Jitter::None));
/// let client = ServiceBuilder::new()
///     .layer(layer)
///     .service_fn(async |_: Request<ReplayBody<Body>>| {
///         // One request in 7 seconds, and this was it.
///         let response = Response::builder().header("ratelimit", r#""default";r=0;t=7"#);
///         Ok::<_, BoxError>(response.body(Body::new())?)
///     });
///
/// let start = Instant::now();
/// client.send(Request::new(Body::new())).await?;
/// client.send(Request::new(Body::new())).await?;
/// assert_eq!(start.elapsed().as_secs(), 7);
/// # Ok(())
/// # }
/// ```
///
/// # When it is worth having
///
/// Where the quota is this client's own: an API key's requests in a minute, for example. Requests that
/// wait are served as soon as they can be, and the service sees nearly no request that it has to refuse.
/// Where many clients share a limit it does no harm, and is of no use either.
///
/// Probes of a [`VerifyLayer`](crate::VerifyLayer) under the retry are sent when their retry is.
///
/// [`RetryLayer::cooldown`]: crate::RetryLayer::cooldown
/// [`RetryLayer::rate_limit_headers`]: crate::RetryLayer::rate_limit_headers
/// [`RetryLayer`]: crate::RetryLayer
/// [`RetryError::CoolingDown`]: crate::RetryError::CoolingDown
/// [`Verdict::exhausted`]: crate::classify::Verdict::exhausted
#[derive(Clone)]
#[must_use = "it holds nothing until a layer has it"]
pub struct Cooldown {
    max_hold: Duration,
    max_waiting: usize,
    longest: Duration,
    /// How many gates are shut.
    shut: Arc<AtomicU64>,
    scope: Scope,
}

#[derive(Clone)]
enum Scope {
    All(Arc<Gate>),
    Each(Arc<Authorities<Arc<Gate>>>),
}

impl Cooldown {
    /// Creates a cooldown for all requests of a layer: for one upstream, or several that share a quota.
    /// The methods that take a URI do not look at it then.
    ///
    /// Clones share its state, so that several layers can hold their requests together. What setters
    /// set is each clone's own.
    pub fn new() -> Self {
        let (epoch, shut) = (Instant::now(), Arc::default());
        let gate = Arc::new(Gate::new(epoch, Arc::clone(&shut)));
        Self::with(shut, Scope::All(gate))
    }

    /// Creates a cooldown for each upstream: for each scheme, host and port of the URIs of requests, so
    /// that one does not hold the requests to another. All requests whose URI names no host share one.
    ///
    /// At most `max` are kept, and at least one; the least recently used goes for a new one. Requests
    /// that wait for it then still go, but new requests to its host do not know of it.
    ///
    /// ```
    /// use tower_http_retry::{Cooldown, RetryLayer};
    /// let layer = RetryLayer::new().cooldown(Cooldown::per_authority(100));
    /// # let _ = layer;
    /// ```
    pub fn per_authority(max: usize) -> Self {
        let (epoch, shut) = (Instant::now(), Arc::<AtomicU64>::default());
        let shared = Arc::clone(&shut);
        let make = move || Arc::new(Gate::new(epoch, Arc::clone(&shared)));
        Self::with(shut, Scope::Each(Arc::new(Authorities::new(max, make))))
    }

    fn with(shut: Arc<AtomicU64>, scope: Scope) -> Self {
        Self {
            max_hold: Duration::from_secs(5),
            max_waiting: 1_024,
            longest: Duration::from_secs(5 * 60),
            shut,
            scope,
        }
    }

    /// Sets how long a request may be held, from its arrival or from when it looks again, until requests
    /// go. Defaults to 5 seconds; [`Duration::MAX`] is no limit but the request's window.
    ///
    /// If more is left, the request fails at once with
    /// [`RetryError::CoolingDown`](crate::RetryError::CoolingDown). Its time in the queue after that, in
    /// the slow start, is not bounded by it. It does not bound retries.
    pub fn max_hold(mut self, max_hold: Duration) -> Self {
        self.max_hold = max_hold;
        self
    }

    /// Sets how many requests may wait. Defaults to 1,024.
    ///
    /// If so many wait, further ones fail at once with
    /// [`RetryError::CoolingDown`](crate::RetryError::CoolingDown). Retries wait in any number.
    pub fn max_waiting(mut self, max_waiting: usize) -> Self {
        self.max_waiting = max_waiting;
        self
    }

    /// Sets the longest time for which responses can hold requests. Defaults to 5 minutes.
    ///
    /// If a server asks for more, requests are held for this long; then one goes, as after any other
    /// hold.
    pub fn longest(mut self, longest: Duration) -> Self {
        self.longest = longest;
        self
    }

    /// Holds requests to this URI's upstream from now on for so long, whatever [`longest`](Self::longest)
    /// says. If they are held for longer already, that stays.
    ///
    /// For what the program knows by other means than responses: a maintenance, a quota that another
    /// program uses up. No event tells of it.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() {
    /// use std::time::Duration;
    /// use http::Uri;
    /// use tower_http_retry::{Cooldown, RetryLayer};
    ///
    /// let cooldown = Cooldown::per_authority(100);
    /// let layer = RetryLayer::new().cooldown(cooldown.clone());
    /// # let _ = layer;
    ///
    /// let upstream = Uri::from_static("http://service.test/");
    /// cooldown.hold(&upstream, Duration::from_secs(30));
    /// assert_eq!(cooldown.left(&upstream), Some(Duration::from_secs(30)));
    /// cooldown.release(&upstream);
    /// assert_eq!(cooldown.left(&upstream), None);
    /// # }
    /// ```
    pub fn hold(&self, uri: &Uri, wait: Duration) {
        let now = Instant::now();
        self.at(uri, |gate| gate.with(|state| state.hold_for(now, wait)));
    }

    /// Ends a hold of requests to this URI's upstream now, as if its time was over: those that wait go in
    /// a slow start.
    pub fn release(&self, uri: &Uri) {
        let now = Instant::now();
        self.at(uri, |gate| gate.with(|state| state.release(now)));
    }

    /// How long it is until requests to this URI's upstream go. None if a request that is sent now goes
    /// at once; zero if the hold is over, and it waits for those before it.
    pub fn left(&self, uri: &Uri) -> Option<Duration> {
        if self.admits_all() {
            return None;
        }
        let now = Instant::now();
        self.peek(uri, |gate| gate.with(|state| state.left(now)))
    }

    /// How many requests to this URI's upstream wait now, with retries whose own wait is over.
    pub fn waiting(&self, uri: &Uri) -> usize {
        self.peek(uri, |gate| gate.with(|state| state.waiting()))
    }

    /// Whether no request is held, to any upstream.
    #[inline]
    pub(crate) fn admits_all(&self) -> bool {
        self.shut.load(Ordering::Relaxed) == 0
    }

    /// Whether a request to this upstream need not ask.
    pub(crate) fn admits(&self, uri: &Uri) -> bool {
        self.admits_all() || self.at(uri, |gate| gate.is_open())
    }

    /// A place among those that wait, for a request whose window ends then; none if it need not ask. A
    /// retry has waited before, and waits for as long as it takes.
    pub(crate) fn turn(
        &self,
        uri: &Uri,
        is_retry: bool,
        until: Option<Instant>,
    ) -> Option<Pin<Box<Turn>>> {
        if self.admits_all() {
            return None;
        }
        let gate = self.at(uri, |gate| (!gate.is_open()).then(|| gate.clone()))?;
        let (max_hold, max_waiting) = match is_retry {
            true => (Duration::MAX, usize::MAX),
            false => (self.max_hold, self.max_waiting),
        };
        let patience = Patience {
            max_hold,
            max_waiting,
            until,
        };
        Some(Box::pin(Turn::new(gate, patience)))
    }

    /// What an attempt that was `sent` then says of the quota now, and how long nothing is left of it if
    /// it says that, too.
    pub(crate) fn hear(
        &self,
        uri: &Uri,
        heard: Heard,
        passage: Option<Passage>,
        spread: &mut dyn FnMut(Duration) -> Duration,
    ) -> Option<Change> {
        let Heard {
            now,
            sent,
            said,
            exhausted,
        } = heard;
        if (said, exhausted) == (Said::Nothing, None) {
            return None;
        }
        let mut terms = Terms {
            longest: self.longest,
            spread,
        };
        let held = self.at(uri, |gate| {
            if let Said::Served { .. } = said {
                gate.served(now, sent);
            }
            match (exhausted, said) {
                (Some(wait), _) => gate.with(|state| state.exhausted(now, sent, wait, &mut terms)),
                (None, Said::Throttled { asked }) => {
                    let success = gate.last_success();
                    gate.with(|state| state.refused(now, sent, asked, success, &mut terms))
                }
                (None, Said::Served { .. } | Said::Nothing) => None,
            }
        });
        let ended = passage.and_then(|passage| passage.came_back(said, now));
        held.or(ended)
    }

    fn at<T>(&self, uri: &Uri, act: impl FnOnce(&Arc<Gate>) -> T) -> T {
        match &self.scope {
            Scope::All(gate) => act(gate),
            Scope::Each(gates) => gates.with(uri, act),
        }
    }

    fn peek<T>(&self, uri: &Uri, act: impl FnOnce(&Gate) -> T) -> T {
        match &self.scope {
            Scope::All(gate) => act(gate),
            Scope::Each(gates) => gates.peek(uri, |gate| act(gate)),
        }
    }
}

/// An outcome, as far as it concerns the quota.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Heard {
    pub(crate) now: Instant,
    /// When its attempt was sent.
    pub(crate) sent: Instant,
    pub(crate) said: Said,
    /// Nothing is left of the quota for so long.
    pub(crate) exhausted: Option<Duration>,
}

impl Default for Cooldown {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Cooldown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match &self.scope {
            Scope::All(_) => "for all",
            Scope::Each(_) => "per authority",
        };
        f.debug_struct("Cooldown")
            .field("kind", &kind)
            .field("max_hold", &self.max_hold)
            .field("max_waiting", &self.max_waiting)
            .field("longest", &self.longest)
            .finish_non_exhaustive()
    }
}
