//! A window of recent times, as peers keep it: in spans of equal length, of which the oldest is discarded
//! as a whole.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use super::histogram::{Histogram, quantile};

pub struct Window {
    start: Instant,
    length: Duration,
    /// How many spans that have ended are kept.
    kept: usize,
    /// The number of the current span, which is the last of `spans`.
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

    /// Returns a quantile of all times in the window.
    pub fn quantile(&mut self, share: f64) -> Option<Duration> {
        self.turn();
        quantile(&self.spans.iter().collect::<Vec<_>>(), share)
    }

    /// Returns a quantile of the spans that have ended.
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
