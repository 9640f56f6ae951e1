use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::hedge::SHARE;
use crate::hedge::backup::{End, How, Rule};
use crate::hedge::window::Window;

/// How many requests are hedged after a fixed delay at first.
const WARM_UP: u32 = 20;

const WARM_UP_DELAY: Duration = Duration::from_millis(10);

const LEAST: Duration = Duration::from_millis(1);

/// The relative accuracy of its sketch.
const ACCURACY: f64 = 0.01;

/// github.com/bhope/hedge with its defaults, except for the expected number of requests.
///
/// It hedges after the p90 of the time that callers waited in the last 30 to 60 s, which a `DDSketch`
/// estimates within one percent, or after 10 ms for the first 20 requests. A token bucket is refilled over
/// time, at a tenth of the expected rate of requests, and holds the tokens of two seconds. The first
/// outcome is taken, even an error.
pub struct Bhope {
    /// The number of tokens that are added per second.
    rate: f64,
    state: Mutex<State>,
}

struct State {
    window: Window,
    begun: u32,
    tokens: f64,
    filled: Instant,
}

impl Bhope {
    pub fn new(requests_per_second: f64) -> Self {
        let rate = requests_per_second * SHARE;
        let state = State {
            window: Window::new(Duration::from_secs(30), 1),
            begun: 0,
            tokens: most(rate),
            filled: Instant::now(),
        };
        Self {
            rate,
            state: Mutex::new(state),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Rule for Bhope {
    const TAKES_FAILURES: bool = true;

    fn begin(&self) -> Option<Duration> {
        let mut state = self.state();
        state.begun += 1;
        if state.begun <= WARM_UP {
            return Some(WARM_UP_DELAY);
        }
        let delay = state.window.quantile(1.0 - SHARE);
        Some(delay.map_or(WARM_UP_DELAY, sketched).max(LEAST))
    }

    fn allows(&self) -> bool {
        let mut state = self.state();
        let seconds = state.filled.elapsed().as_secs_f64();
        state.filled = Instant::now();
        state.tokens = (state.tokens + seconds * self.rate).min(most(self.rate));
        let is_allowed = state.tokens >= 1.0;
        if is_allowed {
            state.tokens -= 1.0;
        }
        is_allowed
    }

    fn attempt_ended(&self, end: End) {
        if end.how != How::Dropped {
            self.state().window.add(end.waited);
        }
    }
}

fn most(rate: f64) -> f64 {
    (rate * 2.0).max(1.0)
}

/// Returns the estimate of the sketch for a time, which is the middle of its bucket.
fn sketched(time: Duration) -> Duration {
    let base: f64 = (1.0 + ACCURACY) / (1.0 - ACCURACY);
    let millis = time.as_millis().max(1) as f64;
    let bucket = millis.log(base).ceil();
    Duration::from_secs_f64(2.0 * base.powf(bucket) / (base + 1.0) / 1_000.0)
}
