use std::collections::BTreeMap;
use std::time::Duration;

/// The state of a [`Cooldown`](super::Cooldown) at one moment, for a status page.
///
/// [`Cooldown::snapshot`](super::Cooldown::snapshot) returns it. With the feature `config`, it implements
/// serde's `Serialize` and `Deserialize`.
///
/// # Example
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() {
/// use std::time::Duration;
/// use http::Uri;
/// use tower_http_retry::Cooldown;
/// use tower_http_retry::cooldown::CooldownPhase;
///
/// let cooldown = Cooldown::per_authority(100);
/// cooldown.hold(&Uri::from_static("http://service.test/items/7"), Duration::from_secs(30));
///
/// let snapshot = cooldown.snapshot();
/// let state = &snapshot.upstreams["http://service.test"];
/// assert_eq!(state.phase, CooldownPhase::Holding);
/// assert_eq!(state.left, Some(Duration::from_secs(30)));
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "config", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct CooldownSnapshot {
    /// The state that all requests share. `None` if each upstream has a separate state.
    #[cfg_attr(
        feature = "config",
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    pub shared: Option<CooldownState>,
    /// The state of each upstream that is kept. Empty if all requests share one state.
    ///
    /// A key consists of scheme, host and port, such as `https://service.test:8443`, without the port if it
    /// is the default port of the scheme. The key of requests whose URI has no host is empty.
    pub upstreams: BTreeMap<String, CooldownState>,
}

/// One state in a [`CooldownSnapshot`].
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() {
/// use tower_http_retry::Cooldown;
///
/// let state = Cooldown::new().snapshot().shared.unwrap();
/// assert_eq!((state.left, state.waiting), (None, 0));
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "config", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct CooldownState {
    /// Whether requests are held.
    pub phase: CooldownPhase,
    /// The remaining time of the hold, as returned by [`Cooldown::left`](super::Cooldown::left): `None` if a
    /// new request would be sent immediately. Serialized with units, such as `4s 250ms`.
    #[cfg_attr(
        feature = "config",
        serde(default, with = "crate::notation::As::<Option<crate::notation::Time>>")
    )]
    pub left: Option<Duration>,
    /// The number of requests that are waiting, including retries whose own wait is over.
    pub waiting: usize,
}

/// What a [`Cooldown`](super::Cooldown) does with requests.
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() {
/// use tower_http_retry::Cooldown;
/// use tower_http_retry::cooldown::CooldownPhase;
///
/// let state = Cooldown::new().snapshot().shared.unwrap();
/// assert_eq!(state.phase, CooldownPhase::Open);
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(
    feature = "config",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "snake_case")
)]
#[non_exhaustive]
pub enum CooldownPhase {
    /// Requests are sent.
    Open,
    /// Requests wait until the hold ends.
    Holding,
    /// The time of the hold is over. Requests are sent a few at a time.
    SlowStart,
}
