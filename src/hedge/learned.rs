use std::array;
use std::time::Duration;

use fastrand::Rng;
use tokio::time::Instant;

use super::buckets::{BUCKETS, bucket};
use super::control::{Control, Group};
use super::purse::Purse;
use super::snapshot::HedgeState;
use super::survival::Times;
use crate::sync::{AtomicU32, AtomicU64, Mutex, MutexGuard, Ordering, PoisonError};

/// The factor by which the weight of samples decreases each second, or every ten seconds while there are few
/// samples.
const LEFT: f32 = 0.9;

/// How often the delay is computed.
const PERIOD: Duration = Duration::from_secs(1);

/// The shortest delay.
const SHORTEST: Duration = Duration::from_millis(1);

/// How many samples that are slower than the delay are needed.
const SLOW_ATTEMPTS: f32 = 5.0;

/// No delay.
const NONE: u64 = u64::MAX;

/// The settings for when to hedge, and how often.
#[derive(Clone, Debug)]
pub(super) struct Terms {
    pub(super) extra_load: f64,
    pub(super) stragglers: f64,
    pub(super) fixed: Option<Duration>,
    pub(super) withheld: f64,
    pub(super) seed: Option<u64>,
}

impl Terms {
    /// How many samples are needed.
    fn enough(&self) -> f32 {
        SLOW_ATTEMPTS / self.extra_load as f32
    }
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            extra_load: 0.05,
            stragglers: 2.0,
            fixed: None,
            withheld: 1.0 / 16.0,
            seed: None,
        }
    }
}

/// What was learned from the requests to one upstream. A request only increments a counter. Everything else
/// is computed once a second by the first request, and when a hedge is due.
pub(super) struct Learned {
    terms: Terms,
    epoch: Instant,
    /// In nanoseconds.
    delay: AtomicU64,
    /// When the delay is computed next, in milliseconds from the epoch.
    due: AtomicU64,
    /// The number of first attempts by their duration.
    ended: [AtomicU32; BUCKETS],
    cut: [AtomicU32; BUCKETS],
    state: Mutex<State>,
}

pub(super) struct State {
    worked_out: Instant,
    /// The counts at that time.
    ended: [u32; BUCKETS],
    cut: [u32; BUCKETS],
    times: Times,
    /// How many successes since then have earned already.
    paid_in: u64,
    purse: Purse,
    control: Control,
}

/// Whether a hedge that is due may be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Permit {
    Granted,
    Withheld,
    NoBudget,
}

impl Learned {
    pub(super) fn new(terms: Terms) -> Self {
        let epoch = Instant::now();
        let rng = terms.seed.map_or_else(Rng::new, Rng::with_seed);
        let state = State {
            worked_out: epoch,
            ended: [0; BUCKETS],
            cut: [0; BUCKETS],
            times: Times::new(),
            paid_in: 0,
            purse: Purse::new(terms.extra_load),
            control: Control::new(terms.withheld, rng),
        };
        let delay = terms.fixed.map_or(NONE, nanos);
        Self {
            terms,
            epoch,
            delay: AtomicU64::new(delay),
            due: AtomicU64::new(PERIOD.as_millis() as u64),
            ended: array::from_fn(|_| AtomicU32::new(0)),
            cut: array::from_fn(|_| AtomicU32::new(0)),
            state: Mutex::new(state),
        }
    }

    /// Creates a state that does not start with an earned hedge.
    pub(super) fn without_start(terms: Terms) -> Self {
        let learned = Self::new(terms);
        learned.lock().purse.pay();
        learned
    }

    /// The delay of a request that starts now.
    #[inline]
    pub(super) fn delay_at(&self, now: Instant) -> Option<Duration> {
        let millis = now.saturating_duration_since(self.epoch).as_millis() as u64;
        let due = self.due.load(Ordering::Relaxed);
        if millis >= due {
            self.work_out(now, due, millis + PERIOD.as_millis() as u64);
        }
        self.delay()
    }

    #[inline]
    pub(super) fn delay(&self) -> Option<Duration> {
        match self.delay.load(Ordering::Relaxed) {
            NONE => None,
            nanos => Some(Duration::from_nanos(nanos)),
        }
    }

    /// Counts a first attempt that succeeded, with its duration.
    #[inline]
    pub(super) fn ended(&self, took: Duration) {
        self.ended[bucket(took)].fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a first attempt that was cut, with the time until then.
    pub(super) fn cut(&self, took: Duration) {
        self.cut[bucket(took)].fetch_add(1, Ordering::Relaxed);
    }

    /// Decides whether a hedge that is due is sent, and pays for it if so. A hedge that was withheld is late,
    /// and is not withheld again.
    pub(super) fn ask(&self, is_late: bool) -> Permit {
        let mut state = self.lock();
        state.pay_in(&self.ended);
        if !state.purse.covers() {
            return Permit::NoBudget;
        }
        if !is_late && state.control.draw() == Group::Withheld {
            return Permit::Withheld;
        }
        state.purse.pay();
        Permit::Granted
    }

    /// Counts how long a request took after its hedge was due. Returns how much hedges save, if known.
    pub(super) fn compare(&self, group: Group, took: Duration) -> Option<f64> {
        let control = &mut self.lock().control;
        control.add(group, took);
        control.saved()
    }

    /// Returns how many seconds a hedge saves on average, if known.
    pub(super) fn saved(&self) -> Option<f64> {
        self.lock().control.saved()
    }

    pub(super) fn state(&self) -> HedgeState {
        let state = self.lock();
        let successes = state.successes(&self.ended).saturating_sub(state.paid_in);
        let (hedges, capacity) = state.purse.hedges(successes);
        HedgeState {
            delay: self.delay(),
            saved_seconds: state.control.saved(),
            hedges,
            capacity,
        }
    }

    #[cold]
    fn work_out(&self, now: Instant, due: u64, next: u64) {
        let order = Ordering::Relaxed;
        if self.due.compare_exchange(due, next, order, order).is_err() {
            return;
        }
        let mut state = self.lock();
        // Another thread was faster. No time has passed since then, so the rate of the remaining counts is
        // unknown.
        if now <= state.worked_out {
            return;
        }
        state.take_in(&self.ended, &self.cut, now, self.terms.enough());
        if self.terms.fixed.is_none() {
            let delay = state.delay(&self.terms).map_or(NONE, nanos);
            self.delay.store(delay, Ordering::Relaxed);
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Earns for the successes since the last call.
    fn pay_in(&mut self, ended: &[AtomicU32; BUCKETS]) {
        self.earn(self.successes(ended));
    }

    /// Returns the number of successes since the delay was computed.
    fn successes(&self, ended: &[AtomicU32; BUCKETS]) -> u64 {
        let successes = |(count, before): (&AtomicU32, &u32)| {
            u64::from(count.load(Ordering::Relaxed).wrapping_sub(*before))
        };
        ended.iter().zip(&self.ended).map(successes).sum()
    }

    /// Earns for the successes since the delay was computed, of which some may have earned already.
    fn earn(&mut self, successes: u64) {
        self.purse.earn(successes.saturating_sub(self.paid_in));
        self.paid_in = self.paid_in.max(successes);
    }

    /// Adds the counts since the last time, and reduces the weight of older ones.
    fn take_in(
        &mut self,
        ended: &[AtomicU32; BUCKETS],
        cut: &[AtomicU32; BUCKETS],
        now: Instant,
        enough: f32,
    ) {
        let time = now.saturating_duration_since(self.worked_out);
        self.worked_out = now;
        let seconds = time.as_secs_f32();
        let (quickly, slowly) = (LEFT.powf(seconds), LEFT.powf(seconds / 10.0));
        let left = slowly.min(enough / self.times.count()).max(quickly);
        self.times.fade(left);
        let mut successes = 0;
        for bucket in 0..BUCKETS {
            let ended = take(&ended[bucket], &mut self.ended[bucket]);
            let cut = take(&cut[bucket], &mut self.cut[bucket]);
            self.times.add(bucket, ended, cut);
            successes += u64::from(ended);
        }
        self.earn(successes);
        self.paid_in = 0;
        self.purse.resize(successes, time);
    }

    /// `None` while too little is known.
    fn delay(&self, terms: &Terms) -> Option<Duration> {
        if self.times.count() < terms.enough() {
            return None;
        }
        let share = terms.extra_load as f32;
        let median = self.times.exceeded_by(0.5);
        // A delay that is too long to be represented is none.
        let slow = Duration::try_from_secs_f64(median.as_secs_f64() * terms.stragglers).ok()?;
        Some(self.times.exceeded_by(share).max(slow).max(SHORTEST))
    }
}

/// How much a count has increased since it was `before`.
fn take(count: &AtomicU32, before: &mut u32) -> u32 {
    let now = count.load(Ordering::Relaxed);
    let grown = now.wrapping_sub(*before);
    *before = now;
    grown
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(NONE)
}
