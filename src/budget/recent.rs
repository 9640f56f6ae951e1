use tokio::time::Instant;

use crate::striped::{STRIPES, own_stripe, used_stripes};
use crate::sync::{AtomicU64, Ordering};

/// Counts are kept in units of 1/256, so that rounding does not lose them when they fade.
const ONE: u64 = 256;

/// The shortest idle time, in ticks of 10 ms: five minutes, which is the window of Microsoft's guideline.
const IDLE: u32 = 5 * 60 * 100;

/// What remains of 2^32 after 2^n ticks of 10 ms, with a time constant of 10 s.
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

/// Counts events, which fade with time, and collects what they earn until it is taken. Each thread writes to
/// its own cache line.
pub(super) struct Recent {
    epoch: Instant,
    /// How much the end of an idle time earns.
    after_idle: u64,
    /// The last time that an attempt failed or a success ended an idle time, in ticks that do not wrap. If
    /// several requests could end an idle time, the first one to write here ends it.
    last: AtomicU64,
    stripes: [Stripe; STRIPES],
}

#[derive(Default)]
#[repr(align(128))]
struct Stripe {
    earned: AtomicU64,
    /// The tick of the last event, and the count at that tick.
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

    /// Counts a first attempt that started at `started` and has earned `earned`.
    pub(super) fn earn_first(&self, earned: u64, started: Instant) {
        let started = self.ticks(started);
        self.put(earned, started, started);
    }

    /// Counts a retry that has just earned `earned`, of a request that started at `started`.
    pub(super) fn earn(&self, earned: u64, started: Instant) {
        self.put(earned, self.ticks(started), self.ticks(Instant::now()));
    }

    fn put(&self, earned: u64, started: u64, at: u64) {
        let stripe = &self.stripes[own_stripe()];
        stripe.earned.fetch_add(earned, Ordering::Relaxed);
        stripe.count(at as u32, || self.end_idle(started));
    }

    /// Records that an attempt has just failed, of a request that started at `started`.
    pub(super) fn failed(&self, started: Instant) {
        self.end_idle(self.ticks(started));
    }

    /// Earns `after_idle` if the request is the first after an idle time. What this records for a request is
    /// later than the request's start, so that the request cannot end another idle time.
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

    /// Returns how much a request that starts now would earn by ending an idle time.
    pub(super) fn due(&self) -> u64 {
        let now = self.ticks(Instant::now());
        if self.is_idle(now, now) {
            self.after_idle
        } else {
            0
        }
    }

    /// Whether nothing was recorded since five minutes before `started`.
    fn is_idle(&self, started: u64, now: u64) -> bool {
        is_long(self.last.load(Ordering::Relaxed), started) && self.had_no_success(started, now)
    }

    fn had_no_success(&self, started: u64, now: u64) -> bool {
        // An event that another thread counts meanwhile can be a little later than `now`.
        let latest = now + u64::from(IDLE);
        let earliest = started.saturating_sub(u64::from(IDLE));
        self.used()
            .map(|stripe| stripe.recent.load(Ordering::Relaxed))
            .all(|packed| {
                let before_latest = (latest as u32).wrapping_sub(unpack(packed).0);
                packed == 0 || u64::from(before_latest) >= latest - earliest
            })
    }

    /// Returns what was earned since the last call.
    pub(super) fn take_earned(&self) -> u64 {
        let take = |stripe: &Stripe| match stripe.earned.load(Ordering::Relaxed) {
            0 => 0,
            _ => stripe.earned.swap(0, Ordering::Relaxed),
        };
        self.used().map(take).sum()
    }

    /// Returns the count as faded at `now`, times `factor`.
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

    /// Returns the ticks since `epoch`. A stripe stores their lower 32 bits, which wrap after 497 days.
    fn ticks(&self, at: Instant) -> u64 {
        let since = at.saturating_duration_since(self.epoch);
        since.as_secs() * 100 + u64::from(since.subsec_millis() / 10)
    }
}

impl Stripe {
    /// Counts an event. If this stripe was recently used, the other stripes need not be checked for an idle
    /// time.
    fn count(&self, now: u32, was_long_idle: impl Fn()) {
        let add = |packed| {
            let (tick, count) = unpack(packed);
            let ticks = ticks_between(tick, now);
            // This is checked before the event is counted: otherwise, each of two concurrent threads would
            // see the other's event, and neither would see an idle time.
            if ticks >= IDLE {
                was_long_idle();
            }
            Some(pack(tick.wrapping_add(ticks), fade(count, ticks) + ONE))
        };
        // This never fails, because the closure always returns a value.
        let _ = self
            .recent
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
    }
}

/// Returns the ticks from `then` to `now`, and zero if `now` is earlier. It can be earlier because an event
/// counts from the start of its attempt. As ticks wrap, `now` is taken as earlier if it is at most a month
/// before `then`, and as later otherwise. If the range were split in halves, a count that was not touched
/// for eight months would not fade for the next eight.
fn ticks_between(then: u32, now: u32) -> u32 {
    const MONTH: u32 = 30 * 24 * 60 * 60 * 100;
    let ticks = now.wrapping_sub(then);
    if ticks > u32::MAX - MONTH { 0 } else { ticks }
}

fn is_long(last: u64, started: u64) -> bool {
    last + u64::from(IDLE) <= started
}

fn fade(mut count: u64, mut ticks: u32) -> u64 {
    // After this time, any count rounds to 0.
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
