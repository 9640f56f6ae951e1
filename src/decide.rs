//! The rules: stop and why, or retry after how long. Nothing here does I/O, reads a clock or draws
//! from a generator of its own.

use std::time::Duration;

use fastrand::Rng;

use crate::backoff::{Series, between};
use crate::class::Class;
use crate::classify::Verdict;
use crate::limits::Limits;
use crate::reason::{StopReason, WaitReason};
use crate::retry_after::Hint;

/// A timer may fire so much later than it was set for.
const TICK: Duration = Duration::from_millis(1);

/// What is known of a request when an attempt of it has failed in a way that can be retried.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts {
    pub(crate) verdict: Verdict,
    /// What is asked of the next attempt, by the classifier or by the response's headers.
    pub(crate) hint: Option<Hint>,
    /// A response of 429 or 503 turned the request away.
    pub(crate) is_turned_away: bool,
    /// How many retries there have been that count.
    pub(crate) retries: u32,
    pub(crate) series: Series,
    /// One retry of this request has been sent at once already.
    pub(crate) sent_at_once: bool,
    pub(crate) replayable: bool,
    /// By its method, its key, its own word, or the verdict's.
    pub(crate) may_repeat: bool,
    /// The time since the first attempt's start.
    pub(crate) elapsed: Duration,
    /// How long requests to the upstream are held: a retry waits as long.
    pub(crate) held: Duration,
    /// An operator has turned retries off.
    pub(crate) is_switched_off: bool,
}

/// How long to wait for the next attempt, and what the decision after that goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wait {
    pub(crate) after: Duration,
    /// For whoever listens; nothing goes by it.
    pub(crate) reason: WaitReason,
    pub(crate) series: Series,
    pub(crate) immediate: Option<Immediate>,
    /// The window in which the attempt has to start.
    pub(crate) window: Duration,
}

/// How the one retry of a request is sent that does not wait for the back-off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Immediate {
    AtOnce,
    /// And it does not count as a retry.
    Transparent,
}

/// Rule 1: why there is no retry, whatever else is known of the request.
pub(crate) fn is_final(class: Class) -> Option<StopReason> {
    match class {
        Class::Success => Some(StopReason::Success),
        Class::Permanent => Some(StopReason::Permanent),
        Class::Transient | Class::Refused => None,
    }
}

/// The other rules, top to bottom, leaving early; `claim` makes sure of the body and, unless the
/// retry is free, takes its cost from the budget, last.
pub(crate) fn decide(
    limits: &Limits,
    facts: &Facts,
    rng: &mut Rng,
    claim: impl FnOnce() -> Result<(), StopReason>,
) -> Result<Wait, StopReason> {
    if facts.retries >= limits.max_retries && !facts.is_transparent(limits) {
        return Err(StopReason::Attempts);
    }
    if !facts.replayable {
        return Err(StopReason::NotReplayable);
    }
    let nobody_acted = facts.verdict.class == Class::Refused;
    if !(nobody_acted || facts.may_repeat) {
        return Err(StopReason::NotIdempotent);
    }
    match facts.hint {
        Some(Hint::Never) => return Err(StopReason::ServerSaidNo),
        Some(Hint::AtLeast(hint) | Hint::Exactly(hint)) if hint > limits.max_retry_after => {
            return Err(StopReason::RetryAfterTooLong);
        }
        Some(Hint::AtLeast(_) | Hint::Exactly(_)) | None => {}
    }
    let mut wait = wait(limits, facts, rng);
    if facts.held > wait.after {
        (wait.after, wait.reason) = (facts.held, WaitReason::Cooldown);
    }
    let start = facts.elapsed.saturating_add(wait.after);
    if start.saturating_add(TICK) > limits.window {
        return Err(StopReason::Window);
    }
    if facts.is_switched_off {
        return Err(StopReason::SwitchedOff);
    }
    claim()?;
    Ok(wait)
}

impl Facts {
    /// Whether a retry would not be charged for: the first one of a request that is sent at once, as
    /// what it follows has cost the server no work. Where the server says when to come back, it has
    /// seen the request.
    pub(crate) fn is_free(&self) -> bool {
        let is_timed = matches!(self.hint, Some(Hint::AtLeast(_) | Hint::Exactly(_)));
        self.verdict.at_once && !self.sent_at_once && !is_timed
    }

    /// Whether it would not count as a retry either.
    fn is_transparent(&self, limits: &Limits) -> bool {
        self.verdict.transparent && limits.max_retries > 0 && self.is_free()
    }
}

/// What the server asks for bounds the back-off's step from below, or stands in its place. After an
/// exact wait the back-off starts again.
fn wait(limits: &Limits, facts: &Facts, rng: &mut Rng) -> Wait {
    let step = step(limits, facts, rng);
    match facts.hint {
        Some(Hint::Exactly(after)) => asked(limits, after, Series::default()),
        Some(Hint::AtLeast(hint)) => {
            let after = between(hint, hint.saturating_add(spread(hint, limits, facts)), rng);
            let Series {
                step: next,
                previous,
            } = facts.series;
            let series = Series {
                step: next.saturating_add(1),
                previous,
            };
            // Jitter does not carry what is asked for over a wait that is the classifier's own.
            let is_own = facts.verdict.backoff.is_some() && step.immediate.is_none();
            let asked_for = if is_own { hint } else { after };
            match asked_for > step.after {
                true => asked(limits, after, series),
                false => step,
            }
        }
        Some(Hint::Never) | None => step,
    }
}

fn asked(limits: &Limits, after: Duration, series: Series) -> Wait {
    Wait {
        after,
        reason: WaitReason::Server,
        series,
        immediate: None,
        window: limits.window,
    }
}

/// Jitter alone does not carry a wait that the server asked for out of the window.
fn spread(hint: Duration, limits: &Limits, facts: &Facts) -> Duration {
    if !limits.backoff.is_jittered() {
        return Duration::ZERO;
    }
    let taken = facts.elapsed.saturating_add(TICK).saturating_add(hint);
    limits.window.saturating_sub(taken).min(hint / 2)
}

fn step(limits: &Limits, facts: &Facts, rng: &mut Rng) -> Wait {
    let series = facts.series;
    if facts.verdict.at_once && !facts.sent_at_once {
        let (immediate, reason) = match facts.is_transparent(limits) {
            true => (Immediate::Transparent, WaitReason::Transparent),
            false => (Immediate::AtOnce, WaitReason::AtOnce),
        };
        return Wait {
            after: Duration::ZERO,
            reason,
            series,
            immediate: Some(immediate),
            window: limits.window,
        };
    }
    let (extra, reason) = match (facts.verdict.backoff, facts.verdict.timed_out) {
        (None, true) => (1, WaitReason::TimedOut),
        (Some(_), _) | (None, false) => (0, WaitReason::Backoff),
    };
    let backoff = match limits.backoff_after_refusal {
        Some(after_refusal) if facts.is_turned_away && facts.hint.is_none() => after_refusal,
        _ => limits.backoff,
    };
    let drawn = || backoff.wait(series.step, extra, series.previous, rng);
    let after = facts.verdict.backoff.unwrap_or_else(drawn);
    Wait {
        after,
        reason,
        series: Series {
            step: series.step.saturating_add(1),
            previous: after,
        },
        immediate: None,
        window: limits.window,
    }
}

#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;
