use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Sleep, sleep};

/// Starts the timer, if it is not running, for what is left, and waits for its end.
pub(crate) fn poll_timer(
    mut timer: Pin<&mut Option<Sleep>>,
    left: impl FnOnce() -> Duration,
    cx: &mut Context<'_>,
) -> Poll<()> {
    if timer.is_none() {
        timer.set(Some(sleep(left())));
    }
    match timer.as_pin_mut() {
        Some(timer) => timer.poll(cx),
        None => Poll::Ready(()),
    }
}
