use std::time::Duration;

/// The cost of a hedge, in millionths.
const HEDGE: u64 = 1_000_000;

/// The smallest capacity, in hedges.
const FLOOR: u64 = 3 * HEDGE;

/// The hedges that successes have earned and that are not spent yet.
pub(super) struct Purse {
    /// How much a success earns.
    earned: u64,
    level: u64,
    capacity: u64,
}

impl Purse {
    pub(super) fn new(extra_load: f64) -> Self {
        let earned = (extra_load * HEDGE as f64).round() as u64;
        Self {
            earned,
            // If the share is 0, no hedges are earned.
            level: if earned == 0 { 0 } else { HEDGE },
            capacity: FLOOR,
        }
    }

    pub(super) fn earn(&mut self, successes: u64) {
        self.level = self.level_with(successes);
    }

    /// Returns the level after further successes.
    fn level_with(&self, successes: u64) -> u64 {
        let earned = self.earned.saturating_mul(successes);
        self.level.saturating_add(earned).min(self.capacity)
    }

    /// Returns the number of earned hedges after further successes, and the capacity.
    pub(super) fn hedges(&self, successes: u64) -> (f64, f64) {
        let hedges = |level: u64| level as f64 / HEDGE as f64;
        (hedges(self.level_with(successes)), hedges(self.capacity))
    }

    /// Sets the capacity to the hedges that one second earns, from the successes in a period.
    pub(super) fn resize(&mut self, successes: u64, time: Duration) {
        let nanos = time.as_nanos().max(1);
        let earned = u128::from(self.earned) * u128::from(successes) * 1_000_000_000 / nanos;
        self.capacity = u64::try_from(earned).unwrap_or(u64::MAX).max(FLOOR);
        self.level = self.level.min(self.capacity);
    }

    pub(super) fn covers(&self) -> bool {
        self.level >= HEDGE
    }

    pub(super) fn pay(&mut self) {
        self.level = self.level.saturating_sub(HEDGE);
    }
}

#[cfg(test)]
mod tests;
