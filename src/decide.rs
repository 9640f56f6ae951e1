//! The rules: stop and why, or retry after how long. Nothing here does I/O, reads a clock or draws
//! from a generator of its own.

use std::time::Duration;

use fastrand::Rng;

use crate::backoff::{Backoff, between};
use crate::classify::{Class, Verdict};
use crate::event::{Reason, Stop};
use crate::hint::Hint;

/// The numbers that decide: a layer's, or what one request says instead.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    pub(crate) max_retries: u32,
    pub(crate) window: Duration,
    pub(crate) backoff: Backoff,
    pub(crate) max_server_wait: Duration,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            max_retries: 5,
            window: Duration::from_secs(5 * 60),
            backoff: Backoff::default(),
            max_server_wait: Duration::from_secs(5 * 60),
        }
    }
}

/// A timer may fire so much later than it was set for.
const TICK: Duration = Duration::from_millis(1);

/// What is known of a request when an attempt of it has come to an outcome.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts {
    pub(crate) verdict: Verdict,
    /// The verdict's hint, looked up in the response's headers.
    pub(crate) hint: Hint,
    /// How many retries there have been that count.
    pub(crate) retries: u32,
    /// How far the back-off has advanced.
    pub(crate) step: u32,
    pub(crate) previous_wait: Duration,
    /// One retry of this request has been sent at once already.
    pub(crate) sent_at_once: bool,
    pub(crate) replayable: bool,
    /// By its method, its key, its own word, or the verdict's.
    pub(crate) may_repeat: bool,
    /// The time since the first attempt's start.
    pub(crate) elapsed: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    Stop(Stop),
    Retry(Wait),
}

/// How long to wait, and why so long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wait {
    pub(crate) after: Duration,
    pub(crate) reason: Reason,
}

/// Top to bottom, leaving early; `claim` makes sure of the body and, unless the retry is free, takes
/// its cost from the budget, last.
pub(crate) fn decide(
    rules: &Rules,
    facts: &Facts,
    rng: &mut Rng,
    claim: impl FnOnce() -> Result<(), Stop>,
) -> Decision {
    if let Some(stop) = is_final(facts.verdict.class) {
        return Decision::Stop(stop);
    }
    let is_transparent = facts.is_transparent(rules);
    if facts.retries >= rules.max_retries && !is_transparent {
        return Decision::Stop(Stop::Attempts);
    }
    if !facts.replayable {
        return Decision::Stop(Stop::NotReplayable);
    }
    let nobody_acted = facts.verdict.class == Class::Refused;
    if !(nobody_acted || facts.may_repeat) {
        return Decision::Stop(Stop::NotIdempotent);
    }
    match facts.hint {
        Hint::Never => return Decision::Stop(Stop::ServerSaidNo),
        Hint::AtLeast(hint) | Hint::Exactly(hint) if hint > rules.max_server_wait => {
            return Decision::Stop(Stop::ServerWaitTooLong);
        }
        Hint::AtLeast(_) | Hint::Exactly(_) | Hint::None | Hint::Headers => {}
    }
    let wait = wait(rules, facts, rng);
    let start = facts.elapsed.saturating_add(wait.after);
    if start.saturating_add(TICK) > rules.window {
        return Decision::Stop(Stop::Window);
    }
    match claim() {
        Ok(()) => Decision::Retry(wait),
        Err(stop) => Decision::Stop(stop),
    }
}

impl Facts {
    /// Whether a retry would not be charged for: the first one of a request that is sent at once, as
    /// what it follows has cost the server no work. Where the server says when to come back, it has
    /// seen the request.
    pub(crate) fn is_free(&self) -> bool {
        let is_timed = matches!(self.hint, Hint::AtLeast(_) | Hint::Exactly(_));
        self.verdict.at_once && !self.sent_at_once && !is_timed
    }

    /// Whether it would not count as a retry either.
    fn is_transparent(&self, rules: &Rules) -> bool {
        self.verdict.transparent && rules.max_retries > 0 && self.is_free()
    }
}

/// The first rule by itself: a success is handed over before any other fact is gathered.
pub(crate) fn is_final(class: Class) -> Option<Stop> {
    match class {
        Class::Success => Some(Stop::Success),
        Class::Permanent => Some(Stop::Permanent),
        Class::Transient | Class::Refused => None,
    }
}

/// What the server asks for bounds the back-off's step from below, or stands in its place.
fn wait(rules: &Rules, facts: &Facts, rng: &mut Rng) -> Wait {
    let step = step(rules, facts, rng);
    let reason = Reason::Server;
    match facts.hint {
        Hint::Exactly(after) => Wait { after, reason },
        Hint::AtLeast(hint) => {
            let after = between(hint, hint.saturating_add(spread(hint, rules, facts)), rng);
            let floor = Wait { after, reason };
            if floor.after > step.after {
                floor
            } else {
                step
            }
        }
        Hint::None | Hint::Never | Hint::Headers => step,
    }
}

/// Jitter alone does not carry a wait that the server asked for out of the window.
fn spread(hint: Duration, rules: &Rules, facts: &Facts) -> Duration {
    if !rules.backoff.is_jittered() {
        return Duration::ZERO;
    }
    let taken = facts.elapsed.saturating_add(TICK).saturating_add(hint);
    rules.window.saturating_sub(taken).min(hint / 2)
}

fn step(rules: &Rules, facts: &Facts, rng: &mut Rng) -> Wait {
    if facts.verdict.at_once && !facts.sent_at_once {
        let reason = match facts.is_transparent(rules) {
            true => Reason::Transparent,
            false => Reason::AtOnce,
        };
        let after = Duration::ZERO;
        return Wait { after, reason };
    }
    let (extra, reason) = match facts.verdict.timed_out {
        true => (1, Reason::TimedOut),
        false => (0, Reason::Backoff),
    };
    let backoff = rules.backoff;
    let after = backoff.wait(facts.step, extra, facts.previous_wait, rng);
    Wait { after, reason }
}

#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;
