use std::time::Duration;

use fastrand::Rng;
use tokio::time::Instant;

use super::settings::Limits;
use crate::backoff::Series;
use crate::reason::StopReason;

/// An attempt makes progress if it delivers this many new bytes, or new data over this time.
const PROGRESS_BYTES: u64 = 64 * 1024;
const PROGRESS_TIME: Duration = Duration::from_secs(1);

/// Counts the resumptions of a download, and those without progress.
pub(super) struct Tries {
    started: Instant,
    total: u32,
    /// The number of resumptions since the last progress.
    vain: u32,
    series: Series,
    received: Received,
}

/// The new data of the current attempt.
#[derive(Default)]
struct Received {
    bytes: u64,
    /// When the first and the last of it arrived.
    between: Option<(Instant, Instant)>,
}

impl Tries {
    pub(super) fn start() -> Self {
        Self {
            started: Instant::now(),
            total: 0,
            vain: 0,
            series: Series::default(),
            received: Received::default(),
        }
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// Whether the next resumption is the first one since the last progress.
    pub(super) fn is_first(&self) -> bool {
        self.vain == 1
    }

    pub(super) fn total(&self) -> u32 {
        self.total
    }

    /// Counts new data.
    pub(super) fn received(&mut self, bytes: u64) {
        let received = &mut self.received;
        // Once the size alone is progress, the clock need not be read.
        if received.bytes < PROGRESS_BYTES {
            let now = Instant::now();
            let (first, _) = received.between.unwrap_or((now, now));
            received.between = Some((first, now));
        }
        received.bytes += bytes;
    }

    /// Returns the wait before the next resumption, or the reason why there is none.
    pub(super) fn next(
        &mut self,
        limits: &Limits,
        rng: impl FnOnce() -> Rng,
    ) -> Result<Duration, StopReason> {
        if std::mem::take(&mut self.received).is_progress() {
            self.vain = 0;
            self.series = Series::default();
        }
        if self.vain >= limits.max_resumes {
            return Err(StopReason::Attempts);
        }
        let wait = match self.vain {
            0 => Duration::ZERO,
            _ => {
                let Series { step, previous } = self.series;
                limits.backoff.wait(step, 0, previous, &mut rng())
            }
        };
        if self.elapsed().saturating_add(wait) >= limits.window {
            return Err(StopReason::Window);
        }
        if self.vain > 0 {
            self.series = Series {
                step: self.series.step.saturating_add(1),
                previous: wait,
            };
        }
        self.vain += 1;
        self.total = self.total.saturating_add(1);
        Ok(wait)
    }
}

impl Received {
    fn is_progress(&self) -> bool {
        let lasted = |(first, last): (Instant, Instant)| last.duration_since(first);
        self.bytes >= PROGRESS_BYTES || self.between.map(lasted) >= Some(PROGRESS_TIME)
    }
}
