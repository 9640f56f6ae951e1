use tokio::time::Instant;

use crate::striped::{STRIPES, own_stripe, used_stripes};
use crate::sync::{AtomicU64, Ordering};

/// A count is kept in 256ths, so that fading it does not round it away.
const ONE: u64 = 256;

/// What is left of 2^32 after 2^n ticks of 10 ms, at a time constant of 10 s.
const LEFT: [u64; 15] = [
    4_290_674_475,
    4_286_385_946,
    4_277_821_741,
    4_260_744_631,
    4_226_794_655,
    4_159_704_096,
    4_028_700_796,
    3_778_941_489,
    3_324_914_438,
    2_573_955_809,
    1_542_560_875,
    554_019_132,
    71_464_385,
    1_189_103,
    329,
];

/// Counts events that fade with time, and keeps what they earned until somebody takes it. Each
/// thread writes to a cache line of its own.
pub(super) struct Recent {
    epoch: Instant,
    stripes: [Stripe; STRIPES],
}

#[derive(Default)]
#[repr(align(128))]
struct Stripe {
    earned: AtomicU64,
    /// The tick of the last event, and the count then.
    recent: AtomicU64,
}

impl Recent {
    pub(super) fn new() -> Self {
        Self {
            epoch: Instant::now(),
            stripes: Default::default(),
        }
    }

    /// Counts an event at `at`, which has earned so much.
    pub(super) fn earn(&self, earned: u64, at: Instant) {
        let stripe = &self.stripes[own_stripe()];
        stripe.earned.fetch_add(earned, Ordering::Relaxed);
        stripe.count(self.tick(at));
    }

    /// What was earned since the last call.
    pub(super) fn take_earned(&self) -> u64 {
        let take = |stripe: &Stripe| match stripe.earned.load(Ordering::Relaxed) {
            0 => 0,
            _ => stripe.earned.swap(0, Ordering::Relaxed),
        };
        self.used().map(take).sum()
    }

    /// The count as it has faded by `now`, times `factor`.
    pub(super) fn times(&self, factor: u64, now: Instant) -> u64 {
        let now = self.tick(now);
        let faded = |stripe: &Stripe| match stripe.recent.load(Ordering::Relaxed) {
            0 => 0,
            packed => {
                let (tick, count) = unpack(packed);
                fade(count, ticks_between(tick, now))
            }
        };
        let count: u64 = self.used().map(faded).sum();
        count.saturating_mul(factor) / ONE
    }

    fn used(&self) -> impl Iterator<Item = &Stripe> {
        self.stripes.iter().take(used_stripes())
    }

    /// Ticks wrap after 497 days.
    fn tick(&self, at: Instant) -> u32 {
        let since = at.saturating_duration_since(self.epoch);
        (since.as_secs() as u32)
            .wrapping_mul(100)
            .wrapping_add(since.subsec_millis() / 10)
    }
}

impl Stripe {
    fn count(&self, now: u32) {
        let add = |packed| {
            let (tick, count) = unpack(packed);
            let ticks = ticks_between(tick, now);
            Some(pack(tick.wrapping_add(ticks), fade(count, ticks) + ONE))
        };
        // Never fails: there is always a next value.
        let _ = self
            .recent
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
    }
}

/// Zero where `now` is the earlier one: an event counts from when its attempt started. What is a
/// month earlier or less is taken for that, all else for later: half and half, a count that nobody
/// touched for eight months would not fade for the next eight.
fn ticks_between(then: u32, now: u32) -> u32 {
    const MONTH: u32 = 30 * 24 * 60 * 60 * 100;
    let ticks = now.wrapping_sub(then);
    if ticks > u32::MAX - MONTH { 0 } else { ticks }
}

fn fade(mut count: u64, mut ticks: u32) -> u64 {
    if ticks >> LEFT.len() != 0 {
        return 0;
    }
    while ticks != 0 {
        let left = LEFT[ticks.trailing_zeros() as usize];
        count = (count * left + (1 << 31)) >> 32;
        ticks &= ticks - 1;
    }
    count
}

fn pack(tick: u32, count: u64) -> u64 {
    u64::from(tick) << 32 | count.min(u64::from(u32::MAX))
}

fn unpack(packed: u64) -> (u32, u64) {
    ((packed >> 32) as u32, packed & u64::from(u32::MAX))
}

#[cfg(test)]
mod tests;
