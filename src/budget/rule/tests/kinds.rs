use tokio::time::advance;

use super::*;

#[test]
fn a_ratio_earns_from_every_request_and_nothing_comes_back() {
    let budget = Rule::ratio(0.2);
    assert_eq!(budget.level(), Some(10_000));
    spend(&budget, 10);
    assert!(!budget.withdraw(Failure::Quick, false));
    budget.first_attempt(Ending::Success, Instant::now());
    budget.first_attempt(Ending::Failure, Instant::now());
    assert_eq!(budget.level(), Some(400));
    budget.retry(Ending::Success, Instant::now(), Failure::Quick, || secs(1));
    budget.retry(Ending::Success, Instant::now(), timed_out(10), || secs(1));
    assert_eq!(budget.level(), Some(400));
    for _ in 0..3 {
        budget.first_attempt(Ending::Failure, Instant::now());
    }
    assert!(
        budget.withdraw(timed_out(1), false),
        "after a time-out it costs one, too"
    );
    assert_eq!(budget.level(), Some(0));
    for ratio in [f64::NAN, -1.0, 0.0] {
        let never = Rule::ratio(ratio);
        spend(&never, 10);
        succeed(&never, 1_000);
        assert_eq!(never.level(), Some(0), "{ratio}");
    }
    // Twice the last ratio is 2^64 thousandths, which a counter that wraps would store as 0.
    for ratio in [f64::INFINITY, 1e300, 2.0_f64.powi(63) / 1_000.0] {
        let always = Rule::ratio(ratio);
        spend(&always, 10);
        succeed(&always, 2);
        spend(&always, 1_000);
    }
}

#[tokio::test(start_paused = true)]
async fn a_ratio_has_room_for_first_attempts_only() {
    let budget = Rule::ratio(0.1);
    succeed(&budget, 200);
    for _ in 0..1_000 {
        budget.retry(Ending::Success, Instant::now(), Failure::Quick, || secs(1));
    }
    assert_eq!(budget.level(), Some(20_000));
    advance(secs(10)).await;
    assert_eq!(budget.level(), Some(10_000));
}

#[test]
fn the_throttle_allows_retries_only_above_half() {
    let budget = Rule::throttle(10, 0.5);
    assert_eq!(budget.level(), Some(10_000));
    for _ in 0..4 {
        budget.failed();
        assert!(budget.withdraw(Failure::Quick, false));
    }
    budget.failed();
    assert_eq!(budget.level(), Some(5_000));
    assert!(
        !budget.withdraw(Failure::Quick, false),
        "half is not above half"
    );
    budget.first_attempt(Ending::Failure, Instant::now());
    assert_eq!(budget.level(), Some(5_000), "a failure is told by itself");
    budget.first_attempt(Ending::Success, Instant::now());
    assert_eq!(budget.level(), Some(5_500));
    assert!(budget.withdraw(Failure::Quick, false));
    assert_eq!(budget.level(), Some(5_500), "a retry costs nothing");
    budget.retry(Ending::Success, Instant::now(), Failure::Quick, || secs(1));
    assert_eq!(budget.level(), Some(6_000));
}

#[test]
fn the_throttle_stays_between_nothing_and_its_tokens() {
    let budget = Rule::throttle(3, 2.0);
    succeed(&budget, 5);
    assert_eq!(budget.level(), Some(3_000));
    for _ in 0..5 {
        budget.failed();
    }
    assert_eq!(budget.level(), Some(0));
    succeed(&budget, 1);
    budget.retry(Ending::Success, Instant::now(), Failure::Quick, || secs(1));
    assert_eq!(budget.level(), Some(3_000));
    assert_eq!(Rule::throttle(0, 0.1).level(), Some(1_000));
    assert_eq!(Rule::throttle(u32::MAX, 0.1).level(), Some(1_000_000));
}

#[test]
fn an_answered_failure_leaves_the_throttle_as_it_is() {
    let budget = Rule::throttle(10, 0.5);
    let at = |level| assert_eq!(budget.level(), Some(level));
    for level in [10_000, 4_000] {
        at(level);
        budget.first_attempt(Ending::Answered, Instant::now());
        budget.retry(Ending::Answered, Instant::now(), Failure::Quick, || secs(1));
        budget.retry(Ending::Answered, Instant::now(), timed_out(10), || secs(1));
        at(level);
        (0..6).for_each(|_| budget.failed());
    }
}

#[tokio::test(start_paused = true)]
async fn an_answered_failure_earns_as_a_success_does() {
    let after = |ending: Ending| {
        let budget = Rule::earning(5);
        spend(&budget, 10);
        let mut levels = Vec::new();
        budget.first_attempt(ending, Instant::now());
        levels.push(budget.level());
        budget.retry(ending, Instant::now(), Failure::Quick, || secs(1));
        levels.push(budget.level());
        budget.retry(ending, Instant::now(), timed_out(10), || secs(5));
        levels.push(budget.level());
        budget.retry(ending, Instant::now(), timed_out(10), || secs(6));
        levels.push(budget.level());
        levels
    };
    let served = [100, 1_600, 5_600, 5_600].map(Some);
    assert_eq!(after(Ending::Success), served);
    assert_eq!(after(Ending::Answered), served);
    assert_eq!(after(Ending::Failure), [Some(0); 4]);
}
