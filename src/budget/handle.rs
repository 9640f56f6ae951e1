use std::fmt;
use std::sync::Arc;

use http::Uri;

use super::rule::{Rule, tokens};
use super::snapshot::{BudgetSnapshot, BudgetState};
use crate::authorities::Authorities;
use crate::authority::Authority;

/// Limits how much load retries add, for all requests of a layer or for each upstream.
///
/// Retries help if single requests fail, but make an overload worse. A budget distinguishes the two by the
/// outcomes of requests. Requests never wait for it: a retry that it does not cover is not made, and the
/// last outcome is returned immediately. Clones share their tokens, so that several layers can share a
/// budget. The [module](crate::budget) compares the kinds of budget.
///
/// | kind | a retry costs | tokens are earned by |
/// |---|---|---|
/// | [`Budget::earning`] (the default) | 1 token; 2 after a time-out | each first attempt that is served: 0.1; retries that helped |
/// | [`Budget::ratio`] | 1 token | each request: a fixed part of a token |
/// | [`Budget::throttle`] | nothing, but more than half of the tokens must be left | each success; a failure that could be retried takes one |
/// | `Budget::tower` (feature `tower`) | as defined by that budget | each success, as defined by that budget |
/// | [`Budget::per_authority`] | as above, from the budget of its upstream | as above |
///
/// # Example
///
/// ```
/// use tower_http_retry::{Budget, RetryLayer};
///
/// // Two clients of one upstream.
/// let budget = Budget::earning(5);
/// let reads = RetryLayer::new().budget(budget.clone());
/// let writes = RetryLayer::new().max_retries(2).budget(budget.clone());
/// # let _ = (reads, writes);
/// assert_eq!(budget.tokens(), Some(10.0));
/// ```
#[derive(Clone)]
pub struct Budget {
    pub(super) scope: Scope,
}

#[derive(Clone)]
pub(super) enum Scope {
    All(Arc<Rule>),
    Each(Arc<Authorities<Budget>>),
}

impl Budget {
    /// Creates a budget that earns tokens only from requests that are served, and more of them from retries
    /// that help. This is the default of each layer.
    ///
    /// A request is served if its response is not retryable: a success, or a 404, for example.
    ///
    /// - It starts with twice `max_retries` tokens, but with at least 6 and at most 1,000, so that a new
    ///   client can make its retries even after time-outs. Its capacity is that number, or 0.05 for each
    ///   recently served request if that is more. The count of recently served requests decays with a time
    ///   constant of 10 seconds.
    /// - After five minutes in which no attempt ended, it holds at least the tokens that it started with.
    ///   Shorter pauses add nothing. See
    ///   [clients that send little](crate::budget#clients-that-send-little).
    /// - A first attempt that is served earns 0.1.
    /// - A retry that is sent [immediately](crate::classify::Verdict::at_once) costs nothing. A request has
    ///   at most one such retry.
    /// - A retry after a quick failure costs 1. If it is served, it earns 1.5.
    /// - A retry after a time-out costs 2. If it is served in at most half the time that the previous
    ///   attempt took, it earns 4.
    /// - A request that is dropped earns nothing, and neither does a retry that could not start after its
    ///   wait.
    /// - In a [burst](crate::budget#bursts), half of the tokens that it started with are kept for second and
    ///   further retries, unless `max_retries` is 0 or 1. A burst is detected if first retries have used
    ///   half of these tokens, no tokens were earned since, and fewer than about 20 requests were served in
    ///   the last 10 seconds.
    pub fn earning(max_retries: u32) -> Self {
        Self::of(Rule::earning(max_retries))
    }

    /// Creates a budget that earns `ratio` tokens from each request, whatever its outcome. A retry costs 1.
    ///
    /// In the long run, retries add at most this ratio to the load. The budget starts with 10 tokens, and
    /// holds at most 10, or `ratio` for each recent request if that is more. A negative ratio or NaN counts
    /// as 0, and one above 1,000 as 1,000.
    ///
    /// ```
    /// use tower_http_retry::{Budget, RetryLayer};
    /// let layer = RetryLayer::new().budget(Budget::ratio(0.2));
    /// # let _ = layer;
    /// ```
    pub fn ratio(ratio: f64) -> Self {
        Self::of(Rule::ratio(ratio))
    }

    /// Creates a budget with gRPC's retry throttling ([gRFC A6]).
    ///
    /// Each failed attempt that could be retried takes one token, each success adds `token_ratio`, and other
    /// outcomes change nothing. A retry is made only if more than half of `max_tokens` are left.
    /// `max_tokens` is clamped to the range 1 to 1,000, and `token_ratio` is rounded to three decimals.
    ///
    /// If the response head of a gRPC call has no status, the status arrives in the trailers. By default,
    /// the call counts as a success when its head arrives. With a `PeekTrailersLayer` (feature `grpc`) below
    /// the retry, it counts when its status arrives. It is a failure if the classifier retries the code, or
    /// if `grpc-retry-pushback-ms` forbids a retry.
    ///
    /// ```
    /// use tower_http_retry::{Budget, RetryLayer};
    /// let layer = RetryLayer::new().budget(Budget::throttle(10, 0.1));
    /// # let _ = layer;
    /// ```
    ///
    /// [gRFC A6]: https://github.com/grpc/proposal/blob/master/A6-client-retries.md#throttling-retry-attempts-and-hedged-rpcs
    pub fn throttle(max_tokens: u32, token_ratio: f64) -> Self {
        Self::of(Rule::throttle(max_tokens, token_ratio))
    }

    /// Creates a budget that has a separate [`Budget::default`] for each upstream.
    ///
    /// See [`Budget::per_authority_with`] for other budgets, and for the definition of an upstream.
    ///
    /// ```
    /// use http::Uri;
    /// use tower_http_retry::{Budget, RetryLayer};
    ///
    /// let budget = Budget::per_authority(100);
    /// let layer = RetryLayer::new().budget(budget.clone());
    /// # let _ = layer;
    /// let tokens = budget.tokens_of(&Uri::from_static("http://service.test/items/7"));
    /// assert_eq!(tokens, Some(10.0));
    /// ```
    pub fn per_authority(max: usize) -> Self {
        Self::per_authority_with(max, Self::default)
    }

    /// Creates a budget that has a separate budget for each upstream, which `make` creates.
    ///
    /// An upstream is the scheme, host and port of the request's URI as the layer sees it; the `Host` header
    /// is not used. An upstream that fails does not use up the retries of others. All requests whose URI has
    /// no host share one budget.
    ///
    /// At most `max` budgets are kept, and at least one. A new budget replaces the least recently used one.
    /// An upstream whose budget was replaced starts again with a new one. With more than `max` upstreams,
    /// the load is therefore not limited: choose `max` above the number of upstreams. Each budget takes some
    /// kilobytes, and the more budgets there are, the longer it takes to create one. Use this for hundreds
    /// of upstreams, not for millions.
    ///
    /// `make` should be quick. It is also called for budgets that are not kept, for example by
    /// [`tokens_of`](Self::tokens_of).
    ///
    /// ```
    /// use tower_http_retry::{Budget, RetryLayer};
    ///
    /// // gRPC has a throttle for each server name.
    /// let budget = Budget::per_authority_with(100, || Budget::throttle(10, 0.1));
    /// let layer = RetryLayer::new().budget(budget);
    /// # let _ = layer;
    /// ```
    pub fn per_authority_with(max: usize, make: impl Fn() -> Self + Send + Sync + 'static) -> Self {
        Self {
            scope: Scope::Each(Arc::new(Authorities::new(max, make))),
        }
    }

    pub(crate) fn of(rule: Rule) -> Self {
        Self {
            scope: Scope::All(Arc::new(rule)),
        }
    }

    /// Returns the number of tokens that are left.
    ///
    /// Returns `None` for a budget of tower, whose tokens are not known, and for one with a separate budget
    /// for each upstream, for which [`tokens_of`](Self::tokens_of) can be used.
    pub fn tokens(&self) -> Option<f64> {
        match &self.scope {
            Scope::All(rule) => rule.level().map(tokens),
            Scope::Each(_) => None,
        }
    }

    /// Returns the number of tokens that are left for requests to this URI's upstream.
    ///
    /// Returns `None` for a budget of tower. If the upstream has no budget yet, returns the number of tokens
    /// that a new one starts with.
    pub fn tokens_of(&self, uri: &Uri) -> Option<f64> {
        match &self.scope {
            Scope::All(rule) => rule.level().map(tokens),
            Scope::Each(authorities) => authorities.peek(uri, |budget| budget.tokens_of(uri)),
        }
    }

    /// Returns the state of the budget, for example for a status page.
    ///
    /// If each upstream has a separate budget, the snapshot contains the state of each. The call does not
    /// create budgets, and does not mark any as used.
    ///
    /// ```
    /// use http::Uri;
    /// use tower_http_retry::{Budget, RetryLayer};
    ///
    /// let budget = Budget::per_authority(100);
    /// let layer = RetryLayer::new().budget(budget.clone());
    /// # let _ = layer;
    /// // No request was sent yet.
    /// assert!(budget.snapshot().upstreams.is_empty());
    /// ```
    pub fn snapshot(&self) -> BudgetSnapshot {
        let mut snapshot = BudgetSnapshot::default();
        match &self.scope {
            Scope::All(rule) => snapshot.shared = Some(rule.state()),
            Scope::Each(authorities) => authorities.each(|authority, budget| {
                let state = budget.state_of(authority);
                snapshot
                    .upstreams
                    .extend(state.map(|state| (authority.origin(), state)));
            }),
        }
        snapshot
    }

    /// Returns the state of this upstream's budget, if it has one already.
    fn state_of(&self, authority: &Authority<'_>) -> Option<BudgetState> {
        match &self.scope {
            Scope::All(rule) => Some(rule.state()),
            Scope::Each(authorities) => {
                authorities.find_of(authority, |budget| budget.state_of(authority))?
            }
        }
    }

    /// Whether the budget has clones.
    pub(crate) fn is_shared(&self) -> bool {
        match &self.scope {
            Scope::All(rule) => Arc::strong_count(rule) > 1,
            Scope::Each(authorities) => Arc::strong_count(authorities) > 1,
        }
    }

    /// Calls `act` with the rule for requests to this URI.
    #[inline]
    pub(crate) fn at<T>(&self, uri: &Uri, act: impl FnOnce(&Rule) -> T) -> T {
        match &self.scope {
            Scope::All(rule) => act(rule),
            Scope::Each(authorities) => authorities.with(uri, |budget| budget.at(uri, act)),
        }
    }
}

impl Default for Budget {
    /// Creates [`Budget::earning(5)`](Budget::earning), for the five retries of
    /// [`RetryLayer::new`](crate::RetryLayer::new).
    fn default() -> Self {
        Self::earning(5)
    }
}

impl fmt::Debug for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match &self.scope {
            Scope::All(rule) => rule.name(),
            Scope::Each(_) => "per authority",
        };
        f.debug_struct("Budget")
            .field("kind", &kind)
            .field("tokens", &self.tokens())
            .finish()
    }
}
