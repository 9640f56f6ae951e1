use super::*;
use crate::backoff::Jitter;

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn rules() -> Rules {
    Rules {
        backoff: Backoff::exponential(secs(1)).jitter(Jitter::None),
        ..Rules::default()
    }
}

fn facts(verdict: impl Into<Verdict>) -> Facts {
    Facts {
        verdict: verdict.into(),
        hint: Hint::None,
        retries: 0,
        step: 0,
        previous_wait: Duration::ZERO,
        sent_at_once: false,
        replayable: true,
        may_repeat: true,
        elapsed: Duration::ZERO,
    }
}

/// The decision, and whether the budget was asked.
fn decided(rules: &Rules, facts: Facts, covered: bool) -> (Decision, bool) {
    let mut asked = false;
    let claim = || {
        asked = !facts.is_free();
        match covered || facts.is_free() {
            true => Ok(()),
            false => Err(StopReason::Budget),
        }
    };
    let decision = decide(rules, &facts, &mut Rng::with_seed(1), claim);
    (decision, asked)
}

fn retry(after: Duration, reason: WaitReason) -> Decision {
    Decision::Retry(Wait { after, reason })
}

#[test]
fn the_rules_from_top_to_bottom() {
    use Class::{Permanent, Refused, Success, Transient};
    let base = facts(Transient);
    let once = |class| facts(Class::at_once(class));
    let stop = Decision::Stop;
    let short = Rules {
        window: secs(10),
        ..rules()
    };
    let patient = Rules {
        max_retry_after: Duration::MAX,
        ..rules()
    };
    let endless = Rules {
        window: Duration::MAX,
        max_retries: u32::MAX,
        ..patient
    };
    #[rustfmt::skip]
    let cases = [
        // 1: success or permanent.
        (rules(), facts(Success), stop(StopReason::Success)),
        (rules(), facts(Permanent), stop(StopReason::Permanent)),
        (rules(), facts(Permanent.repeatable()), stop(StopReason::Permanent)),
        // 2: the retries are used up.
        (rules(), Facts { retries: 4, ..base }, retry(secs(1), WaitReason::Backoff)),
        (rules(), Facts { retries: 5, ..base }, stop(StopReason::Attempts)),
        (rules(), Facts { retries: 5, replayable: false, ..base }, stop(StopReason::Attempts)),
        (endless, Facts { retries: u32::MAX - 1, ..base }, retry(secs(1), WaitReason::Backoff)),
        // 3: the body cannot be played again.
        (rules(), Facts { replayable: false, may_repeat: false, ..base }, stop(StopReason::NotReplayable)),
        (rules(), Facts { replayable: false, ..facts(Refused) }, stop(StopReason::NotReplayable)),
        // 4: the server may have acted on what may not be repeated.
        (rules(), Facts { may_repeat: false, hint: Hint::Never, ..base }, stop(StopReason::NotIdempotent)),
        (rules(), Facts { may_repeat: false, ..facts(Refused) }, retry(secs(1), WaitReason::Backoff)),
        // 5: the server said no.
        (rules(), Facts { hint: Hint::Never, elapsed: secs(400), ..base }, stop(StopReason::ServerSaidNo)),
        // 6: the server asks for too long.
        (rules(), Facts { hint: Hint::AtLeast(secs(301)), ..base }, stop(StopReason::RetryAfterTooLong)),
        (rules(), Facts { hint: Hint::Exactly(secs(301)), ..base }, stop(StopReason::RetryAfterTooLong)),
        (short, Facts { hint: Hint::AtLeast(secs(300)), ..base }, stop(StopReason::Window)),
        // 7: the window ends first.
        (short, Facts { elapsed: secs(8), ..base }, retry(secs(1), WaitReason::Backoff)),
        (short, Facts { elapsed: secs(9), ..base }, stop(StopReason::Window)),
        // A timer may be a millisecond late.
        (short, Facts { elapsed: Duration::from_millis(8_999), ..base }, retry(secs(1), WaitReason::Backoff)),
        (short, Facts { elapsed: Duration::from_nanos(8_999_000_001), ..base }, stop(StopReason::Window)),
        (short, Facts { elapsed: secs(30), ..once(Refused) }, stop(StopReason::Window)),
        (patient, Facts { hint: Hint::AtLeast(Duration::MAX), ..base }, stop(StopReason::Window)),
        (endless, Facts { hint: Hint::AtLeast(secs(9_999)), ..base }, retry(secs(9_999), WaitReason::Server)),
    ];
    for (rules, facts, expected) in cases {
        let (decision, asked) = decided(&rules, facts, true);
        assert_eq!(decision, expected, "{facts:?}");
        let is_retry = matches!(decision, Decision::Retry(_));
        assert_eq!(asked, is_retry, "the budget is asked last: {facts:?}");
    }
    // 8: the budget does not cover it.
    assert_eq!(
        decided(&rules(), base, false),
        (stop(StopReason::Budget), true)
    );
}

#[test]
fn how_long_and_why() {
    use Class::{Refused, Transient};
    let at = |step, verdict: Verdict| Facts {
        step,
        ..facts(verdict)
    };
    let hinted = |hint, facts| Facts { hint, ..facts };
    let transient = |step| at(step, Transient.into());
    #[rustfmt::skip]
    let cases = [
        (transient(0), retry(secs(1), WaitReason::Backoff)),
        (transient(3), retry(secs(8), WaitReason::Backoff)),
        (at(0, Transient.timed_out()), retry(secs(2), WaitReason::TimedOut)),
        (at(3, Transient.timed_out()), retry(secs(16), WaitReason::TimedOut)),
        (at(2, Refused.at_once()), retry(secs(0), WaitReason::AtOnce)),
        (Facts { sent_at_once: true, ..at(2, Refused.at_once()) }, retry(secs(4), WaitReason::Backoff)),
        (hinted(Hint::AtLeast(secs(3)), transient(0)), retry(secs(3), WaitReason::Server)),
        (hinted(Hint::AtLeast(secs(3)), transient(3)), retry(secs(8), WaitReason::Backoff)),
        (hinted(Hint::AtLeast(secs(8)), transient(3)), retry(secs(8), WaitReason::Backoff)),
        (hinted(Hint::AtLeast(secs(3)), at(0, Refused.at_once())), retry(secs(3), WaitReason::Server)),
        (hinted(Hint::AtLeast(secs(0)), transient(0)), retry(secs(1), WaitReason::Backoff)),
        (hinted(Hint::Exactly(secs(3)), transient(5)), retry(secs(3), WaitReason::Server)),
        (hinted(Hint::Exactly(secs(0)), transient(5)), retry(secs(0), WaitReason::Server)),
    ];
    for (facts, expected) in cases {
        assert_eq!(decided(&rules(), facts, true).0, expected, "{facts:?}");
    }
}

#[test]
fn with_jitter_a_hint_is_a_floor_and_spreads_by_half_of_itself() {
    let jittered = Rules {
        backoff: Backoff::default(),
        ..rules()
    };
    let facts = Facts {
        hint: Hint::AtLeast(secs(10)),
        ..facts(Class::Transient)
    };
    let mut rng = Rng::with_seed(11);
    let waits: Vec<_> = (0..10_000)
        .map(|_| match decide(&jittered, &facts, &mut rng, || Ok(())) {
            Decision::Retry(wait) => wait.after,
            Decision::Stop(stop) => panic!("{stop:?}"),
        })
        .collect();
    assert!(
        waits
            .iter()
            .all(|wait| (secs(10)..=secs(15)).contains(wait))
    );
    let late = waits
        .iter()
        .filter(|wait| **wait > Duration::from_millis(12_500))
        .count();
    assert!(
        (4_700..5_300).contains(&late),
        "{late} of 10,000 in the upper half"
    );
}

#[test]
fn jitter_alone_does_not_carry_a_hint_out_of_the_window() {
    let jittered = Rules {
        backoff: Backoff::default(),
        ..rules()
    };
    let mut rng = Rng::with_seed(4);
    for (hint, elapsed, most) in [(240, 0, 299_999), (240, 50, 249_999), (100, 0, 150_000)] {
        let facts = Facts {
            hint: Hint::AtLeast(secs(hint)),
            elapsed: secs(elapsed),
            ..facts(Class::Transient)
        };
        for _ in 0..1_000 {
            let decision = decide(&jittered, &facts, &mut rng, || Ok(()));
            let Decision::Retry(Wait { after, .. }) = decision else {
                panic!("{decision:?}");
            };
            assert!(
                after >= secs(hint) && after <= Duration::from_millis(most),
                "{after:?}"
            );
        }
    }
}

#[test]
fn a_transparent_retry_is_made_once_at_no_cost_and_still_by_all_other_rules() {
    use Class::{Permanent, Refused, Success, Transient};
    let stop = Decision::Stop;
    let only = |max_retries| Rules {
        max_retries,
        ..rules()
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
        (rules(), first, transparent, false),
        (rules(), Facts { retries: 5, step: 5, ..first }, transparent, false),
        (only(1), Facts { retries: 1, ..first }, transparent, false),
        (rules(), facts(Transient.transparent()), transparent, false),
        // A layer that makes no retries makes none at all.
        (only(0), first, stop(StopReason::Attempts), false),
        // Once; a retry at once before it is that one.
        (rules(), second, retry(secs(1), WaitReason::Backoff), true),
        (rules(), Facts { step: 2, ..second }, retry(secs(4), WaitReason::Backoff), true),
        (rules(), Facts { retries: 5, ..second }, stop(StopReason::Attempts), false),
        (rules(), Facts { verdict: Refused.at_once().timed_out(), ..second }, retry(secs(2), WaitReason::TimedOut), true),
        // All other rules hold.
        (rules(), facts(Success.transparent()), stop(StopReason::Success), false),
        (rules(), facts(Permanent.transparent()), stop(StopReason::Permanent), false),
        (rules(), Facts { replayable: false, ..first }, stop(StopReason::NotReplayable), false),
        (rules(), maybe, stop(StopReason::NotIdempotent), false),
        (rules(), Facts { may_repeat: false, ..first }, transparent, false),
        (rules(), Facts { hint: Hint::Never, ..first }, stop(StopReason::ServerSaidNo), false),
        (rules(), Facts { hint: Hint::AtLeast(secs(301)), ..first }, stop(StopReason::RetryAfterTooLong), false),
        // Where the server says when, even that it need not wait, it has seen the request.
        (rules(), Facts { hint: Hint::AtLeast(secs(0)), ..first }, retry(secs(0), WaitReason::AtOnce), true),
        (rules(), Facts { elapsed: Duration::from_millis(299_999), ..first }, transparent, false),
        (rules(), Facts { elapsed: Duration::from_nanos(299_999_000_001), ..first }, stop(StopReason::Window), false),
    ];
    for (rules, facts, decision, asked) in cases {
        assert_eq!(decided(&rules, facts, true), (decision, asked), "{facts:?}");
    }
    assert_eq!(decided(&rules(), first, false), (transparent, false));
    assert_eq!(
        decided(&rules(), second, false),
        (stop(StopReason::Budget), true)
    );
}

#[test]
fn what_waits_for_the_server_is_no_transparent_retry() {
    let asked = [Hint::AtLeast(secs(3)), Hint::Exactly(secs(3))];
    for hint in asked {
        let facts = Facts {
            hint,
            ..facts(Class::Refused.transparent())
        };
        let expected = (retry(secs(3), WaitReason::Server), true);
        assert_eq!(decided(&rules(), facts, true), expected, "{hint:?}");
        let used_up = Facts {
            retries: 5,
            ..facts
        };
        let expected = (Decision::Stop(StopReason::Attempts), false);
        assert_eq!(decided(&rules(), used_up, true), expected, "{hint:?}");
    }
}
