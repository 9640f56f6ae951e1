use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep, sleep_until};

/// Polls a timer, and creates it first if there is none.
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

/// Creates a timer that ends at `instant + wait`. The clock is read only if it cannot represent this time.
pub(crate) fn sleep_since(instant: Instant, wait: Duration) -> Sleep {
    match instant.checked_add(wait) {
        Some(end) => sleep_until(end),
        // The clock cannot represent the end. tokio then waits for decades.
        None => sleep(wait),
    }
}

/// Returns `instant + wait`, or a time some decades later if the clock cannot represent it.
pub(crate) fn later(instant: Instant, wait: Duration) -> Instant {
    const DECADES: Duration = Duration::from_secs(30 * 366 * 24 * 60 * 60);
    instant
        .checked_add(wait)
        .unwrap_or_else(|| instant + DECADES)
}
