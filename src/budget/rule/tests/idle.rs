use tokio::time::{advance, sleep};

use super::*;

const IDLE: Duration = secs(5 * 60);
const TICK: Duration = Duration::from_millis(10);

fn empty() -> Rule {
    let budget = Rule::earning(5);
    spend(&budget, 10);
    budget
}

/// The outcomes of a request that is the last before, or the first after, an idle time.
const OUTCOMES: [fn(&Rule, Instant); 4] = [
    |budget, started| budget.first_attempt(Ending::Failure, started),
    |budget, started| budget.first_attempt(Ending::Success, started),
    |budget, started| budget.retry(Ending::Failure, started, Failure::Quick, || secs(1)),
    // This retry helped too late, and so earns nothing.
    |budget, started| budget.retry(Ending::Answered, started, timed_out(1), || secs(1)),
];

#[tokio::test(start_paused = true)]
async fn after_five_idle_minutes_it_is_at_its_floor_and_a_tick_before_it_is_not() {
    for last in OUTCOMES {
        for first in OUTCOMES {
            for (idle, is_full) in [(IDLE - TICK, false), (IDLE, true), (IDLE + TICK, true)] {
                let budget = empty();
                last(&budget, Instant::now());
                assert!(budget.level() < Some(1_000));
                advance(idle).await;
                assert_eq!(budget.level() == Some(10_000), is_full, "seen from outside");
                first(&budget, Instant::now());
                assert_eq!(budget.withdraw(Failure::Quick, true), is_full, "{idle:?}");
                if is_full {
                    assert_eq!(budget.level(), Some(9_000));
                }
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_new_one_that_nobody_used_is_no_fuller_for_it() {
    let budget = Rule::earning(5);
    advance(2 * IDLE).await;
    budget.first_attempt(Ending::Failure, Instant::now());
    assert_eq!(budget.level(), Some(10_000));
}

#[tokio::test(start_paused = true)]
async fn a_success_ends_the_idle_time_and_the_failures_after_it_find_the_floor() {
    let budget = empty();
    advance(IDLE).await;
    budget.first_attempt(Ending::Success, Instant::now());
    advance(secs(1)).await;
    budget.first_attempt(Ending::Failure, Instant::now());
    spend(&budget, 10);
    assert_eq!(budget.level(), Some(0));
}

#[tokio::test(start_paused = true)]
async fn the_failures_of_one_request_end_an_idle_time_once() {
    let budget = empty();
    advance(IDLE).await;
    let started = Instant::now();
    budget.first_attempt(Ending::Failure, started);
    spend(&budget, 10);
    // The request's waits are as long as an idle time.
    for _ in 0..3 {
        advance(IDLE).await;
        budget.retry(Ending::Failure, started, Failure::Quick, || secs(1));
        assert!(!budget.withdraw(Failure::Quick, false));
    }
    // The same holds for the last wait, after which a retry succeeds.
    advance(IDLE).await;
    budget.retry(Ending::Success, started, Failure::Quick, || secs(1));
    assert_eq!(budget.level(), Some(1_500));
}

#[tokio::test(start_paused = true)]
async fn requests_that_start_at_the_end_of_an_idle_time_end_it_once_together() {
    for first in OUTCOMES {
        for second in OUTCOMES {
            let budget = empty();
            advance(IDLE).await;
            let started = Instant::now();
            sleep(secs(1)).await;
            first(&budget, started);
            spend(&budget, 10);
            sleep(secs(1)).await;
            second(&budget, started);
            assert!(!budget.withdraw(Failure::Quick, false));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_takes_longer_than_five_minutes_ends_no_idle_time_late() {
    for outcome in OUTCOMES {
        let budget = empty();
        let started = Instant::now();
        for _ in 0..6 {
            budget.first_attempt(Ending::Success, Instant::now());
            advance(IDLE - TICK).await;
        }
        outcome(&budget, started);
        assert!(!budget.withdraw(Failure::Quick, false));
    }
}

#[tokio::test(start_paused = true)]
async fn requests_every_four_minutes_leave_no_idle_time() {
    for outcome in OUTCOMES {
        let budget = empty();
        for _ in 0..9 {
            advance(secs(4 * 60)).await;
            outcome(&budget, Instant::now());
            assert!(budget.level() < Some(1_000), "seen from outside");
        }
        budget.first_attempt(Ending::Failure, Instant::now());
        assert!(!budget.withdraw(Failure::Quick, true));
    }
}

/// Ticks wrap after 71 weeks.
#[tokio::test(start_paused = true)]
async fn idle_weeks_are_as_idle_minutes_however_many() {
    let week = secs(7 * 24 * 60 * 60);
    for last in OUTCOMES {
        for weeks in (1..150).chain([1_000]) {
            let budget = empty();
            last(&budget, Instant::now());
            advance(week * weeks).await;
            assert_eq!(budget.level(), Some(10_000), "{weeks} weeks");
            budget.first_attempt(Ending::Failure, Instant::now());
            spend(&budget, 10);
            budget.retry(Ending::Failure, Instant::now(), Failure::Quick, || secs(1));
            assert!(!budget.withdraw(Failure::Quick, false), "{weeks} weeks");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn time_gives_nothing_to_a_ratio_or_a_throttle() {
    for budget in [Rule::ratio(0.0), Rule::throttle(20, 0.0)] {
        spend(&budget, 10);
        (0..20).for_each(|_| budget.failed());
        advance(secs(1_000_000)).await;
        assert_eq!(budget.level(), Some(0));
        budget.first_attempt(Ending::Failure, Instant::now());
        budget.retry(Ending::Failure, Instant::now(), Failure::Quick, || secs(1));
        assert_eq!(budget.level(), Some(0));
    }
}

#[test]
fn threads_that_end_an_idle_time_get_one_floor() {
    for _ in 0..20 {
        let budget = empty();
        let later = Instant::now() + IDLE + secs(1);
        let covered = AtomicU64::new(0);
        thread::scope(|scope| {
            for thread in 0..64 {
                let (budget, covered) = (&budget, &covered);
                scope.spawn(move || {
                    OUTCOMES[thread % 4](budget, later);
                    while budget.withdraw(Failure::Quick, false) {
                        covered.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
        });
        // A quarter of the threads have earned a tenth each.
        let taken = covered.into_inner();
        assert!((10..=11).contains(&taken), "{taken}");
    }
}
