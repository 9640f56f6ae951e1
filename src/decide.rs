//! The rules that decide whether there is a retry, and how long to wait before it. Nothing here does I/O or
//! reads a clock, and random numbers come from the caller's generator.

use std::time::Duration;

use fastrand::Rng;

use crate::backoff::{Series, between};
use crate::class::Class;
use crate::classify::Verdict;
use crate::limits::Limits;
use crate::reason::{StopReason, WaitReason};
use crate::retry_after::Hint;

/// How late a timer may fire.
const TICK: Duration = Duration::from_millis(1);

/// The facts about a request after an attempt with a failure that can be retried.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts {
    pub(crate) verdict: Verdict,
    /// The wait that the classifier or the response's headers ask for, or their request not to retry.
    pub(crate) hint: Option<Hint>,
    /// Whether the response is a 429 or a 503.
    pub(crate) is_turned_away: bool,
    /// How many retries were made that count towards the limit.
    pub(crate) retries: u32,
    pub(crate) series: Series,
    /// Whether a retry of this request was already sent immediately.
    pub(crate) sent_at_once: bool,
    pub(crate) replayable: bool,
    /// Whether the request is safe to repeat: by its method, its idempotency key, an override, or the
    /// verdict.
    pub(crate) may_repeat: bool,
    /// The time since the first attempt's start.
    pub(crate) elapsed: Duration,
    /// How long a cooldown holds requests to the upstream. A retry waits at least as long.
    pub(crate) held: Duration,
    /// Whether retries are turned off by a switch.
    pub(crate) is_switched_off: bool,
}

/// The wait before the next attempt, and the state for the decision after that attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wait {
    pub(crate) after: Duration,
    /// For events only. It does not affect decisions.
    pub(crate) reason: WaitReason,
    pub(crate) series: Series,
    pub(crate) immediate: Option<Immediate>,
    /// The window in which the attempt has to start.
    pub(crate) window: Duration,
}

/// How a retry that does not wait for the back-off is sent. A request has at most one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Immediate {
    AtOnce,
    /// It is sent immediately, and does not count towards the number of retries.
    Transparent,
}

/// Rule 1: returns the reason to stop, if the class alone decides.
pub(crate) fn is_final(class: Class) -> Option<StopReason> {
    match class {
        Class::Success => Some(StopReason::Success),
        Class::Permanent => Some(StopReason::Permanent),
        Class::Transient | Class::Refused => None,
    }
}

/// Applies the other rules in order, until one does not allow a retry. `claim` is called last. It reserves
/// the body and, unless the retry is free, takes its cost from the budget.
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
    /// Whether a retry costs the budget nothing. This is the first retry of a request that is sent
    /// immediately, because the failure before it caused no work on the server. If the server asks for a
    /// wait, it has seen the request, and the retry is not free.
    pub(crate) fn is_free(&self) -> bool {
        let is_timed = matches!(self.hint, Some(Hint::AtLeast(_) | Hint::Exactly(_)));
        self.verdict.at_once && !self.sent_at_once && !is_timed
    }

    /// Whether a retry also does not count towards the number of retries.
    fn is_transparent(&self, limits: &Limits) -> bool {
        self.verdict.transparent && limits.max_retries > 0 && self.is_free()
    }
}

/// Returns the wait before the next attempt. A wait that the server asks for is a minimum for the back-off's
/// step, or replaces it if it is exact. After an exact wait, the back-off starts again.
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
            // The server's wait replaces one that the classifier set only if it is longer without jitter.
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

/// Returns the most jitter that is added to a wait that the server asks for. Jitter alone does not move the
/// retry out of the window.
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
