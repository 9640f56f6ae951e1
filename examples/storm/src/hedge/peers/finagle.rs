use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use tower::retry::budget::{Budget, TpsBudget};

use crate::hedge::SHARE;
use crate::hedge::backup::{End, How, Rule};
use crate::hedge::window::Window;

/// How often the delay is read from the histogram.
const REFRESH: Duration = Duration::from_secs(3);

const LEAST: Duration = Duration::from_millis(1);

/// Finagle's `BackupRequestFilter` (finagle-core, `client/BackupRequestFilter.scala`).
///
/// It hedges after the time that a share of the attempts exceeds, `maxExtraLoad`, in the last three spans
/// of 10 s that have ended. This delay is updated every 3 s; until the first span has ended, it is 1 ms.
/// Its `RetryBudget`, like tower's [`TpsBudget`], covers that share of the requests of the last 10 s, and
/// ten hedges per second. It learns from both attempts; if one is dropped, it counts as if it had ended at
/// that time.
pub struct Finagle {
    budget: TpsBudget,
    state: Mutex<State>,
}

struct State {
    start: Instant,
    window: Window,
    /// How often the delay has been due for an update so far.
    refreshed: u128,
    delay: Option<Duration>,
}

impl Finagle {
    pub fn new() -> Self {
        let state = State {
            start: Instant::now(),
            window: Window::new(Duration::from_secs(10), 3),
            refreshed: 0,
            delay: None,
        };
        Self {
            budget: TpsBudget::new(Duration::from_secs(10), 10, SHARE as f32),
            state: Mutex::new(state),
        }
    }
}

impl Rule for Finagle {
    const TAKES_FAILURES: bool = false;

    fn begin(&self) -> Option<Duration> {
        self.budget.deposit();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let due = state.start.elapsed().as_millis() / REFRESH.as_millis();
        if state.refreshed < due {
            state.refreshed = due;
            let quantile = state.window.quantile_of_whole_spans(1.0 - SHARE);
            state.delay = Some(quantile.unwrap_or_default().max(LEAST));
        }
        state.delay
    }

    fn allows(&self) -> bool {
        self.budget.withdraw()
    }

    fn attempt_ended(&self, end: End) {
        // Refusals are fast, and would make the delay too short.
        if end.how != How::Refused {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.window.add(end.took);
        }
    }
}
