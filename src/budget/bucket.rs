use std::time::Duration;

use tokio::time::Instant;

use super::ending::Failure;
use super::recent::Recent;
use crate::sync::{Mutex, MutexGuard, PoisonError};

const TOKEN: u64 = 1_000;

/// How tokens are earned and spent, in thousandths of a token.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    /// Whether a first attempt that fails earns tokens, too.
    pub(super) earns_from_failure: bool,
    /// Whether the level returns to the floor after an idle time.
    pub(super) refills_when_idle: bool,
    /// Whether half of the floor is kept for second and further retries in a burst.
    pub(super) keeps_half: bool,
    pub(super) earned: u64,
    /// How much each recent count adds to the capacity.
    pub(super) room: u64,
    pub(super) quick: Price,
    pub(super) timed_out: Price,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Price {
    pub(super) cost: u64,
    /// How much is earned if the retry helps.
    pub(super) back: u64,
}

impl Terms {
    pub(super) fn earning(max_retries: u32) -> Self {
        Self {
            earns_from_failure: false,
            refills_when_idle: true,
            // With a single retry, there are no further retries to keep tokens for.
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

/// A bucket of tokens. Each thread collects the tokens that attempts earn on its own cache line. They are
/// added to the level only when the level is needed. The result is the same as if they were added immediately:
/// as `room` is at most `earned`, a bucket that is full stays full until a withdrawal. (The exception is a
/// retry that helped too late, which earns nothing but adds to the capacity. Each one can preserve up to a
/// twentieth of a token that would have been cut off.)
pub(crate) struct Bucket {
    terms: Terms,
    floor: u64,
    recent: Recent,
    state: Mutex<State>,
}

pub(super) struct State {
    level: u64,
    /// The number of first retries since tokens were last earned.
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

    /// Counts a retry that was served. `started` is the start of the request's first attempt.
    pub(super) fn retry_served(
        &self,
        started: Instant,
        after: Failure,
        took: impl FnOnce() -> Duration,
    ) {
        // The first attempt of the request has earned already.
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

    /// Returns the tokens that the first retry of a request must leave for further retries. In a burst of
    /// failures, first retries would take all tokens, and no request could make a second one. So half of the
    /// floor is kept once first retries have used the other half. Nothing is kept if tokens were earned
    /// since, or if many requests were served recently: then first retries are worth as much as further ones.
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

    /// Adds the tokens that were earned since the last call to the level.
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

    /// Limits a level to the capacity, which is at least the floor. Below the floor, recent requests do not
    /// have to be counted, which would take 400 instructions.
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
