use std::collections::BTreeMap;
use std::mem;
use std::task::Waker;
use std::time::Duration;

use tokio::time::Instant;

use crate::timer::later;

/// The longest time between two calls of `look` by a waiting request, not counting the time of a hold. If a
/// request is late by the same time, its task is not polled, and later requests may overtake it.
pub(super) const LOOKS_EVERY: Duration = Duration::from_secs(1);

/// The place of a request in the queue. Requests that arrive later have greater tickets.
pub(crate) type Ticket = u64;

/// The waiting requests, in order of arrival.
#[derive(Default)]
pub(super) struct Queue {
    waiting: BTreeMap<Ticket, Waiter>,
    latest: Ticket,
    /// The wakers of requests that must call `look` again, and those of requests that have left. Waking or
    /// dropping a waker can run code that takes the lock, so this is done after the lock is released.
    woken: Vec<Waker>,
    gone: Vec<Waker>,
}

struct Waiter {
    waker: Waker,
    /// When the request calls `look` again.
    looks_at: Instant,
}

impl Queue {
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Takes the wakers to wake, and those to drop.
    pub(super) fn take_aside(&mut self) -> [Vec<Waker>; 2] {
        [mem::take(&mut self.woken), mem::take(&mut self.gone)]
    }

    /// Whether this request is the next to be sent.
    pub(super) fn is_next(&self, ticket: Option<Ticket>) -> bool {
        match (self.waiting.first_key_value(), ticket) {
            (None, _) => true,
            (Some((first, _)), Some(ticket)) => ticket <= *first,
            (Some(_), None) => false,
        }
    }

    /// Puts a request into the queue, at its place if it has a ticket.
    pub(super) fn wait(&mut self, ticket: &mut Option<Ticket>, waker: &Waker, looks_at: Instant) {
        let ticket = *ticket.get_or_insert_with(|| {
            self.latest += 1;
            self.latest
        });
        let waker = waker.clone();
        let before = self.waiting.insert(ticket, Waiter { waker, looks_at });
        self.gone.extend(before.map(|before| before.waker));
    }

    /// Removes a request from the queue.
    pub(super) fn leave(&mut self, ticket: &mut Option<Ticket>) {
        let Some(ticket) = ticket.take() else {
            return;
        };
        let was_next = self.is_next(Some(ticket));
        let left = self.waiting.remove(&ticket);
        self.gone.extend(left.map(|left| left.waker));
        if was_next {
            self.wake_first();
        }
    }

    /// Removes the requests before this one that are late to call `look`, because their tasks are not
    /// polled. They get their places back when they call it.
    pub(super) fn pass_over(&mut self, ticket: Option<Ticket>, now: Instant) {
        while let Some(first) = self.waiting.first_entry() {
            let is_late = later(first.get().looks_at, LOOKS_EVERY) <= now;
            if Some(*first.key()) == ticket || !is_late {
                return;
            }
            self.gone.push(first.remove().waker);
        }
    }

    pub(super) fn wake_first(&mut self) {
        let first = self.waiting.values().next();
        self.woken.extend(first.map(|first| first.waker.clone()));
    }

    pub(super) fn wake_all(&mut self) {
        let wakers = self.waiting.values().map(|waiter| waiter.waker.clone());
        self.woken.extend(wakers);
    }
}
