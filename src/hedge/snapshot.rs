use std::collections::BTreeMap;
use std::time::Duration;

/// The state of a [`HedgeLayer`](super::HedgeLayer) at one moment, for a status page.
///
/// [`HedgeLayer::snapshot`](super::HedgeLayer::snapshot) returns it. With the feature `config`, it implements
/// serde's `Serialize` and `Deserialize`.
///
/// # Example
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() {
/// use tower_http_retry::HedgeLayer;
///
/// let snapshot = HedgeLayer::new().snapshot();
/// let state = snapshot.shared.unwrap();
/// // Nothing is known yet, and the layer starts with one earned hedge.
/// assert_eq!((state.delay, state.saved_seconds, state.hedges), (None, None, 1.0));
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[cfg_attr(feature = "config", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct HedgeSnapshot {
    /// The state that all requests share. `None` if
    /// [`HedgeLayer::per_authority`](super::HedgeLayer::per_authority) is set.
    #[cfg_attr(
        feature = "config",
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    pub shared: Option<HedgeState>,
    /// The state of each upstream that is kept. Empty unless
    /// [`HedgeLayer::per_authority`](super::HedgeLayer::per_authority) is set.
    ///
    /// A key consists of scheme, host and port, such as `https://service.test:8443`, without the port if it
    /// is the default port of the scheme. The key of requests whose URI has no host is empty.
    pub upstreams: BTreeMap<String, HedgeState>,
}

/// One state in a [`HedgeSnapshot`].
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() {
/// use std::time::Duration;
/// use tower_http_retry::HedgeLayer;
///
/// let layer = HedgeLayer::new().after(Duration::from_millis(50));
/// let state = layer.snapshot().shared.unwrap();
/// assert_eq!(state.delay, Some(Duration::from_millis(50)));
/// # }
/// ```
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "config", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct HedgeState {
    /// The delay after which a request is hedged, as returned by
    /// [`HedgeLayer::delay`](super::HedgeLayer::delay). `None` while too little is known. Serialized with
    /// units, such as `21ms`.
    #[cfg_attr(
        feature = "config",
        serde(default, with = "crate::notation::As::<Option<crate::notation::Time>>")
    )]
    pub delay: Option<Duration>,
    /// How many seconds a hedge [saves](crate::guide::hedging#what-it-saves) on average, as returned by
    /// [`HedgeLayer::saved_seconds`](super::HedgeLayer::saved_seconds). `None` while too little is known.
    pub saved_seconds: Option<f64>,
    /// The number of earned hedges that have not been sent yet.
    pub hedges: f64,
    /// The number of earned hedges that can currently be saved up.
    pub capacity: f64,
}
