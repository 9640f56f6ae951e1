use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::{Extensions, Request, Response, Version};
use http_body::Body;
use pin_project_lite::pin_project;
use tokio::time::{Sleep, sleep};

use crate::classify::Classify;
use crate::cooldown::{Passage, Turn};
use crate::decide::Wait;
use crate::drain::{DRAINED_FOR, DRAINED_ON_FOR, Leftover};
use crate::error::{BoxError, RetryError};
use crate::exchange::{Exchange, Later};
use crate::hold::Hold;
use crate::progress::Progress;
use crate::reason::StopReason;
use crate::settings::Settings;
use crate::timer::{poll_timer, sleep_since};

/// How many retries without a wait use no timer. Further ones use it, because it yields to other tasks.
const UNTIMED_RETRIES: u32 = 32;

pin_project! {
    #[project = Waits]
    /// The state of a request that has to wait, because it is held or an attempt has failed. It is one
    /// allocation, which all waits of the request use. Most requests never wait, and so take 290 bytes less
    /// while they are in flight.
    pub(crate) struct Waiting<T, B> {
        pub(crate) progress: Progress,
        // The timer of the wait, or of the end of the window.
        #[pin]
        pub(crate) timer: Option<Sleep>,
        leftover: Option<Pin<Box<Draining<T>>>>,
        // The last outcome; of a response only the head.
        last: Result<Response<()>, BoxError>,
        wait: Duration,
        // The window in which the next attempt has to start.
        pub(crate) window: Duration,
        // Present if a cooldown holds the attempt, or has held one.
        pub(crate) hold: Option<Box<Hold<B>>>,
    }
}

pin_project! {
    /// The rest of a discarded response.
    struct Draining<T> {
        #[pin]
        leftover: Leftover<T>,
        // Whether reading may continue during the next attempt, and the timer that limits this.
        drains_on: bool,
        #[pin]
        drained_on: Option<Sleep>,
    }
}

impl<T, B: Body> Waiting<T, B> {
    /// Creates the state of a request whose first attempt is held.
    pub(crate) fn held<C: Classify>(
        settings: Arc<Settings<C>>,
        request: Request<B>,
    ) -> (Exchange<C, B>, Pin<Box<Self>>) {
        let (exchange, unsent) = Exchange::hold(settings, request);
        let waiting = Self {
            progress: unsent.progress,
            timer: None,
            leftover: None,
            last: Ok(Response::default()),
            wait: Duration::ZERO,
            window: unsent.window,
            hold: Some(Box::new(Hold::of(unsent.first))),
        };
        (exchange, Box::pin(waiting))
    }
}

impl<R: Body, B> Waiting<Response<R>, B> {
    /// Discards an outcome, except for the part that `last` keeps, and starts the wait.
    pub(crate) fn begin(
        place: &mut Option<Pin<Box<Self>>>,
        progress: Progress,
        outcome: Result<Response<R>, BoxError>,
        wait: &Wait,
        max_drain_bytes: usize,
    ) {
        let (leftover, last) = match outcome {
            Ok(response) => {
                let (mut head, body) = response.into_parts();
                // Extensions can hold a resource that the next attempt needs, such as a permit.
                head.extensions = Extensions::new();
                let draining = Draining::of(body, head.version, max_drain_bytes);
                (draining, Ok(Response::from_parts(head, ())))
            }
            Err(error) => (None, Err(error)),
        };
        let waiting = Self {
            progress,
            timer: None,
            leftover,
            last,
            wait: wait.after,
            window: wait.window,
            hold: place
                .as_mut()
                .and_then(|earlier| earlier.as_mut().project().hold.take()),
        };
        match place {
            Some(place) => place.as_mut().set(waiting),
            None => *place = Some(Box::pin(waiting)),
        }
    }

    /// Waits until the retry is due, and drains the discarded response meanwhile.
    pub(crate) fn poll_wait(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let (since, wait) = (self.progress.waiting_since, self.wait);
        if self.is_drained_now() {
            if self.as_mut().poll_drained(cx).is_pending() {
                if !wait.is_zero() {
                    let timer = || sleep_since(since, DRAINED_FOR.min(wait));
                    ready!(poll_timer(self.as_mut().project().timer, timer, cx));
                }
                self.as_mut().drain_later(cx);
            }
            self.as_mut().project().timer.set(None);
        }
        if !wait.is_zero() || self.progress.retries() >= UNTIMED_RETRIES {
            let timer = || sleep_since(since, wait);
            ready!(poll_timer(self.as_mut().project().timer, timer, cx));
            self.project().timer.set(None);
        }
        Poll::Ready(())
    }

    /// Returns the state that is needed to decide on an outcome.
    pub(crate) fn later(self: Pin<&mut Self>) -> Later<'_, B> {
        let Waits { progress, hold, .. } = self.project();
        let hold = hold.as_deref_mut();
        Later { progress, hold }
    }

    /// Reads the leftover. It is ready at the end of the leftover, and if there is none.
    fn poll_drained(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let leftover = self.project().leftover;
        if let Some(draining) = leftover {
            ready!(draining.as_mut().project().leftover.poll_drained(cx));
            *leftover = None;
        }
        Poll::Ready(())
    }

    /// Whether there is a leftover that is read during the wait.
    fn is_drained_now(&self) -> bool {
        let leftover = self.leftover.as_ref();
        leftover.is_some_and(|draining| draining.drained_on.is_none())
    }

    /// Handles a leftover that has not ended when the wait is over, or after [`DRAINED_FOR`]. Dropping an
    /// HTTP/1 response closes its connection, so reading continues if the wait was short. An HTTP/2
    /// response is dropped, because it may hold a stream that the next attempt needs.
    fn drain_later(mut self: Pin<&mut Self>, cx: &mut Context<'_>) {
        let this = self.as_mut().project();
        match this.leftover {
            Some(draining) if draining.drains_on && *this.wait < DRAINED_FOR => {
                let mut draining = draining.as_mut().project();
                draining.drained_on.set(Some(sleep(DRAINED_ON_FOR)));
            }
            leftover => *leftover = None,
        }
        self.drain_on(cx);
    }

    /// Continues to read the leftover during the next attempt, until it ends or its time is over.
    pub(crate) fn drain_on(mut self: Pin<&mut Self>, cx: &mut Context<'_>) {
        let Some(draining) = self.as_mut().project().leftover else {
            return;
        };
        let Some(timer) = draining.as_mut().project().drained_on.as_pin_mut() else {
            return;
        };
        let is_over = timer.poll(cx).is_ready();
        if self.as_mut().poll_drained(cx).is_ready() || is_over {
            *self.project().leftover = None;
        }
    }
}

impl<T, B> Waits<'_, T, B> {
    /// Returns the attempt's place in the queue, if it has to wait.
    pub(crate) fn turn(
        &mut self,
        make: impl FnOnce(&Progress, Duration) -> Option<Pin<Box<Turn>>>,
    ) -> Option<&mut Pin<Box<Turn>>> {
        let is_queued = |hold: &Hold<B>| hold.turn.is_some();
        if !self.hold.as_deref().is_some_and(is_queued) {
            let turn = make(self.progress, *self.window)?;
            let hold = self.hold.get_or_insert_with(Box::default);
            hold.turn = Some(turn);
        }
        self.hold.as_mut()?.turn.as_mut()
    }

    /// Records that the attempt's turn has come.
    pub(crate) fn go(&mut self, passage: Passage) {
        if !self.is_unsent() {
            // If the attempt's turn came before and it was not sent, only the additional time is added.
            let wait = self.progress.waiting_since.elapsed().max(*self.wait);
            self.progress.waited = self.progress.waited.saturating_add(wait - *self.wait);
            *self.wait = wait;
        }
        let hold = self.hold.get_or_insert_with(Box::default);
        (hold.turn, hold.passage) = (None, Some(passage));
    }

    /// Discards the passage, because requests are held again. The attempt has to wait for its turn again.
    pub(crate) fn ask_again(&mut self) {
        if let Some(hold) = self.hold {
            hold.passage = None;
        }
    }

    /// Whether no attempt was sent yet.
    pub(crate) fn is_unsent(&self) -> bool {
        let hold = self.hold.as_ref();
        hold.is_some_and(|hold| hold.first.is_some())
    }

    /// Returns the reason and the error of an attempt that cannot start. `left` is how long requests are
    /// still held, for the error of a first attempt.
    pub(crate) fn error(&mut self, reason: StopReason, left: Duration) -> (StopReason, BoxError) {
        if self.is_unsent() {
            self.progress.waited = self.progress.started.elapsed();
            let error = RetryError::CoolingDown { left };
            return (StopReason::CoolingDown, error.into());
        }
        let last = mem::replace(self.last, Ok(Response::default()));
        (reason, RetryError::Abandoned { reason, last }.into())
    }
}

impl<R: Body> Draining<Response<R>> {
    /// Returns none if there is nothing to read.
    fn of(body: R, version: Version, max_bytes: usize) -> Option<Pin<Box<Self>>> {
        let leftover = Leftover::of(body, max_bytes, Response::new)?;
        Some(Box::pin(Self {
            leftover,
            drains_on: version <= Version::HTTP_11,
            drained_on: None,
        }))
    }
}
