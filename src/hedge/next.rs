use std::time::Duration;

use tokio::time::Instant;

/// The next hedge.
pub(super) struct Next<S> {
    /// The clone of the service that sends it.
    pub(super) spare: S,
    since: Instant,
    delay: Duration,
    /// Whether the server asked for the delay.
    is_asked: bool,
}

/// How much later than its deadline a timer may fire.
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

    /// When it is due, as a time and the delay after it.
    pub(super) fn due(&self) -> (Instant, Duration) {
        (self.since, self.delay)
    }

    /// Removes the delay after an attempt failed, unless the server asked for it.
    pub(super) fn hurry(&mut self, now: Instant) {
        if !self.is_asked {
            (self.since, self.delay) = (now, Duration::ZERO);
        }
    }

    /// Sets a delay that a server asks for. If there are two, the later one is used.
    pub(super) fn wait(&mut self, now: Instant, wait: Duration) {
        let left = |next: &Self| next.delay.saturating_sub(now.duration_since(next.since));
        if !self.is_asked || left(self) < wait {
            (self.since, self.delay) = (now, wait);
        }
        self.is_asked = true;
    }

    /// Whether it can be sent before `end`.
    pub(super) fn is_before(&self, end: Instant) -> bool {
        let sent = self.since.checked_add(self.delay.saturating_add(TICK));
        sent.is_some_and(|sent| sent <= end)
    }
}
