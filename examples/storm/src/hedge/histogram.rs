//! A histogram of times in whole milliseconds.

use std::time::Duration;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Histogram {
    counts: Vec<u32>,
    total: u64,
}

impl Histogram {
    pub fn add(&mut self, time: Duration) {
        let millis = time.as_millis() as usize;
        if self.counts.len() <= millis {
            self.counts.resize(millis + 1, 0);
        }
        self.counts[millis] += 1;
        self.total += 1;
    }
}

/// Returns the shortest time that this share of all times does not exceed, or `None` if there are none.
pub fn quantile(all: &[&Histogram], share: f64) -> Option<Duration> {
    let total: u64 = all.iter().map(|one| one.total).sum();
    let wanted = ((total as f64 * share).ceil() as u64).max(1);
    let longest = all.iter().map(|one| one.counts.len()).max()?;
    let mut seen = 0;
    let millis = (0..longest).find(|&millis| {
        let counts = all.iter().filter_map(|one| one.counts.get(millis));
        seen += counts.map(|&count| u64::from(count)).sum::<u64>();
        seen >= wanted
    })?;
    Some(Duration::from_millis(millis as u64))
}
