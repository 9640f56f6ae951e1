use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use pin_project_lite::pin_project;
use tokio::time::{Instant, Sleep, sleep_until};

use super::gate::Gate;
use super::look::{Look, Patience};
use super::queue::Ticket;
use super::said::{Change, Said};

pin_project! {
    /// A request's place in the queue. Dropping it removes the request from the queue.
    pub(crate) struct Turn {
        gate: Arc<Gate>,
        patience: Patience,
        ticket: Option<Ticket>,
        #[pin]
        timer: Option<Sleep>,
    }

    impl PinnedDrop for Turn {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            if this.ticket.is_some() {
                this.gate.with(|state| state.leave(this.ticket));
            }
        }
    }
}

/// The error of a request that cannot wait. No request is sent for `left`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) left: Duration,
}

impl Turn {
    pub(super) fn new(gate: Arc<Gate>, patience: Patience) -> Self {
        Self {
            gate,
            patience,
            ticket: None,
            timer: None,
        }
    }

    /// Whether the request is in the queue.
    pub(crate) fn is_waiting(&self) -> bool {
        self.ticket.is_some()
    }

    /// Returns how long it takes until a request is sent.
    pub(crate) fn left(&self) -> Duration {
        let left = self.gate.with(|state| state.left(Instant::now()));
        left.unwrap_or_default()
    }

    /// Ready when the request may be sent, or cannot wait.
    pub(crate) fn poll(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Passage, Refused>> {
        loop {
            let this = self.as_mut().project();
            let now = Instant::now();
            let look = this
                .gate
                .with(|state| state.look(this.ticket, now, this.patience, cx.waker()));
            let looks_at = match look {
                Look::Go(round) => {
                    let gate = this.gate.clone();
                    return Poll::Ready(Ok(Passage { gate, round }));
                }
                Look::Refused { left } => return Poll::Ready(Err(Refused { left })),
                Look::Wait(looks_at) => looks_at,
            };
            let mut timer = this.timer;
            if timer.as_ref().as_pin_ref().map(|timer| timer.deadline()) != Some(looks_at) {
                timer.set(Some(sleep_until(looks_at)));
            }
            if let Some(timer) = timer.as_pin_mut() {
                ready!(timer.poll(cx));
            }
        }
    }
}

/// The permission to send a request. In a slow start, its outcome determines how many others are sent.
pub(crate) struct Passage {
    gate: Arc<Gate>,
    round: Option<u32>,
}

impl Passage {
    /// Whether the permission is still valid. It is not if a new hold has started.
    pub(crate) fn stands(&self) -> bool {
        self.gate.with(|state| state.stands(self.round))
    }

    /// Records the outcome of the request.
    pub(super) fn came_back(
        mut self,
        said: Said,
        now: Instant,
        longest: Duration,
    ) -> Option<Change> {
        let round = self.round.take()?;
        self.gate
            .with(|state| state.came_back(round, said, now, longest))
    }
}

/// The request has no outcome, so another one may be sent instead.
impl Drop for Passage {
    fn drop(&mut self) {
        if let Some(round) = self.round {
            let now = Instant::now();
            self.gate
                .with(|state| state.came_back(round, Said::Nothing, now, Duration::MAX));
        }
    }
}
