use std::time::Duration;

use fastrand::Rng;

/// How many requests of each group are compared at least. Older ones count less.
const COMPARED: u32 = 64;

/// While hedges gain nothing, one in this many is sent.
const SENT_WITHOUT_GAIN: f64 = 1.0 / 8.0;

/// While hedges save time, the withheld share is divided by this, because withheld requests stay slow.
const FEWER_WITH_GAIN: f64 = 4.0;

/// Measures whether hedges help, by withholding a random share of those that are due.
pub(super) struct Control {
    withheld_share: f64,
    rng: Rng,
    withheld: Mean,
    hedged: Mean,
}

/// The group of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Group {
    Withheld,
    Hedged,
}

impl Control {
    pub(super) fn new(withheld_share: f64, rng: Rng) -> Self {
        Self {
            withheld_share,
            rng,
            withheld: Mean::default(),
            hedged: Mean::default(),
        }
    }

    pub(super) fn draw(&mut self) -> Group {
        let sent = match self.saved() {
            None => 1.0 - self.withheld_share,
            Some(saved) if saved > 0.0 => 1.0 - self.withheld_share / FEWER_WITH_GAIN,
            Some(_) => SENT_WITHOUT_GAIN.min(1.0 - self.withheld_share),
        };
        match self.rng.f64() < sent {
            true => Group::Hedged,
            false => Group::Withheld,
        }
    }

    /// Counts how long a request took after its hedge was due.
    pub(super) fn add(&mut self, group: Group, took: Duration) {
        match group {
            Group::Withheld => self.withheld.add(took),
            Group::Hedged => self.hedged.add(took),
        }
    }

    /// How many seconds a hedge saves on average. `None` while too few requests can be compared.
    pub(super) fn saved(&self) -> Option<f64> {
        Some((self.withheld.of_enough()? - self.hedged.of_enough()?) / 1e9)
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Mean {
    count: u32,
    /// Whole nanoseconds, so that the mean of equal times is exact.
    nanos: f64,
}

impl Mean {
    fn add(&mut self, time: Duration) {
        if self.count >= 2 * COMPARED {
            self.count /= 2;
            self.nanos /= 2.0;
        }
        self.count += 1;
        self.nanos += time.as_nanos() as f64;
    }

    fn of_enough(&self) -> Option<f64> {
        (self.count >= COMPARED).then(|| self.nanos / f64::from(self.count))
    }
}

#[cfg(test)]
mod tests;
