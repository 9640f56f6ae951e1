//! Whether what refusals ask for is true of all requests.

use std::time::Duration;

use tokio::time::Instant;

use crate::timer::later;

/// A wait is told in seconds, which are rounded up.
const ROUNDING: Duration = Duration::from_secs(1);

/// How long it is not believed once it was not true.
const DOUBT: Duration = Duration::from_secs(60);

/// A request that is served although the server had asked for a longer wait shows that this was not said
/// of all requests: the quota is that of some of them, or it is shared with others, or the server says
/// the same always.
#[derive(Default)]
pub(super) struct Belief {
    claim: Option<Claim>,
    doubted_until: Option<Instant>,
}

/// From this time on, nothing is served until that time.
#[derive(Clone, Copy)]
struct Claim {
    made: Instant,
    until: Instant,
}

impl Belief {
    /// Whether a success may show that a claim is not true.
    pub(super) fn is_at_stake(&self) -> bool {
        self.claim.is_some()
    }

    pub(super) fn is_doubted(&self, now: Instant) -> bool {
        self.doubted_until.is_some_and(|until| now < until)
    }

    /// A refusal asks to come again no sooner than this. The first one that says so is what counts.
    pub(super) fn refused(&mut self, now: Instant, until: Instant) {
        let until = until.checked_sub(ROUNDING).unwrap_or(until);
        if until > now && self.claim.is_none_or(|claim| claim.until <= now) {
            self.claim = Some(Claim { made: now, until });
        }
    }

    /// A request was served that was `sent` then.
    pub(super) fn served(&mut self, now: Instant, sent: Instant) {
        match self.claim {
            Some(claim) if claim.made < sent && sent < claim.until => {
                self.claim = None;
                self.doubted_until = Some(later(now, DOUBT));
            }
            Some(claim) if claim.until <= sent => self.claim = None,
            Some(_) | None => {}
        }
    }
}
