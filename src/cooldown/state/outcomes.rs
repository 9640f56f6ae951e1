use std::time::Duration;

use tokio::time::Instant;

use super::super::said::{Change, Said, Terms};
use super::{Phase, State};
use crate::timer::later;

/// The effects of outcomes.
impl State {
    /// Records that an attempt was refused that was sent at `sent`. Starts a hold if enough attempts were
    /// refused since the latest success.
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
        let until = self.row.held_until(now)?;
        self.hold(now, until.min(later(now, terms.longest)), terms.spread)
    }

    /// Records that a request was served that was sent at `sent`.
    pub(crate) fn served(&mut self, now: Instant, sent: Instant) {
        self.belief.served(now, sent);
    }

    /// Records that a response, to an attempt that was sent at `sent`, reports that the quota is used up for
    /// `wait`. Starts or extends a hold.
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

    /// Records the outcome of a request that was sent in a slow start.
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
        if is_let_through && self.queue.is_empty() {
            return self.open();
        }
        match start.left(now).is_zero() {
            true => self.queue.wake_first(),
            // No request is sent for a time that may be too long for some of the waiting requests.
            false => self.queue.wake_all(),
        }
        None
    }
}
