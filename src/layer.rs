use std::sync::Arc;
use std::time::Duration;

use crate::budget::Budget;
use crate::classify::{ByStatus, Classify, ClassifyFn, Outcome, Verdict};
use crate::cooldown::Cooldown;
use crate::event::Event;
use crate::idempotency::Idempotency;
use crate::settings::{BudgetChoice, Settings};
use crate::striped::Striped;
use crate::switch::Switch;

mod headers;
mod impls;
mod waits;

/// Layer that retries HTTP requests that fail transiently.
///
/// Each request is sent to the inner service as usual. If the response is a 5xx or 429, or the attempt
/// fails with a connection error or a time-out, the layer waits and sends a copy of the request again,
/// up to five times within five minutes. Only requests that are safe to repeat are retried: idempotent
/// methods, requests with an idempotency key, and requests that the server did not process. When the
/// layer gives up, it returns the last response or error unchanged.
///
/// The inner service must be `Clone`. It receives a [`ReplayBody`](crate::ReplayBody) as the request
/// body, which says how to convert it. Clones of a layer, and the services that they make, share its
/// budget.
///
/// | setter | default |
/// |---|---|
/// | [`max_retries`](Self::max_retries) | 5: six attempts |
/// | [`window`](Self::window) | 5 minutes |
/// | [`backoff`](Self::backoff) | 1 s, 2 s, 4 s, .. with [`Jitter::Equal`](crate::Jitter::Equal) |
/// | [`backoff_after_refusal`](Self::backoff_after_refusal) | that of `backoff` |
/// | [`classify`](Self::classify), [`classify_fn`](Self::classify_fn) | [`ByStatus`]: 5xx, 429, and errors that may pass |
/// | [`idempotency`](Self::idempotency) | RFC 9110's methods, and idempotency keys |
/// | [`budget`](Self::budget), [`without_budget`](Self::without_budget) | [`Budget::earning`] |
/// | [`cooldown`](Self::cooldown) | none |
/// | [`switch`](Self::switch) | on |
/// | [`attempt_timeout`](Self::attempt_timeout) | none |
/// | [`max_replay_bytes`](Self::max_replay_bytes), [`max_drain_bytes`](Self::max_drain_bytes) | 1 MiB; 64 KiB |
/// | [`retry_after`](Self::retry_after) | [`RetryAfter::Minimum`](crate::RetryAfter::Minimum) |
/// | [`max_retry_after`](Self::max_retry_after) | 5 minutes |
/// | [`rate_limit_headers`](Self::rate_limit_headers) | not read |
/// | [`idempotency_key`](Self::idempotency_key) | none is added |
/// | [`deadline_header`](Self::deadline_header), [`retry_count_header`](Self::retry_count_header) | none |
/// | [`mark_attempts`](Self::mark_attempts), [`mark_responses`](Self::mark_responses) | off |
/// | [`jitter_seed`](Self::jitter_seed) | none: from entropy |
/// | [`on_event`](Self::on_event) | none |
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
///     .layer(RetryLayer::new().max_retries(2).window(Duration::from_secs(30)))
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
#[doc(alias = "RetryTransientMiddleware")]
#[must_use = "a layer does nothing until it wraps a service"]
pub struct RetryLayer<C = ByStatus> {
    settings: Arc<Striped<Settings<C>>>,
}

impl RetryLayer {
    /// Creates a layer with the default settings: those of Microsoft's retry guidelines for token
    /// issuance and management endpoints.
    pub fn new() -> Self {
        Self::of(Settings::new(ByStatus::new()))
    }

    /// Creates a layer without limits: no number of retries, window, budget, longest wait that a
    /// server may ask for, or limit of replayed bytes. All else is as [`new`](Self::new) has it.
    ///
    /// It is for clients that bring limits of their own.
    ///
    /// ```
    /// use tower_http_retry::RetryLayer;
    /// let layer = RetryLayer::unlimited().max_retries(3);
    /// # let _ = layer;
    /// ```
    pub fn unlimited() -> Self {
        Self::new()
            .without_budget()
            .max_retries(u32::MAX)
            .window(Duration::MAX)
            .max_retry_after(Duration::MAX)
            .max_replay_bytes(usize::MAX)
    }
}

impl<C> RetryLayer<C> {
    /// Sets how many times a request is sent again at most. Defaults to 5; `u32::MAX` is no limit.
    ///
    /// The default budget is made anew for this number, unless a clone of this layer or a service
    /// that it made shares that budget: then it stays as it is.
    #[doc(alias = "max_attempts")]
    #[doc(alias = "retries")]
    #[doc(alias = "with_max_retries")]
    pub fn max_retries(self, max_retries: u32) -> Self {
        let is_shared =
            Arc::strong_count(&self.settings) > 1 || self.settings.original().budget.is_shared();
        self.with(|settings| {
            settings.limits.max_retries = max_retries;
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
    #[doc(alias("deadline", "max_elapsed_time"))]
    pub fn window(self, window: Duration) -> Self {
        self.with(|settings| settings.limits.window = window)
    }

    /// What says whether an outcome may pass. A closure goes to [`classify_fn`](Self::classify_fn).
    pub fn classify<D: Classify>(self, classify: D) -> RetryLayer<D> {
        RetryLayer::of(self.settings.original().clone().with_classifier(classify))
    }

    /// A closure that says whether an outcome may pass.
    ///
    /// ```
    /// use tower_http_retry::classify::{Class, Classify};
    /// use tower_http_retry::{ByStatus, RetryLayer};
    ///
    /// let layer = RetryLayer::new().classify_fn(|outcome| match outcome.status() {
    ///     Some(status) if status.as_u16() == 409 => Class::Transient.repeatable(),
    ///     _ => ByStatus::new().classify(outcome),
    /// });
    /// # let _ = layer;
    /// ```
    #[doc(alias = "retry_if")]
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

    /// Sets a cooldown, which holds requests while a quota is used up. Defaults to none.
    ///
    /// A request fails with [`RetryError::CoolingDown`](crate::RetryError::CoolingDown) if it cannot wait
    /// for the end of a hold. See [`Cooldown`] for when requests are held, and for how long.
    ///
    /// ```
    /// use tower_http_retry::{Cooldown, RetryLayer};
    /// let layer = RetryLayer::new().rate_limit_headers(true).cooldown(Cooldown::new());
    /// # let _ = layer;
    /// ```
    pub fn cooldown(self, cooldown: Cooldown) -> Self {
        self.with(|settings| settings.cooldown = Some(cooldown))
    }

    /// Sets a switch that turns retries off and on while the program runs. Defaults to on.
    ///
    /// See [`Switch`] for what becomes of requests while it is off.
    ///
    /// ```
    /// use tower_http_retry::{RetryLayer, Switch};
    ///
    /// let retries = Switch::new();
    /// let reads = RetryLayer::new().switch(retries.clone());
    /// let writes = RetryLayer::new().max_retries(2).switch(retries.clone());
    /// # let _ = (reads, writes);
    /// retries.turn_off(); // of both
    /// ```
    #[doc(alias("disable", "enabled", "kill_switch"))]
    pub fn switch(self, switch: Switch) -> Self {
        self.with(|settings| settings.switch = Some(switch))
    }

    /// How long each attempt may take from its call to its response's head; no limit unless set.
    ///
    /// The attempt then fails with [`RetryError::AttemptTimedOut`](crate::RetryError::AttemptTimedOut), which is retried
    /// as a time-out. The body that is handed over is not touched.
    ///
    /// Set one over HTTP/2: when a server shuts its connection down, hyper's client now and then
    /// leaves a request without an answer.
    #[doc(alias = "per_try_timeout")]
    pub fn attempt_timeout(self, timeout: Duration) -> Self {
        self.with(|settings| settings.limits.attempt_timeout = Some(timeout))
    }

    /// How many bytes of a streamed request body are kept for replays: 1 MiB unless set. A body
    /// that is in memory already is not limited. See [`ReplayBody`](crate::ReplayBody).
    ///
    /// It is the payload that counts. Each frame takes about 32 bytes more, and may be a part of a
    /// larger buffer that is kept with it.
    pub fn max_replay_bytes(self, bytes: usize) -> Self {
        self.with(|settings| settings.limits.max_replay_bytes = bytes)
    }

    /// Sets how much of a discarded response is read, in bytes, so that its connection can be used
    /// again. Defaults to 64 KiB; 0 reads nothing.
    ///
    /// It is read while the layer waits, for one second at most. What is left of an HTTP/1 response
    /// when the wait is over is read beside the next attempt, for 100 ms at most; what is left of
    /// any other is dropped then, which does not close its connection. Reading never makes a wait
    /// longer. A response whose body is known to be longer is not read.
    pub fn max_drain_bytes(self, bytes: usize) -> Self {
        self.with(|settings| settings.max_drain_bytes = bytes)
    }

    /// Puts an [`Attempt`](crate::Attempt) on each attempt's request, the first included, as an
    /// extension for the layers below. Off by default, as it costs up to three allocations each.
    ///
    /// The layers right under the retry need no mark:
    /// [`ReplayBody::attempt`](crate::ReplayBody::attempt) returns the same. A retry layer below that
    /// finds a mark marks its own attempts, too.
    pub fn mark_attempts(self) -> Self {
        self.with(|settings| settings.marks_attempts = true)
    }

    /// Puts an [`Attempts`](crate::Attempts) on each response that took more than one attempt, as an
    /// extension. Off by default, as it costs up to three allocations.
    ///
    /// A failure that is returned after an attempt that the server may have acted on has it always:
    /// a retry layer above has to know.
    pub fn mark_responses(self) -> Self {
        self.with(|settings| settings.marks_responses = true)
    }

    /// A closure that is told each step of each request as it happens: the first attempt's start
    /// where the service is called, the rest where its future is polled. See [`Event`].
    ///
    /// Called again, it adds a listener, which is told of each step after the others.
    #[doc(alias = "on_retry")]
    pub fn on_event(self, listener: impl Fn(&Event<'_>) + Send + Sync + 'static) -> Self {
        self.with(|settings| settings.listeners.add(listener))
    }

    /// Gives all [metrics](crate::metrics) the label `authority`, too: feature `metrics`.
    ///
    /// Each upstream then has metrics of its own for as long as the recorder keeps them, and each
    /// step of a request allocates. So this is for upstreams of a bounded number, not for a client
    /// of any host that it is given.
    ///
    /// ```
    /// use tower_http_retry::{Budget, RetryLayer};
    /// let layer = RetryLayer::new().budget(Budget::per_authority(100)).metrics_by_authority();
    /// # let _ = layer;
    /// ```
    #[cfg(feature = "metrics")]
    pub fn metrics_by_authority(self) -> Self {
        self.with(|settings| settings.listeners.by_authority = true)
    }

    fn with(self, set: impl FnOnce(&mut Settings<C>)) -> Self {
        let mut settings = self.settings.original().clone();
        set(&mut settings);
        Self::of(settings)
    }

    fn of(settings: Settings<C>) -> Self {
        Self {
            settings: Arc::new(Striped::new(settings)),
        }
    }
}
