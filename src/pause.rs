use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::{Extensions, Response, Version};
use http_body::Body;
use pin_project_lite::pin_project;
use tokio::time::{Instant, Sleep, sleep};

use crate::decide::Wait;
use crate::drain::{DRAINED_FOR, DRAINED_ON_FOR, Leftover};
use crate::error::BoxError;

pin_project! {
    /// What there is between two attempts: the outcome that was let go, and the wait.
    pub(crate) struct Pause<T> {
        #[pin]
        leftover: Option<Leftover<T>>,
        // Whether the leftover is read on beside the next attempt, and until when.
        drains_on: bool,
        drained_on: Option<Pin<Box<Sleep>>>,
        // Of a response it is the head.
        last: Result<Response<()>, BoxError>,
        pub(crate) since: Instant,
        pub(crate) wait: Duration,
        // In which the next attempt has to start.
        pub(crate) window: Duration,
    }
}

impl<R: Body> Pause<Response<R>> {
    /// Lets an outcome go, but for what is remembered of it, and waits from now on.
    pub(crate) fn begin(
        place: &mut Option<Pin<Box<Self>>>,
        outcome: Result<Response<R>, BoxError>,
        wait: &Wait,
        max_drain_bytes: usize,
    ) {
        let mut drains_on = false;
        let (leftover, last) = match outcome {
            Ok(response) => {
                let (mut head, body) = response.into_parts();
                // They can hold what the next attempt needs: a permit, for instance.
                head.extensions = Extensions::new();
                drains_on = head.version <= Version::HTTP_11;
                let leftover = Leftover::of(Response::new(body), max_drain_bytes);
                (Some(leftover), Ok(Response::from_parts(head, ())))
            }
            Err(error) => (None, Err(error)),
        };
        let pause = Self {
            leftover,
            drains_on,
            drained_on: None,
            last,
            since: Instant::now(),
            wait: wait.after,
            window: wait.window,
        };
        match place {
            Some(place) => place.as_mut().set(pause),
            None => *place = Some(Box::pin(pause)),
        }
    }

    /// The last outcome, to tell of it.
    pub(crate) fn take_last(self: Pin<&mut Self>) -> Result<Response<()>, BoxError> {
        mem::replace(self.project().last, Ok(Response::default()))
    }

    /// Reads the leftover; ready at its end, and if there is none.
    pub(crate) fn poll_drained(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut leftover = self.project().leftover;
        if let Some(response) = leftover.as_mut().as_pin_mut() {
            ready!(response.poll_drained(cx));
            leftover.set(None);
        }
        Poll::Ready(())
    }

    /// Whether there is a leftover that is read during the wait.
    pub(crate) fn is_drained_now(&self) -> bool {
        self.leftover.is_some() && self.drained_on.is_none()
    }

    /// The leftover is not read when the wait is over, or its time. To drop one of HTTP/1 closes
    /// its connection: it is read on, if the wait was short. One of HTTP/2 may hold a stream that
    /// the next attempt needs.
    pub(crate) fn drain_later(mut self: Pin<&mut Self>, cx: &mut Context<'_>) {
        let mut this = self.as_mut().project();
        match *this.drains_on && *this.wait < DRAINED_FOR {
            true => *this.drained_on = Some(Box::pin(sleep(DRAINED_ON_FOR))),
            false => this.leftover.set(None),
        }
        self.drain_on(cx);
    }

    /// Reads the leftover on beside the next attempt, until it has come to its end or its time is
    /// over.
    pub(crate) fn drain_on(mut self: Pin<&mut Self>, cx: &mut Context<'_>) {
        let Some(timer) = self.as_mut().project().drained_on else {
            return;
        };
        let is_over = timer.as_mut().poll(cx).is_ready();
        if self.as_mut().poll_drained(cx).is_ready() || is_over {
            let mut this = self.project();
            this.leftover.set(None);
            *this.drained_on = None;
        }
    }
}
