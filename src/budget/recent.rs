use tokio::time::Instant;

use crate::striped::{STRIPES, own_stripe, used_stripes};
use crate::sync::{AtomicU64, Ordering};

/// A count is kept in parts of 1/256, so that fading it does not round it away.
const ONE: u64 = 256;

/// An idle time is at least so long, in ticks of 10 ms: five minutes, the guideline's window.
const IDLE: u32 = 5 * 60 * 100;

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
    /// What the end of an idle time earns.
    after_idle: u64,
    /// When an attempt last failed or a success ended an idle time, in ticks that do not wrap. Of
    /// all requests that end an idle time, the first to write here does.
    last: AtomicU64,
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
    pub(super) fn new(after_idle: u64) -> Self {
        Self {
            epoch: Instant::now(),
            after_idle,
            last: AtomicU64::new(0),
            stripes: Default::default(),
        }
    }

    /// Counts a first attempt that `started` then, and has earned so much.
    pub(super) fn earn_first(&self, earned: u64, started: Instant) {
        let started = self.ticks(started);
        self.put(earned, started, started);
    }

    /// Counts a retry that has earned so much by now, of a request that `started` then.
    pub(super) fn earn(&self, earned: u64, started: Instant) {
        self.put(earned, self.ticks(started), self.ticks(Instant::now()));
    }

    fn put(&self, earned: u64, started: u64, at: u64) {
        let stripe = &self.stripes[own_stripe()];
        stripe.earned.fetch_add(earned, Ordering::Relaxed);
        stripe.count(at as u32, || self.end_idle(started));
    }

    /// An attempt of a request that `started` then has failed by now.
    pub(super) fn failed(&self, started: Instant) {
        self.end_idle(self.ticks(started));
    }

    /// Earns what the end of an idle time does, if the request is the first after one. What is left
    /// here of the request itself is later than its start, so that it ends none again.
    #[cold]
    fn end_idle(&self, started: u64) {
        let now = self.ticks(Instant::now()).max(started);
        let was_idle = self.is_idle(started, now);
        let last = self.last.fetch_max(now, Ordering::Relaxed);
        if was_idle && is_long(last, started) {
            let stripe = &self.stripes[own_stripe()];
            stripe.earned.fetch_add(self.after_idle, Ordering::Relaxed);
        }
    }

    /// What the end of an idle time would earn for a request that starts now.
    pub(super) fn due(&self) -> u64 {
        let now = self.ticks(Instant::now());
        if self.is_idle(now, now) {
            self.after_idle
        } else {
            0
        }
    }

    /// Whether nothing was seen in the five minutes before `started`, or from then on.
    fn is_idle(&self, started: u64, now: u64) -> bool {
        is_long(self.last.load(Ordering::Relaxed), started) && self.had_no_success(started, now)
    }

    fn had_no_success(&self, started: u64, now: u64) -> bool {
        // One that another thread counts meanwhile can be a little later than `now`.
        let latest = now + u64::from(IDLE);
        let earliest = started.saturating_sub(u64::from(IDLE));
        self.used()
            .map(|stripe| stripe.recent.load(Ordering::Relaxed))
            .all(|packed| {
                let before_latest = (latest as u32).wrapping_sub(unpack(packed).0);
                packed == 0 || u64::from(before_latest) >= latest - earliest
            })
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
        let now = self.ticks(now) as u32;
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

    /// A stripe has room for the lower half of them, which wraps after 497 days.
    fn ticks(&self, at: Instant) -> u64 {
        let since = at.saturating_duration_since(self.epoch);
        since.as_secs() * 100 + u64::from(since.subsec_millis() / 10)
    }
}

impl Stripe {
    /// Where this stripe was busy, nobody asks whether the others were.
    fn count(&self, now: u32, was_long_idle: impl Fn()) {
        let add = |packed| {
            let (tick, count) = unpack(packed);
            let ticks = ticks_between(tick, now);
            // Before this one is counted: of two threads at once, neither would see an idle time.
            if ticks >= IDLE {
                was_long_idle();
            }
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

fn is_long(last: u64, started: u64) -> bool {
    last + u64::from(IDLE) <= started
}

fn fade(mut count: u64, mut ticks: u32) -> u64 {
    // That leaves less than half of 1 of any count.
    if ticks >= IDLE {
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
