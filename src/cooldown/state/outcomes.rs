use std::time::Duration;

use tokio::time::Instant;

use super::super::said::{Change, Said, Terms};
use super::{Phase, State};
use crate::timer::later;

/// What outcomes change.
impl State {
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
        let until = self.row.held_until(now)?;
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
        if is_let_through && self.queue.is_empty() {
            return self.open();
        }
        match start.left(now).is_zero() {
            true => self.queue.wake_first(),
            // Nothing goes for a time that may be too long for some.
            false => self.queue.wake_all(),
        }
        None
    }
}
