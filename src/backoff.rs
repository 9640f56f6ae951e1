use std::time::Duration;

use fastrand::Rng;

/// How long to wait before each retry.
///
/// The default is Microsoft's guideline for token issuance and management endpoints, with jitter:
/// `Backoff::exponential(1 s)`, doubled from retry to retry, [`Jitter::Equal`]. Arithmetic
/// saturates, so no setting can overflow.
///
/// # Example
///
/// ```
/// use std::time::Duration;
/// use tower_http_retry::{Backoff, Jitter, RetryLayer};
///
/// // At most 0.2, 0.3, 0.45, .. and never more than 5 seconds.
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

/// How the waits of many clients are spread, so that they do not come back at the same instant.
///
/// Each wait is drawn from a generator of its own request: two requests share no sequence. A step
/// is what [`Backoff`] would wait without jitter, capped by [`Backoff::max_wait`] *before* the
/// draw, so clients do not pile up at the cap.
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
    /// The step itself.
    None,
    /// Between zero and the step.
    Full,
    /// Between half the step and the step (the default): the waits still grow from retry to retry.
    #[default]
    Equal,
    /// Between the first step and three times the wait before this one.
    Decorrelated,
    /// Between these two multiples of the step.
    ///
    /// gRPC's is `Between(0.8, 1.2)` (gRFC A6). Above 1, the wait can exceed
    /// [`Backoff::max_wait`]. What is below zero or not a number counts as 0, and a second value
    /// below the first as the first.
    Between(f64, f64),
}

/// How far the back-off of a request has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Series {
    /// The next step; the first is 0.
    pub(crate) step: u32,
    /// The wait before the next one.
    pub(crate) previous: Duration,
}

impl Backoff {
    /// Waits that grow by a factor from retry to retry: `base`, 2 × `base`, 4 × `base`, ..
    #[doc(alias = "ExponentialBackoff")]
    pub const fn exponential(base: Duration) -> Self {
        Self {
            base,
            factor: 2.0,
            max_wait: Duration::MAX,
            jitter: Jitter::Equal,
        }
    }

    /// The same wait before every retry, jittered within it.
    #[doc(alias = "constant")]
    pub const fn fixed(wait: Duration) -> Self {
        Self {
            base: wait,
            factor: 1.0,
            max_wait: wait,
            jitter: Jitter::Equal,
        }
    }

    /// What each step is multiplied by to make the next; 2 unless set. A factor that is not a
    /// number, or is not above zero, counts as 1.
    #[doc(alias = "multiplier")]
    pub const fn factor(mut self, factor: f64) -> Self {
        self.factor = if factor > 0.0 { factor } else { 1.0 };
        self
    }

    /// The longest step; [`Duration::MAX`], no limit, unless set.
    #[doc(alias = "max_delay")]
    #[doc(alias = "max_interval")]
    pub const fn max_wait(mut self, max_wait: Duration) -> Self {
        self.max_wait = max_wait;
        self
    }

    /// How waits are spread; [`Jitter::Equal`] unless set.
    pub const fn jitter(mut self, jitter: Jitter) -> Self {
        self.jitter = jitter;
        self
    }

    /// The wait at `step` (the first is 0), where `extra` of the steps were added by a time-out
    /// and the wait before this one was `previous`.
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

/// A draw from `low..=high`, even over all nanoseconds between.
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
