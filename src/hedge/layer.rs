use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::Uri;
use tower_layer::Layer;

use super::losers::{DropLosers, KeepLosers};
use super::service::Hedge;
use super::settings::Settings;
use super::shared::Shared;
use super::snapshot::HedgeSnapshot;
use crate::budget::Budget;
use crate::classify::{ByStatus, Classify, ClassifyFn, Outcome, Verdict};
use crate::cooldown::Cooldown;
use crate::hedge_event::HedgeEvent;
use crate::idempotency::Idempotency;

/// Layer that applies [`Hedge`], which sends a second attempt beside one that is slow.
///
/// See the [guide](crate::guide::hedging) for which requests are hedged, and when. Clones of a layer, and the
/// services that they make, share the delay and the earned hedges. A setter returns a layer that has not
/// learned anything yet.
///
/// | setter | what it sets | default |
/// |---|---|---|
/// | [`extra_load`](Self::extra_load) | how much load hedges may add | 0.05 |
/// | [`stragglers`](Self::stragglers) | the shortest delay, as a multiple of the median | 2.0 |
/// | [`after`](Self::after) | a fixed delay | none: the delay is learned |
/// | [`control`](Self::control) | the share of hedges that are withheld for comparison | 1/16 |
/// | [`per_authority`](Self::per_authority) | a delay and a budget for each upstream | one for all upstreams |
/// | [`idempotency`](Self::idempotency) | which requests may be hedged | [`Idempotency::safe`] |
/// | [`classify`](Self::classify), [`classify_fn`](Self::classify_fn) | which outcomes are successes | [`ByStatus`] |
/// | [`retry_budget`](Self::retry_budget), [`cooldown`](Self::cooldown) | the budget and the cooldown of the retry above | none |
/// | [`keep_losers`](Self::keep_losers) | how long an attempt that did not win may continue | it is dropped |
/// | [`mark_responses`](Self::mark_responses) | an extension of responses | off |
/// | [`on_event`](Self::on_event) | a callback for each step of a request that is slow | none |
/// | [`control_seed`](Self::control_seed) | a seed for the choice of withheld hedges | none: random |
///
/// # Example
///
/// ```
/// use tower::ServiceBuilder;
/// use tower_http_retry::{HedgeLayer, RetryLayer};
///
/// let hedge = HedgeLayer::new().extra_load(0.02);
/// let layers = ServiceBuilder::new().layer(RetryLayer::new()).layer(&hedge);
/// # let _ = layers;
///
/// // The delay is unknown until enough requests have succeeded.
/// assert_eq!(hedge.delay(&"http://service.test/".parse().unwrap()), None);
/// ```
///
/// The [module](super#example) has a complete example.
#[must_use = "a layer does nothing until it wraps a service"]
pub struct HedgeLayer<C = ByStatus, L = DropLosers> {
    shared: Arc<Shared<C>>,
    losers: L,
}

impl HedgeLayer {
    /// Creates a layer that learns when to hedge, and adds at most 5 % to the load.
    pub fn new() -> Self {
        Self::of(Settings::new(ByStatus::new()), DropLosers)
    }
}

impl<C, L> HedgeLayer<C, L> {
    /// Sets how much load hedges may add, as a share of the first attempts that succeed. Defaults to 0.05.
    ///
    /// It is also the share of requests that are slow enough to be hedged. Values outside 0 to 1 are clamped.
    /// If it is 0 or NaN, no request is hedged.
    ///
    /// See [what hedges add to the load](crate::guide::hedging#what-hedges-add-to-the-load) in the guide.
    pub fn extra_load(self, share: f64) -> Self {
        self.with(|settings| settings.terms.extra_load = share_of(share))
    }

    /// Sets how long a request has to take before it is hedged, as a multiple of the median. Defaults to 2.
    ///
    /// If all requests take about the same time, even the slowest are not much slower than a hedge would be,
    /// and this setting prevents hedges. With 0, only [`extra_load`](Self::extra_load) determines the delay.
    ///
    /// See [when a hedge is sent](crate::guide::hedging#when-a-hedge-is-sent) in the guide.
    pub fn stragglers(self, times_median: f64) -> Self {
        self.with(|settings| settings.terms.stragglers = times_median.max(0.0))
    }

    /// Sets a fixed delay. By default it is learned from the requests.
    ///
    /// The load is still limited by [`extra_load`](Self::extra_load), and one in 16 hedges is sent one delay
    /// later ([`control`](Self::control)). The
    /// [comparison](crate::guide::hedging#what-it-saves) covers only one more delay after a hedge is due.
    /// Therefore, it shows no savings if the delay is much shorter than an attempt.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_http_retry::HedgeLayer;
    /// let layer = HedgeLayer::new().after(Duration::from_millis(50));
    /// # let _ = layer;
    /// ```
    pub fn after(self, delay: Duration) -> Self {
        self.with(|settings| settings.terms.fixed = Some(delay))
    }

    /// Sets the share of due hedges that are withheld for one more delay, for
    /// [comparison](crate::guide::hedging#what-it-saves). Defaults to 1/16.
    ///
    /// While hedges are known to save time, a quarter of this share is withheld. With 0, hedges are not
    /// compared, and are sent whether they help or not.
    pub fn control(self, share: f64) -> Self {
        self.with(|settings| settings.terms.withheld = share_of(share))
    }

    /// Seeds the choice of withheld hedges, so that a test or a simulation can be repeated. Defaults to a
    /// random seed.
    pub fn control_seed(self, seed: u64) -> Self {
        self.with(|settings| settings.terms.seed = Some(seed))
    }

    /// Sets a separate delay and budget for each upstream, which is the scheme, host and port of a request's
    /// URI. By default, all requests of a layer share them.
    ///
    /// At most `max` upstreams are kept, and at least one. Each takes about 6 KiB. A new upstream replaces
    /// the least recently used one, and then has to earn its first hedge.
    ///
    /// See [load balancers](crate::guide::hedging#load-balancers) in the guide.
    pub fn per_authority(self, max: usize) -> Self {
        self.with(|settings| settings.max_upstreams = Some(max))
    }

    /// Sets which requests may be hedged. Defaults to [`Idempotency::safe`]: GET, HEAD, OPTIONS, TRACE and
    /// QUERY.
    ///
    /// Hedging requires more of a service than retrying. The service may act on both attempts, in any order,
    /// and on the slower one after it has answered the faster one:
    ///
    /// - A PUT can undo a later PUT.
    /// - A DELETE can be answered 404, because the other attempt has deleted the item.
    /// - A second request with the same idempotency key can be answered with a conflict.
    ///
    /// Allow only requests for which the service handles this.
    ///
    /// A request is also not hedged if its [`RetryOverride`](crate::RetryOverride) allows no retry, or
    /// declares it not repeatable.
    ///
    /// See [which requests are hedged](crate::guide::hedging#which-requests-are-hedged) in the guide.
    pub fn idempotency(self, idempotency: Idempotency) -> Self {
        self.with(|settings| settings.idempotency = idempotency)
    }

    /// Sets the classifier that decides whether an attempt succeeded, failed transiently, or failed
    /// permanently. Defaults to [`ByStatus`].
    ///
    /// Use the classifier of the retry above. For a closure, use [`classify_fn`](Self::classify_fn).
    pub fn classify<D: Classify>(self, classify: D) -> HedgeLayer<D, L> {
        let settings = self.shared.settings.clone();
        HedgeLayer::of(settings.with_classifier(classify), self.losers)
    }

    /// Sets a closure that classifies outcomes. See [`classify`](Self::classify).
    ///
    /// [`Outcome::by_status`] is the default to fall back to.
    pub fn classify_fn<F>(self, classify: F) -> HedgeLayer<ClassifyFn<F>, L>
    where
        F: Fn(&Outcome<'_>) -> Verdict,
    {
        self.classify(ClassifyFn { classify })
    }

    /// Sets the budget of the retry above. Hedges are sent only while more than half of it is left. Defaults
    /// to none.
    ///
    /// Hedges take no tokens from this budget. The condition gives retries precedence over hedges.
    ///
    /// See [hedges under a retry](crate::guide::hedging#under-a-retry) in the guide.
    ///
    /// ```
    /// use tower::ServiceBuilder;
    /// use tower_http_retry::{Budget, HedgeLayer, RetryLayer};
    ///
    /// let budget = Budget::earning(5);
    /// let layers = ServiceBuilder::new()
    ///     .layer(RetryLayer::new().budget(budget.clone()))
    ///     .layer(HedgeLayer::new().retry_budget(budget));
    /// # let _ = layers;
    /// ```
    pub fn retry_budget(self, budget: Budget) -> Self {
        self.with(|settings| settings.retry_budget = Some(budget))
    }

    /// Sets the cooldown of the retry above. No hedges are sent while it holds requests. Defaults to none.
    ///
    /// ```
    /// use tower::ServiceBuilder;
    /// use tower_http_retry::{Cooldown, HedgeLayer, RetryLayer};
    ///
    /// let cooldown = Cooldown::new();
    /// let layers = ServiceBuilder::new()
    ///     .layer(RetryLayer::new().cooldown(cooldown.clone()))
    ///     .layer(HedgeLayer::new().cooldown(cooldown));
    /// # let _ = layers;
    /// ```
    pub fn cooldown(self, cooldown: Cooldown) -> Self {
        self.with(|settings| settings.cooldown = Some(cooldown))
    }

    /// Sets how long an attempt that did not win may continue, in a separate task. By default, it is dropped
    /// immediately.
    ///
    /// Over HTTP/1.1, dropping an attempt closes its connection, so each hedge costs a new connection. If the
    /// attempt continues instead, its connection can be reused. Until then, the attempt occupies its
    /// resources, such as a permit of a concurrency limit below.
    ///
    /// The inner service's future must be `Send + 'static`. Each request takes one more allocation.
    ///
    /// See [what hedges cost](crate::guide::hedging#what-it-costs) in the guide.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_http_retry::HedgeLayer;
    /// let layer = HedgeLayer::new().keep_losers(Duration::from_secs(1));
    /// # let _ = layer;
    /// ```
    pub fn keep_losers(self, time: Duration) -> HedgeLayer<C, KeepLosers> {
        HedgeLayer {
            shared: self.shared,
            losers: KeepLosers { time },
        }
    }

    /// Adds a [`Hedged`](super::Hedged) to the extensions of each response for which a hedge was sent. Off by
    /// default.
    pub fn mark_responses(self) -> Self {
        self.with(|settings| settings.marks_responses = true)
    }

    /// Adds a callback for each [`HedgeEvent`], which is a step of a request that is slow enough to be
    /// hedged. Defaults to none.
    ///
    /// Several callbacks are called in the order in which they were added.
    pub fn on_event(self, listener: impl Fn(&HedgeEvent<'_>) + Send + Sync + 'static) -> Self {
        self.with(|settings| settings.listeners.push(Arc::new(listener)))
    }

    /// Returns the current delay after which a request to this URI's upstream is hedged. It is `None` while
    /// too little is known.
    pub fn delay(&self, uri: &Uri) -> Option<Duration> {
        self.shared.delay(uri)
    }

    /// Returns how many seconds a hedge to this URI's upstream
    /// [saves](crate::guide::hedging#what-it-saves) on average.
    ///
    /// It is negative if requests without a hedge are faster, and `None` while too little is known.
    pub fn saved_seconds(&self, uri: &Uri) -> Option<f64> {
        self.shared.saved(uri)
    }

    /// Returns the current state of the layer.
    ///
    /// With [`per_authority`](Self::per_authority), the snapshot contains the state of each upstream. The
    /// call does not add upstreams, and does not mark any as used.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() {
    /// use tower_http_retry::HedgeLayer;
    ///
    /// // No request was sent yet.
    /// let layer = HedgeLayer::new().per_authority(100);
    /// assert!(layer.snapshot().upstreams.is_empty());
    /// # }
    /// ```
    pub fn snapshot(&self) -> HedgeSnapshot {
        self.shared.snapshot()
    }

    pub(super) fn with(self, set: impl FnOnce(&mut Settings<C>)) -> Self {
        let mut settings = self.shared.settings.clone();
        set(&mut settings);
        Self::of(settings, self.losers)
    }
}

impl<C, L> HedgeLayer<C, L> {
    pub(super) fn of(settings: Settings<C>, losers: L) -> Self {
        let shared = Arc::new(Shared::new(settings));
        Self { shared, losers }
    }
}

/// A share between 0 and 1; NaN is 0.
fn share_of(share: f64) -> f64 {
    match share.is_nan() {
        true => 0.0,
        false => share.clamp(0.0, 1.0),
    }
}

impl<S, C, L: Clone> Layer<S> for HedgeLayer<C, L> {
    type Service = Hedge<S, C, L>;

    fn layer(&self, inner: S) -> Hedge<S, C, L> {
        Hedge::new(inner, self.shared.clone(), self.losers.clone())
    }
}

impl Default for HedgeLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl<C, L: Clone> Clone for HedgeLayer<C, L> {
    fn clone(&self) -> Self {
        Self {
            shared: self.shared.clone(),
            losers: self.losers.clone(),
        }
    }
}

impl<C: fmt::Debug, L: fmt::Debug> fmt::Debug for HedgeLayer<C, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HedgeLayer")
            .field("settings", &self.shared.settings)
            .field("losers", &self.losers)
            .finish()
    }
}
