//! Cooldowns, which hold requests while a quota is used up.
//!
//! Once its quota is used up, a client gets a 429 for each further request, and some services block a
//! client that keeps sending. With [`RetryLayer::cooldown`], a layer holds its requests instead: new
//! requests and retries wait, and are sent when the quota is renewed.
//!
//! # When requests are held
//!
//! A single 429 does not show that a quota is used up: a limit that is shared by many clients, or that
//! refills continuously, refuses one request and serves the next. Requests are held in two cases:
//!
//! - **A response reports it.** Its [rate-limit headers] state that nothing remains of the quota, and when
//!   it is renewed. They are read if [`RetryLayer::rate_limit_headers`] is set, from successful responses,
//!   too. A classifier can report the same with [`Verdict::exhausted`].
//! - **Eight attempts in a row are throttled**, without a success for 200 ms. Only attempts that were
//!   sent after the last success count. An attempt is throttled if it is answered with 429, with 503 and
//!   a `Retry-After`, or with a gRPC pushback, or if it is retried after a wait that the classifier
//!   sets ([`Verdict::retry_after`]).
//!
//! Requests are held until the latest time that these responses ask for, but not longer than
//! [`longest`](Cooldown::longest). If no response asks for a wait, the hold takes 1 s. This time doubles with
//! each further hold of this kind, up to 60 s, until a request succeeds. Jitter adds up to a quarter of the
//! hold, so that clients do not all return at the same time; with [`Jitter::None`](crate::Jitter::None),
//! nothing is added.
//!
//! Throttled attempts do not always show that the quota is used up for all requests of the client:
//!
//! - `Retry-After: 1` can stand for a much shorter wait, because the header has whole seconds. If no response
//!   asks for more than 1 s, requests are held only after 1 s without a success.
//! - If a request is served that was sent after a throttled response, but more than a second before the end
//!   of the wait that it asked for, this wait does not apply to all requests. For 60 s, throttled attempts
//!   then neither start nor extend a hold, unless their response reports that the quota is used up. In a slow
//!   start, the wait after a throttled request is then 1 s.
//!
//! An attempt that was sent before a hold started does not start another one. Its response can only extend
//! the hold while it lasts.
//!
//! # What happens to requests
//!
//! A new request waits in order of arrival if the hold ends within [`max_hold`](Cooldown::max_hold) and
//! within the request's [window], and if fewer than [`max_waiting`](Cooldown::max_waiting) requests wait.
//! Otherwise it fails immediately with [`RetryError::CoolingDown`], without being sent. The time that a
//! request waits is part of its window.
//!
//! While it waits, a request holds no readied clone of the inner service, so that it occupies no permit of
//! a `ConcurrencyLimit` below. A request that was not sent does not count as an attempt, and does not
//! change the budget.
//!
//! A retry waits until the end of the hold if its own wait is shorter. The budget is not charged again for
//! this. If the hold ends after the request's window, the last outcome is returned immediately.
//!
//! # How a hold ends
//!
//! Requests are sent in a slow start: first one, then two more for each request that is not throttled,
//! until no request waits. If responses report what remains of the quota, no more requests are sent than
//! remain.
//!
//! - After a throttled request, another one is sent when the wait that the response asks for is over, or
//!   after 1 s if it asks for none. Waiting requests fail if this is longer than their `max_hold`.
//! - If no response arrives for 1 s, as many further requests are sent as are in flight. If the remaining
//!   quota is known, this takes 30 s.
//! - A waiting request whose future is not polled is skipped after 1 s. It gets its place back when it is
//!   polled again.
//!
//! If no request waits when the time of a hold is over, the next request is sent immediately. The hold
//! ends when this request is answered, unless it is throttled.
//!
//! # When to use it
//!
//! Use a cooldown if each client has its own quota, for example a number of requests per minute for each
//! API key. It is of no use for a limit that many clients share, but does no harm unless the server asks for
//! longer waits than necessary. In that case, clients can lose throughput: see [the figures](#figures). Do
//! not read the rate-limit headers of a shared limit per second: they have whole seconds, so that a part of
//! the limit would remain unused.
//!
//! A cooldown does not help requests that are in flight when the quota is used up: they are refused. Before
//! you send a large burst of requests, call [`hold`](Cooldown::hold) with a duration of zero. The burst then
//! begins with a slow start.
//!
//! Do not share a cooldown between two layers in the same stack: each request would wait in both.
//!
//! A [`VerifyLayer`](crate::VerifyLayer) below the retry sends its probe when the retry is sent.
//!
//! # Figures
//!
//! `cargo run --release -p storm -- --quotas` simulates clients with two retries and the default budget.
//! The columns are clients without a cooldown (`earning`), with one, and with a hand-written hold that
//! begins at the first 429.
//!
//! In the first table, each client has its own quota of 100 requests in 10 s, and needs 150. The cells are
//! the share of the quota that is used, the number of 429s for each success, and the number of clients that
//! are blocked. In `own-quota-told`, responses report what remains of the quota; in `own-quota-blocking`, a
//! client is blocked for 60 s after 50 refusals in 10 s.
//!
//! | scenario           | clients | earning                    | earning+cooldown          | hold-on-first-429          |
//! | ------------------ | ------- | -------------------------- | ------------------------- | -------------------------- |
//! | own-quota          | 100     | 100.0 %, 0.552             | 100.0 %, 0.080            | 100.0 %, 0.315             |
//! | own-quota-told     | 100     | 100.0 %, 0.552             | 100.0 %, 0.003            | 100.0 %, 0.315             |
//! | own-quota-blocking | 100     | 27.5 %, 4.543, 100 blocked | 100.0 %, 0.080, 0 blocked | 78.5 %, 0.946, 99 blocked  |
//!
//! In the second table, all clients share a limit of 1,000 requests per second. The load is a share of this
//! limit, and is 1.5 times as high for 20 s. The cells are the time from the end of these 20 s until 95 % of
//! the requests succeed, the successes per second in these 20 s, and the share of all requests that succeed.
//! In `shared-limit-constant`, each 429 has `Retry-After: 5`, although the limit is renewed each second.
//!
//! | scenario              | clients | load | earning               | earning+cooldown      | hold-on-first-429     |
//! | --------------------- | ------- | ---- | --------------------- | --------------------- | --------------------- |
//! | shared-limit          | 1       | 0.9  | 0.0 s, 1000/s, 91.7 % | 0.0 s, 1000/s, 91.7 % | 0.5 s, 951/s, 91.8 %  |
//! | shared-limit          | 100     | 0.9  | 0.0 s, 1000/s, 91.7 % | 0.0 s, 1000/s, 91.7 % | 1.0 s, 1000/s, 91.7 % |
//! | shared-limit-constant | 10      | 0.8  | 0.0 s, 1000/s, 97.2 % | 0.0 s, 1000/s, 97.2 % | never, 200/s, 41.8 %  |
//! | shared-limit-constant | 1       | 0.9  | 0.0 s, 1000/s, 93.5 % | 0.0 s, 550/s, 81.5 %  | never, 200/s, 38.6 %  |
//! | shared-limit-constant | 10      | 0.9  | 0.0 s, 1000/s, 93.5 % | never, 367/s, 58.8 %  | never, 200/s, 38.9 %  |
//! | shared-limit-constant | 100     | 0.9  | 0.0 s, 1000/s, 93.4 % | 3.0 s, 1000/s, 93.9 % | never, 250/s, 46.2 %  |
//!
//! [rate-limit headers]: crate::RetryLayer::rate_limit_headers
//! [window]: crate::RetryLayer::window
//! [`RetryLayer::cooldown`]: crate::RetryLayer::cooldown
//! [`RetryLayer::rate_limit_headers`]: crate::RetryLayer::rate_limit_headers
//! [`RetryError::CoolingDown`]: crate::RetryError::CoolingDown
//! [`Verdict::exhausted`]: crate::classify::Verdict::exhausted
//! [`Verdict::retry_after`]: crate::classify::Verdict::retry_after

use std::sync::Arc;
use std::time::Duration;

use http::Uri;
use tokio::time::Instant;

use crate::authorities::Authorities;
use crate::sync::AtomicU64;

mod belief;
mod gate;
mod hearing;
mod impls;
mod look;
mod queue;
mod row;
mod said;
mod slow_start;
mod snapshot;
mod state;
mod turn;

use gate::Gate;
pub(crate) use hearing::Heard;
pub(crate) use said::{Change, Said};
pub use snapshot::{CooldownPhase, CooldownSnapshot, CooldownState};
pub(crate) use turn::{Passage, Refused, Turn};

// The defaults.
pub(crate) const MAX_HOLD: Duration = Duration::from_secs(5);
pub(crate) const MAX_WAITING: usize = 1_024;
pub(crate) const LONGEST: Duration = Duration::from_secs(5 * 60);

/// Holds requests while a quota is used up, until the server renews it.
///
/// Set it with [`RetryLayer::cooldown`](crate::RetryLayer::cooldown). The [module](crate::cooldown) describes
/// when requests are held, what happens to them, how a hold ends, and when to use a cooldown.
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
///         // The quota is one request in 7 seconds. It is used up now.
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
#[derive(Clone)]
#[must_use = "a cooldown does nothing until a layer has it"]
pub struct Cooldown {
    max_hold: Duration,
    max_waiting: usize,
    longest: Duration,
    /// The number of gates that are shut.
    shut: Arc<AtomicU64>,
    scope: Scope,
}

#[derive(Clone)]
enum Scope {
    All(Arc<Gate>),
    Each(Arc<Authorities<Arc<Gate>>>),
}

impl Cooldown {
    /// Creates a cooldown for all requests of a layer.
    ///
    /// Use it for one upstream, or for several that share a quota. Methods that take a URI ignore the URI.
    ///
    /// Clones share the state, so that several layers can hold their requests together. Each clone has its
    /// own settings.
    pub fn new() -> Self {
        let (epoch, shut) = (Instant::now(), Arc::default());
        let gate = Arc::new(Gate::new(epoch, Arc::clone(&shut)));
        Self::with(shut, Scope::All(gate))
    }

    /// Creates a cooldown with a separate state for each upstream, which is the scheme, host and port of a
    /// request's URI.
    ///
    /// A hold affects only requests to the same upstream. All requests whose URI has no host share one
    /// state.
    ///
    /// At most `max` states are kept, and at least one. A new state replaces the least recently used one.
    /// Requests that already wait for an upstream whose state is replaced are sent as usual. New requests to
    /// it are not held.
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
            max_hold: MAX_HOLD,
            max_waiting: MAX_WAITING,
            longest: LONGEST,
            shut,
            scope,
        }
    }

    /// Sets the longest hold that a new request waits for. Defaults to 5 seconds. With [`Duration::MAX`],
    /// only the request's window limits the wait.
    ///
    /// If more than this is left of the hold, the request fails with
    /// [`RetryError::CoolingDown`](crate::RetryError::CoolingDown). This can happen when the request
    /// arrives, when the hold is extended while it waits, or when a request in the slow start is throttled
    /// for a longer time. The time spent waiting for earlier requests does not count. Retries have no such
    /// limit.
    pub fn max_hold(mut self, max_hold: Duration) -> Self {
        self.max_hold = max_hold;
        self
    }

    /// Sets how many requests may wait at the same time. Defaults to 1,024.
    ///
    /// Further requests fail immediately with
    /// [`RetryError::CoolingDown`](crate::RetryError::CoolingDown). Retries count as waiting, but the limit
    /// does not apply to them.
    pub fn max_waiting(mut self, max_waiting: usize) -> Self {
        self.max_waiting = max_waiting;
        self
    }

    /// Sets the longest wait for which a response can hold requests, without jitter. Defaults to 5 minutes.
    ///
    /// If a server asks for more, requests are held for this time and the jitter, and then the slow start
    /// begins.
    pub fn longest(mut self, longest: Duration) -> Self {
        self.longest = longest;
        self
    }

    /// Holds requests to this URI's upstream for a time, starting now. [`longest`](Self::longest) does not
    /// limit it. If requests are already held for longer, nothing changes.
    ///
    /// Use it for events that do not show in responses, such as scheduled maintenance. With a duration of
    /// zero, a slow start begins immediately, for example before a burst of requests. No event is emitted.
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

    /// Ends a hold of requests to this URI's upstream. Waiting requests are sent in a slow start.
    ///
    /// A retry that was scheduled during the hold still waits for the time that was chosen then. This call
    /// emits no event.
    pub fn release(&self, uri: &Uri) {
        let now = Instant::now();
        self.at(uri, |gate| gate.with(|state| state.release(now)));
    }

    /// Returns the remaining time of a hold of requests to this URI's upstream.
    ///
    /// It is `None` if a new request would be sent immediately, and zero if the hold has ended, but a new
    /// request would have to wait for earlier ones.
    pub fn left(&self, uri: &Uri) -> Option<Duration> {
        if self.admits_all() {
            return None;
        }
        let now = Instant::now();
        self.peek(uri, |gate| gate.with(|state| state.left(now)))
    }

    /// Returns how many requests to this URI's upstream are waiting, including retries whose own wait is
    /// over.
    pub fn waiting(&self, uri: &Uri) -> usize {
        self.peek(uri, |gate| gate.with(|state| state.waiting()))
    }

    /// Returns the current state of the cooldown.
    ///
    /// If each upstream has a separate state, the snapshot contains each of them. The call does not create
    /// states, and does not mark any as used.
    pub fn snapshot(&self) -> CooldownSnapshot {
        let now = Instant::now();
        let mut snapshot = CooldownSnapshot::default();
        match &self.scope {
            Scope::All(gate) => snapshot.shared = Some(gate.seen(now)),
            Scope::Each(gates) => gates.each(|authority, gate| {
                snapshot
                    .upstreams
                    .insert(authority.origin(), gate.seen(now));
            }),
        }
        snapshot
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
