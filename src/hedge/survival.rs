//! The Kaplan-Meier estimate of how long attempts take if some of them were cut.

use std::time::Duration;

use super::buckets::{BUCKETS, start};

/// The number of attempts by duration, in buckets: completed ones, and those that were cut after this time
/// and would have taken longer.
#[derive(Clone)]
pub(super) struct Times {
    ended: Box<[f32; BUCKETS]>,
    cut: Box<[f32; BUCKETS]>,
}

impl Times {
    pub(super) fn new() -> Self {
        Self {
            ended: Box::new([0.0; BUCKETS]),
            cut: Box::new([0.0; BUCKETS]),
        }
    }

    /// Multiplies the weight of all samples by a factor. A sample whose weight is negligible is removed, so
    /// that the longest known time is a recent one.
    pub(super) fn fade(&mut self, left: f32) {
        const FORGOTTEN: f32 = 0.01;
        for weight in self.ended.iter_mut().chain(self.cut.iter_mut()) {
            *weight *= left;
            if *weight < FORGOTTEN {
                *weight = 0.0;
            }
        }
    }

    pub(super) fn add(&mut self, bucket: usize, ended: u32, cut: u32) {
        self.ended[bucket] += ended as f32;
        self.cut[bucket] += cut as f32;
    }

    /// The weighted number of samples.
    pub(super) fn count(&self) -> f32 {
        self.ended.iter().chain(self.cut.iter()).sum()
    }

    /// The time that a share of the attempts exceeds, or the longest known time if that is shorter.
    pub(super) fn exceeded_by(&self, share: f32) -> Duration {
        let mut at_risk = self.count();
        let mut surviving = 1.0;
        let mut longest = Duration::ZERO;
        for bucket in 0..BUCKETS {
            let (ended, cut) = (self.ended[bucket], self.cut[bucket]);
            if ended + cut <= 0.0 {
                continue;
            }
            let (from, to) = (start(bucket), start(bucket + 1));
            let after = surviving * (1.0 - (ended / at_risk).min(1.0));
            if after <= share {
                let (above, fallen) = (surviving - share, surviving - after);
                // With a share of 1, both may be 0. The result is the start of the bucket.
                let part = if above > 0.0 { above / fallen } else { 0.0 };
                return from + (to - from).mul_f32(part.clamp(0.0, 1.0));
            }
            longest = to;
            surviving = after;
            at_risk -= ended + cut;
            // The remainder is due to rounding.
            if at_risk <= 0.0 {
                break;
            }
        }
        longest
    }
}

#[cfg(test)]
mod tests;
