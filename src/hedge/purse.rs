use std::time::Duration;

/// What a hedge costs, in millionths.
const HEDGE: u64 = 1_000_000;

/// It holds so many hedges at least.
const FLOOR: u64 = 3 * HEDGE;

/// What successes have earned, and hedges not spent yet.
pub(super) struct Purse {
    /// What a success earns.
    earned: u64,
    level: u64,
    capacity: u64,
}

impl Purse {
    pub(super) fn new(extra_load: f64) -> Self {
        let earned = (extra_load * HEDGE as f64).round() as u64;
        Self {
            earned,
            // Without a share there is none.
            level: if earned == 0 { 0 } else { HEDGE },
            capacity: FLOOR,
        }
    }

    pub(super) fn earn(&mut self, successes: u64) {
        self.level = self.level_with(successes);
    }

    /// The level with what so many more successes earn.
    fn level_with(&self, successes: u64) -> u64 {
        let earned = self.earned.saturating_mul(successes);
        self.level.saturating_add(earned).min(self.capacity)
    }

    /// How many hedges it holds with what so many more successes earn, and how many there is room for.
    pub(super) fn hedges(&self, successes: u64) -> (f64, f64) {
        let hedges = |level: u64| level as f64 / HEDGE as f64;
        (hedges(self.level_with(successes)), hedges(self.capacity))
    }

    /// There were so many successes in a time: there is room for what a second of it earns.
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
