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
//! - **A response says so.** Its [rate-limit headers] say that nothing remains of the quota and when it
//!   is renewed. They are read if [`RetryLayer::rate_limit_headers`] is set, from successful responses,
//!   too. A classifier can say the same with [`Verdict::exhausted`].
//! - **Eight attempts in a row are throttled**, without a success for 200 ms. Only attempts that were
//!   sent after the last success count. An attempt is throttled if it is answered with 429, with 503 and
//!   a `Retry-After`, or with a gRPC pushback, or if it is retried after a wait that the classifier
//!   gives ([`Verdict::retry_after`]).
//!
//! Requests are held until the latest time that these responses ask for, but not longer than
//! [`longest`](Cooldown::longest). If no response asks for a wait, the hold takes 1 s; it doubles each time,
//! up to 60 s, until a request succeeds. Jitter adds up to a quarter of the hold, so that clients do not
//! return all at once; with [`Jitter::None`](crate::Jitter::None) nothing is added.
//!
//! Throttled attempts do not always affect all requests of the client:
//!
//! - `Retry-After: 1` can stand for a much shorter wait, because the header has whole seconds. If no response
//!   asks for more than 1 s, requests are held only after 1 s without a success.
//! - If a request is served that was sent after a throttled response, and more than a second before the
//!   time that the response asked for, then what throttled responses ask for is not used for 60 s.
//!
//! An attempt that was sent before a hold started does not start another one. While the hold lasts, its
//! response can extend it.
//!
//! # What happens to requests
//!
//! A new request waits in order of arrival if the hold ends within [`max_hold`](Cooldown::max_hold) and
//! within the request's [window], and if fewer than [`max_waiting`](Cooldown::max_waiting) requests wait.
//! Otherwise it fails immediately with [`RetryError::CoolingDown`], without being sent. The time that a
//! request waits is part of its window.
//!
//! While it waits, a request holds no readied clone of the inner service, so that it blocks no permit of
//! a `ConcurrencyLimit` below. A request that was not sent counts as no attempt and does not change the
//! budget.
//!
//! A retry waits until the end of the hold if its own wait is shorter. It costs no second token of the
//! budget. If the hold ends after the request's window, the last outcome is returned immediately.
//!
//! # How a hold ends
//!
//! Requests are sent in a slow start: first one, then two more for each request that is not throttled,
//! until no request waits. If responses say what remains of the quota, no more requests are sent than
//! remain.
//!
//! - After a throttled request, another one is sent when the wait is over that the response asks for, or
//!   after 1 s if it asks for none. Requests that wait fail then if this is longer than their `max_hold`.
//! - If no response arrives for 1 s, the number of requests in flight is doubled. If it is known what
//!   remains, this takes 30 s.
//! - A waiting request whose future is not polled is passed over after 1 s. It gets its place back when
//!   it is polled again.
//!
//! If no request waits when the time of a hold is over, the next request is sent immediately. The hold
//! ends with its response, unless it is throttled.
//!
//! # When to use it
//!
//! Use a cooldown where the quota is the client's own, for example a number of requests per minute for
//! each API key. Where many clients share a limit, it is of no use. It does no harm there if the server
//! does not ask for longer waits than necessary. If it does, clients can lose throughput: see
//! [the figures](#figures). Do not read the rate-limit headers of such a limit: they are in whole seconds,
//! so that part of a limit for each second is not used.
//!
//! Requests that are in flight when the quota is used up are refused all the same. To send a large burst
//! of requests, call [`hold`](Cooldown::hold) with a duration of zero before: the burst begins with a slow
//! start then.
//!
//! Do not share a cooldown between two layers in the same stack: each request would wait in both.
//!
//! A [`VerifyLayer`](crate::VerifyLayer) under the retry sends its probe when the retry is sent.
//!
//! # Figures
//!
//! `cargo run --release -p storm -- --quotas` simulates clients with two retries and the default budget.
//! The columns are clients without a cooldown (`earning`), with one, and with a hand-written hold that
//! begins at the first 429.
//!
//! In the first table, each client has its own quota of 100 requests in 10 s, and asks for 150. The cells
//! are the part of the quota that is used, the 429s for each success, and the number of clients that are
//! blocked. In `own-quota-told`, responses say what remains; in `own-quota-blocking`, a client is blocked
//! for 60 s after 50 refusals in 10 s.
//!
//! | scenario           | clients | earning                    | earning+cooldown          | hold-on-first-429          |
//! | ------------------ | ------- | -------------------------- | ------------------------- | -------------------------- |
//! | own-quota          | 100     | 100.0 %, 0.552             | 100.0 %, 0.080            | 100.0 %, 0.315             |
//! | own-quota-told     | 100     | 100.0 %, 0.552             | 100.0 %, 0.003            | 100.0 %, 0.315             |
//! | own-quota-blocking | 100     | 27.5 %, 4.543, 100 blocked | 100.0 %, 0.080, 0 blocked | 78.5 %, 0.946, 99 blocked  |
//!
//! In the second table, all clients share a limit of 1,000 requests per second, and ask for 1.5 times the
//! load for 20 s. The cells are the time after that until 95 % of the requests succeed, the successes per
//! second in those 20 s, and the share of all requests that succeed. In `shared-limit-constant`, each
//! 429 has `Retry-After: 5`, although the limit is renewed each second.
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
/// Set it with [`RetryLayer::cooldown`](crate::RetryLayer::cooldown). The [module](crate::cooldown) says when
/// requests are held, what happens to them, how a hold ends, and when to use a cooldown.
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
#[derive(Clone)]
#[must_use = "a cooldown does nothing until a layer has it"]
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
    /// Creates a cooldown for all requests of a layer. Use it for one upstream, or for several that share
    /// a quota. Methods that take a URI ignore it.
    ///
    /// Clones share the state, so that several layers can hold their requests together. The settings are
    /// each clone's own.
    pub fn new() -> Self {
        let (epoch, shut) = (Instant::now(), Arc::default());
        let gate = Arc::new(Gate::new(epoch, Arc::clone(&shut)));
        Self::with(shut, Scope::All(gate))
    }

    /// Creates a cooldown with a state for each upstream, which is the scheme, host and port of a
    /// request's URI. One upstream does not hold the requests to another. All requests whose URI has no
    /// host share one state.
    ///
    /// At most `max` states are kept, and at least one. A new one replaces the least recently used.
    /// Requests that wait for an upstream whose state is replaced are sent as usual; new requests to it
    /// are not held.
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
    /// If more is left of a hold, the request fails with
    /// [`RetryError::CoolingDown`](crate::RetryError::CoolingDown): when it arrives, when the hold is
    /// extended while it waits, or when a request of the slow start is throttled for longer. The time that
    /// it waits for requests before it does not count. Retries have no such limit.
    pub fn max_hold(mut self, max_hold: Duration) -> Self {
        self.max_hold = max_hold;
        self
    }

    /// Sets how many requests may wait at the same time. Defaults to 1,024.
    ///
    /// Further requests fail immediately with
    /// [`RetryError::CoolingDown`](crate::RetryError::CoolingDown). Retries wait in any number, and count
    /// as waiting.
    pub fn max_waiting(mut self, max_waiting: usize) -> Self {
        self.max_waiting = max_waiting;
        self
    }

    /// Sets how long responses can hold requests. Defaults to 5 minutes.
    ///
    /// If a server asks for more, requests are held for this time, and the slow start begins then.
    pub fn longest(mut self, longest: Duration) -> Self {
        self.longest = longest;
        self
    }

    /// Holds requests to this URI's upstream for a time, starting now. [`longest`](Self::longest) does not
    /// limit it. If requests are already held for longer, nothing changes.
    ///
    /// Use it for what the program knows by other means than responses, such as a maintenance. With a
    /// duration of zero, a slow start begins immediately, for example before a burst of requests. No event
    /// is emitted.
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

    /// Ends a hold of requests to this URI's upstream now. Waiting requests are sent in a slow start. A
    /// retry that was scheduled during the hold still waits until its time. No event is emitted by this
    /// call.
    pub fn release(&self, uri: &Uri) {
        let now = Instant::now();
        self.at(uri, |gate| gate.with(|state| state.release(now)));
    }

    /// Returns how much is left of a hold of requests to this URI's upstream: none if a new request would
    /// be sent immediately, zero if the hold has ended and a new request would wait for those before it.
    pub fn left(&self, uri: &Uri) -> Option<Duration> {
        if self.admits_all() {
            return None;
        }
        let now = Instant::now();
        self.peek(uri, |gate| gate.with(|state| state.left(now)))
    }

    /// Returns how many requests to this URI's upstream wait now, including retries whose own wait is
    /// over.
    pub fn waiting(&self, uri: &Uri) -> usize {
        self.peek(uri, |gate| gate.with(|state| state.waiting()))
    }

    /// Returns the state of the cooldown, of each upstream if it is for each. Nothing is changed by it: no
    /// upstream is added, and none counts as used.
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
