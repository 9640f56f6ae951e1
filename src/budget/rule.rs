use std::time::Duration;

use tokio::time::Instant;

use super::bucket::{Bucket, Terms};
use super::ending::{Ending, Failure};
use super::snapshot::{BudgetKind, BudgetState};
use super::throttle::Throttle;

/// What one upstream's requests share.
#[expect(
    clippy::large_enum_variant,
    reason = "there is one for each upstream, on the heap"
)]
pub(crate) enum Rule {
    Bucket(Bucket),
    Throttle(Throttle),
    #[cfg_attr(
        not(feature = "tower"),
        expect(dead_code, reason = "the only ones are tower's")
    )]
    Foreign(Box<dyn Foreign>),
}

/// A budget of another crate's.
pub(crate) trait Foreign: Send + Sync {
    fn name(&self) -> &'static str;

    /// A request was served.
    fn deposit(&self);

    /// Whether it covers a retry, whose cost it takes then.
    fn withdraw(&self) -> bool;
}

impl Rule {
    pub(super) fn earning(max_retries: u32) -> Self {
        let floor = u64::from(max_retries).saturating_mul(2).clamp(6, 1_000);
        Self::Bucket(Bucket::new(Terms::earning(max_retries), floor))
    }

    pub(super) fn ratio(ratio: f64) -> Self {
        // A number so large that every retry is covered, and far from an overflow.
        let ratio = thousandths(ratio).min(1_000_000);
        Self::Bucket(Bucket::new(Terms::ratio(ratio), 10))
    }

    pub(super) fn throttle(max_tokens: u32, token_ratio: f64) -> Self {
        let max_tokens = u64::from(max_tokens.clamp(1, 1_000)) * 1_000;
        Self::throttling(max_tokens, thousandths(token_ratio))
    }

    /// In thousandths of a token.
    pub(crate) fn throttling(max_tokens: u64, token_ratio: u64) -> Self {
        Self::Throttle(Throttle::new(max_tokens, token_ratio))
    }

    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Bucket(_) => "bucket",
            Self::Throttle(_) => "throttle",
            Self::Foreign(budget) => budget.name(),
        }
    }

    pub(super) fn level(&self) -> Option<u64> {
        match self {
            Self::Bucket(bucket) => Some(bucket.level()),
            Self::Throttle(throttle) => Some(throttle.level()),
            Self::Foreign(_) => None,
        }
    }

    pub(super) fn state(&self) -> BudgetState {
        let (kind, capacity) = match self {
            Self::Bucket(bucket) if bucket.earns_from_failure() => {
                (BudgetKind::Ratio, Some(bucket.capacity()))
            }
            Self::Bucket(bucket) => (BudgetKind::Earning, Some(bucket.capacity())),
            Self::Throttle(throttle) => (BudgetKind::Throttle, Some(throttle.capacity())),
            Self::Foreign(_) => (BudgetKind::Other, None),
        };
        BudgetState {
            kind,
            tokens: self.level().map(tokens),
            capacity: capacity.map(tokens),
        }
    }

    /// Whether more than half of what it can hold is left. One that does not tell has.
    pub(crate) fn is_above_half(&self) -> bool {
        match self {
            Self::Bucket(bucket) => bucket.level() > bucket.capacity() / 2,
            Self::Throttle(throttle) => throttle.allows(),
            Self::Foreign(_) => true,
        }
    }

    /// A first attempt that `started` then has come to its outcome.
    #[inline]
    pub(crate) fn first_attempt(&self, ending: Ending, started: Instant) {
        match self {
            Self::Bucket(bucket) => bucket.first_attempt(ending != Ending::Failure, started),
            Self::Throttle(_) | Self::Foreign(_) => self.deposit(ending),
        }
    }

    /// A retry, made `after` such a failure, has come to its outcome `took` from its start; the
    /// request's first attempt `started` then.
    pub(crate) fn retry(
        &self,
        ending: Ending,
        started: Instant,
        after: Failure,
        took: impl FnOnce() -> Duration,
    ) {
        match self {
            Self::Bucket(bucket) if ending == Ending::Failure => bucket.retry_failed(started),
            Self::Bucket(bucket) => bucket.retry_served(started, after, took),
            Self::Throttle(_) | Self::Foreign(_) => self.deposit(ending),
        }
    }

    fn deposit(&self, ending: Ending) {
        match self {
            Self::Throttle(throttle) if ending == Ending::Success => throttle.success(),
            Self::Foreign(budget) if ending != Ending::Failure => budget.deposit(),
            Self::Bucket(_) | Self::Throttle(_) | Self::Foreign(_) => {}
        }
    }

    /// An attempt failed in a way that can be retried, whether or not it will be.
    pub(crate) fn failed(&self) {
        match self {
            Self::Throttle(throttle) => throttle.failure(),
            Self::Bucket(_) | Self::Foreign(_) => {}
        }
    }

    /// Takes what a retry after such a failure costs; false if that is not there. The first retry that
    /// a request pays for may have to leave tokens to the others.
    pub(crate) fn withdraw(&self, after: Failure, is_first: bool) -> bool {
        match self {
            Self::Bucket(bucket) => bucket.withdraw(after, is_first),
            Self::Throttle(throttle) => throttle.allows(),
            Self::Foreign(budget) => budget.withdraw(),
        }
    }
}

/// Levels are in thousandths of a token.
pub(super) fn tokens(level: u64) -> f64 {
    level as f64 / 1_000.0
}

/// Negative and not a number are zero; what is too large is the largest.
fn thousandths(ratio: f64) -> u64 {
    (ratio * 1_000.0).round() as u64
}

#[cfg(test)]
mod tests;
