use std::time::Duration;

use tokio::time::Instant;

/// The hedge to come.
pub(super) struct Next<S> {
    /// What it is sent through.
    pub(super) spare: S,
    since: Instant,
    delay: Duration,
    /// Whether it is a server that asks for the delay.
    is_asked: bool,
}

/// A timer may fire so much later than it was set for.
const TICK: Duration = Duration::from_millis(1);

impl<S> Next<S> {
    pub(super) fn new(spare: S, since: Instant, delay: Duration) -> Self {
        Self {
            spare,
            since,
            delay,
            is_asked: false,
        }
    }

    /// When it is due: so long after that time.
    pub(super) fn due(&self) -> (Instant, Duration) {
        (self.since, self.delay)
    }

    /// An attempt has failed, so that there is nothing to wait for but what a server asks for.
    pub(super) fn hurry(&mut self, now: Instant) {
        if !self.is_asked {
            (self.since, self.delay) = (now, Duration::ZERO);
        }
    }

    /// A server asks for a wait; of two that do, the later holds.
    pub(super) fn wait(&mut self, now: Instant, wait: Duration) {
        let left = |next: &Self| next.delay.saturating_sub(now.duration_since(next.since));
        if !self.is_asked || left(self) < wait {
            (self.since, self.delay) = (now, wait);
        }
        self.is_asked = true;
    }

    /// Whether it can be sent before that time.
    pub(super) fn is_before(&self, end: Instant) -> bool {
        let sent = self.since.checked_add(self.delay.saturating_add(TICK));
        sent.is_some_and(|sent| sent <= end)
    }
}
