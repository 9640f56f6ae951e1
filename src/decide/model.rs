//! A second implementation of sections 6 to 8 of the design, which follows their wording and ignores speed.
//! The tests compare it with [`decide`]: for every combination of the finite facts, at the limits of the
//! other facts, and for many random values between them.

use super::*;
use crate::backoff::{Backoff, Jitter};

mod facts;

use facts::{any_hint, any_time, at_step, each_finite_fact, each_hint};

const NANO: Duration = Duration::from_nanos(1);
const SECOND: Duration = Duration::from_secs(1);
/// The first step after a refusal.
const LONGER: Duration = Duration::from_secs(7);
const FIVE_MINUTES: Duration = Duration::from_secs(300);

/// The range of a wait, and what may have determined it.
#[derive(Debug)]
struct Expected {
    reasons: Vec<WaitReason>,
    least: Duration,
    most: Duration,
}

/// Evaluates each rule separately, in the design's order. The first that holds is the reason to stop.
fn expected_stop(
    limits: &Limits,
    facts: &Facts,
    wait: Duration,
    is_covered: bool,
) -> Option<StopReason> {
    let (class, hint) = (facts.verdict.class, facts.hint);
    let counts = !is_transparent(limits, facts);
    let start = facts.elapsed.as_nanos() + wait.as_nanos();
    // A timer may be late by a millisecond.
    let is_late = limits.window != Duration::MAX && start + 1_000_000 > limits.window.as_nanos();
    let is_too_long = asked(hint).is_some_and(|wait| wait > limits.max_retry_after);
    let stops = [
        (StopReason::Success, class == Class::Success),
        (StopReason::Permanent, class == Class::Permanent),
        (
            StopReason::Attempts,
            counts && facts.retries >= limits.max_retries,
        ),
        (StopReason::NotReplayable, !facts.replayable),
        (
            StopReason::NotIdempotent,
            class == Class::Transient && !facts.may_repeat,
        ),
        (StopReason::ServerSaidNo, hint == Some(Hint::Never)),
        (StopReason::RetryAfterTooLong, is_too_long),
        (StopReason::Window, is_late),
        (StopReason::SwitchedOff, facts.is_switched_off),
        (StopReason::Budget, !is_free(facts) && !is_covered),
    ];
    stops
        .into_iter()
        .find(|(_, holds)| *holds)
        .map(|(stop, _)| stop)
}

fn asked(hint: Option<Hint>) -> Option<Duration> {
    match hint {
        Some(Hint::AtLeast(wait) | Hint::Exactly(wait)) => Some(wait),
        Some(Hint::Never) | None => None,
    }
}

/// Section 6: once for each request, if the server does not ask for a wait.
fn is_free(facts: &Facts) -> bool {
    facts.verdict.at_once && !facts.sent_at_once && asked(facts.hint).is_none()
}

/// Section 13: also only if the layer allows retries at all.
fn is_transparent(limits: &Limits, facts: &Facts) -> bool {
    facts.verdict.transparent && limits.max_retries > 0 && is_free(facts)
}

/// Section 15: the wait is at least as long as requests are held.
fn expected_wait(limits: &Limits, facts: &Facts) -> Expected {
    let own = expected_own_wait(limits, facts);
    let held = facts.held;
    let mut reasons = Vec::new();
    if held > own.least {
        reasons.push(WaitReason::Cooldown);
    }
    if held <= own.most {
        reasons.extend(own.reasons);
    }
    Expected {
        reasons,
        least: own.least.max(held),
        most: own.most.max(held),
    }
}

/// Section 7 and, with a hint, section 8: the hint is a minimum, and jitter only adds to it.
fn expected_own_wait(limits: &Limits, facts: &Facts) -> Expected {
    let step = expected_step(limits, facts);
    let server = vec![WaitReason::Server];
    match facts.hint {
        Some(Hint::Never) | None => step,
        Some(Hint::Exactly(wait)) => Expected {
            reasons: server,
            least: wait,
            most: wait,
        },
        Some(Hint::AtLeast(least)) => {
            let most = least.saturating_add(expected_spread(limits, facts, least));
            let mut reasons = Vec::new();
            if most > step.least {
                reasons.push(WaitReason::Server);
            }
            if step.most >= least {
                reasons.extend(step.reasons);
            }
            let (least, most) = (least.max(step.least), most.max(step.most));
            Expected {
                reasons,
                least,
                most,
            }
        }
    }
}

/// The jitter: up to half of the requested wait, but jitter alone does not exceed the window.
fn expected_spread(limits: &Limits, facts: &Facts, hint: Duration) -> Duration {
    let taken = facts.elapsed.as_nanos() + hint.as_nanos() + 1_000_000;
    let left = limits.window.as_nanos().saturating_sub(taken);
    match limits.backoff.is_jittered() {
        true if left < (hint / 2).as_nanos() => Duration::from_nanos(left as u64),
        true => hint / 2,
        false => Duration::ZERO,
    }
}

/// The step: 1 s, 2 s, 4 s, ..; with jitter, between half of it and all of it.
fn expected_step(limits: &Limits, facts: &Facts) -> Expected {
    let reason = match (
        facts.verdict.at_once && !facts.sent_at_once,
        facts.verdict.timed_out,
    ) {
        (true, _) if is_transparent(limits, facts) => WaitReason::Transparent,
        (true, _) => WaitReason::AtOnce,
        (false, true) => WaitReason::TimedOut,
        (false, false) => WaitReason::Backoff,
    };
    let mut most = match reason {
        WaitReason::AtOnce | WaitReason::Transparent => Duration::ZERO,
        _ => {
            let is_silent = facts.is_turned_away && facts.hint.is_none();
            match is_silent && limits.backoff_after_refusal.is_some() {
                true => LONGER,
                false => SECOND,
            }
        }
    };
    let doublings = u64::from(facts.series.step) + u64::from(facts.verdict.timed_out);
    // More doublings make no difference.
    for _ in 0..doublings.min(100) {
        most = most.saturating_mul(2);
    }
    let least = match limits.backoff.is_jittered() {
        true => most / 2,
        false => most,
    };
    Expected {
        reasons: vec![reason],
        least,
        most,
    }
}

/// Compares both implementations, and checks whether the budget was asked.
fn check(limits: &Limits, facts: &Facts, is_covered: bool, rng: &mut Rng) {
    let mut is_asked = false;
    let claim = || {
        assert!(!is_asked, "asked twice: {facts:?}");
        is_asked = true;
        match is_free(facts) || is_covered {
            true => Ok(()),
            false => Err(StopReason::Budget),
        }
    };
    let decision = match is_final(facts.verdict.class) {
        Some(stop) => Err(stop),
        None => decide(limits, facts, rng, claim),
    };
    let expected = expected_wait(limits, facts);
    let stop = |wait| expected_stop(limits, facts, wait, is_covered);
    // With jitter, the window may end between the shortest and the longest wait.
    let (early, late) = (stop(expected.least), stop(expected.most));
    let is_as_expected = match decision {
        Err(stop) => early == Some(stop) || late == Some(stop),
        Ok(Wait { after, reason, .. }) => {
            let range = expected.least..=expected.most;
            stop(after).is_none() && range.contains(&after) && expected.reasons.contains(&reason)
        }
    };
    assert!(
        is_as_expected,
        "{decision:?}, not {early:?}, {late:?}, {expected:?}: {limits:?} {facts:?}"
    );
    let is_due = matches!(decision, Ok(_) | Err(StopReason::Budget));
    assert_eq!(is_asked, is_due, "the budget is asked last: {facts:?}");
}

#[test]
fn every_combination_of_facts_is_decided_as_the_design_says() {
    const COUNTS: [(u32, u32); 5] = [
        (0, 0),
        (5, 4),
        (5, 5),
        (u32::MAX, u32::MAX - 1),
        (1, u32::MAX),
    ];
    let times = [
        Duration::ZERO,
        FIVE_MINUTES - SECOND - Duration::from_millis(1),
        Duration::MAX,
    ];
    let mut rng = Rng::with_seed(8);
    for facts in each_finite_fact() {
        for hint in each_hint() {
            for (max_retries, retries) in COUNTS {
                for (step, elapsed) in [
                    (0, times[0]),
                    (0, times[1]),
                    (0, times[1] + NANO),
                    (u32::MAX, times[2]),
                ] {
                    for window in [Duration::ZERO, FIVE_MINUTES, Duration::MAX] {
                        let backoff = Backoff::exponential(SECOND).jitter(Jitter::None);
                        let longer = Backoff::exponential(LONGER).jitter(Jitter::None);
                        let limits = Limits {
                            max_retries,
                            window,
                            backoff,
                            backoff_after_refusal: Some(longer),
                            ..Limits::default()
                        };
                        let facts = Facts {
                            hint,
                            retries,
                            series: at_step(step),
                            elapsed,
                            ..facts
                        };
                        check(&limits, &facts, true, &mut rng);
                        check(&limits, &facts, false, &mut rng);
                    }
                }
            }
        }
    }
}

#[test]
fn any_facts_are_decided_as_the_design_says_with_jitter_and_without() {
    let facts: Vec<_> = each_finite_fact().collect();
    let mut rng = Rng::with_seed(88);
    for round in 0..200_000 {
        let jitter = [Jitter::None, Jitter::Equal][round % 2];
        let (hint, elapsed) = (any_hint(&mut rng), any_time(&mut rng));
        // If the window ends shortly after the requested wait, it limits the jitter.
        let soon = elapsed.saturating_add(asked(hint).unwrap_or(SECOND));
        let window = match rng.bool() {
            true => soon.saturating_add(Duration::from_nanos(rng.u64(0..3_000_000))),
            false => any_time(&mut rng),
        };
        let longer = Backoff::exponential(LONGER).jitter(jitter);
        let limits = Limits {
            max_retries: rng.u32(..) >> rng.u32(0..32),
            window,
            backoff: Backoff::exponential(SECOND).jitter(jitter),
            backoff_after_refusal: rng.bool().then_some(longer),
            max_retry_after: any_time(&mut rng),
            ..Limits::default()
        };
        let facts = Facts {
            hint,
            retries: rng.u32(..) >> rng.u32(0..32),
            series: at_step(rng.u32(..) >> rng.u32(0..32)),
            elapsed,
            held: any_time(&mut rng),
            is_switched_off: rng.u8(0..8) == 0,
            ..facts[rng.usize(..facts.len())]
        };
        check(&limits, &facts, rng.bool(), &mut rng);
    }
}
