//! The distribution of the times of attempts.

use std::f64::consts::TAU;
use std::time::Duration;

use fastrand::Rng;

/// The factor by which stragglers and other slow attempts take longer.
pub const SLOW: f64 = 10.0;

/// A lognormal distribution in milliseconds, and the share of stragglers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Times {
    pub mean: f64,
    pub deviation: f64,
    pub stragglers: f64,
}

impl Times {
    /// Draws a time in milliseconds.
    pub fn draw(&self, rng: &mut Rng) -> f64 {
        let variance = (self.deviation / self.mean).powi(2).ln_1p();
        let centre = self.mean.ln() - variance / 2.0;
        let time = (centre + variance.sqrt() * normal(rng)).exp();
        match rng.f64() < self.stragglers {
            true => time * SLOW,
            false => time,
        }
    }

    /// Returns the mean with stragglers, in milliseconds.
    #[cfg(test)]
    pub fn mean_of_all(&self) -> f64 {
        self.mean * (1.0 + self.stragglers * (SLOW - 1.0))
    }
}

/// Rounds a time to whole milliseconds, in which the paused clock advances. Timers round up, which would
/// make all times longer.
pub fn whole_millis(millis: f64) -> Duration {
    Duration::from_millis(millis.round() as u64)
}

/// Draws from the standard normal distribution, by the Box-Muller transform.
fn normal(rng: &mut Rng) -> f64 {
    let radius = (-2.0 * (1.0 - rng.f64()).ln()).sqrt();
    radius * (TAU * rng.f64()).cos()
}
