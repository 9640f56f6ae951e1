use std::time::Duration;

use tokio::time::Instant;

use super::snapshot::CooldownState;
use super::state::State;
use crate::sync::{Arc, AtomicU64, Mutex, Ordering, PoisonError};

/// The shortest time between two successes that are recorded. All threads write to the same place.
const NOTED_EVERY: Duration = Duration::from_millis(1);

/// One state of a cooldown, shared by threads.
pub(crate) struct Gate {
    /// 1 if requests need a `Turn`, 0 otherwise.
    is_shut: AtomicU64,
    /// How many gates of the cooldown are shut.
    shut: Arc<AtomicU64>,
    /// 1 if the state needs calls of `State::served`, 0 otherwise.
    needs_successes: AtomicU64,
    /// The time of the latest success, in nanoseconds. 0 if there was none.
    success: AtomicU64,
    /// The time for which `success` is [`ORIGIN`].
    epoch: Instant,
    state: Mutex<State>,
}

/// The value of the epoch. It leaves room for times before the epoch, because a paused clock may be behind
/// it.
const ORIGIN: u64 = 1 << 62;

impl Gate {
    pub(crate) fn new(epoch: Instant, shut: Arc<AtomicU64>) -> Self {
        Self {
            is_shut: AtomicU64::new(0),
            shut,
            needs_successes: AtomicU64::new(0),
            success: AtomicU64::new(0),
            epoch,
            state: Mutex::new(State::new()),
        }
    }

    /// Whether requests may be sent without a `Turn`.
    #[inline]
    pub(crate) fn is_open(&self) -> bool {
        self.is_shut.load(Ordering::Relaxed) == 0
    }

    /// Records that a request was served at `now` that was sent at `sent`.
    #[inline]
    pub(crate) fn served(&self, now: Instant, sent: Instant) {
        let stamp = self.stamp(now);
        let noted = self.success.load(Ordering::Relaxed);
        if stamp.saturating_sub(noted) >= NOTED_EVERY.as_nanos() as u64 {
            self.success.fetch_max(stamp, Ordering::Relaxed);
        }
        if self.needs_successes.load(Ordering::Relaxed) != 0 {
            self.with(|state| state.served(now, sent));
        }
    }

    /// Returns when a request was last served.
    pub(crate) fn last_success(&self) -> Option<Instant> {
        match self.success.load(Ordering::Relaxed) {
            0 => None,
            stamp if stamp >= ORIGIN => {
                self.epoch.checked_add(Duration::from_nanos(stamp - ORIGIN))
            }
            stamp => self.epoch.checked_sub(Duration::from_nanos(ORIGIN - stamp)),
        }
    }

    /// Reads or changes the state, and wakes the requests that must call `look` again.
    pub(crate) fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let result = act(&mut state);
        let (is_shut, was_shut) = (!state.is_open(), !self.is_open());
        if is_shut != was_shut {
            self.is_shut.store(u64::from(is_shut), Ordering::Relaxed);
            match is_shut {
                true => self.shut.fetch_add(1, Ordering::Relaxed),
                false => self.shut.fetch_sub(1, Ordering::Relaxed),
            };
        }
        let needs_successes = u64::from(state.needs_successes());
        if self.needs_successes.load(Ordering::Relaxed) != needs_successes {
            self.needs_successes
                .store(needs_successes, Ordering::Relaxed);
        }
        let [woken, _gone] = state.take_aside();
        drop(state);
        for waker in woken {
            waker.wake();
        }
        result
    }

    /// Returns the state for a snapshot, without changing it.
    pub(crate) fn seen(&self, now: Instant) -> CooldownState {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.seen(now)
    }

    fn stamp(&self, now: Instant) -> u64 {
        let nanos = |duration: Duration| duration.as_nanos() as u64;
        match now.checked_duration_since(self.epoch) {
            Some(since) => ORIGIN.saturating_add(nanos(since)),
            None => ORIGIN.saturating_sub(nanos(self.epoch - now)).max(1),
        }
    }
}

/// A gate that is shut is dropped when the state of another upstream replaces it.
impl Drop for Gate {
    fn drop(&mut self) {
        if !self.is_open() {
            self.shut.fetch_sub(1, Ordering::Relaxed);
        }
    }
}
