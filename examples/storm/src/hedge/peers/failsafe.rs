use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::hedge::SHARE;
use crate::hedge::backup::{End, How, Rule};
use crate::hedge::window::Window;

// The defaults of its budget.
const MAX_RATE: f64 = 0.2;
const MIN_CONCURRENCY: u64 = 3;

/// failsafe-go's hedge policy with its budget (`hedgepolicy` and `budget`), and with a delay function as
/// its documentation advises.
///
/// It sends one hedge, after a quantile of the times of calls, which the user measures, here over the last
/// 10 to 20 s. The first outcome is taken, even an error. At most a fifth of the attempts in flight may be
/// hedges, but up to three hedges are always allowed.
pub struct Failsafe {
    under_way: AtomicU64,
    hedges: AtomicU64,
    window: Mutex<Window>,
}

impl Failsafe {
    pub fn new() -> Self {
        Self {
            under_way: AtomicU64::new(0),
            hedges: AtomicU64::new(0),
            window: Mutex::new(Window::new(Duration::from_secs(10), 1)),
        }
    }
}

impl Rule for Failsafe {
    const TAKES_FAILURES: bool = true;

    fn begin(&self) -> Option<Duration> {
        self.under_way.fetch_add(1, Ordering::Relaxed);
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        window.quantile(1.0 - SHARE)
    }

    fn allows(&self) -> bool {
        let hedges = self.hedges.load(Ordering::Relaxed) + 1;
        let under_way = self.under_way.load(Ordering::Relaxed) + 1;
        let is_allowed = hedges <= MIN_CONCURRENCY || hedges as f64 <= MAX_RATE * under_way as f64;
        if is_allowed {
            self.hedges.fetch_add(1, Ordering::Relaxed);
            self.under_way.fetch_add(1, Ordering::Relaxed);
        }
        is_allowed
    }

    fn attempt_ended(&self, end: End) {
        self.under_way.fetch_sub(1, Ordering::Relaxed);
        if end.is_second {
            self.hedges.fetch_sub(1, Ordering::Relaxed);
        }
        if end.how == How::Success {
            let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
            window.add(end.waited);
        }
    }
}
