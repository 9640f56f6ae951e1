use std::time::Duration;

use fastrand::Rng;

/// How long to wait before each retry.
///
/// The default is 1 s, 2 s, 4 s, and so on, with [`Jitter::Equal`]. It follows Microsoft's retry guidelines
/// for token issuance and management endpoints, with jitter added. Arithmetic saturates: no setting
/// overflows.
///
/// # Example
///
/// ```
/// use std::time::Duration;
/// use tower_http_retry::{Backoff, Jitter, RetryLayer};
///
/// // At most 0.2 s, 0.3 s, 0.45 s, .. and never more than 5 s.
/// let backoff = Backoff::exponential(Duration::from_millis(200))
///     .factor(1.5)
///     .max_wait(Duration::from_secs(5))
///     .jitter(Jitter::Full);
/// let layer = RetryLayer::new().backoff(backoff);
/// # let _ = layer;
/// assert_eq!(Backoff::default(), Backoff::exponential(Duration::from_secs(1)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Backoff {
    base: Duration,
    factor: f64,
    max_wait: Duration,
    jitter: Jitter,
}

/// How waits are randomized, so that clients which failed at the same time do not retry at the same time.
///
/// A step is the wait of the [`Backoff`] without jitter. It is limited by [`Backoff::max_wait`] *before* the
/// jitter is applied, so that waits at the limit are spread, too. Each request has its own sequence of
/// random numbers.
///
/// # Example
///
/// ```
/// use std::time::Duration;
/// use tower_http_retry::{Backoff, Jitter};
///
/// // Exactly 1, 2, 4, 8, 16 seconds.
/// let exact = Backoff::exponential(Duration::from_secs(1)).jitter(Jitter::None);
/// assert_ne!(exact, Backoff::default());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub enum Jitter {
    /// The wait is the step.
    None,
    /// The wait is between zero and the step.
    Full,
    /// The wait is between half the step and the step. This is the default: waits still grow from retry to
    /// retry.
    #[default]
    Equal,
    /// The wait is between the first step and three times the previous wait.
    Decorrelated,
    /// The wait is between these two multiples of the step.
    ///
    /// gRPC uses `Between(0.8, 1.2)` (gRFC A6). With a multiple above 1, the wait can exceed
    /// [`Backoff::max_wait`]. A value that is negative or not a number counts as 0. A second value below the
    /// first counts as the first.
    Between(f64, f64),
}

/// The state of a request's back-off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Series {
    /// The next step; the first is 0.
    pub(crate) step: u32,
    /// The last wait of the back-off, or that the classifier set instead.
    pub(crate) previous: Duration,
}

impl Backoff {
    /// Creates a back-off that doubles with each retry: `base`, 2 × `base`, 4 × `base`, and so on.
    /// [`factor`](Self::factor) sets another factor.
    #[doc(alias = "ExponentialBackoff")]
    pub const fn exponential(base: Duration) -> Self {
        Self {
            base,
            factor: 2.0,
            max_wait: Duration::MAX,
            jitter: Jitter::Equal,
        }
    }

    /// Creates a back-off with the same step before each retry. Jitter applies to it.
    #[doc(alias = "constant")]
    pub const fn fixed(wait: Duration) -> Self {
        Self {
            base: wait,
            factor: 1.0,
            max_wait: wait,
            jitter: Jitter::Equal,
        }
    }

    /// Sets the factor between one step and the next. Defaults to 2. A factor that is not a number, or not
    /// above zero, counts as 1.
    #[doc(alias = "multiplier")]
    pub const fn factor(mut self, factor: f64) -> Self {
        self.factor = if factor > 0.0 { factor } else { 1.0 };
        self
    }

    /// Sets the longest step. Defaults to [`Duration::MAX`], which is no limit.
    #[doc(alias = "max_delay")]
    #[doc(alias = "max_interval")]
    pub const fn max_wait(mut self, max_wait: Duration) -> Self {
        self.max_wait = max_wait;
        self
    }

    /// Sets how waits are randomized. Defaults to [`Jitter::Equal`].
    pub const fn jitter(mut self, jitter: Jitter) -> Self {
        self.jitter = jitter;
        self
    }

    /// Returns the wait at `step` (the first is 0), plus `extra` steps after a time-out. `previous` is the
    /// last wait before it.
    pub(crate) fn wait(
        &self,
        step: u32,
        extra: u32,
        previous: Duration,
        rng: &mut Rng,
    ) -> Duration {
        let full = self.step(self.base, step.saturating_add(extra));
        match self.jitter {
            Jitter::None => full,
            Jitter::Full => between(Duration::ZERO, full, rng),
            Jitter::Equal => between(full / 2, full, rng),
            Jitter::Between(low, high) => {
                let nanos = full.as_nanos() as f64;
                let low = from_nanos((nanos * low).ceil() as u128);
                between(low, from_nanos((nanos * high) as u128), rng)
            }
            Jitter::Decorrelated => {
                let reach = previous.max(self.base).saturating_mul(3);
                between(self.step(self.base, extra), self.step(reach, extra), rng)
            }
        }
    }

    pub(crate) fn is_jittered(&self) -> bool {
        self.jitter != Jitter::None
    }

    fn step(&self, base: Duration, step: u32) -> Duration {
        if step == 0 {
            return base.min(self.max_wait);
        }
        let growth = self.factor.powi(i32::try_from(step).unwrap_or(i32::MAX));
        let nanos = base.as_nanos() as f64 * growth;
        from_nanos(nanos as u128).min(self.max_wait)
    }
}

impl Default for Backoff {
    fn default() -> Self {
        Self::exponential(Duration::from_secs(1))
    }
}

/// Draws a duration from `low..=high`, uniformly distributed.
pub(crate) fn between(low: Duration, high: Duration, rng: &mut Rng) -> Duration {
    let width = nanos(high.saturating_sub(low));
    low.saturating_add(Duration::from_nanos(rng.u64(0..=width)))
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

fn from_nanos(nanos: u128) -> Duration {
    const SECOND: u128 = 1_000_000_000;
    match u64::try_from(nanos / SECOND) {
        Ok(seconds) => Duration::new(seconds, (nanos % SECOND) as u32),
        Err(_) => Duration::MAX,
    }
}

#[cfg(feature = "config")]
mod serde;
#[cfg(test)]
mod tests;
