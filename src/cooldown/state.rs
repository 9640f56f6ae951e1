//! What is held, and what may go. Nothing here waits, reads a clock, or draws from a generator.

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
    /// When requests were last held: the outcome of what was sent until then is old news.
    held_at: Option<Instant>,
    row: Row,
    belief: Belief,
    queue: Queue,
    /// How many slow starts there were: what went in an earlier one tells nothing of this one.
    round: u32,
    /// Whether it was told that requests are held, so that the end is told, too.
    is_told: bool,
}

#[derive(Debug)]
enum Phase {
    Open,
    Holding {
        /// What the server asks for.
        until: Instant,
        /// When this client goes on.
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

    /// Whether it has to be told of what is served.
    pub(crate) fn needs_successes(&self) -> bool {
        self.belief.is_at_stake()
    }

    pub(crate) fn waiting(&self) -> usize {
        self.queue.len()
    }

    /// Who has to look again, and who is gone.
    pub(crate) fn take_aside(&mut self) -> [Vec<Waker>; 2] {
        self.queue.take_aside()
    }

    /// How long it is until a request goes; none if it goes at once. Zero where it depends on others.
    pub(crate) fn left(&mut self, now: Instant) -> Option<Duration> {
        self.advance(now);
        match &self.phase {
            Phase::Open => None,
            Phase::Holding { opens, .. } => Some(opens.saturating_duration_since(now)),
            Phase::SlowStart(start) if start.may_go() && self.queue.is_empty() => None,
            Phase::SlowStart(start) => Some(start.left(now)),
        }
    }

    /// What it is to one that looks on.
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

    /// Whether what was let go in this round, or without one, may still go.
    pub(crate) fn stands(&self, round: Option<u32>) -> bool {
        match round {
            None => self.is_open(),
            Some(round) => round == self.round && !matches!(self.phase, Phase::Holding { .. }),
        }
    }

    /// A request asks whether it may go. Its ticket is taken, or given back.
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

    /// When one that waits looks again.
    fn looks_at(&self, is_next: bool, now: Instant, until: Option<Instant>) -> Instant {
        let change = self.next_change();
        let rests_until = match &self.phase {
            Phase::Holding { opens, .. } => later(*opens, LOOKS_EVERY),
            Phase::Open | Phase::SlowStart(_) => later(now, LOOKS_EVERY),
        };
        let due = change.filter(|_| is_next).into_iter().chain(until);
        due.fold(rests_until, Ord::min)
    }

    /// A request does not wait any more.
    pub(crate) fn leave(&mut self, ticket: &mut Option<Ticket>) {
        self.queue.leave(ticket);
    }

    /// Holds requests from outside; what holds them for longer stays.
    pub(crate) fn hold_for(&mut self, now: Instant, wait: Duration) {
        self.advance(now);
        let is_told = self.is_told;
        self.hold(now, later(now, wait), &mut |_| Duration::ZERO);
        self.is_told = is_told;
    }

    /// Lets requests go from outside.
    pub(crate) fn release(&mut self, now: Instant) {
        self.advance(now);
        match &mut self.phase {
            Phase::Open => return,
            // Whose start was told ends with a request that can tell the end.
            _ if self.queue.is_empty() && !self.is_told => self.phase = Phase::Open,
            Phase::SlowStart(start) => start.release(),
            Phase::Holding { .. } => self.start_slowly(now),
        }
        self.queue.wake_first();
    }

    fn is_old(&self, sent: Instant) -> bool {
        self.held_at.is_some_and(|held_at| sent <= held_at)
    }

    /// Old news count while requests are held, if they ask for later.
    fn extend(&mut self, asked: Instant) -> Option<Change> {
        if let Phase::Holding { until, opens } = &mut self.phase {
            if asked > *until {
                let longer = asked - *until;
                *opens = later(*opens, longer);
                *until = asked;
                // Each refusal of a burst asks for a little more: who is next sees that at its time.
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
        // It goes on, if it has not ended yet.
        let was_told = mem::replace(&mut self.is_told, true);
        (!was_told).then_some(Change::Started { left })
    }

    /// What time alone changes.
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

    /// When something changes by time alone.
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
