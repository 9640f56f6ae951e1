use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use http::HeaderName;
use tower::Layer;

use crate::backoff::Backoff;
use crate::budget::Budget;
use crate::classify::{ByStatus, Classify, ClassifyFn, Outcome, Verdict};
use crate::event::Event;
use crate::hint::ServerHints;
use crate::idempotency::Idempotency;
use crate::policy::{BudgetChoice, JitterSource, Policy, Settings};
use crate::service::Retry;
use crate::striped::Striped;

/// Sends requests again that failed in a way which may pass.
///
/// Every setter returns the layer, and every step is a valid one. Clones of a layer, and the
/// services that they make, share its budget.
///
/// | setter | default |
/// |---|---|
/// | [`max_retries`](Self::max_retries) | 5: six attempts |
/// | [`within`](Self::within) | 5 minutes |
/// | [`backoff`](Self::backoff) | 1 s, 2 s, 4 s, .. with [`Jitter::Equal`](crate::Jitter::Equal) |
/// | [`classify`](Self::classify), [`classify_fn`](Self::classify_fn) | [`ByStatus`]: 5xx, 429, and errors that may pass |
/// | [`idempotency`](Self::idempotency) | RFC 9110's methods, and idempotency keys |
/// | [`budget`](Self::budget), [`without_budget`](Self::without_budget) | [`Budget::earning`] |
/// | [`attempt_timeout`](Self::attempt_timeout) | none |
/// | [`max_replay_bytes`](Self::max_replay_bytes) | 1 MiB |
/// | [`max_drain_bytes`](Self::max_drain_bytes) | 64 KiB |
/// | [`server_hints`](Self::server_hints) | [`ServerHints::Floor`] |
/// | [`max_server_wait`](Self::max_server_wait) | 5 minutes |
/// | [`attempt_header`](Self::attempt_header) | none |
/// | [`mark_first_attempt`](Self::mark_first_attempt) | off |
/// | [`jitter_seed`](Self::jitter_seed) | none: from entropy |
/// | [`on_event`](Self::on_event) | nobody |
/// | `metrics_by_authority`, of feature `metrics` | off |
///
/// # Example
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() {
/// use std::time::Duration;
/// use http::{Request, Response, StatusCode};
/// use http_body_util::Empty;
/// use tower::{ServiceBuilder, ServiceExt};
/// use tower_http_retry::{BoxError, ReplayBody, RetryLayer};
///
/// type Body = Empty<bytes::Bytes>;
/// let client = ServiceBuilder::new()
///     .layer(RetryLayer::new().max_retries(2).within(Duration::from_secs(30)))
///     .service_fn(async |_: Request<ReplayBody<Body>>| {
///         let response = Response::builder().status(StatusCode::BAD_GATEWAY);
///         Ok::<_, BoxError>(response.body(Body::new()).unwrap())
///     });
///
/// // Giving up hands over the last response itself.
/// let response = client.oneshot(Request::new(Body::new())).await.unwrap();
/// assert_eq!(response.status(), StatusCode::BAD_GATEWAY);
/// # }
/// ```
///
/// # Redirects
///
/// A layer that follows redirects goes above this one, never under it. Under it, a 429 or a refused
/// connection may come from the target of a redirect, after the request itself was acted on, and the
/// request would be repeated whatever its method. Above it, only the request that failed is repeated.
/// Clients that follow redirects by default are told not to: for reqwest,
/// `ClientBuilder::redirect(reqwest::redirect::Policy::none())`, and `retry(reqwest::retry::never())`
/// for its own retries.
///
/// ```
/// use tower::ServiceBuilder;
/// use tower_http::follow_redirect::FollowRedirectLayer;
/// use tower_http_retry::RetryLayer;
///
/// let layers = ServiceBuilder::new()
///     .layer(FollowRedirectLayer::new())
///     .layer(RetryLayer::new());
/// # let client = layers.service_fn(
/// #     async |_: http::Request<tower_http_retry::ReplayBody<http_body_util::Full<bytes::Bytes>>>| {
/// #         Ok::<_, tower_http_retry::BoxError>(http::Response::new(String::new()))
/// #     },
/// # );
/// # fn accepts<S: tower::Service<http::Request<http_body_util::Full<bytes::Bytes>>>>(_: S) {}
/// # accepts(client);
/// ```
///
/// # A retry above a retry
///
/// Retry at one layer only; the module [`budget`](crate::budget#at-one-layer-only) says why. Where two
/// are stacked, a response tells the upper layer that the server may have acted on an earlier attempt
/// of the lower one. An error does not: it is the inner service's own, which has no place for that.
/// If the lower layer repeats requests that the upper one may not, and its last attempt is refused,
/// the upper layer takes it for a request that the server never processed, and repeats it. Give both
/// layers the same [`idempotency`](Self::idempotency), or let the upper one take no error for a
/// refusal:
///
/// ```
/// use http::Request;
/// use std::io::{Error, ErrorKind};
/// use tower_http_retry::{ByStatus, Class, Classify, Outcome, RetryLayer, Verdict};
///
/// fn takes_no_error_for_refused(outcome: &Outcome<'_>) -> Verdict {
///     let verdict = ByStatus::new().classify(outcome);
///     match (verdict.class(), outcome.result()) {
///         (Class::Refused, Err(_)) => Class::Transient.into(),
///         _ => verdict,
///     }
/// }
///
/// let request = Request::post("http://service.test/orders").body(()).unwrap();
/// let refused = Error::from(ErrorKind::ConnectionRefused);
/// let verdict = takes_no_error_for_refused(&Outcome::error(&request, &refused));
/// assert_eq!(verdict.class(), Class::Transient);
///
/// let upper = RetryLayer::new().classify_fn(takes_no_error_for_refused);
/// # let _ = upper;
/// ```
#[must_use = "a layer does nothing until it wraps a service"]
pub struct RetryLayer<C = ByStatus> {
    policy: Arc<Striped<Policy<C>>>,
}

impl RetryLayer {
    /// Microsoft's retry guidelines for token issuance and management endpoints, made safe.
    pub fn new() -> Self {
        Self::of(Policy {
            classify: Arc::new(ByStatus::new()),
            settings: Settings::default(),
        })
    }
}

impl<C> RetryLayer<C> {
    /// How many times a request is sent again, at most: 5 unless set. `u32::MAX` is no limit.
    ///
    /// The default budget is made anew for this number, unless a clone of this layer or a service
    /// that it made shares that budget: then it stays as it is.
    pub fn max_retries(self, max_retries: u32) -> Self {
        let is_shared = Arc::strong_count(&self.policy) > 1
            || self.policy.original().settings.budget.is_shared();
        self.with(|settings| {
            settings.rules.max_retries = max_retries;
            if let (BudgetChoice::Default(budget), false) = (&mut settings.budget, is_shared) {
                *budget = Budget::earning(max_retries);
            }
        })
    }

    /// The window, from the first attempt's start, in which retries may start: 5 minutes unless
    /// set. [`Duration::MAX`] is no limit.
    ///
    /// Where the wait before a retry would reach the window's end, the last outcome is handed over
    /// at once instead. An attempt that runs when the window ends is not cut short.
    pub fn within(self, window: Duration) -> Self {
        self.with(|settings| settings.rules.window = window)
    }

    /// How long to wait before each retry.
    pub fn backoff(self, backoff: Backoff) -> Self {
        self.with(|settings| settings.rules.backoff = backoff)
    }

    /// What says whether an outcome may pass.
    pub fn classify<D: Classify>(self, classify: D) -> RetryLayer<D> {
        RetryLayer::of(Policy {
            classify: Arc::new(classify),
            settings: self.policy.original().settings.clone(),
        })
    }

    /// A closure that says whether an outcome may pass.
    ///
    /// ```
    /// use tower_http_retry::{ByStatus, Class, Classify, RetryLayer};
    ///
    /// let layer = RetryLayer::new().classify_fn(|outcome| match outcome.status() {
    ///     Some(status) if status.as_u16() == 409 => Class::Transient.repeatable(),
    ///     _ => ByStatus::new().classify(outcome),
    /// });
    /// # let _ = layer;
    /// ```
    pub fn classify_fn<F>(self, classify: F) -> RetryLayer<ClassifyFn<F>>
    where
        F: Fn(&Outcome<'_>) -> Verdict,
    {
        self.classify(ClassifyFn { classify })
    }

    /// Which requests may be sent again after an attempt that the server may have acted on.
    pub fn idempotency(self, idempotency: Idempotency) -> Self {
        self.with(|settings| settings.idempotency = idempotency)
    }

    /// What all requests together may add to the load. The [module](crate::budget) of budgets says
    /// which to choose.
    pub fn budget(self, budget: Budget) -> Self {
        self.with(|settings| settings.budget = BudgetChoice::Chosen(budget))
    }

    /// Lets requests add any load: for a single client, or where another layer limits it.
    pub fn without_budget(self) -> Self {
        self.with(|settings| settings.budget = BudgetChoice::Without)
    }

    /// How long each attempt may take from its call to its response's head; no limit unless set.
    ///
    /// The attempt then fails with [`AttemptTimedOut`](crate::AttemptTimedOut), which is retried
    /// as a time-out. The body that is handed over is not touched.
    ///
    /// Set one over HTTP/2: when a server shuts its connection down, hyper's client now and then
    /// leaves a request without an answer.
    pub fn attempt_timeout(self, timeout: Duration) -> Self {
        self.with(|settings| settings.attempt_timeout = Some(timeout))
    }

    /// How many bytes of a streamed request body are kept for replays: 1 MiB unless set. A body
    /// that is in memory already is not limited. See [`ReplayBody`](crate::ReplayBody).
    ///
    /// It is the payload that counts. Each frame takes about 32 bytes more, and may be a part of a
    /// larger buffer that is kept with it.
    pub fn max_replay_bytes(self, bytes: usize) -> Self {
        self.with(|settings| settings.max_replay_bytes = bytes)
    }

    /// Sets how much of a discarded response is read, in bytes, so that its connection can be used
    /// again. Defaults to 64 KiB; 0 reads nothing.
    ///
    /// It is read while the layer waits, for one second at most. What is left of an HTTP/1 response
    /// when the wait is over is read beside the next attempt, for 100 ms at most; what is left of
    /// any other is dropped then, which does not close its connection. Reading never makes a wait
    /// longer. A response whose body is known to be longer is not read.
    ///
    /// ```
    /// use tower_http_retry::RetryLayer;
    /// let layer = RetryLayer::new().max_drain_bytes(256 * 1024);
    /// # let _ = layer;
    /// ```
    pub fn max_drain_bytes(self, bytes: usize) -> Self {
        self.with(|settings| settings.max_drain_bytes = bytes)
    }

    /// How the server's `Retry-After` and its kin are taken.
    pub fn server_hints(self, hints: ServerHints) -> Self {
        self.with(|settings| settings.server_hints = hints)
    }

    /// The longest wait that a server may ask for: 5 minutes unless set. [`Duration::MAX`] is no
    /// limit.
    ///
    /// Where it asks for more, the response is handed over at once: to come back earlier than
    /// asked would not help. Jitter may add up to half of what it asks for.
    pub fn max_server_wait(self, wait: Duration) -> Self {
        self.with(|settings| settings.rules.max_server_wait = wait)
    }

    /// A header that tells the server the number of retries so far: absent on the first attempt,
    /// then 1, 2, .. The layer owns this header: what the caller put there is not sent. An attempt
    /// whose header map is full goes without it.
    ///
    /// ```
    /// use http::HeaderName;
    /// use tower_http_retry::RetryLayer;
    /// let layer = RetryLayer::new().attempt_header(HeaderName::from_static("x-retry-count"));
    /// # let _ = layer;
    /// ```
    pub fn attempt_header(self, name: HeaderName) -> Self {
        self.with(|settings| settings.attempt_header = Some(name))
    }

    /// Puts the [`Attempt`](crate::Attempt) extension on the first attempt, too, which costs up to
    /// three allocations a request.
    pub fn mark_first_attempt(self) -> Self {
        self.with(|settings| settings.marks_first_attempt = true)
    }

    /// Draws the jitter of each request from this seed and the number of requests that drew before
    /// it, so that a simulation repeats.
    pub fn jitter_seed(self, seed: u64) -> Self {
        self.with(|settings| {
            settings.jitter = JitterSource::Seeded {
                seed,
                requests: Arc::new(AtomicU64::new(0)),
            };
        })
    }

    /// A closure that is told each step of each request as it happens: the first attempt's start
    /// where the service is called, the rest where its future is polled. See [`Event`].
    ///
    /// Called again, it adds a listener; each step is told to them in the order in which they were
    /// added.
    pub fn on_event(self, listener: impl Fn(&Event<'_>) + Send + Sync + 'static) -> Self {
        self.with(|settings| settings.listeners.add(listener))
    }

    pub(crate) fn with(self, set: impl FnOnce(&mut Settings)) -> Self {
        let mut policy = self.policy.original().clone();
        set(&mut policy.settings);
        Self::of(policy)
    }

    fn of(policy: Policy<C>) -> Self {
        Self {
            policy: Arc::new(Striped::new(policy)),
        }
    }
}

impl<S, C> Layer<S> for RetryLayer<C> {
    type Service = Retry<S, C>;

    fn layer(&self, inner: S) -> Self::Service {
        Retry::new(inner, self.policy.clone())
    }
}

impl Default for RetryLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl<C> Clone for RetryLayer<C> {
    fn clone(&self) -> Self {
        Self {
            policy: self.policy.clone(),
        }
    }
}

impl<C: fmt::Debug> fmt::Debug for RetryLayer<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RetryLayer")
            .field("policy", self.policy.original())
            .finish()
    }
}
