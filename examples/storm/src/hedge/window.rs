//! The times of late, as peers remember them: in spans of the same length, the oldest of which is
//! forgotten as a whole.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use super::histogram::{Histogram, quantile};

pub struct Window {
    start: Instant,
    length: Duration,
    /// How many of those that are over are remembered.
    kept: usize,
    /// The number of the current span, which is the last one here.
    number: u128,
    spans: VecDeque<Histogram>,
}

impl Window {
    pub fn new(length: Duration, kept: usize) -> Self {
        Self {
            start: Instant::now(),
            length,
            kept,
            number: 0,
            spans: VecDeque::from([Histogram::default()]),
        }
    }

    pub fn add(&mut self, time: Duration) {
        self.turn();
        if let Some(current) = self.spans.back_mut() {
            current.add(time);
        }
    }

    /// Of all that is remembered.
    pub fn quantile(&mut self, share: f64) -> Option<Duration> {
        self.turn();
        quantile(&self.spans.iter().collect::<Vec<_>>(), share)
    }

    /// Of the spans that are over.
    pub fn quantile_of_whole_spans(&mut self, share: f64) -> Option<Duration> {
        self.turn();
        let over = self.spans.len() - 1;
        quantile(&self.spans.iter().take(over).collect::<Vec<_>>(), share)
    }

    fn turn(&mut self) {
        let number = self.start.elapsed().as_millis() / self.length.as_millis();
        let passed = (number - self.number).min(self.kept as u128 + 1);
        self.number = number;
        for _ in 0..passed {
            self.spans.push_back(Histogram::default());
        }
        while self.spans.len() > self.kept + 1 {
            self.spans.pop_front();
        }
    }
}
