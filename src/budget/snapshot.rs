use std::collections::BTreeMap;

/// The state of a [`Budget`](super::Budget) at one moment, for a status page.
///
/// [`Budget::snapshot`](super::Budget::snapshot) returns it. With the feature `config`, it implements
/// serde's `Serialize` and `Deserialize`.
///
/// # Example
///
/// ```
/// use tower_http_retry::Budget;
/// use tower_http_retry::budget::BudgetKind;
///
/// let snapshot = Budget::earning(5).snapshot();
/// let state = snapshot.shared.unwrap();
/// assert_eq!(state.kind, BudgetKind::Earning);
/// assert_eq!(state.tokens, Some(10.0));
/// assert!(snapshot.upstreams.is_empty());
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[cfg_attr(feature = "config", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct BudgetSnapshot {
    /// The state of the budget that all requests share. `None` if each upstream has its own budget.
    #[cfg_attr(
        feature = "config",
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    pub shared: Option<BudgetState>,
    /// The state of each upstream's budget that is kept. Empty if all requests share one budget.
    ///
    /// A key consists of scheme, host and port, such as `https://service.test:8443`, without the port if it
    /// is the default port of the scheme. The key of requests whose URI has no host is empty.
    pub upstreams: BTreeMap<String, BudgetState>,
}

/// The state of one budget in a [`BudgetSnapshot`].
///
/// ```
/// use tower_http_retry::Budget;
///
/// let state = Budget::throttle(10, 0.1).snapshot().shared.unwrap();
/// assert_eq!((state.tokens, state.capacity), (Some(10.0), Some(10.0)));
/// ```
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "config", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct BudgetState {
    /// The kind of budget.
    pub kind: BudgetKind,
    /// The number of tokens that are left. `None` for a budget of kind [`Other`](BudgetKind::Other).
    pub tokens: Option<f64>,
    /// The number of tokens that the budget can currently hold. `None` for a budget of kind
    /// [`Other`](BudgetKind::Other).
    pub capacity: Option<f64>,
}

/// A kind of [`Budget`](super::Budget).
///
/// ```
/// use tower_http_retry::Budget;
/// use tower_http_retry::budget::BudgetKind;
///
/// let state = Budget::ratio(0.2).snapshot().shared.unwrap();
/// assert_eq!(state.kind, BudgetKind::Ratio);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(
    feature = "config",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "snake_case")
)]
#[non_exhaustive]
pub enum BudgetKind {
    /// [`Budget::earning`](super::Budget::earning).
    Earning,
    /// [`Budget::ratio`](super::Budget::ratio).
    Ratio,
    /// [`Budget::throttle`](super::Budget::throttle), or the retry throttling of a gRPC service config.
    Throttle,
    /// A budget of another crate, wrapped by `Budget::tower`.
    Other,
}
