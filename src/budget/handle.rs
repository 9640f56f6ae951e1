use std::fmt;
use std::sync::Arc;

use http::Uri;

use super::rule::{Rule, tokens};
use super::snapshot::{BudgetSnapshot, BudgetState};
use crate::authorities::Authorities;
use crate::authority::Authority;

/// What all requests through one layer, or to one upstream, may add to the load together.
///
/// Retries help against faults of single requests; against an overload they are more of the same.
/// A budget tells the two apart by what comes back. It never queues: a retry that it does not
/// cover is not made, and the request's last outcome is handed over at once. Clones share it, so
/// one budget can serve several layers. The [module](crate::budget) says which to choose.
///
/// | kind | a retry costs | what is earned |
/// |---|---|---|
/// | [`Budget::earning`] (the default) | 1 token; 2 after a time-out | 0.1 by each first attempt that is served, and more by retries that helped |
/// | [`Budget::ratio`] | 1 token | a fixed part of a token by each request |
/// | [`Budget::throttle`] | nothing, while more than half the tokens are there | each success adds, each failure that could be retried takes |
/// | `Budget::tower` (feature `tower`) | what that budget takes | what that budget gives for each success |
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
    /// Earns only from requests that are served, and learns from its own retries whether they help.
    ///
    /// A request is served when it is answered in a way that is not retryable: with a success, or
    /// with a 404 by a server that is well.
    ///
    /// - It starts with max(6, 2 × `max_retries`) tokens, but at most 1,000, so that a fresh client
    ///   can make its retries even through time-outs. It holds at most that, or 0.05 for each
    ///   request recently served if that is more; these fade with a time constant of 10 seconds.
    /// - After five minutes in which no attempt ended it holds at least what it started with. Shorter
    ///   pauses add nothing. See [clients that send little](crate::budget#clients-that-send-little).
    /// - A first attempt that is served earns 0.1.
    /// - The first retry of a request that is made [at once](crate::classify::Verdict::at_once) costs nothing.
    /// - A retry after a quick failure costs 1. If it is served, 1.5 come back.
    /// - A retry after a time-out costs 2. If it is served in at most half the time that the
    ///   attempt before it took to time out, 4 come back.
    /// - A request whose caller goes away earns nothing, and nothing comes back. Nor does it for a retry
    ///   that could not start after its wait.
    /// - In a [burst](crate::budget#bursts) half of the tokens that it started with are kept for second and
    ///   further retries, unless `max_retries` is 0 or 1. A burst is when half as many requests as
    ///   there were tokens had their first retry and nothing was served since, and fewer than about
    ///   20 requests were served in the last 10 seconds.
    pub fn earning(max_retries: u32) -> Self {
        Self::of(Rule::earning(max_retries))
    }

    /// Every request adds `ratio` of a token, succeed or fail; every retry costs 1: in the long
    /// run retries add at most this ratio to the load. It starts with 10 tokens and holds at most
    /// 10, or `ratio` for each recent request if that is more. A ratio that is not a number counts
    /// as 0, one above 1,000 as 1,000.
    ///
    /// ```
    /// use tower_http_retry::{Budget, RetryLayer};
    /// let layer = RetryLayer::new().budget(Budget::ratio(0.2));
    /// # let _ = layer;
    /// ```
    pub fn ratio(ratio: f64) -> Self {
        Self::of(Rule::ratio(ratio))
    }

    /// gRPC's retry throttling ([gRFC A6]): every failed attempt that could be retried takes one
    /// of `max_tokens`, every successful one adds `token_ratio`, any other leaves them as they are,
    /// and there are retries only while more than half the tokens are there. `max_tokens` is taken
    /// as at least 1 and at most 1,000; of `token_ratio` three decimals count.
    ///
    /// A gRPC call whose response head has no status yet is committed: its status comes in trailers.
    /// It is counted as successful when its head comes; with a `PeekTrailersLayer` (feature `grpc`)
    /// under the retry it is counted when its status is seen, as what that says. A failure is then
    /// one of the codes that the classifier retries, or a `grpc-retry-pushback-ms` that says no.
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

    /// [`Budget::default`], which is for five retries, for each upstream. For another number, and for
    /// what an upstream is, see [`Budget::per_authority_with`].
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

    /// A budget that `make` makes for each upstream: for each scheme, host and port of the URIs of
    /// requests, so that one bad host does not starve another. All requests whose URI names no host
    /// share one.
    ///
    /// At most `max` are kept, and at least one; the least recently used goes for a new one. A host
    /// that comes back gets a new budget, so that with more hosts than `max` nothing bounds the load:
    /// let `max` be above the number of hosts that are called. Each takes some kilobytes, and a new
    /// one takes longer the more there are: this is for hundreds, not for a crawler's millions.
    ///
    /// The host is the one of the URI that the layer sees, not that of a `Host` header. `make` should
    /// be quick; it may be called for a budget that is not kept, as by [`tokens_of`](Self::tokens_of).
    ///
    /// ```
    /// use tower_http_retry::{Budget, RetryLayer};
    ///
    /// // gRPC's throttling is for each server name.
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

    /// The tokens that are left for a request that starts now.
    ///
    /// None for one of `tower`'s, which does not tell, and for a budget that is for each upstream: see
    /// [`tokens_of`](Self::tokens_of).
    pub fn tokens(&self) -> Option<f64> {
        match &self.scope {
            Scope::All(rule) => rule.level().map(tokens),
            Scope::Each(_) => None,
        }
    }

    /// The tokens that are left for requests to this URI's upstream. None for one of `tower`'s. For
    /// an upstream that was not called yet it is what it would start with.
    pub fn tokens_of(&self, uri: &Uri) -> Option<f64> {
        match &self.scope {
            Scope::All(rule) => rule.level().map(tokens),
            Scope::Each(authorities) => authorities.peek(uri, |budget| budget.tokens_of(uri)),
        }
    }

    /// Returns the state of the budget, of each upstream if it is for each. Nothing is changed by it: no
    /// upstream is added, and none counts as used.
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

    /// None if there is none yet.
    fn state_of(&self, authority: &Authority<'_>) -> Option<BudgetState> {
        match &self.scope {
            Scope::All(rule) => Some(rule.state()),
            Scope::Each(authorities) => {
                authorities.find_of(authority, |budget| budget.state_of(authority))?
            }
        }
    }

    /// Whether there are clones of it.
    pub(crate) fn is_shared(&self) -> bool {
        match &self.scope {
            Scope::All(rule) => Arc::strong_count(rule) > 1,
            Scope::Each(authorities) => Arc::strong_count(authorities) > 1,
        }
    }

    /// The rule for requests to this URI.
    #[inline]
    pub(crate) fn at<T>(&self, uri: &Uri, act: impl FnOnce(&Rule) -> T) -> T {
        match &self.scope {
            Scope::All(rule) => act(rule),
            Scope::Each(authorities) => authorities.with(uri, |budget| budget.at(uri, act)),
        }
    }
}

impl Default for Budget {
    /// [`Budget::earning`], for the five retries of [`RetryLayer::new`](crate::RetryLayer::new).
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
