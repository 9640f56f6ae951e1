use super::*;

#[test]
fn how_long_and_why() {
    use Class::{Refused, Transient};
    let at = |step, verdict: Verdict| Facts {
        series: at_step(step),
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
        (hinted(Some(Hint::AtLeast(secs(3))), transient(0)), retry(secs(3), WaitReason::Server)),
        (hinted(Some(Hint::AtLeast(secs(3))), transient(3)), retry(secs(8), WaitReason::Backoff)),
        (hinted(Some(Hint::AtLeast(secs(8))), transient(3)), retry(secs(8), WaitReason::Backoff)),
        (hinted(Some(Hint::AtLeast(secs(3))), at(0, Refused.at_once())), retry(secs(3), WaitReason::Server)),
        (hinted(Some(Hint::AtLeast(secs(0))), transient(0)), retry(secs(1), WaitReason::Backoff)),
        (hinted(Some(Hint::Exactly(secs(3))), transient(5)), retry(secs(3), WaitReason::Server)),
        (hinted(Some(Hint::Exactly(secs(0))), transient(5)), retry(secs(0), WaitReason::Server)),
    ];
    for (facts, expected) in cases {
        assert_eq!(decided(&limits(), facts, true).0, expected, "{facts:?}");
    }
}

#[test]
fn with_jitter_a_hint_is_a_floor_and_spreads_by_half_of_itself() {
    let jittered = Limits {
        backoff: Backoff::default(),
        ..limits()
    };
    let facts = Facts {
        hint: Some(Hint::AtLeast(secs(10))),
        ..facts(Class::Transient)
    };
    let mut rng = Rng::with_seed(11);
    let waits: Vec<_> = (0..10_000)
        .map(|_| match decide(&jittered, &facts, &mut rng, || Ok(())) {
            Ok(wait) => wait.after,
            Err(stop) => panic!("{stop:?}"),
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
    let jittered = Limits {
        backoff: Backoff::default(),
        ..limits()
    };
    let mut rng = Rng::with_seed(4);
    for (hint, elapsed, most) in [(240, 0, 299_999), (240, 50, 249_999), (100, 0, 150_000)] {
        let facts = Facts {
            hint: Some(Hint::AtLeast(secs(hint))),
            elapsed: secs(elapsed),
            ..facts(Class::Transient)
        };
        for _ in 0..1_000 {
            let decision = decide(&jittered, &facts, &mut rng, || Ok(()));
            let Ok(Wait { after, .. }) = decision else {
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
fn a_wait_says_what_the_next_decision_goes_by() {
    use Class::{Refused, Transient};
    let series = |step, previous| Series {
        step,
        previous: secs(previous),
    };
    let third = |verdict: Verdict, hint| Facts {
        hint,
        series: series(2, 2),
        ..facts(verdict)
    };
    let wait = |facts: &Facts| decide(&limits(), facts, &mut Rng::with_seed(1), || Ok(())).unwrap();
    let at_least = Some(Hint::AtLeast(secs(9)));
    #[rustfmt::skip]
    let cases = [
        (third(Transient.into(), None), series(3, 4)),
        (third(Transient.timed_out(), None), series(3, 8)),
        // The back-off continues, but not from the server's wait.
        (third(Transient.into(), at_least), series(3, 2)),
        (third(Transient.into(), Some(Hint::AtLeast(secs(3)))), series(3, 4)),
        // The back-off starts again.
        (third(Transient.into(), Some(Hint::Exactly(secs(9)))), series(0, 0)),
        // The back-off does not change.
        (third(Refused.at_once(), None), series(2, 2)),
        (third(Refused.transparent(), None), series(2, 2)),
        (third(Refused.at_once(), at_least), series(3, 2)),
    ];
    for (facts, next) in cases {
        let wait = wait(&facts);
        assert_eq!(wait.series, next, "{facts:?}");
        let immediate = match wait.reason {
            WaitReason::AtOnce => Some(Immediate::AtOnce),
            WaitReason::Transparent => Some(Immediate::Transparent),
            _ => None,
        };
        assert_eq!(wait.immediate, immediate);
    }
}

#[test]
fn a_retry_waits_as_long_as_requests_are_held_if_its_own_wait_is_shorter() {
    use Class::{Refused, Transient};
    let held = |verdict: Verdict, hint, seconds| Facts {
        hint,
        held: secs(seconds),
        ..facts(verdict)
    };
    let at_least = Some(Hint::AtLeast(secs(9)));
    #[rustfmt::skip]
    let cases = [
        (held(Transient.into(), None, 7), retry(secs(7), WaitReason::Cooldown)),
        (held(Transient.into(), None, 1), retry(secs(1), WaitReason::Backoff)),
        (held(Transient.into(), at_least, 7), retry(secs(9), WaitReason::Server)),
        (held(Transient.into(), at_least, 10), retry(secs(10), WaitReason::Cooldown)),
        (held(Refused.at_once(), None, 7), retry(secs(7), WaitReason::Cooldown)),
        (held(Refused.at_once(), None, 0), retry(secs(0), WaitReason::AtOnce)),
        // Only the window limits the hold.
        (held(Transient.into(), None, 299), retry(secs(299), WaitReason::Cooldown)),
        (held(Transient.into(), None, 300), Err(StopReason::Window)),
    ];
    for (facts, expected) in cases {
        assert_eq!(decided(&limits(), facts, true).0, expected, "{facts:?}");
    }
    // The state for the next decision is the same as without a hold.
    let wait = |facts: &Facts| decide(&limits(), facts, &mut Rng::with_seed(1), || Ok(())).unwrap();
    let free = wait(&facts(Transient));
    assert_eq!(wait(&held(Transient.into(), None, 7)).series, free.series);
    let at_once = wait(&held(Refused.at_once(), None, 7));
    assert_eq!(at_once.immediate, Some(Immediate::AtOnce));
}

#[test]
fn a_classifiers_own_wait_stands_in_the_back_offs_place_and_is_told_as_back_off() {
    use Class::{Refused, Transient};
    let jittered = Limits {
        backoff: Backoff::default(),
        max_retry_after: secs(5),
        ..limits()
    };
    let hinted = |verdict: Verdict, hint| Facts {
        hint: Some(hint),
        ..facts(verdict)
    };
    let own = |seconds| Transient.backoff(secs(seconds));
    #[rustfmt::skip]
    let cases = [
        (facts(own(7)), retry(secs(7), WaitReason::Backoff)),
        (facts(own(0)), retry(secs(0), WaitReason::Backoff)),
        (facts(own(7).timed_out()), retry(secs(7), WaitReason::Backoff)),
        // Limited by the window, but not by `max_retry_after`.
        (facts(own(299)), retry(secs(299), WaitReason::Backoff)),
        (facts(own(300)), Err(StopReason::Window)),
        // The server asks for a shorter wait, for an exact one, or for no retry.
        (hinted(own(7), Hint::AtLeast(secs(3))), retry(secs(7), WaitReason::Backoff)),
        (hinted(own(7), Hint::Exactly(secs(3))), retry(secs(3), WaitReason::Server)),
        (hinted(own(7), Hint::Never), Err(StopReason::ServerSaidNo)),
        (hinted(own(1), Hint::AtLeast(secs(6))), Err(StopReason::RetryAfterTooLong)),
        (facts(Refused.at_once().backoff(secs(7))), retry(secs(0), WaitReason::AtOnce)),
        // The server's wait would be the longer one only with jitter.
        (hinted(own(5), Hint::AtLeast(secs(5))), retry(secs(5), WaitReason::Backoff)),
    ];
    for (facts, expected) in cases {
        assert_eq!(decided(&jittered, facts, true).0, expected, "{facts:?}");
    }
    let longer = decided(&jittered, hinted(own(1), Hint::AtLeast(secs(4))), true).0;
    let Ok((after, WaitReason::Server)) = longer else {
        panic!("{longer:?}");
    };
    assert!((secs(4)..=secs(6)).contains(&after), "{after:?}");
    // If the retry is sent immediately, the classifier's wait is not used.
    let at_once = Refused.at_once().backoff(secs(5));
    let hinted = hinted(at_once, Hint::AtLeast(secs(4)));
    let Ok((after, WaitReason::Server)) = decided(&jittered, hinted, true).0 else {
        panic!("the server asked for it");
    };
    assert!((secs(4)..=secs(6)).contains(&after), "{after:?}");
}
