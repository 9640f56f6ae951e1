use std::pin::Pin;
use std::time::Duration;

use http::Uri;
use tokio::time::Instant;

use super::Cooldown;
use super::look::Patience;
use super::said::{Change, Said, Terms};
use super::turn::{Passage, Turn};
use crate::sync::Ordering;

/// An outcome, as far as it concerns the quota.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Heard {
    pub(crate) now: Instant,
    /// When its attempt was sent.
    pub(crate) sent: Instant,
    pub(crate) said: Said,
    /// Nothing is left of the quota for so long.
    pub(crate) exhausted: Option<Duration>,
}

/// What requests ask of a cooldown, and tell it.
impl Cooldown {
    /// Whether no request is held, to any upstream.
    #[inline]
    pub(crate) fn admits_all(&self) -> bool {
        self.shut.load(Ordering::Relaxed) == 0
    }

    /// Whether a request to this upstream need not ask.
    pub(crate) fn admits(&self, uri: &Uri) -> bool {
        self.admits_all() || self.at(uri, |gate| gate.is_open())
    }

    /// A place among those that wait, for a request whose window ends then; none if it need not ask. A
    /// retry has waited before, and waits for as long as it takes.
    pub(crate) fn turn(
        &self,
        uri: &Uri,
        is_retry: bool,
        until: Option<Instant>,
    ) -> Option<Pin<Box<Turn>>> {
        if self.admits_all() {
            return None;
        }
        let gate = self.at(uri, |gate| (!gate.is_open()).then(|| gate.clone()))?;
        let (max_hold, max_waiting) = match is_retry {
            true => (Duration::MAX, usize::MAX),
            false => (self.max_hold, self.max_waiting),
        };
        let patience = Patience {
            max_hold,
            max_waiting,
            until,
        };
        Some(Box::pin(Turn::new(gate, patience)))
    }

    /// A request was served, and says no more of the quota.
    pub(crate) fn served(&self, uri: &Uri, sent: Instant) {
        self.at(uri, |gate| gate.served(Instant::now(), sent));
    }

    /// What an attempt that was `sent` then says of the quota now, and how long nothing is left of it if
    /// it says that, too.
    pub(crate) fn hear(
        &self,
        uri: &Uri,
        heard: Heard,
        passage: Option<Passage>,
        spread: &mut dyn FnMut(Duration) -> Duration,
    ) -> Option<Change> {
        let Heard {
            now,
            sent,
            said,
            exhausted,
        } = heard;
        let mut terms = Terms {
            longest: self.longest,
            spread,
        };
        let held = self.at(uri, |gate| {
            if let Said::Served { .. } = said {
                gate.served(now, sent);
            }
            match (exhausted, said) {
                (Some(wait), _) => gate.with(|state| state.exhausted(now, sent, wait, &mut terms)),
                (None, Said::Throttled { asked }) => {
                    let success = gate.last_success();
                    gate.with(|state| state.refused(now, sent, asked, success, &mut terms))
                }
                (None, Said::Served { .. } | Said::Answered { .. } | Said::Nothing) => None,
            }
        });
        let ended = passage.and_then(|passage| passage.came_back(said, now, self.longest));
        held.or(ended)
    }
}
