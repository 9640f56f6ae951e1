use std::time::Duration;

use super::*;

#[test]
fn a_time_is_in_the_bucket_that_begins_before_it_and_ends_after_it() {
    let mut nanos = 1_000;
    while nanos < 3_600_000_000_000 {
        let time = Duration::from_nanos(nanos);
        let bucket = bucket(time);
        assert!(
            start(bucket) <= time && time < start(bucket + 1),
            "{time:?}"
        );
        nanos += nanos / 97 + 1;
    }
}

#[test]
fn buckets_follow_one_another_an_eighth_of_their_octave_apart() {
    assert_eq!(start(0), Duration::from_micros(1));
    assert_eq!(start(8), Duration::from_micros(2));
    for index in 0..BUCKETS {
        assert_eq!(bucket(start(index)), index);
        let width = start(index + 1) - start(index);
        assert!(
            width <= start(index) / 8 && width >= start(index) / 16,
            "{index}"
        );
    }
}

#[test]
fn what_is_shorter_or_longer_counts_for_the_first_and_the_last() {
    for shorter in [
        Duration::ZERO,
        Duration::from_nanos(1),
        Duration::from_nanos(999),
    ] {
        assert_eq!(bucket(shorter), 0);
    }
    assert!(start(BUCKETS) > Duration::from_secs(3_600));
    for longer in [Duration::from_secs(10_000), Duration::MAX] {
        assert_eq!(bucket(longer), BUCKETS - 1);
    }
}
