use std::pin::Pin;
use std::time::Duration;

use http::Uri;
use tokio::time::Instant;

use super::Cooldown;
use super::look::Patience;
use super::said::{Change, Said, Terms};
use super::turn::{Passage, Turn};
use crate::sync::Ordering;

/// What the outcome of an attempt means for the quota.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Heard {
    pub(crate) now: Instant,
    /// When its attempt was sent.
    pub(crate) sent: Instant,
    pub(crate) said: Said,
    /// How long the quota is used up, if the outcome reports this.
    pub(crate) exhausted: Option<Duration>,
}

/// The methods that requests use.
impl Cooldown {
    /// Whether no requests are held, to any upstream.
    #[inline]
    pub(crate) fn admits_all(&self) -> bool {
        self.shut.load(Ordering::Relaxed) == 0
    }

    /// Whether requests to this upstream may be sent without a `Turn`.
    pub(crate) fn admits(&self, uri: &Uri) -> bool {
        self.admits_all() || self.at(uri, |gate| gate.is_open())
    }

    /// Returns a place in the queue for a request whose window ends at `until`, or `None` if it needs none.
    /// `max_hold` and `max_waiting` do not apply to retries, which have already waited.
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

    /// Records that a request was served, and that its response reports nothing else about the quota.
    pub(crate) fn served(&self, uri: &Uri, sent: Instant) {
        self.at(uri, |gate| gate.served(Instant::now(), sent));
    }

    /// Records the outcome of an attempt. Returns the change if it starts or ends a hold.
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
