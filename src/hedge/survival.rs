//! Kaplan and Meier's estimate: how long attempts take, where some were cut short.

use std::time::Duration;

use super::buckets::{BUCKETS, start};

/// How many attempts took how long, by bucket: those that came to their end, and those that were cut
/// after this time, so that they would have taken longer.
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

    /// Lets what is known count for so much of what it counted for. What is left of a single attempt
    /// is forgotten in the end: the longest time that is known has to be one of late.
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

    /// How many attempts are known of.
    pub(super) fn count(&self) -> f32 {
        self.ended.iter().chain(self.cut.iter()).sum()
    }

    /// The time that such a share of the attempts exceeds. Where that is longer than what is known, the
    /// longest time that is.
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
                // Where all of them may exceed it, nothing has to fall.
                let part = if above > 0.0 { above / fallen } else { 0.0 };
                return from + (to - from).mul_f32(part.clamp(0.0, 1.0));
            }
            longest = to;
            surviving = after;
            at_risk -= ended + cut;
            // What rounding leaves of it.
            if at_risk <= 0.0 {
                break;
            }
        }
        longest
    }
}

#[cfg(test)]
mod tests;
