//! Detects waits that refusals ask for but that do not apply to all requests.

use std::time::Duration;

use tokio::time::Instant;

use crate::timer::later;

/// Waits are rounded up to whole seconds.
const ROUNDING: Duration = Duration::from_secs(1);

/// How long refusals are ignored after such a wait was detected.
const DOUBT: Duration = Duration::from_secs(60);

/// If a request is served although the server has asked for a longer wait, the wait does not apply to all
/// requests: the quota covers only some of them, or other clients share it, or the server always asks for the
/// same wait.
#[derive(Default)]
pub(super) struct Belief {
    claim: Option<Claim>,
    doubted_until: Option<Instant>,
}

/// The claim of a refusal that no request is served from `made` until `until`.
#[derive(Clone, Copy)]
struct Claim {
    made: Instant,
    until: Instant,
}

impl Belief {
    /// Whether a success could refute a claim.
    pub(super) fn is_at_stake(&self) -> bool {
        self.claim.is_some()
    }

    pub(super) fn is_doubted(&self, now: Instant) -> bool {
        self.doubted_until.is_some_and(|until| now < until)
    }

    /// Records that a refusal asks for a wait until `until`. A later claim does not replace one that has not
    /// ended yet.
    pub(super) fn refused(&mut self, now: Instant, until: Instant) {
        let until = until.checked_sub(ROUNDING).unwrap_or(until);
        if until > now && self.claim.is_none_or(|claim| claim.until <= now) {
            self.claim = Some(Claim { made: now, until });
        }
    }

    /// Records that a request was served that was sent at `sent`.
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
