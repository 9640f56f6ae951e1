use super::*;
use crate::backoff::{Backoff, Jitter};

mod waits;

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn limits() -> Limits {
    Limits {
        backoff: Backoff::exponential(secs(1)).jitter(Jitter::None),
        ..Limits::default()
    }
}

fn facts(verdict: impl Into<Verdict>) -> Facts {
    Facts {
        verdict: verdict.into(),
        hint: None,
        is_turned_away: false,
        retries: 0,
        series: Series::default(),
        sent_at_once: false,
        replayable: true,
        may_repeat: true,
        elapsed: Duration::ZERO,
        held: Duration::ZERO,
        is_switched_off: false,
    }
}

/// The wait and its reason, or the reason to stop.
type Decision = Result<(Duration, WaitReason), StopReason>;

/// The decision, and whether the budget was asked.
fn decided(limits: &Limits, facts: Facts, covered: bool) -> (Decision, bool) {
    if let Some(stop) = is_final(facts.verdict.class) {
        return (Err(stop), false);
    }
    let mut asked = false;
    let claim = || {
        asked = !facts.is_free();
        match covered || facts.is_free() {
            true => Ok(()),
            false => Err(StopReason::Budget),
        }
    };
    let decision = decide(limits, &facts, &mut Rng::with_seed(1), claim);
    (decision.map(|wait| (wait.after, wait.reason)), asked)
}

fn at_step(step: u32) -> Series {
    Series {
        step,
        ..Series::default()
    }
}

fn retry(after: Duration, reason: WaitReason) -> Decision {
    Ok((after, reason))
}

#[test]
fn the_rules_from_top_to_bottom() {
    use Class::{Permanent, Refused, Success, Transient};
    let base = facts(Transient);
    let once = |class| facts(Class::at_once(class));
    let first = facts(Refused.transparent());
    let stop = |reason| -> Decision { Err(reason) };
    let short = Limits {
        window: secs(10),
        ..limits()
    };
    let patient = Limits {
        max_retry_after: Duration::MAX,
        ..limits()
    };
    let endless = Limits {
        window: Duration::MAX,
        max_retries: u32::MAX,
        ..patient
    };
    #[rustfmt::skip]
    let cases = [
        // 1: success or permanent.
        (limits(), facts(Success), stop(StopReason::Success)),
        (limits(), facts(Permanent), stop(StopReason::Permanent)),
        (limits(), facts(Permanent.repeatable()), stop(StopReason::Permanent)),
        // 2: the retries are used up.
        (limits(), Facts { retries: 4, ..base }, retry(secs(1), WaitReason::Backoff)),
        (limits(), Facts { retries: 5, ..base }, stop(StopReason::Attempts)),
        (limits(), Facts { retries: 5, replayable: false, ..base }, stop(StopReason::Attempts)),
        (endless, Facts { retries: u32::MAX - 1, ..base }, retry(secs(1), WaitReason::Backoff)),
        // 3: the body cannot be replayed.
        (limits(), Facts { replayable: false, may_repeat: false, ..base }, stop(StopReason::NotReplayable)),
        (limits(), Facts { replayable: false, ..facts(Refused) }, stop(StopReason::NotReplayable)),
        // 4: the server may have acted on a request that is not safe to repeat.
        (limits(), Facts { may_repeat: false, hint: Some(Hint::Never), ..base }, stop(StopReason::NotIdempotent)),
        (limits(), Facts { may_repeat: false, ..facts(Refused) }, retry(secs(1), WaitReason::Backoff)),
        // 5: the server said no.
        (limits(), Facts { hint: Some(Hint::Never), elapsed: secs(400), ..base }, stop(StopReason::ServerSaidNo)),
        // 6: the server asks for too long.
        (limits(), Facts { hint: Some(Hint::AtLeast(secs(301))), ..base }, stop(StopReason::RetryAfterTooLong)),
        (limits(), Facts { hint: Some(Hint::Exactly(secs(301))), ..base }, stop(StopReason::RetryAfterTooLong)),
        (short, Facts { hint: Some(Hint::AtLeast(secs(300))), ..base }, stop(StopReason::Window)),
        // 7: the window ends first.
        (short, Facts { elapsed: secs(8), ..base }, retry(secs(1), WaitReason::Backoff)),
        (short, Facts { elapsed: secs(9), ..base }, stop(StopReason::Window)),
        // A timer may be a millisecond late.
        (short, Facts { elapsed: Duration::from_millis(8_999), ..base }, retry(secs(1), WaitReason::Backoff)),
        (short, Facts { elapsed: Duration::from_nanos(8_999_000_001), ..base }, stop(StopReason::Window)),
        (short, Facts { elapsed: secs(30), ..once(Refused) }, stop(StopReason::Window)),
        (patient, Facts { hint: Some(Hint::AtLeast(Duration::MAX)), ..base }, stop(StopReason::Window)),
        (endless, Facts { hint: Some(Hint::AtLeast(secs(9_999))), ..base }, retry(secs(9_999), WaitReason::Server)),
        // 8: retries are switched off.
        (limits(), Facts { is_switched_off: true, ..base }, stop(StopReason::SwitchedOff)),
        (limits(), Facts { is_switched_off: true, ..first }, stop(StopReason::SwitchedOff)),
        (short, Facts { is_switched_off: true, elapsed: secs(9), ..base }, stop(StopReason::Window)),
    ];
    for (limits, facts, expected) in cases {
        let (decision, asked) = decided(&limits, facts, true);
        assert_eq!(decision, expected, "{facts:?}");
        let is_retry = decision.is_ok();
        assert_eq!(asked, is_retry, "the budget is asked last: {facts:?}");
    }
    // 9: the budget does not cover it.
    assert_eq!(
        decided(&limits(), base, false),
        (stop(StopReason::Budget), true)
    );
}

#[test]
fn a_transparent_retry_is_made_once_at_no_cost_and_still_by_all_other_rules() {
    use Class::{Permanent, Refused, Success, Transient};
    let stop = |reason| -> Decision { Err(reason) };
    let only = |max_retries| Limits {
        max_retries,
        ..limits()
    };
    let first = facts(Refused.transparent());
    let second = Facts {
        sent_at_once: true,
        ..first
    };
    let maybe = Facts {
        may_repeat: false,
        ..facts(Transient.transparent())
    };
    let transparent = retry(secs(0), WaitReason::Transparent);
    #[rustfmt::skip]
    let cases = [
        // Neither counted nor paid for: the retries may be used up, and the budget is not asked.
        (limits(), first, transparent, false),
        (limits(), Facts { retries: 5, series: at_step(5), ..first }, transparent, false),
        (only(1), Facts { retries: 1, ..first }, transparent, false),
        (limits(), facts(Transient.transparent()), transparent, false),
        // A layer without retries makes no transparent retry either.
        (only(0), first, stop(StopReason::Attempts), false),
        // Only once; an earlier retry that was sent immediately counts as that one.
        (limits(), second, retry(secs(1), WaitReason::Backoff), true),
        (limits(), Facts { series: at_step(2), ..second }, retry(secs(4), WaitReason::Backoff), true),
        (limits(), Facts { retries: 5, ..second }, stop(StopReason::Attempts), false),
        (limits(), Facts { verdict: Refused.at_once().timed_out(), ..second }, retry(secs(2), WaitReason::TimedOut), true),
        // All other limits hold.
        (limits(), facts(Success.transparent()), stop(StopReason::Success), false),
        (limits(), facts(Permanent.transparent()), stop(StopReason::Permanent), false),
        (limits(), Facts { replayable: false, ..first }, stop(StopReason::NotReplayable), false),
        (limits(), maybe, stop(StopReason::NotIdempotent), false),
        (limits(), Facts { may_repeat: false, ..first }, transparent, false),
        (limits(), Facts { hint: Some(Hint::Never), ..first }, stop(StopReason::ServerSaidNo), false),
        (limits(), Facts { hint: Some(Hint::AtLeast(secs(301))), ..first }, stop(StopReason::RetryAfterTooLong), false),
        // If the server asks for a wait, even of zero, it has seen the request.
        (limits(), Facts { hint: Some(Hint::AtLeast(secs(0))), ..first }, retry(secs(0), WaitReason::AtOnce), true),
        (limits(), Facts { elapsed: Duration::from_millis(299_999), ..first }, transparent, false),
        (limits(), Facts { elapsed: Duration::from_nanos(299_999_000_001), ..first }, stop(StopReason::Window), false),
    ];
    for (limits, facts, decision, asked) in cases {
        assert_eq!(
            decided(&limits, facts, true),
            (decision, asked),
            "{facts:?}"
        );
    }
    assert_eq!(decided(&limits(), first, false), (transparent, false));
    assert_eq!(
        decided(&limits(), second, false),
        (stop(StopReason::Budget), true)
    );
}

#[test]
fn what_waits_for_the_server_is_no_transparent_retry() {
    let asked = [Some(Hint::AtLeast(secs(3))), Some(Hint::Exactly(secs(3)))];
    for hint in asked {
        let facts = Facts {
            hint,
            ..facts(Class::Refused.transparent())
        };
        let expected = (retry(secs(3), WaitReason::Server), true);
        assert_eq!(decided(&limits(), facts, true), expected, "{hint:?}");
        let used_up = Facts {
            retries: 5,
            ..facts
        };
        let expected = (Err(StopReason::Attempts), false);
        assert_eq!(decided(&limits(), used_up, true), expected, "{hint:?}");
    }
}
