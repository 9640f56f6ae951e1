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

/// So many retries without a wait need no timer; then one is used, as it yields to other tasks.
const UNTIMED_RETRIES: u32 = 32;

pin_project! {
    #[project = Waits]
    /// What a request keeps beside its snapshot once it has to wait: as it is held, or an attempt of it
    /// has failed. Most have none, and so are 290 bytes smaller while they are in flight. One
    /// allocation, used by all their waits.
    pub(crate) struct Waiting<T, B> {
        pub(crate) progress: Progress,
        // Of the wait, or of the window's end.
        #[pin]
        pub(crate) timer: Option<Sleep>,
        leftover: Option<Pin<Box<Draining<T>>>>,
        // Of a response it is the head.
        last: Result<Response<()>, BoxError>,
        wait: Duration,
        // In which the next attempt has to start.
        pub(crate) window: Duration,
        // Of one that had to ask whether it may be sent.
        pub(crate) hold: Option<Box<Hold<B>>>,
    }
}

pin_project! {
    /// What is left of a response that is let go.
    struct Draining<T> {
        #[pin]
        leftover: Leftover<T>,
        // Whether it may be read on beside the next attempt, and until when it is.
        drains_on: bool,
        #[pin]
        drained_on: Option<Sleep>,
    }
}

impl<T, B: Body> Waiting<T, B> {
    /// A request that is held, of which nothing is sent.
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
    /// Lets an outcome go, but for what is remembered of it, and waits from now on.
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
                // They can hold what the next attempt needs: a permit, for instance.
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

    /// Waits for the wait's end, and drains what was let go meanwhile.
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

    /// What an outcome is judged by.
    pub(crate) fn later(self: Pin<&mut Self>) -> Later<'_, B> {
        let Waits { progress, hold, .. } = self.project();
        let hold = hold.as_deref_mut();
        Later { progress, hold }
    }

    /// Reads the leftover; ready at its end, and if there is none.
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

    /// The leftover is not read when the wait is over, or its time. To drop one of HTTP/1 closes
    /// its connection: it is read on, if the wait was short. One of HTTP/2 may hold a stream that
    /// the next attempt needs.
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

    /// Reads the leftover on beside the next attempt, until it has come to its end or its time is
    /// over.
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
    /// The place of the attempt among those that wait, if it needs one.
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

    /// Its turn has come.
    pub(crate) fn go(&mut self, passage: Passage) {
        if !self.is_unsent() {
            // It may have come before, to nothing: only what is new is added.
            let wait = self.progress.waiting_since.elapsed().max(*self.wait);
            self.progress.waited = self.progress.waited.saturating_add(wait - *self.wait);
            *self.wait = wait;
        }
        let hold = self.hold.get_or_insert_with(Box::default);
        (hold.turn, hold.passage) = (None, Some(passage));
    }

    /// Requests are held once more: it is to ask for its turn as if it had not come.
    pub(crate) fn ask_again(&mut self) {
        if let Some(hold) = self.hold {
            hold.passage = None;
        }
    }

    /// Whether there was no attempt yet.
    pub(crate) fn is_unsent(&self) -> bool {
        let hold = self.hold.as_ref();
        hold.is_some_and(|hold| hold.first.is_some())
    }

    /// The attempt cannot start, and why. If none was made before, requests are held for so long yet.
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
    /// None if there is nothing to read.
    fn of(body: R, version: Version, max_bytes: usize) -> Option<Pin<Box<Self>>> {
        let leftover = Leftover::of(body, max_bytes, Response::new)?;
        Some(Box::pin(Self {
            leftover,
            drains_on: version <= Version::HTTP_11,
            drained_on: None,
        }))
    }
}
