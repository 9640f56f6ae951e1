use std::collections::BTreeMap;
use std::time::Duration;

/// The state of a [`HedgeLayer`](super::HedgeLayer) at one moment, for a status page.
///
/// [`HedgeLayer::snapshot`](super::HedgeLayer::snapshot) returns it. With feature `config` it implements serde's
/// traits.
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
/// // Nothing is known yet, and there is one hedge to start with.
/// assert_eq!((state.delay, state.saved_seconds, state.hedges), (None, None, 1.0));
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[cfg_attr(feature = "config", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct HedgeSnapshot {
    /// What is known of all requests. `None` of a layer that is for each upstream.
    #[cfg_attr(
        feature = "config",
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    pub shared: Option<HedgeState>,
    /// What is known of each upstream that is kept, of a layer that is for each. The keys are scheme, host and
    /// port, such as `https://service.test:8443`; the port is left out if it is the scheme's usual one. The key
    /// of requests whose URI has no host is empty.
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
    /// After how long a request is hedged: [`HedgeLayer::delay`](super::HedgeLayer::delay). `None` while too
    /// little is known. Written with units, such as `21ms`.
    #[cfg_attr(
        feature = "config",
        serde(default, with = "crate::notation::As::<Option<crate::notation::Time>>")
    )]
    pub delay: Option<Duration>,
    /// How many seconds a hedge [saves](crate::hedge#what-it-saves) on average:
    /// [`HedgeLayer::saved_seconds`](super::HedgeLayer::saved_seconds). `None` while too little is known.
    pub saved_seconds: Option<f64>,
    /// How many hedges successes have earned that were not sent yet.
    pub hedges: f64,
    /// How many of these are kept at most now.
    pub capacity: f64,
}
