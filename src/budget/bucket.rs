use std::time::Duration;

use tokio::time::Instant;

use super::ending::Failure;
use super::recent::Recent;
use crate::sync::{Mutex, MutexGuard, PoisonError};

const TOKEN: u64 = 1_000;

/// What is earned and what is paid, in thousandths of a token.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    /// Whether a first attempt that fails earns, too.
    pub(super) earns_from_failure: bool,
    /// Whether it is at its floor again after an idle time.
    pub(super) refills_when_idle: bool,
    /// Whether half of the floor is kept for the further retries of a burst.
    pub(super) keeps_half: bool,
    pub(super) earned: u64,
    /// What the capacity grows by for each recent count.
    pub(super) room: u64,
    pub(super) quick: Price,
    pub(super) timed_out: Price,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Price {
    pub(super) cost: u64,
    /// What comes back if the retry helps.
    pub(super) back: u64,
}

impl Terms {
    pub(super) fn earning(max_retries: u32) -> Self {
        Self {
            earns_from_failure: false,
            refills_when_idle: true,
            // Where there is only one retry, there is nothing to keep it for.
            keeps_half: max_retries > 1,
            earned: 100,
            room: 50,
            quick: Price {
                cost: 1_000,
                back: 1_500,
            },
            timed_out: Price {
                cost: 2_000,
                back: 4_000,
            },
        }
    }

    pub(super) fn ratio(ratio: u64) -> Self {
        let price = Price {
            cost: 1_000,
            back: 0,
        };
        Self {
            earns_from_failure: true,
            refills_when_idle: false,
            keeps_half: false,
            earned: ratio,
            room: ratio,
            quick: price,
            timed_out: price,
        }
    }

    fn price(&self, failure: Failure) -> Price {
        match failure {
            Failure::Quick => self.quick,
            Failure::TimedOut { .. } => self.timed_out,
        }
    }
}

/// A bucket of tokens. What attempts earn is put aside, by each thread on a cache line of its own,
/// until a retry has to know the level. That comes to the same as adding it at once: as `room` is
/// at most what is earned, a bucket that was ever full stays full until a withdrawal. (A retry that
/// helped too late earns nothing and makes room: for each one, up to a twentieth of a token is kept
/// that would have been too much.)
pub(crate) struct Bucket {
    terms: Terms,
    floor: u64,
    recent: Recent,
    state: Mutex<State>,
}

pub(super) struct State {
    level: u64,
    /// How many requests were retried for the first time since anything was earned.
    begun: u64,
}

impl Bucket {
    pub(super) fn new(terms: Terms, floor_tokens: u64) -> Self {
        let floor = floor_tokens.saturating_mul(1_000);
        Self {
            terms,
            floor,
            recent: Recent::new(if terms.refills_when_idle { floor } else { 0 }),
            state: Mutex::new(State {
                level: floor,
                begun: 0,
            }),
        }
    }

    pub(super) fn first_attempt(&self, is_served: bool, started: Instant) {
        if is_served || self.terms.earns_from_failure {
            self.recent.earn_first(self.terms.earned, started);
        } else {
            self.recent.failed(started);
        }
    }

    pub(super) fn retry_failed(&self, started: Instant) {
        self.recent.failed(started);
    }

    /// The request's first attempt `started` then.
    pub(super) fn retry_served(
        &self,
        started: Instant,
        after: Failure,
        took: impl FnOnce() -> Duration,
    ) {
        // First attempts have earned for it already.
        if self.terms.earns_from_failure {
            return;
        }
        let helped = match after {
            Failure::Quick => true,
            Failure::TimedOut { took: before } => took() <= before / 2,
        };
        let back = if helped {
            self.terms.price(after).back
        } else {
            0
        };
        self.recent.earn(back, started);
    }

    pub(super) fn withdraw(&self, after: Failure, is_first: bool) -> bool {
        let cost = self.terms.price(after).cost;
        let mut state = self.settled();
        let kept = if is_first { self.kept(state.begun) } else { 0 };
        if state.level < cost + kept {
            return false;
        }
        state.level -= cost;
        state.begun += u64::from(is_first);
        true
    }

    /// What the first retry of a request leaves behind. In a burst that fails, all tokens would go to
    /// first retries, and none of them could be followed by a second: half of them finish what the
    /// other half has begun. Where more is served than a few requests, or a retry is, first retries
    /// are worth as much as second ones.
    fn kept(&self, begun: u64) -> u64 {
        let half = self.floor / 2;
        let is_burst = self.terms.keeps_half
            && begun * TOKEN >= half
            && self.recent.times(self.terms.room, Instant::now()) <= TOKEN;
        if is_burst { half } else { 0 }
    }

    pub(super) fn level(&self) -> u64 {
        let level = self.settled().level;
        level.max(self.recent.due())
    }

    /// The level, with all that was earned since the last look.
    pub(super) fn settled(&self) -> MutexGuard<'_, State> {
        let mut state = self.lock();
        let earned = self.recent.take_earned();
        if earned > 0 {
            state.begun = 0;
        }
        state.level = self.capped(state.level.saturating_add(earned));
        state
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What there is room for: the floor always, and more when requests are many. Below the floor
    /// nobody has to count them, which takes 400 instructions.
    fn capped(&self, level: u64) -> u64 {
        if level <= self.floor {
            return level;
        }
        level.min(self.capacity())
    }

    pub(super) fn earns_from_failure(&self) -> bool {
        self.terms.earns_from_failure
    }

    pub(super) fn capacity(&self) -> u64 {
        let room = self.recent.times(self.terms.room, Instant::now());
        room.max(self.floor)
    }
}
