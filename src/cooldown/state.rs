//! The state of a cooldown, which decides whether requests are held, and when they are sent. It does not
//! wait, read a clock, or use a random generator.

use std::mem;
use std::task::Waker;
use std::time::Duration;

use tokio::time::Instant;

use super::belief::Belief;
use super::look::{Look, Patience};
use super::queue::{LOOKS_EVERY, Queue, Ticket};
use super::row::Row;
use super::said::{Change, Spread};
use super::slow_start::SlowStart;
use super::snapshot::{CooldownPhase, CooldownState};
use crate::timer::later;

mod outcomes;

/// The state of one cooldown.
pub(crate) struct State {
    phase: Phase,
    /// When a hold last started. Outcomes of attempts that were sent before do not start another one.
    held_at: Option<Instant>,
    row: Row,
    belief: Belief,
    queue: Queue,
    /// The number of slow starts so far. Outcomes of requests that were sent in an earlier one are ignored.
    round: u32,
    /// Whether the start of a hold was reported, so that its end has to be reported, too.
    is_told: bool,
}

#[derive(Debug)]
enum Phase {
    Open,
    Holding {
        /// The time that the server asks for.
        until: Instant,
        /// When the hold ends, which includes jitter.
        opens: Instant,
    },
    SlowStart(SlowStart),
}

impl State {
    pub(crate) fn new() -> Self {
        Self {
            phase: Phase::Open,
            held_at: None,
            row: Row::default(),
            belief: Belief::default(),
            queue: Queue::default(),
            round: 0,
            is_told: false,
        }
    }

    pub(crate) fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Open)
    }

    /// Whether `served` must be called for requests that are served.
    pub(crate) fn needs_successes(&self) -> bool {
        self.belief.is_at_stake()
    }

    pub(crate) fn waiting(&self) -> usize {
        self.queue.len()
    }

    /// Takes the wakers to wake, and those to drop, once the lock is released.
    pub(crate) fn take_aside(&mut self) -> [Vec<Waker>; 2] {
        self.queue.take_aside()
    }

    /// Returns how long it takes until a new request is sent. It is `None` if it is sent immediately, and
    /// zero if this depends on other requests.
    pub(crate) fn left(&mut self, now: Instant) -> Option<Duration> {
        self.advance(now);
        match &self.phase {
            Phase::Open => None,
            Phase::Holding { opens, .. } => Some(opens.saturating_duration_since(now)),
            Phase::SlowStart(start) if start.may_go() && self.queue.is_empty() => None,
            Phase::SlowStart(start) => Some(start.left(now)),
        }
    }

    /// Returns the state for a snapshot, without changing it.
    pub(crate) fn seen(&self, now: Instant) -> CooldownState {
        let start = match &self.phase {
            Phase::Open => None,
            Phase::Holding { opens, .. } if now < *opens => {
                return self.state(CooldownPhase::Holding, Some(*opens - now));
            }
            Phase::Holding { .. } => Some(SlowStart::new(now)),
            Phase::SlowStart(start) => Some(start.clone()),
        };
        let Some(mut start) = start else {
            return self.state(CooldownPhase::Open, None);
        };
        start.advance(now);
        let goes_at_once = start.may_go() && self.queue.is_empty();
        let left = (!goes_at_once).then(|| start.left(now));
        self.state(CooldownPhase::SlowStart, left)
    }

    fn state(&self, phase: CooldownPhase, left: Option<Duration>) -> CooldownState {
        CooldownState {
            phase,
            left,
            waiting: self.waiting(),
        }
    }

    /// Whether a request that was admitted in this round of slow start, or without one, may still be sent.
    pub(crate) fn stands(&self, round: Option<u32>) -> bool {
        match round {
            None => self.is_open(),
            Some(round) => round == self.round && !matches!(self.phase, Phase::Holding { .. }),
        }
    }

    /// Decides whether a request may be sent. It gets a ticket if it waits, and loses it otherwise.
    pub(crate) fn look(
        &mut self,
        ticket: &mut Option<Ticket>,
        now: Instant,
        patience: &Patience,
        waker: &Waker,
    ) -> Look {
        self.advance(now);
        if patience.until.is_some_and(|until| until <= now) {
            let left = self.left(now).unwrap_or_default();
            self.queue.leave(ticket);
            return Look::Refused { left };
        }
        self.queue.pass_over(*ticket, now);
        let is_next = self.queue.is_next(*ticket);
        match &mut self.phase {
            Phase::Open => {
                self.queue.leave(ticket);
                return Look::Go(None);
            }
            Phase::SlowStart(start) if is_next && start.may_go() => {
                start.go(now);
                self.queue.leave(ticket);
                return Look::Go(Some(self.round));
            }
            Phase::SlowStart(_) | Phase::Holding { .. } => {}
        }
        let left = self.left(now).unwrap_or_default();
        let is_late = patience
            .until
            .is_some_and(|until| later(now, left) >= until);
        let is_crowded = ticket.is_none() && self.queue.len() >= patience.max_waiting;
        if left > patience.max_hold || is_late || is_crowded {
            self.queue.leave(ticket);
            return Look::Refused { left };
        }
        let looks_at = self.looks_at(is_next, now, patience.until);
        self.queue.wait(ticket, waker, looks_at);
        Look::Wait(looks_at)
    }

    /// Returns when a waiting request must call `look` again.
    fn looks_at(&self, is_next: bool, now: Instant, until: Option<Instant>) -> Instant {
        let change = self.next_change();
        let rests_until = match &self.phase {
            Phase::Holding { opens, .. } => later(*opens, LOOKS_EVERY),
            Phase::Open | Phase::SlowStart(_) => later(now, LOOKS_EVERY),
        };
        let due = change.filter(|_| is_next).into_iter().chain(until);
        due.fold(rests_until, Ord::min)
    }

    /// Removes a request from the queue.
    pub(crate) fn leave(&mut self, ticket: &mut Option<Ticket>) {
        self.queue.leave(ticket);
    }

    /// Holds requests on behalf of the program. A hold that lasts longer is not changed.
    pub(crate) fn hold_for(&mut self, now: Instant, wait: Duration) {
        self.advance(now);
        let is_told = self.is_told;
        self.hold(now, later(now, wait), &mut |_| Duration::ZERO);
        self.is_told = is_told;
    }

    /// Ends a hold on behalf of the program.
    pub(crate) fn release(&mut self, now: Instant) {
        self.advance(now);
        match &mut self.phase {
            Phase::Open => return,
            // If the start was reported, the end is reported with the outcome of a request.
            _ if self.queue.is_empty() && !self.is_told => self.phase = Phase::Open,
            Phase::SlowStart(start) => start.release(),
            Phase::Holding { .. } => self.start_slowly(now),
        }
        self.queue.wake_first();
    }

    fn is_old(&self, sent: Instant) -> bool {
        self.held_at.is_some_and(|held_at| sent <= held_at)
    }

    /// Extends the current hold, if there is one and a response asks for a later time. The response may be
    /// to an attempt that was sent before the hold.
    fn extend(&mut self, asked: Instant) -> Option<Change> {
        if let Phase::Holding { until, opens } = &mut self.phase {
            if asked > *until {
                let longer = asked - *until;
                *opens = later(*opens, longer);
                *until = asked;
                // Each refusal of a burst asks for a slightly later time. For a short extension, nothing is
                // woken: the first request in the queue finds it when its timer fires.
                if longer >= LOOKS_EVERY {
                    self.queue.wake_all();
                }
            }
        }
        None
    }

    fn hold(&mut self, now: Instant, asked: Instant, spread: &mut Spread<'_>) -> Option<Change> {
        self.row.clear();
        self.held_at = Some(now);
        if let Phase::Holding { .. } = self.phase {
            return self.extend(asked);
        }
        let wait = asked.saturating_duration_since(now);
        let opens = later(asked, spread(wait));
        self.phase = Phase::Holding {
            until: asked,
            opens,
        };
        self.queue.wake_all();
        let left = opens.saturating_duration_since(now);
        // If the end of the previous hold was not reported yet, no second start is reported.
        let was_told = mem::replace(&mut self.is_told, true);
        (!was_told).then_some(Change::Started { left })
    }

    /// Applies the changes that are due by time.
    fn advance(&mut self, now: Instant) {
        match &mut self.phase {
            Phase::Open => {}
            Phase::Holding { opens, .. } if now < *opens => {}
            Phase::Holding { .. } => self.start_slowly(now),
            Phase::SlowStart(start) => start.advance(now),
        }
    }

    fn start_slowly(&mut self, now: Instant) {
        self.round = self.round.wrapping_add(1);
        self.phase = Phase::SlowStart(SlowStart::new(now));
    }

    fn open(&mut self) -> Option<Change> {
        self.phase = Phase::Open;
        mem::take(&mut self.is_told).then_some(Change::Ended)
    }

    /// Returns when the next change by time is due.
    fn next_change(&self) -> Option<Instant> {
        match &self.phase {
            Phase::Open => None,
            Phase::Holding { opens, .. } => Some(*opens),
            Phase::SlowStart(start) => start.next_change(),
        }
    }
}

#[cfg(test)]
mod tests;
