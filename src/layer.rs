use std::sync::Arc;
use std::time::Duration;

use crate::budget::Budget;
use crate::classify::{ByStatus, Classify, ClassifyFn, Outcome, Verdict};
use crate::cooldown::Cooldown;
use crate::idempotency::Idempotency;
use crate::settings::{BudgetChoice, Settings};
use crate::striped::Striped;
use crate::switch::Switch;

mod headers;
mod impls;
mod reports;
mod waits;

/// Layer that retries HTTP requests that fail transiently.
///
/// Each request is sent to the inner service as usual. If the response is a 5xx or 429, or the attempt
/// fails with a connection error or a time-out, the layer waits and sends a copy of the request again,
/// up to five times within five minutes. Only requests that are safe to repeat are retried: idempotent
/// methods, requests with an idempotency key, and requests that the server did not process. When the
/// layer gives up, it returns the last response or error unchanged.
///
/// All requests of a layer share a [budget](crate::budget), so that retries stop while they do not help: a
/// new layer can make ten retries before requests have to succeed.
///
/// The inner service must be `Clone`. It receives a [`ReplayBody`](crate::ReplayBody) as the request
/// body; its documentation shows how to convert it for services that take another body. Clones of a layer,
/// and the services that they make, share its budget.
///
/// | setter | what it sets | default |
/// |---|---|---|
/// | [`max_retries`](Self::max_retries) | the number of retries | 5, which is six attempts |
/// | [`window`](Self::window) | how long after the first attempt a retry may start | 5 minutes |
/// | [`attempt_timeout`](Self::attempt_timeout) | how long one attempt may take | no limit |
/// | [`classify`](Self::classify), [`classify_fn`](Self::classify_fn) | which outcomes are retried | [`ByStatus`]: 5xx, 429, and transient errors |
/// | [`idempotency`](Self::idempotency) | which requests are safe to repeat | RFC 9110's idempotent methods, and requests with an idempotency key |
/// | [`idempotency_key`](Self::idempotency_key) | a key for each POST and PATCH | none is added |
/// | [`backoff`](Self::backoff) | the wait before each retry | 1 s, 2 s, 4 s, .. with [`Jitter::Equal`](crate::Jitter::Equal) |
/// | [`backoff_after_refusal`](Self::backoff_after_refusal) | the wait after 429 and 503 | that of `backoff` |
/// | [`retry_after`](Self::retry_after) | how `Retry-After` affects the wait | [`RetryAfter::Minimum`](crate::RetryAfter::Minimum) |
/// | [`max_retry_after`](Self::max_retry_after) | the longest wait that a server may ask for | 5 minutes |
/// | [`rate_limit_headers`](Self::rate_limit_headers) | whether `RateLimit` headers are read | `false` |
/// | [`cooldown`](Self::cooldown) | holds all requests while a quota is used up | none |
/// | [`budget`](Self::budget), [`without_budget`](Self::without_budget) | how much load retries may add | [`Budget::earning`] |
/// | [`switch`](Self::switch) | turns retries off while the program runs | on |
/// | [`max_replay_bytes`](Self::max_replay_bytes) | how much of a streamed request body is recorded | 1 MiB |
/// | [`max_drain_bytes`](Self::max_drain_bytes) | how much of a discarded response is read | 64 KiB |
/// | [`deadline_header`](Self::deadline_header) | a header with the time that is left | none |
/// | [`retry_count_header`](Self::retry_count_header) | a header with the number of retries | none |
/// | [`mark_attempts`](Self::mark_attempts), [`mark_responses`](Self::mark_responses) | extensions of requests and responses | off |
/// | [`on_event`](Self::on_event) | a callback for each step of a request | none |
/// | [`jitter_seed`](Self::jitter_seed) | a seed for the jitter | none: random |
/// | `metrics_by_authority` (feature `metrics`) | adds the label `authority` to metrics | off |
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
/// // When the layer gives up, it returns the last response.
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
    /// Creates a layer with the default settings.
    ///
    /// They follow Microsoft's [retry guidelines] for token issuance and management endpoints: 5xx and 429
    /// are retried up to five times within five minutes, after up to 1 s, 2 s, 4 s, and so on.
    ///
    /// [retry guidelines]: https://learn.microsoft.com/en-us/previous-versions/azure/azure-services/jj878112(v=azure.100)
    pub fn new() -> Self {
        Self::of(Settings::new(ByStatus::new()))
    }

    /// Creates a layer without limits.
    ///
    /// The number of retries, the window, the longest wait that a server may ask for, and the recorded
    /// part of a request body are unlimited, and there is no budget. All other settings are those of
    /// [`new`](Self::new). Use it for clients that have their own limits.
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
    /// Sets the maximum number of retries of a request. Defaults to 5, which is six attempts; `u32::MAX`
    /// disables the limit.
    ///
    /// The retries of all requests together are limited by the [budget](Self::budget): a new layer can make
    /// twice this number of retries, and at least 6, before requests have to succeed. The default budget is
    /// resized for this number, unless a clone of this layer, or a service that it made, already uses it.
    ///
    /// See [budgets](crate::guide::budgets) in the guide.
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

    /// Sets how long after the first attempt a retry may start. Defaults to 5 minutes; [`Duration::MAX`]
    /// disables the limit.
    ///
    /// If the next wait would end after this window, the layer gives up immediately and returns the last
    /// outcome. An attempt that is already running when the window ends is not cancelled. To limit the
    /// whole request, put a time-out above this layer.
    ///
    /// See [back-off](crate::guide::waiting#back-off) in the guide.
    #[doc(alias("deadline", "max_elapsed_time"))]
    pub fn window(self, window: Duration) -> Self {
        self.with(|settings| settings.limits.window = window)
    }

    /// Sets the classifier that decides which outcomes are retried. Defaults to [`ByStatus`].
    ///
    /// For a closure, use [`classify_fn`](Self::classify_fn).
    ///
    /// See [the classes of outcomes](crate::guide::idempotency#what-the-outcome-says) in the guide.
    ///
    /// ```
    /// use http::StatusCode;
    /// use tower_http_retry::{ByStatus, RetryLayer};
    ///
    /// let layer = RetryLayer::new().classify(ByStatus::new().except(StatusCode::NOT_IMPLEMENTED));
    /// # let _ = layer;
    /// ```
    pub fn classify<D: Classify>(self, classify: D) -> RetryLayer<D> {
        RetryLayer::of(self.settings.original().clone().with_classifier(classify))
    }

    /// Sets a closure that decides which outcomes are retried.
    ///
    /// [`Outcome::by_status`] is the default to fall back to.
    ///
    /// See [testing a classifier](crate::guide::testing#your-own-classifier) in the guide.
    ///
    /// ```
    /// use http::StatusCode;
    /// use tower_http_retry::RetryLayer;
    /// use tower_http_retry::classify::Class;
    ///
    /// let layer = RetryLayer::new().classify_fn(|outcome| match outcome.status() {
    ///     Some(StatusCode::CONFLICT) => Class::Transient.repeatable(),
    ///     _ => outcome.by_status(),
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

    /// Sets which requests are safe to repeat after the server may have acted on them. Defaults to
    /// [`Idempotency::new`]: RFC 9110's idempotent methods, and requests with an idempotency key.
    ///
    /// See [repeatable requests](crate::guide::idempotency#requests-that-are-safe-to-repeat) in the guide.
    ///
    /// ```
    /// use http::Method;
    /// use tower_http_retry::{Idempotency, RetryLayer};
    ///
    /// // The PATCH of this service is a merge patch.
    /// let layer = RetryLayer::new().idempotency(Idempotency::new().also(Method::PATCH));
    /// # let _ = layer;
    /// ```
    pub fn idempotency(self, idempotency: Idempotency) -> Self {
        self.with(|settings| settings.idempotency = idempotency)
    }

    /// Sets the budget shared by all requests through this layer. Defaults to [`Budget::earning`], for
    /// the layer's number of retries.
    ///
    /// A budget limits how much load retries add. A retry that it does not cover is not made, and the last
    /// outcome is returned immediately. The module [`budget`](crate::budget) compares the kinds.
    ///
    /// See [which budget to use](crate::guide::budgets#which-one) in the guide.
    ///
    /// ```
    /// use tower_http_retry::{Budget, RetryLayer};
    ///
    /// // Retries add at most 20 % to the load.
    /// let layer = RetryLayer::new().budget(Budget::ratio(0.2));
    /// # let _ = layer;
    /// ```
    pub fn budget(self, budget: Budget) -> Self {
        self.with(|settings| settings.budget = BudgetChoice::Chosen(budget))
    }

    /// Removes the budget, so that retries are limited by their number and the window alone.
    ///
    /// Use it only if another layer limits the load, or in tests.
    ///
    /// See [why there is a budget](crate::guide::budgets#why-there-is-a-budget) in the guide.
    pub fn without_budget(self) -> Self {
        self.with(|settings| settings.budget = BudgetChoice::Without)
    }

    /// Sets a cooldown, which holds requests while a quota is used up. Defaults to none.
    ///
    /// A request fails with [`RetryError::CoolingDown`](crate::RetryError::CoolingDown) if it cannot wait
    /// for the end of a hold. The module [`cooldown`](crate::cooldown) explains when requests are held.
    ///
    /// See [cooldown](crate::guide::waiting#cooldown) in the guide.
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
    /// See [`Switch`] for how requests are handled while it is off.
    ///
    /// ```
    /// use tower_http_retry::{RetryLayer, Switch};
    ///
    /// let retries = Switch::new();
    /// let reads = RetryLayer::new().switch(retries.clone());
    /// let writes = RetryLayer::new().max_retries(2).switch(retries.clone());
    /// # let _ = (reads, writes);
    /// retries.turn_off(); // for both layers
    /// ```
    #[doc(alias("disable", "enabled", "kill_switch"))]
    pub fn switch(self, switch: Switch) -> Self {
        self.with(|settings| settings.switch = Some(switch))
    }

    /// Sets how long each attempt may take until the head of its response arrives. Defaults to no limit.
    ///
    /// An attempt that takes longer is dropped and fails with
    /// [`RetryError::AttemptTimedOut`](crate::RetryError::AttemptTimedOut), which is retried as a time-out.
    /// The time that the body of a response takes is not limited.
    ///
    /// Set it for HTTP/2 connections in particular: when a server shuts a connection down, hyper's client
    /// sometimes never completes a request.
    ///
    /// See [attempt time-outs](crate::guide::stacking#two-kinds-of-attempt-time-outs) in the guide.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_http_retry::RetryLayer;
    /// let layer = RetryLayer::new().attempt_timeout(Duration::from_secs(10));
    /// # let _ = layer;
    /// ```
    #[doc(alias = "per_try_timeout")]
    pub fn attempt_timeout(self, timeout: Duration) -> Self {
        self.with(|settings| settings.limits.attempt_timeout = Some(timeout))
    }

    /// Sets how many bytes of a streamed request body are recorded for retries. Defaults to 1 MiB.
    ///
    /// A request whose body is longer is sent as usual, and is not retried. A body that is in memory
    /// already, such as `Full<Bytes>`, is not limited. See [`ReplayBody`](crate::ReplayBody).
    ///
    /// Only payload bytes count towards the limit. Each frame takes about 32 bytes more, and keeps its
    /// underlying buffer in memory.
    pub fn max_replay_bytes(self, bytes: usize) -> Self {
        self.with(|settings| settings.limits.max_replay_bytes = bytes)
    }

    /// Sets how many bytes of a discarded response are read, so that its connection can be reused.
    /// Defaults to 64 KiB; 0 reads nothing.
    ///
    /// A response is read during the wait before the next attempt, for at most one second, and never makes
    /// the wait longer. If the wait is shorter than a second and an HTTP/1 response has not ended by then,
    /// reading continues concurrently with the next attempt, for at most 100 ms. A response that is known to
    /// be longer than the limit is not read.
    pub fn max_drain_bytes(self, bytes: usize) -> Self {
        self.with(|settings| settings.max_drain_bytes = bytes)
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
