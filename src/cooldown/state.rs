//! What is held, and what may go. Nothing here waits, reads a clock, or draws from a generator.

use std::collections::BTreeMap;
use std::mem;
use std::task::Waker;
use std::time::Duration;

use tokio::time::Instant;

use super::belief::Belief;
use super::row::Row;
use super::slow_start::SlowStart;
use crate::timer::later;

/// Who waits looks again after so long, if nothing is due before. Who does not, by so long after that,
/// has let go of its task for now, and keeps nobody back.
const LOOKS_EVERY: Duration = Duration::from_secs(1);

/// The place of a request in the queue; who comes later has a greater one.
pub(crate) type Ticket = u64;

/// The state of one cooldown.
pub(crate) struct State {
    phase: Phase,
    /// When requests were last held: the outcome of what was sent until then is old news.
    held_at: Option<Instant>,
    row: Row,
    belief: Belief,
    waiting: BTreeMap<Ticket, Waiter>,
    next_ticket: Ticket,
    /// Who has to look again, and who does not wait any more: both may run code that comes back here,
    /// once the lock is let go.
    woken: Vec<Waker>,
    gone: Vec<Waker>,
    /// How many slow starts there were: what went in an earlier one tells nothing of this one.
    round: u32,
    /// Whether it was told that requests are held, so that the end is told, too.
    is_told: bool,
}

struct Waiter {
    waker: Waker,
    /// When it looks again.
    looks_at: Instant,
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

/// What a request that asks is told.
#[derive(Debug)]
pub(crate) enum Look {
    /// In slow start, with the round that the outcome is told for.
    Go(Option<u32>),
    /// Until it is woken, or until this time.
    Wait(Instant),
    /// Nothing goes for so long: too long, or too many wait.
    Refused { left: Duration },
}

/// How long, and how many, may wait.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    pub(crate) max_hold: Duration,
    pub(crate) max_waiting: usize,
    /// When the request's window ends.
    pub(crate) until: Option<Instant>,
}

/// What an outcome says of the quota.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// The request was served, and this is known to be left of the quota.
    Served { remaining: Option<u64> },
    /// The request failed for other reasons than the quota.
    Answered { remaining: Option<u64> },
    /// The request was refused, and is asked to come again after this.
    Throttled { asked: Option<Duration> },
    /// Nobody waits for its outcome any more.
    Nothing,
}

/// A change of what others see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Started { left: Duration },
    Ended,
}

/// What bounds a hold that servers ask for, and spreads its end.
pub(crate) struct Terms<'a> {
    pub(crate) longest: Duration,
    pub(crate) spread: &'a mut Spread<'a>,
}

type Spread<'a> = dyn FnMut(Duration) -> Duration + 'a;

impl State {
    pub(crate) fn new() -> Self {
        Self {
            phase: Phase::Open,
            held_at: None,
            row: Row::default(),
            belief: Belief::default(),
            waiting: BTreeMap::new(),
            next_ticket: 0,
            woken: Vec::new(),
            gone: Vec::new(),
            round: 0,
            is_told: false,
        }
    }

    pub(crate) fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Open)
    }

    /// Whether it has to be told of what is served.
    pub(crate) fn is_curious(&self) -> bool {
        self.belief.is_at_stake()
    }

    pub(crate) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Who has to look again, and who is gone.
    pub(crate) fn take_aside(&mut self) -> [Vec<Waker>; 2] {
        [mem::take(&mut self.woken), mem::take(&mut self.gone)]
    }

    /// How long it is until a request goes; none if it goes at once. Zero where it depends on others.
    pub(crate) fn left(&mut self, now: Instant) -> Option<Duration> {
        self.advance(now);
        match &self.phase {
            Phase::Open => None,
            Phase::Holding { opens, .. } => Some(opens.saturating_duration_since(now)),
            Phase::SlowStart(start) if start.may_go() && self.waiting.is_empty() => None,
            Phase::SlowStart(start) => Some(start.left(now)),
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
            self.leave(ticket);
            return Look::Refused { left };
        }
        self.pass_over(*ticket, now);
        let is_next = self.is_next(*ticket);
        match &mut self.phase {
            Phase::Open => {
                self.leave(ticket);
                return Look::Go(None);
            }
            Phase::SlowStart(start) if is_next && start.may_go() => {
                start.go(now);
                self.leave(ticket);
                self.wake_first();
                return Look::Go(Some(self.round));
            }
            Phase::SlowStart(_) | Phase::Holding { .. } => {}
        }
        let left = self.left(now).unwrap_or_default();
        let is_late = patience
            .until
            .is_some_and(|until| later(now, left) >= until);
        let is_crowded = ticket.is_none() && self.waiting.len() >= patience.max_waiting;
        if left > patience.max_hold || is_late || is_crowded {
            self.leave(ticket);
            return Look::Refused { left };
        }
        let ticket = *ticket.get_or_insert_with(|| {
            self.next_ticket += 1;
            self.next_ticket
        });
        let looks_at = self.looks_at(is_next, now, patience.until);
        let waker = waker.clone();
        let before = self.waiting.insert(ticket, Waiter { waker, looks_at });
        self.gone.extend(before.map(|before| before.waker));
        Look::Wait(looks_at)
    }

    /// Whether it is the turn of this one, if one may go.
    fn is_next(&self, ticket: Option<Ticket>) -> bool {
        match (self.waiting.first_key_value(), ticket) {
            (None, _) => true,
            (Some((first, _)), Some(ticket)) => ticket <= *first,
            (Some(_), None) => false,
        }
    }

    /// Those before this one that have not looked when they had to lose their place, until they look
    /// again: their tasks are not polled.
    fn pass_over(&mut self, ticket: Option<Ticket>, now: Instant) {
        while let Some(first) = self.waiting.first_entry() {
            let is_late = later(first.get().looks_at, LOOKS_EVERY) <= now;
            if Some(*first.key()) == ticket || !is_late {
                return;
            }
            self.gone.push(first.remove().waker);
        }
    }

    /// When one that waits looks again.
    fn looks_at(&self, is_next: bool, now: Instant, until: Option<Instant>) -> Instant {
        let change = self.next_change();
        let rests_until = match &self.phase {
            Phase::Holding { opens, .. } => later(*opens, LOOKS_EVERY),
            Phase::Open | Phase::SlowStart(_) => later(now, LOOKS_EVERY),
        };
        let due = change.filter(|_| is_next).into_iter().chain(until);
        due.chain([rests_until]).min().unwrap_or(rests_until)
    }

    /// A request does not wait any more.
    pub(crate) fn leave(&mut self, ticket: &mut Option<Ticket>) {
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

    /// A request was refused that was `sent` then. It is evidence that the quota is used up if enough
    /// others were since the latest success.
    pub(crate) fn refused(
        &mut self,
        now: Instant,
        sent: Instant,
        asked: Option<Duration>,
        success: Option<Instant>,
        terms: &mut Terms<'_>,
    ) -> Option<Change> {
        self.advance(now);
        let until = asked.map(|asked| later(now, asked.min(terms.longest)));
        if let Some(until) = until {
            self.belief.refused(now, until);
        }
        let (is_old, is_doubted) = (self.is_old(sent), self.belief.is_doubted(now));
        if !is_old {
            self.row.refused(sent, until, success);
        }
        if is_doubted {
            return None;
        }
        if is_old {
            return self.extend(until?);
        }
        let until = self.row.is_evidence(now)?;
        self.hold(now, until.min(later(now, terms.longest)), terms.spread)
    }

    /// A request was served that was `sent` then.
    pub(crate) fn served(&mut self, now: Instant, sent: Instant) {
        self.belief.served(now, sent);
    }

    /// An answer to what was `sent` then says that nothing is left of the quota for so long.
    pub(crate) fn exhausted(
        &mut self,
        now: Instant,
        sent: Instant,
        wait: Duration,
        terms: &mut Terms<'_>,
    ) -> Option<Change> {
        self.advance(now);
        let until = later(now, wait.min(terms.longest));
        match self.is_old(sent) {
            true => self.extend(until),
            false => self.hold(now, until, terms.spread),
        }
    }

    /// What a request of slow start came to.
    pub(crate) fn came_back(
        &mut self,
        round: u32,
        said: Said,
        now: Instant,
        longest: Duration,
    ) -> Option<Change> {
        let said = match said {
            Said::Throttled { asked } if !self.belief.is_doubted(now) => Said::Throttled {
                asked: asked.map(|asked| asked.min(longest)),
            },
            Said::Throttled { .. } => Said::Throttled { asked: None },
            said => said,
        };
        let Phase::SlowStart(start) = &mut self.phase else {
            return None;
        };
        if round != self.round {
            return None;
        }
        start.came_back(said, now);
        let is_let_through = matches!(said, Said::Served { .. } | Said::Answered { .. });
        if is_let_through && self.waiting.is_empty() {
            return self.open();
        }
        match start.left(now).is_zero() {
            true => self.wake_first(),
            // Nothing goes for a time that may be too long for some.
            false => self.wake_all(),
        }
        None
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
            _ if self.waiting.is_empty() && !self.is_told => self.phase = Phase::Open,
            Phase::SlowStart(start) => start.release(),
            Phase::Holding { .. } => self.start_slowly(now),
        }
        self.wake_first();
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
                    self.wake_all();
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
        self.wake_all();
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

    fn wake_first(&mut self) {
        let first = self.waiting.values().next();
        self.woken.extend(first.map(|first| first.waker.clone()));
    }

    fn wake_all(&mut self) {
        let wakers = self.waiting.values().map(|waiter| waiter.waker.clone());
        self.woken.extend(wakers);
    }
}

#[cfg(test)]
mod tests;
