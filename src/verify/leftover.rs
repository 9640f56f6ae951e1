use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http_body::Body;
use pin_project_lite::pin_project;
use tokio::time::{Sleep, sleep};

use crate::drain::{DRAINED_BYTES, Leftover};
use crate::timer::poll_timer;

pin_project! {
    /// The rest of a probe's response, which is read for a limited time.
    pub(super) struct ProbeLeftover<T> {
        #[pin]
        leftover: Option<Leftover<T>>,
        #[pin]
        timer: Option<Sleep>,
        limit: Duration,
    }
}

impl<T: Body> ProbeLeftover<T> {
    pub(super) fn none() -> Self {
        Self {
            leftover: None,
            timer: None,
            limit: Duration::ZERO,
        }
    }

    /// Holds a body for at most this long.
    pub(super) fn hold(self: Pin<&mut Self>, body: T, limit: Duration) {
        let mut this = self.project();
        this.leftover
            .set(Leftover::of(body, DRAINED_BYTES, |body| body));
        this.timer.set(None);
        *this.limit = limit;
    }

    pub(super) fn let_go(self: Pin<&mut Self>) {
        let mut this = self.project();
        this.leftover.set(None);
        this.timer.set(None);
    }

    /// Ready once nothing is held.
    pub(super) fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut this = self.as_mut().project();
        if let Some(leftover) = this.leftover.as_mut().as_pin_mut() {
            if leftover.poll_drained(cx).is_pending() {
                ready!(poll_timer(this.timer.as_mut(), || sleep(*this.limit), cx));
            }
            self.let_go();
        }
        Poll::Ready(())
    }
}
