use std::collections::BTreeMap;

/// The state of a [`Budget`](super::Budget) at one moment, for a status page.
///
/// [`Budget::snapshot`](super::Budget::snapshot) returns it. With feature `config` it implements serde's traits.
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
    /// The state of a budget for all requests. `None` if each upstream has a budget of its own.
    #[cfg_attr(
        feature = "config",
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    pub shared: Option<BudgetState>,
    /// The state of each upstream that is kept, if each has a budget of its own. The keys are scheme, host and
    /// port, such as `https://service.test:8443`; the port is left out if it is the scheme's usual one. The key
    /// of requests whose URI has no host is empty.
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
    /// The tokens that are left. `None` if the budget does not tell.
    pub tokens: Option<f64>,
    /// The tokens that it can hold now. `None` if the budget does not tell.
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
    /// [`Budget::throttle`](super::Budget::throttle), or that of a gRPC service config.
    Throttle,
    /// A budget of another crate's, such as `Budget::tower`.
    Other,
}
