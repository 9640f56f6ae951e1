use super::*;

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn waits(backoff: Backoff, extra: u32, count: u32) -> Vec<Duration> {
    let mut rng = Rng::with_seed(7);
    let mut previous = Duration::ZERO;
    (0..count)
        .map(|step| {
            previous = backoff.wait(step, extra, previous, &mut rng);
            previous
        })
        .collect()
}

#[test]
fn without_jitter_the_steps_are_exact() {
    let none = |backoff: Backoff| backoff.jitter(Jitter::None);
    let cases = [
        (
            none(Backoff::exponential(secs(1))),
            0,
            vec![1, 2, 4, 8, 16, 32],
        ),
        (
            none(Backoff::exponential(secs(1))),
            1,
            vec![2, 4, 8, 16, 32, 64],
        ),
        (
            none(Backoff::exponential(secs(1)).max_wait(secs(5))),
            0,
            vec![1, 2, 4, 5, 5, 5],
        ),
        (
            none(Backoff::exponential(secs(1)).factor(3.0)),
            0,
            vec![1, 3, 9, 27],
        ),
        (
            none(Backoff::exponential(secs(1)).factor(f64::NAN)),
            0,
            vec![1, 1, 1],
        ),
        (
            none(Backoff::exponential(secs(1)).factor(-2.0)),
            0,
            vec![1, 1, 1],
        ),
        (none(Backoff::exponential(secs(0))), 0, vec![0, 0, 0]),
        (none(Backoff::fixed(secs(3))), 0, vec![3, 3, 3]),
        (none(Backoff::fixed(secs(3))), 1, vec![3, 3, 3]),
    ];
    for (backoff, extra, expected) in cases {
        let expected: Vec<_> = expected.into_iter().map(secs).collect();
        assert_eq!(
            waits(backoff, extra, expected.len() as u32),
            expected,
            "{backoff:?}"
        );
    }
}

#[test]
fn a_factor_that_is_not_above_zero_counts_as_one() {
    for factor in [0.0, -0.0, -2.0, f64::NAN, f64::NEG_INFINITY] {
        let backoff = Backoff::exponential(secs(3)).jitter(Jitter::None);
        assert_eq!(
            waits(backoff.factor(factor), 0, 3),
            [secs(3); 3],
            "{factor}"
        );
    }
}

#[test]
fn no_setting_overflows() {
    for base in [
        Duration::ZERO,
        Duration::from_nanos(1),
        secs(1),
        Duration::MAX,
    ] {
        for factor in [f64::MIN_POSITIVE, 1.0, 2.0, f64::MAX, f64::INFINITY] {
            for jitter in [
                Jitter::None,
                Jitter::Full,
                Jitter::Equal,
                Jitter::Decorrelated,
                Jitter::Between(0.8, 1.2),
            ] {
                let backoff = Backoff::exponential(base).factor(factor).jitter(jitter);
                for step in [0, 1, 31, 64, u32::MAX] {
                    for previous in [Duration::ZERO, Duration::MAX] {
                        let wait = backoff.wait(step, 1, previous, &mut Rng::with_seed(1));
                        assert!(wait <= Duration::MAX);
                        if base.is_zero() && previous.is_zero() {
                            assert_eq!(wait, Duration::ZERO, "{backoff:?} {step}");
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn each_jitter_stays_within_its_bounds_and_reaches_both_ends() {
    let step = Duration::from_nanos(8);
    let draws = |jitter| {
        let backoff = Backoff::exponential(step).jitter(jitter);
        let mut rng = Rng::with_seed(3);
        let seen: std::collections::BTreeSet<_> = (0..1_000)
            .map(|_| backoff.wait(0, 0, step, &mut rng).as_nanos())
            .collect();
        seen.into_iter().collect::<Vec<_>>()
    };
    assert_eq!(draws(Jitter::None), [8]);
    assert_eq!(draws(Jitter::Full), (0..=8).collect::<Vec<_>>());
    assert_eq!(draws(Jitter::Equal), (4..=8).collect::<Vec<_>>());
    assert_eq!(draws(Jitter::Decorrelated), (8..=24).collect::<Vec<_>>());
}

#[test]
fn the_cap_is_applied_before_the_jitter() {
    for jitter in [Jitter::Full, Jitter::Equal, Jitter::Decorrelated] {
        let backoff = Backoff::exponential(secs(1))
            .max_wait(secs(4))
            .jitter(jitter);
        let mut rng = Rng::with_seed(9);
        let at_cap = (0..1_000)
            .map(|_| backoff.wait(20, 0, secs(60), &mut rng))
            .inspect(|wait| assert!(*wait <= secs(4)))
            .filter(|wait| *wait == secs(4))
            .count();
        assert!(
            at_cap < 5,
            "{jitter:?}: {at_cap} of 1,000 waits stand at the cap"
        );
    }
}

#[test]
fn decorrelated_waits_start_from_the_base_and_reach_three_times_the_last() {
    let backoff = Backoff::exponential(secs(1)).jitter(Jitter::Decorrelated);
    let mut previous = Duration::ZERO;
    let mut rng = Rng::with_seed(5);
    for step in 0..50 {
        let reach = previous.max(secs(1)) * 3;
        let wait = backoff.wait(step, 0, previous, &mut rng);
        assert!(
            wait >= secs(1) && wait <= reach,
            "{wait:?} after {previous:?}"
        );
        previous = wait;
    }
    let after_timeout = backoff.wait(0, 1, secs(1), &mut Rng::with_seed(1));
    assert!(
        after_timeout >= secs(2) && after_timeout <= secs(6),
        "{after_timeout:?}"
    );
}

#[test]
fn around_lies_within_a_fifth_of_the_step_on_both_sides_and_is_even() {
    let backoff = Backoff::exponential(secs(1)).jitter(Jitter::Between(0.8, 1.2));
    for (step, extra, full) in [(0, 0, 1.0), (2, 0, 4.0), (0, 1, 2.0), (3, 2, 32.0)] {
        let mut rng = Rng::with_seed(13);
        let waits: Vec<f64> = (0..10_000)
            .map(|_| backoff.wait(step, extra, secs(60), &mut rng))
            .map(|wait| wait.as_secs_f64() / full)
            .collect();
        let lowest = waits.iter().copied().fold(f64::MAX, f64::min);
        let highest = waits.iter().copied().fold(0.0, f64::max);
        let mean = waits.iter().sum::<f64>() / 10_000.0;
        assert!((0.8..0.808).contains(&lowest), "{lowest} at step {step}");
        assert!((1.188..=1.2).contains(&highest), "{highest} at step {step}");
        assert!((0.99..1.01).contains(&mean), "{mean} at step {step}");
        let below = waits.iter().filter(|wait| **wait < 0.9).count();
        assert!(
            (2_300..2_700).contains(&below),
            "{below} in the lowest quarter"
        );
    }
}

#[test]
fn around_has_exact_bounds_where_the_step_has_few_nanoseconds() {
    let draws = |step: u64| {
        let backoff =
            Backoff::exponential(Duration::from_nanos(step)).jitter(Jitter::Between(0.8, 1.2));
        let mut rng = Rng::with_seed(3);
        let seen: std::collections::BTreeSet<_> = (0..1_000)
            .map(|_| backoff.wait(0, 0, Duration::ZERO, &mut rng).as_nanos())
            .collect();
        seen.into_iter().collect::<Vec<_>>()
    };
    assert_eq!(draws(0), [0]);
    assert_eq!(draws(4), [4], "a fifth of it is less than a nanosecond");
    assert_eq!(draws(5), [4, 5, 6]);
    assert_eq!(draws(20), (16..=24).collect::<Vec<_>>());
}

#[test]
fn around_exceeds_the_longest_wait_by_a_fifth_at_most() {
    let backoff = Backoff::exponential(secs(1)).max_wait(secs(4));
    let backoff = backoff.jitter(Jitter::Between(0.8, 1.2));
    let mut rng = Rng::with_seed(9);
    let waits: Vec<_> = (0..1_000)
        .map(|_| backoff.wait(20, 0, secs(60), &mut rng))
        .collect();
    let bounds = Duration::from_millis(3_200)..=Duration::from_millis(4_800);
    assert!(waits.iter().all(|wait| bounds.contains(wait)));
    let above = waits.iter().filter(|wait| **wait > secs(4)).count();
    assert!(
        (450..550).contains(&above),
        "{above} of 1,000 above the cap"
    );
}

#[test]
fn around_saturates() {
    let backoff = Backoff::exponential(Duration::MAX).jitter(Jitter::Between(0.8, 1.2));
    for step in [0, 1, u32::MAX] {
        for seed in 0..100 {
            let wait = backoff.wait(step, 1, Duration::MAX, &mut Rng::with_seed(seed));
            assert!(wait >= Duration::MAX - Duration::MAX / 5, "{wait:?}");
        }
    }
}
