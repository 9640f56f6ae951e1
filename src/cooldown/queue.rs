use std::collections::BTreeMap;
use std::mem;
use std::task::Waker;
use std::time::Duration;

use tokio::time::Instant;

use crate::timer::later;

/// Who waits looks again after so long, if nothing is due before. Who does not, by so long after that,
/// has let go of its task for now, and keeps nobody back.
pub(super) const LOOKS_EVERY: Duration = Duration::from_secs(1);

/// The place of a request; who comes later has a greater one.
pub(crate) type Ticket = u64;

/// Requests that wait, in the order in which they came.
#[derive(Default)]
pub(super) struct Queue {
    waiting: BTreeMap<Ticket, Waiter>,
    latest: Ticket,
    /// Who has to look again, and who does not wait any more: both may run code that comes back here,
    /// once the lock is let go.
    woken: Vec<Waker>,
    gone: Vec<Waker>,
}

struct Waiter {
    waker: Waker,
    /// When it looks again.
    looks_at: Instant,
}

impl Queue {
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Who has to look again, and who is gone.
    pub(super) fn take_aside(&mut self) -> [Vec<Waker>; 2] {
        [mem::take(&mut self.woken), mem::take(&mut self.gone)]
    }

    /// Whether it is the turn of this one, if one may go.
    pub(super) fn is_next(&self, ticket: Option<Ticket>) -> bool {
        match (self.waiting.first_key_value(), ticket) {
            (None, _) => true,
            (Some((first, _)), Some(ticket)) => ticket <= *first,
            (Some(_), None) => false,
        }
    }

    /// A request waits, at its place if it has one.
    pub(super) fn wait(&mut self, ticket: &mut Option<Ticket>, waker: &Waker, looks_at: Instant) {
        let ticket = *ticket.get_or_insert_with(|| {
            self.latest += 1;
            self.latest
        });
        let waker = waker.clone();
        let before = self.waiting.insert(ticket, Waiter { waker, looks_at });
        self.gone.extend(before.map(|before| before.waker));
    }

    /// A request does not wait any more.
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

    /// Those before this one that have not looked when they had to lose their place, until they look
    /// again: their tasks are not polled.
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
