use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep, sleep_until};

/// Polls a timer, which is made when it is first asked for.
pub(crate) fn poll_timer(
    mut timer: Pin<&mut Option<Sleep>>,
    make: impl FnOnce() -> Sleep,
    cx: &mut Context<'_>,
) -> Poll<()> {
    if timer.is_none() {
        timer.set(Some(make()));
    }
    match timer.as_pin_mut() {
        Some(timer) => timer.poll(cx),
        None => Poll::Ready(()),
    }
}

/// A timer that ends so long after an instant. Where the end is known, the clock is not read again.
pub(crate) fn sleep_since(instant: Instant, wait: Duration) -> Sleep {
    match instant.checked_add(wait) {
        Some(end) => sleep_until(end),
        // Later than the clock can tell: tokio takes it for decades.
        None => sleep(wait),
    }
}

/// A time so long after an instant. One that the clock cannot tell is decades away.
pub(crate) fn later(instant: Instant, wait: Duration) -> Instant {
    const DECADES: Duration = Duration::from_secs(30 * 366 * 24 * 60 * 60);
    instant
        .checked_add(wait)
        .unwrap_or_else(|| instant + DECADES)
}
