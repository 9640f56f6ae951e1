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

/// Layer that applies [`Hedge`], which sends a second attempt beside one that is slow. See the
/// [module](super).
///
/// Clones of a layer, and the services that they make, share what is learned and what is earned. A setter
/// returns a layer that has learned nothing yet.
///
/// | setter | default |
/// |---|---|
/// | [`extra_load`](Self::extra_load) | 0.05 |
/// | [`stragglers`](Self::stragglers) | 2.0: twice the median |
/// | [`after`](Self::after) | none: the delay is learned |
/// | [`control`](Self::control) | 1/16 |
/// | [`per_authority`](Self::per_authority) | one for all upstreams |
/// | [`idempotency`](Self::idempotency) | [`Idempotency::safe`] |
/// | [`classify`](Self::classify), [`classify_fn`](Self::classify_fn) | [`ByStatus`] |
/// | [`retry_budget`](Self::retry_budget), [`cooldown`](Self::cooldown) | none |
/// | [`keep_losers`](Self::keep_losers) | dropped at once |
/// | [`mark_responses`](Self::mark_responses) | off |
/// | [`on_event`](Self::on_event) | none |
/// | [`control_seed`](Self::control_seed) | none: from entropy |
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
    /// Sets what hedges may add to the load, as a share of the requests that succeed. Defaults to 0.05.
    ///
    /// It is also the share of requests that are slow enough to be hedged. Values outside 0 to 1 are clamped;
    /// with 0 or NaN, nothing is hedged.
    pub fn extra_load(self, share: f64) -> Self {
        self.with(|settings| settings.terms.extra_load = share_of(share))
    }

    /// Sets how long a request has to take before it is hedged, as a multiple of the median. Defaults to 2.
    ///
    /// Where all requests take about the same time, the slowest of them are not much slower than a hedge
    /// would be. With 0, only [`extra_load`](Self::extra_load) determines the delay.
    pub fn stragglers(self, times_median: f64) -> Self {
        self.with(|settings| settings.terms.stragglers = times_median.max(0.0))
    }

    /// Sets a fixed delay. By default it is learned from the requests.
    ///
    /// What hedges may add to the load stays limited by [`extra_load`](Self::extra_load). The
    /// [comparison](crate::hedge#what-it-saves) spans one more delay: a delay much shorter than an attempt
    /// shows no savings.
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

    /// Sets the share of hedges that are due and withheld for another delay, to
    /// [compare](crate::hedge#what-it-saves) with. Defaults to 1/16. While hedges are known to save time, the
    /// share is a quarter of this. With 0, hedges are sent whether they help or not.
    pub fn control(self, share: f64) -> Self {
        self.with(|settings| settings.terms.withheld = share_of(share))
    }

    /// Seeds the random choice of withheld hedges: for tests and simulations.
    pub fn control_seed(self, seed: u64) -> Self {
        self.with(|settings| settings.terms.seed = Some(seed))
    }

    /// Keeps a delay and a budget for each upstream, which is the scheme, host and port of a request's URI. By
    /// default, all requests of a layer share them.
    ///
    /// At most this many upstreams are kept, and at least one; each takes about 6 KiB. A new one replaces the
    /// least recently used, and has to earn its first hedge.
    pub fn per_authority(self, max: usize) -> Self {
        self.with(|settings| settings.max_upstreams = Some(max))
    }

    /// Sets which requests may be hedged. Defaults to [`Idempotency::safe`]: GET, HEAD, OPTIONS, TRACE and
    /// QUERY.
    ///
    /// Hedging asks more of a service than retries do: it may act on both attempts, in any order, and on the
    /// slower one after the faster one was answered. So a PUT can undo a later PUT, a DELETE can be answered
    /// 404 because the other attempt has deleted the item, and a second request with the same idempotency
    /// key can be answered with a conflict. Allow only what the service handles.
    ///
    /// A request's [`RetryOverride`](crate::RetryOverride) that allows no retry, or says that the request
    /// is not repeatable, prevents a hedge, too.
    pub fn idempotency(self, idempotency: Idempotency) -> Self {
        self.with(|settings| settings.idempotency = idempotency)
    }

    /// Sets what an outcome means. Use the classifier of the retry above. For a closure, see
    /// [`classify_fn`](Self::classify_fn).
    pub fn classify<D: Classify>(self, classify: D) -> HedgeLayer<D, L> {
        let settings = self.shared.settings.clone();
        HedgeLayer::of(settings.with_classifier(classify), self.losers)
    }

    /// Sets a closure as the classifier.
    pub fn classify_fn<F>(self, classify: F) -> HedgeLayer<ClassifyFn<F>, L>
    where
        F: Fn(&Outcome<'_>) -> Verdict,
    {
        self.classify(ClassifyFn { classify })
    }

    /// Sends hedges only while more than half is left in this budget: that of the retry above. Defaults
    /// to none.
    ///
    /// Hedges take nothing from it. Where retries are needed, they go first.
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

    /// Sends no hedge while this cooldown holds requests: that of the retry above. Defaults to none.
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

    /// Lets an attempt that did not win go on for this time, in a task of its own. By default it is
    /// dropped at once.
    ///
    /// Over HTTP/1.1, dropping an attempt closes its connection, so that each hedge costs a new one. An
    /// attempt that goes on gives its connection back instead. Until then it keeps what it holds, such as a
    /// permit of a concurrency limit below. The inner service's future must be `Send + 'static`, and there is
    /// one allocation more for each request.
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

    /// Puts a [`Hedged`](super::Hedged) on each response for which a hedge was sent, as an extension. Off
    /// by default.
    pub fn mark_responses(self) -> Self {
        self.with(|settings| settings.marks_responses = true)
    }

    /// Adds a callback for each [`HedgeEvent`]: the steps of requests that are slow enough to be hedged.
    pub fn on_event(self, listener: impl Fn(&HedgeEvent<'_>) + Send + Sync + 'static) -> Self {
        self.with(|settings| settings.listeners.push(Arc::new(listener)))
    }

    /// Returns after how long a request to this URI's upstream is hedged now; `None` while too little is
    /// known.
    pub fn delay(&self, uri: &Uri) -> Option<Duration> {
        self.shared.delay(uri)
    }

    /// Returns how many seconds a hedge to this URI's upstream [saves](crate::hedge#what-it-saves) on average; `None`
    /// while too little is known. It is negative if requests without a hedge are faster.
    pub fn saved_seconds(&self, uri: &Uri) -> Option<f64> {
        self.shared.saved(uri)
    }

    /// Returns what is known now, of each upstream if the layer is for each. Nothing is changed by it: no
    /// upstream is added, and none counts as used.
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
