use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tower::retry::budget::Budget as TowerBudget;

mod bucket;
mod recent;
mod throttle;

use bucket::{Bucket, Terms};
use throttle::Throttle;

/// What all requests through one layer may add to the load together.
///
/// Retries help against faults of single requests; against an overload they are more of the same.
/// A budget tells the two apart by what comes back. It never queues: a retry that it does not
/// cover is not made, and the request's last outcome is handed over at once. Clones share it, so
/// one budget can serve several layers.
///
/// | kind | a retry costs | what is earned |
/// |---|---|---|
/// | [`Budget::earning`] (the default) | 1 token; 2 after a time-out | 0.1 by each first attempt that is served, and more by retries that helped |
/// | [`Budget::ratio`] | 1 token | a fixed part of a token by each request |
/// | [`Budget::throttle`] | nothing, while more than half the tokens are there | each success adds, each failure that could be retried takes |
/// | [`Budget::tower`] | what that budget takes | what that budget gives for each success |
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
/// assert_eq!(budget.level(), Some(10_000));
/// ```
#[derive(Clone)]
pub struct Budget {
    kind: Arc<Kind>,
}

#[expect(
    clippy::large_enum_variant,
    reason = "there is one for each layer, on the heap"
)]
enum Kind {
    Bucket(Bucket),
    Throttle(Throttle),
    Tower(Box<dyn TowerBudget + Send + Sync>),
}

/// How an attempt failed, which is what its retry is charged by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    Quick,
    TimedOut { took: Duration },
}

/// What an attempt came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    Success,
    /// A failure that a server which is well answers with: a 404, say. For a bucket it is served.
    Answered,
    Failure,
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
    ///   Time alone adds nothing.
    /// - A first attempt that is served earns 0.1.
    /// - A retry after a quick failure costs 1. If it is served, 1.5 come back.
    /// - A retry after a time-out costs 2. If it is served in at most half the time that the
    ///   attempt before it took to time out, 4 come back.
    /// - A request whose caller goes away earns nothing, and nothing comes back.
    pub fn earning(max_retries: u32) -> Self {
        let floor = u64::from(max_retries).saturating_mul(2).clamp(6, 1_000);
        Self::bucket(Terms::earning(), floor)
    }

    /// Every request adds `ratio` of a token, succeed or fail; every retry costs 1: in the long
    /// run retries add at most this ratio to the load. It starts with 10 tokens and holds at most
    /// 10, or `ratio` for each recent request if that is more. A ratio that is not a number counts
    /// as 0.
    ///
    /// ```
    /// use tower_http_retry::{Budget, RetryLayer};
    /// let layer = RetryLayer::new().budget(Budget::ratio(0.2));
    /// # let _ = layer;
    /// ```
    pub fn ratio(ratio: f64) -> Self {
        Self::bucket(Terms::ratio(thousandths(ratio)), 10)
    }

    fn bucket(terms: Terms, floor: u64) -> Self {
        Self {
            kind: Arc::new(Kind::Bucket(Bucket::new(terms, floor))),
        }
    }

    /// gRPC's retry throttling ([gRFC A6]): every failed attempt that could be retried takes one
    /// of `max_tokens`, every successful one adds `token_ratio`, any other leaves them as they are,
    /// and there are retries only while more than half the tokens are there. `max_tokens` is taken
    /// as at least 1 and at most 1,000; of `token_ratio` three decimals count.
    ///
    /// ```
    /// use tower_http_retry::{Budget, RetryLayer};
    /// let layer = RetryLayer::new().budget(Budget::throttle(10, 0.1));
    /// # let _ = layer;
    /// ```
    ///
    /// [gRFC A6]: https://github.com/grpc/proposal/blob/master/A6-client-retries.md#throttling-retry-attempts-and-hedged-rpcs
    pub fn throttle(max_tokens: u32, token_ratio: f64) -> Self {
        let max_tokens = u64::from(max_tokens.clamp(1, 1_000)) * 1_000;
        Self::throttling(max_tokens, thousandths(token_ratio))
    }

    /// In thousandths of a token.
    pub(crate) fn throttling(max_tokens: u64, token_ratio: u64) -> Self {
        let throttle = Throttle::new(max_tokens, token_ratio);
        Self {
            kind: Arc::new(Kind::Throttle(throttle)),
        }
    }

    /// Any of `tower`'s budgets: every request that is served deposits, every retry withdraws.
    ///
    /// ```
    /// use tower::retry::budget::TpsBudget;
    /// use tower_http_retry::{Budget, RetryLayer};
    /// let layer = RetryLayer::new().budget(Budget::tower(TpsBudget::default()));
    /// # let _ = layer;
    /// ```
    pub fn tower<T>(budget: T) -> Self
    where
        T: TowerBudget + Send + Sync + 'static,
    {
        Self {
            kind: Arc::new(Kind::Tower(Box::new(budget))),
        }
    }

    /// What is left, in thousandths of a token; none for [`Budget::tower`], which does not tell.
    pub fn level(&self) -> Option<u64> {
        match &*self.kind {
            Kind::Bucket(bucket) => Some(bucket.level()),
            Kind::Throttle(throttle) => Some(throttle.level()),
            Kind::Tower(_) => None,
        }
    }

    /// A first attempt that started at `start` has come to its outcome.
    #[inline]
    pub(crate) fn first_attempt(&self, ending: Ending, start: Instant) {
        match &*self.kind {
            Kind::Bucket(bucket) => bucket.first_attempt(ending != Ending::Failure, start),
            Kind::Throttle(_) | Kind::Tower(_) => self.deposit(ending),
        }
    }

    /// A retry, made `after` such a failure, has come to its outcome `took` from its start.
    pub(crate) fn retry(&self, ending: Ending, after: Failure, took: impl FnOnce() -> Duration) {
        match &*self.kind {
            Kind::Bucket(bucket) if ending != Ending::Failure => bucket.retry_served(after, took),
            Kind::Bucket(_) => {}
            Kind::Throttle(_) | Kind::Tower(_) => self.deposit(ending),
        }
    }

    fn deposit(&self, ending: Ending) {
        match &*self.kind {
            Kind::Throttle(throttle) if ending == Ending::Success => throttle.success(),
            Kind::Tower(budget) if ending != Ending::Failure => budget.deposit(),
            Kind::Bucket(_) | Kind::Throttle(_) | Kind::Tower(_) => {}
        }
    }

    /// An attempt failed in a way that can be retried, whether or not it will be.
    pub(crate) fn failed(&self) {
        match &*self.kind {
            Kind::Throttle(throttle) => throttle.failure(),
            Kind::Bucket(_) | Kind::Tower(_) => {}
        }
    }

    /// Takes what a retry after such a failure costs; false if that is not there.
    pub(crate) fn withdraw(&self, after: Failure) -> bool {
        match &*self.kind {
            Kind::Bucket(bucket) => bucket.withdraw(after),
            Kind::Throttle(throttle) => throttle.allows(),
            Kind::Tower(budget) => budget.withdraw(),
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
        let kind = match &*self.kind {
            Kind::Bucket(_) => "bucket",
            Kind::Throttle(_) => "throttle",
            Kind::Tower(_) => "tower",
        };
        f.debug_struct("Budget")
            .field("kind", &kind)
            .field("level", &self.level())
            .finish()
    }
}

/// Negative and not a number are zero; what is too large is the largest.
fn thousandths(ratio: f64) -> u64 {
    (ratio * 1_000.0).round() as u64
}

#[cfg(test)]
mod tests;
