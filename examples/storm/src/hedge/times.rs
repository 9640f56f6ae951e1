//! How long attempts take.

use std::f64::consts::TAU;
use std::time::Duration;

use fastrand::Rng;

/// Stragglers, and the slow of other kinds, take so many times as long.
pub const SLOW: f64 = 10.0;

/// A lognormal distribution, in milliseconds, and the share of those that are slow.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Times {
    pub mean: f64,
    pub deviation: f64,
    pub stragglers: f64,
}

impl Times {
    /// In milliseconds.
    pub fn draw(&self, rng: &mut Rng) -> f64 {
        let variance = (self.deviation / self.mean).powi(2).ln_1p();
        let centre = self.mean.ln() - variance / 2.0;
        let time = (centre + variance.sqrt() * normal(rng)).exp();
        match rng.f64() < self.stragglers {
            true => time * SLOW,
            false => time,
        }
    }

    /// The mean of all, the slow ones too, in milliseconds.
    #[cfg(test)]
    pub fn mean_of_all(&self) -> f64 {
        self.mean * (1.0 + self.stragglers * (SLOW - 1.0))
    }
}

/// The paused clock goes by whole milliseconds: rounded up, as timers are, all would take longer.
pub fn whole_millis(millis: f64) -> Duration {
    Duration::from_millis(millis.round() as u64)
}

/// By Box and Muller.
fn normal(rng: &mut Rng) -> f64 {
    let radius = (-2.0 * (1.0 - rng.f64()).ln()).sqrt();
    radius * (TAU * rng.f64()).cos()
}
