//! What is held, and what may go. Nothing here waits, reads a clock, or draws from a generator.

use std::collections::BTreeMap;
use std::mem;
use std::task::Waker;
use std::time::Duration;

use tokio::time::Instant;

use super::belief::Belief;
use super::row::{Row, UNASKED};
use crate::timer::later;

/// In slow start, so long without an outcome, as many requests again may go as are under way.
const PATIENCE: Duration = Duration::from_secs(1);

/// The place of a request in the queue; who comes later has a greater one.
pub(crate) type Ticket = u64;

/// The state of one cooldown.
pub(crate) struct State {
    phase: Phase,
    /// When requests were last held: the outcome of what was sent until then is old news.
    held_at: Option<Instant>,
    row: Row,
    belief: Belief,
    waiting: BTreeMap<Ticket, Waker>,
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

/// A few requests at a time.
#[derive(Debug)]
struct SlowStart {
    /// How many may go now.
    permits: u64,
    in_flight: u64,
    /// When others may go, in the place of those that were refused.
    later: Vec<Instant>,
    /// When the last one went, or came back.
    latest: Instant,
}

/// What a request that asks is told.
#[derive(Debug)]
pub(crate) enum Look {
    /// In slow start, with the round that the outcome is told for.
    Go(Option<u32>),
    /// Until it is woken, or until this time.
    Wait(Option<Instant>),
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
    /// The request was refused, and is asked to come again after this.
    Throttled { asked: Option<Duration> },
    /// Neither: an error, or nobody waits for it any more.
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
            Phase::SlowStart(start) if start.permits > 0 && self.waiting.is_empty() => None,
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
        let is_next = match *ticket {
            Some(ticket) => self.first() == Some(ticket),
            None => self.waiting.is_empty(),
        };
        match &mut self.phase {
            Phase::Open => {
                self.leave(ticket);
                return Look::Go(None);
            }
            Phase::SlowStart(start) if is_next && start.permits > 0 => {
                start.go(now);
                self.leave(ticket);
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
        self.gone.extend(self.waiting.insert(ticket, waker.clone()));
        let is_first = self.first() == Some(ticket);
        Look::Wait(is_first.then(|| self.next_change()).flatten())
    }

    /// A request does not wait any more.
    pub(crate) fn leave(&mut self, ticket: &mut Option<Ticket>) {
        if let Some(ticket) = ticket.take() {
            self.gone.extend(self.waiting.remove(&ticket));
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
        let until = asked.map(|asked| later(now, asked.min(terms.longest)));
        if let Some(until) = until {
            self.belief.refused(now, until);
        }
        if self.is_old(sent) {
            return self.extend(until?);
        }
        self.row.refused(sent, until, success);
        if self.belief.is_doubted(now) {
            return None;
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
        let until = later(now, wait.min(terms.longest));
        match self.is_old(sent) {
            true => self.extend(until),
            false => self.hold(now, until, terms.spread),
        }
    }

    /// What a request of slow start came to.
    pub(crate) fn came_back(&mut self, round: u32, said: Said, now: Instant) -> Option<Change> {
        let Phase::SlowStart(start) = &mut self.phase else {
            return None;
        };
        if round != self.round {
            return None;
        }
        start.came_back(said, now);
        let is_over = matches!(said, Said::Served { .. }) && self.waiting.is_empty();
        if is_over {
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
        let is_told = self.is_told;
        self.hold(now, later(now, wait), &mut |_| Duration::ZERO);
        self.is_told = is_told;
    }

    /// Lets requests go from outside.
    pub(crate) fn release(&mut self, now: Instant) -> Option<Change> {
        match &mut self.phase {
            Phase::Open => None,
            _ if self.waiting.is_empty() => self.open(),
            Phase::SlowStart(start) => {
                start.later.clear();
                start.permits = start.permits.max(1);
                self.wake_first();
                None
            }
            Phase::Holding { .. } => {
                self.start_slowly(now);
                self.wake_first();
                None
            }
        }
    }

    fn is_old(&self, sent: Instant) -> bool {
        self.held_at.is_some_and(|held_at| sent <= held_at)
    }

    /// Old news count while requests are held, if they ask for later.
    fn extend(&mut self, asked: Instant) -> Option<Change> {
        if let Phase::Holding { until, opens } = &mut self.phase {
            if asked > *until {
                *opens = later(*opens, asked - *until);
                *until = asked;
                self.wake_all();
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
        self.is_told = true;
        let left = opens.saturating_duration_since(now);
        Some(Change::Started { left })
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
        self.phase = Phase::SlowStart(SlowStart {
            permits: 1,
            in_flight: 0,
            later: Vec::new(),
            latest: now,
        });
    }

    fn open(&mut self) -> Option<Change> {
        self.phase = Phase::Open;
        mem::take(&mut self.is_told).then_some(Change::Ended)
    }

    fn first(&self) -> Option<Ticket> {
        Some(*self.waiting.first_key_value()?.0)
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
        self.woken.extend(first.cloned());
    }

    fn wake_all(&mut self) {
        self.woken.extend(self.waiting.values().cloned());
    }
}

impl SlowStart {
    fn go(&mut self, now: Instant) {
        self.permits -= 1;
        self.in_flight += 1;
        self.latest = now;
    }

    fn came_back(&mut self, said: Said, now: Instant) {
        self.in_flight -= 1;
        self.latest = now;
        match said {
            Said::Served { remaining } => {
                self.permits += 2;
                if let Some(remaining) = remaining {
                    // What is under way may be counted yet. But one goes always.
                    let free = remaining.saturating_sub(self.in_flight);
                    let least = u64::from(self.in_flight == 0);
                    self.permits = self.permits.min(free).max(least);
                }
            }
            Said::Throttled { asked } => self.later.push(later(now, asked.unwrap_or(UNASKED))),
            Said::Nothing => self.permits += 1,
        }
    }

    fn advance(&mut self, now: Instant) {
        let before = self.later.len();
        self.later.retain(|time| *time > now);
        self.permits += (before - self.later.len()) as u64;
        if self.is_stalled() && now >= self.latest + PATIENCE {
            self.permits = self.in_flight;
            self.latest = now;
        }
    }

    /// Whether all that may go is under way.
    fn is_stalled(&self) -> bool {
        self.permits == 0 && self.in_flight > 0
    }

    fn left(&self, now: Instant) -> Duration {
        match self.later.iter().min() {
            Some(next) if self.permits == 0 && self.in_flight == 0 => *next - now,
            _ => Duration::ZERO,
        }
    }

    fn next_change(&self) -> Option<Instant> {
        let patience = self.is_stalled().then(|| self.latest + PATIENCE);
        self.later.iter().copied().chain(patience).min()
    }
}

#[cfg(test)]
mod tests;
