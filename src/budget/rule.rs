use std::time::Duration;

use tokio::time::Instant;

use super::bucket::{Bucket, Terms};
use super::ending::{Ending, Failure};
use super::snapshot::{BudgetKind, BudgetState};
use super::throttle::Throttle;

/// The state of a budget, for all requests or for those to one upstream.
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

/// A budget of another crate.
pub(crate) trait Foreign: Send + Sync {
    fn name(&self) -> &'static str;

    /// Records that a request was served.
    fn deposit(&self);

    /// Takes the cost of a retry. Returns false if the budget does not cover it.
    fn withdraw(&self) -> bool;
}

impl Rule {
    pub(super) fn earning(max_retries: u32) -> Self {
        let floor = u64::from(max_retries).saturating_mul(2).clamp(6, 1_000);
        Self::Bucket(Bucket::new(Terms::earning(max_retries), floor))
    }

    pub(super) fn ratio(ratio: f64) -> Self {
        // At this limit, every retry is covered, and no sum overflows.
        let ratio = thousandths(ratio).min(1_000_000);
        Self::Bucket(Bucket::new(Terms::ratio(ratio), 10))
    }

    pub(super) fn throttle(max_tokens: u32, token_ratio: f64) -> Self {
        let max_tokens = u64::from(max_tokens.clamp(1, 1_000)) * 1_000;
        Self::throttling(max_tokens, thousandths(token_ratio))
    }

    /// Creates a throttle; both values are in thousandths of a token.
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

    /// Whether more than half of the capacity is left. True for a budget whose tokens are not known.
    pub(crate) fn is_above_half(&self) -> bool {
        match self {
            Self::Bucket(bucket) => bucket.level() > bucket.capacity() / 2,
            Self::Throttle(throttle) => throttle.allows(),
            Self::Foreign(_) => true,
        }
    }

    /// Records the outcome of a first attempt that started at `started`.
    #[inline]
    pub(crate) fn first_attempt(&self, ending: Ending, started: Instant) {
        match self {
            Self::Bucket(bucket) => bucket.first_attempt(ending != Ending::Failure, started),
            Self::Throttle(_) | Self::Foreign(_) => self.deposit(ending),
        }
    }

    /// Records the outcome of a retry that was made after the failure `after` and took `took`. The request's
    /// first attempt started at `started`.
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

    /// Records that an attempt failed in a way that can be retried, whether or not it will be.
    pub(crate) fn failed(&self) {
        match self {
            Self::Throttle(throttle) => throttle.failure(),
            Self::Bucket(_) | Self::Foreign(_) => {}
        }
    }

    /// Takes the cost of a retry after the failure `after`. Returns false if the budget does not cover it.
    /// `is_first` is true for the first retry that a request pays for. Some tokens may then be kept for
    /// further retries.
    pub(crate) fn withdraw(&self, after: Failure, is_first: bool) -> bool {
        match self {
            Self::Bucket(bucket) => bucket.withdraw(after, is_first),
            Self::Throttle(throttle) => throttle.allows(),
            Self::Foreign(budget) => budget.withdraw(),
        }
    }
}

/// Converts thousandths of a token to tokens.
pub(super) fn tokens(level: u64) -> f64 {
    level as f64 / 1_000.0
}

/// Converts a ratio to thousandths. A negative ratio and NaN are zero; one that is too large saturates.
fn thousandths(ratio: f64) -> u64 {
    (ratio * 1_000.0).round() as u64
}

#[cfg(test)]
mod tests;
