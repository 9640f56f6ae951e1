use std::time::Duration;

use super::super::buckets::bucket;
use super::*;

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Creates times from pairs of milliseconds and the number of attempts that ended, or were cut, after them.
fn times(ended: &[(u64, u32)], cut: &[(u64, u32)]) -> Times {
    let mut times = Times::new();
    for (at, count) in ended {
        times.add(bucket(millis(*at)), *count, 0);
    }
    for (at, count) in cut {
        times.add(bucket(millis(*at)), 0, *count);
    }
    times
}

#[track_caller]
fn assert_about(time: Duration, expected: u64) {
    let (low, high) = (
        start(bucket(millis(expected))),
        start(bucket(millis(expected)) + 1),
    );
    assert!(
        low <= time && time <= high,
        "{time:?} is not about {expected} ms"
    );
}

#[test]
fn without_cuts_it_is_the_share_of_those_that_took_longer() {
    let times = times(&[(5, 90), (50, 10)], &[]);
    assert_about(times.exceeded_by(0.5), 5);
    assert_about(times.exceeded_by(0.11), 5);
    assert_about(times.exceeded_by(0.09), 50);
}

#[test]
fn within_a_bucket_it_is_divided_evenly() {
    let times = times(&[(5, 100)], &[]);
    let (from, to) = (start(bucket(millis(5))), start(bucket(millis(5)) + 1));
    assert_eq!(times.exceeded_by(0.5), from + (to - from) / 2);
}

/// Ten of a hundred are slow: nine of them are cut when their hedges win.
#[test]
fn one_that_was_cut_would_have_taken_longer() {
    let with_cuts = times(&[(5, 90), (50, 1)], &[(15, 9)]);
    assert_about(with_cuts.exceeded_by(0.05), 50);
    let without = times(&[(5, 90), (50, 1)], &[]);
    assert_about(without.exceeded_by(0.05), 5);
}

/// Of four attempts, one ends, one is cut, and then the other two end one after the other.
#[test]
fn the_estimate_is_that_of_kaplan_and_meier() {
    // Surviving: 3/4 after 1 ms, 3/8 after 4 ms, 0 after 8 ms.
    let times = times(&[(1, 1), (4, 1), (8, 1)], &[(2, 1)]);
    assert_about(times.exceeded_by(0.75), 1);
    assert_about(times.exceeded_by(0.74), 4);
    assert_about(times.exceeded_by(0.38), 4);
    assert_about(times.exceeded_by(0.37), 8);
}

#[test]
fn what_is_longer_than_all_that_is_known_is_the_longest_that_is() {
    assert_about(times(&[(5, 90)], &[(15, 10)]).exceeded_by(0.05), 15);
    assert_eq!(Times::new().exceeded_by(0.05), Duration::ZERO);
}

/// No attempt is known to have ended within the shortest known time.
#[test]
fn all_of_them_exceed_the_shortest_time() {
    assert_about(times(&[(15, 5)], &[(5, 5)]).exceeded_by(1.0), 5);
    assert_about(times(&[], &[(5, 5)]).exceeded_by(1.0), 5);
    assert_about(times(&[(5, 5)], &[]).exceeded_by(1.0), 5);
    // A single attempt of so many is lost to rounding.
    let many = times(&[(5, 1), (15, 1)], &[(25, u32::MAX)]);
    assert_about(many.exceeded_by(1.0), 5);
}

#[test]
fn whatever_is_known_a_greater_share_exceeds_a_shorter_time() {
    let mut random = fastrand::Rng::with_seed(1);
    for _ in 0..2_000 {
        let mut times = Times::new();
        for _ in 0..random.u32(1..20) {
            let most = 1 << random.u32(0..31);
            let (ended, cut) = (random.u32(..most), random.u32(..most));
            match random.u8(..3) {
                0 => times.add(random.usize(..BUCKETS), ended, 0),
                1 => times.add(random.usize(..BUCKETS), 0, cut),
                _ => times.add(random.usize(..8), ended, cut),
            }
            times.fade(random.f32());
        }
        let mut longest = Duration::MAX;
        for share in [0.0, f32::MIN_POSITIVE, 0.05, 0.5, 0.999_999_9, 1.0] {
            let time = times.exceeded_by(share);
            assert!(time <= longest, "{time:?} for {share}, after {longest:?}");
            longest = time;
        }
    }
}

#[test]
fn what_fades_counts_less_and_is_forgotten_in_the_end() {
    let mut times = times(&[(5, 100)], &[(1_000, 1)]);
    times.fade(0.5);
    assert_eq!(times.count(), 50.5);
    times.add(bucket(millis(20)), 50, 0);
    assert_about(times.exceeded_by(0.4), 20);
    for _ in 0..5 {
        times.fade(0.25);
    }
    // The sample of one second has a weight below a hundredth, and is removed.
    assert_about(times.exceeded_by(0.0), 20);
    for _ in 0..20 {
        times.fade(0.25);
    }
    assert_eq!(times.count(), 0.0);
}
