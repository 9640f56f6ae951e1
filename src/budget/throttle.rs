use crate::sync::{AtomicU64, Ordering};

const TOKEN: u64 = 1_000;

/// gRPC's retry throttling, in thousandths of a token.
pub(crate) struct Throttle {
    max: u64,
    ratio: u64,
    level: AtomicU64,
}

impl Throttle {
    pub(super) fn new(max: u64, ratio: u64) -> Self {
        Self {
            max,
            ratio,
            level: AtomicU64::new(max),
        }
    }

    pub(super) fn success(&self) {
        // A full throttle is only read, not written.
        if self.level() < self.max {
            self.update(|level| level.saturating_add(self.ratio).min(self.max));
        }
    }

    pub(super) fn failure(&self) {
        self.update(|level| level.saturating_sub(TOKEN));
    }

    pub(super) fn allows(&self) -> bool {
        self.level() > self.max / 2
    }

    pub(super) fn capacity(&self) -> u64 {
        self.max
    }

    pub(super) fn level(&self) -> u64 {
        self.level.load(Ordering::Relaxed)
    }

    fn update(&self, next: impl Fn(u64) -> u64) {
        // This never fails, because the closure always returns a value.
        let _ = self
            .level
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |level| {
                Some(next(level))
            });
    }
}
