use std::time::Duration;

use tokio::time::Instant;

use super::Failure;
use super::recent::Recent;
use crate::sync::{Mutex, MutexGuard, PoisonError};

/// What is earned and what is paid, in thousandths of a token.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    /// Whether a first attempt that fails earns, too.
    pub(super) earns_from_failure: bool,
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
    pub(super) fn earning() -> Self {
        Self {
            earns_from_failure: false,
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
    level: Mutex<u64>,
}

impl Bucket {
    pub(super) fn new(terms: Terms, floor_tokens: u64) -> Self {
        let floor = floor_tokens.saturating_mul(1_000);
        Self {
            terms,
            floor,
            recent: Recent::new(),
            level: Mutex::new(floor),
        }
    }

    pub(super) fn first_attempt(&self, is_served: bool, start: Instant) {
        if is_served || self.terms.earns_from_failure {
            self.recent.earn(self.terms.earned, start);
        }
    }

    pub(super) fn retry_served(&self, after: Failure, took: impl FnOnce() -> Duration) {
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
        self.recent.earn(back, Instant::now());
    }

    pub(super) fn withdraw(&self, after: Failure) -> bool {
        let mut level = self.settled();
        match level.checked_sub(self.terms.price(after).cost) {
            Some(rest) => {
                *level = rest;
                true
            }
            None => false,
        }
    }

    pub(super) fn level(&self) -> u64 {
        *self.settled()
    }

    /// The level, with all that was earned since the last look.
    pub(super) fn settled(&self) -> MutexGuard<'_, u64> {
        let mut level = self.level.lock().unwrap_or_else(PoisonError::into_inner);
        *level = self.capped(level.saturating_add(self.recent.take_earned()));
        level
    }

    /// What there is room for: the floor always, and more when requests are many. Below the floor
    /// nobody has to count them, which takes 400 instructions.
    fn capped(&self, level: u64) -> u64 {
        if level <= self.floor {
            return level;
        }
        let room = self.recent.times(self.terms.room, Instant::now());
        level.min(room.max(self.floor))
    }
}
