use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use tokio::time::{Instant, advance};

use super::*;

mod burst;
mod idle;
mod kinds;

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

const fn timed_out(after: u64) -> Failure {
    Failure::TimedOut { took: secs(after) }
}

fn succeed(budget: &Rule, count: usize) {
    for _ in 0..count {
        budget.first_attempt(Ending::Success, Instant::now());
    }
}

/// Withdraws `count` quick retries, and fails if one is not covered.
fn spend(budget: &Rule, count: usize) {
    for _ in 0..count {
        assert!(budget.withdraw(Failure::Quick, false));
    }
}

#[test]
fn it_starts_with_six_tokens_or_two_for_each_retry() {
    for (max_retries, tokens) in [
        (0, 6),
        (3, 6),
        (4, 8),
        (5, 10),
        (50, 100),
        (500, 1_000),
        (u32::MAX, 1_000),
    ] {
        let level = Rule::earning(max_retries).level();
        assert_eq!(level, Some(tokens * 1_000), "{max_retries} retries");
    }
}

#[test]
fn a_fresh_one_covers_five_retries_even_through_time_outs_and_no_sixth() {
    let budget = Rule::earning(5);
    for _ in 0..5 {
        assert!(budget.withdraw(timed_out(10), false));
    }
    assert_eq!(budget.level(), Some(0));
    assert!(!budget.withdraw(Failure::Quick, false));
    assert!(!budget.withdraw(timed_out(10), false));
    assert_eq!(budget.level(), Some(0), "what is not covered takes nothing");
}

#[test]
fn a_quick_retry_costs_one_and_one_after_a_time_out_two() {
    let budget = Rule::earning(5);
    assert!(budget.withdraw(Failure::Quick, false));
    assert_eq!(budget.level(), Some(9_000));
    assert!(budget.withdraw(timed_out(1), false));
    assert_eq!(budget.level(), Some(7_000));
    spend(&budget, 6);
    assert!(
        !budget.withdraw(timed_out(1), false),
        "one token is less than two"
    );
    assert!(budget.withdraw(Failure::Quick, false));
}

#[test]
fn a_first_attempt_that_succeeds_earns_a_tenth_and_one_that_fails_nothing() {
    let budget = Rule::earning(5);
    spend(&budget, 5);
    succeed(&budget, 1);
    assert_eq!(budget.level(), Some(5_100));
    succeed(&budget, 9);
    assert_eq!(budget.level(), Some(6_000));
    budget.first_attempt(Ending::Failure, Instant::now());
    budget.failed();
    assert_eq!(budget.level(), Some(6_000));
}

#[test]
fn a_quick_retry_that_succeeds_gives_one_and_a_half_back() {
    let budget = Rule::earning(5);
    spend(&budget, 5);
    budget.retry(Ending::Success, Instant::now(), Failure::Quick, || secs(99));
    assert_eq!(budget.level(), Some(6_500));
}

#[test]
fn a_retry_after_a_time_out_gives_four_back_only_in_half_the_time() {
    for (took, level) in [(0, 9_000), (5, 9_000), (6, 5_000), (10, 5_000)] {
        let budget = Rule::earning(5);
        spend(&budget, 5);
        budget.retry(Ending::Success, Instant::now(), timed_out(10), || {
            secs(took)
        });
        assert_eq!(budget.level(), Some(level), "a success after {took} s");
    }
}

#[tokio::test(start_paused = true)]
async fn it_holds_a_twentieth_for_each_recent_success_and_they_fade_in_ten_seconds() {
    let budget = Rule::earning(5);
    succeed(&budget, 200);
    assert_eq!(budget.level(), Some(10_000), "200 successes are worth ten");
    succeed(&budget, 800);
    assert_eq!(budget.level(), Some(50_000));
    advance(secs(10)).await;
    let faded = budget.level().unwrap();
    let exact = (50_000.0 * (-1.0_f64).exp()) as u64;
    assert!(faded.abs_diff(exact) <= 5, "{faded} of {exact} thousandths");
    advance(secs(1_000)).await;
    assert_eq!(budget.level(), Some(10_000));
    advance(secs(100_000)).await;
    assert_eq!(budget.level(), Some(10_000));
}

/// A budget that stepped through the idle time in slots, for example of 100 ms, would take hours.
#[tokio::test(start_paused = true)]
async fn after_an_idle_week_it_is_there_at_once_and_holds_its_floor() {
    let week = secs(7 * 24 * 60 * 60);
    for rule in [Rule::earning(5), Rule::ratio(0.1)] {
        for _ in 0..30 {
            succeed(&rule, 1_000);
            assert!(rule.level() > Some(45_000));
            for _ in 0..100 {
                rule.first_attempt(Ending::Failure, Instant::now());
            }
            advance(week).await;
            assert_eq!(rule.level(), Some(10_000));
        }
        // Years, in which the ticks wrap.
        for weeks in (1..60).chain([1; 1_000]) {
            advance(week * weeks).await;
            succeed(&rule, 1_000);
            advance(week * weeks).await;
            assert_eq!(rule.level(), Some(10_000), "{weeks} weeks");
            rule.retry(Ending::Success, Instant::now(), Failure::Quick, || secs(1));
            assert!(rule.withdraw(Failure::Quick, false));
            rule.first_attempt(Ending::Success, Instant::now());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_took_long_leaves_the_others_as_recent_as_they_are() {
    let budget = Rule::earning(5);
    let start = Instant::now();
    for took in [1, 60, 60 * 60, 7 * 24 * 60 * 60] {
        advance(secs(took)).await;
        succeed(&budget, 1_000);
        budget.first_attempt(Ending::Success, start);
        assert_eq!(budget.level(), Some(50_050), "after {took} seconds");
        advance(secs(1_000)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_retry_that_succeeds_counts_as_a_recent_success() {
    let budget = Rule::earning(5);
    succeed(&budget, 201);
    let full = budget.level().unwrap();
    budget.retry(Ending::Success, Instant::now(), Failure::Quick, || secs(1));
    assert_eq!(budget.level(), Some(full + 50));
}

/// `Bucket` adds earned tokens only when the level is read. This model adds them immediately.
struct Eager {
    level: u64,
    recent: f64,
    at: Instant,
}

impl Eager {
    fn succeed(&mut self, thousandths: u64) {
        self.fade();
        self.recent += 1.0;
        self.add(thousandths);
    }

    fn fade(&mut self) {
        self.recent *= (-self.at.elapsed().as_secs_f64() / 10.0).exp();
        self.at = Instant::now();
        self.add(0);
    }

    fn add(&mut self, thousandths: u64) {
        let capacity = 10_000.max((self.recent * 50.0) as u64);
        self.level = (self.level + thousandths).min(capacity);
    }
}

#[tokio::test(start_paused = true)]
async fn to_count_and_add_later_comes_to_the_same_as_to_add_at_once() {
    for seed in 0..200 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let budget = Rule::earning(5);
        let mut eager = Eager {
            level: 10_000,
            recent: 0.0,
            at: Instant::now(),
        };
        for _ in 0..60 {
            match rng.u32(0..4) {
                0 => {
                    for _ in 0..rng.u32(1..200) {
                        succeed(&budget, 1);
                        eager.succeed(100);
                    }
                }
                1 => {
                    advance(Duration::from_millis(rng.u64(0..800) * 10)).await;
                    eager.fade();
                }
                2 => {
                    eager.fade();
                    let covered = budget.withdraw(Failure::Quick, false);
                    let expected = eager.level >= 1_000;
                    // Within the rounding error of the fading, both are correct.
                    assert!(covered == expected || eager.level.abs_diff(1_000) < 100);
                    eager.level -= if covered { 1_000.min(eager.level) } else { 0 };
                }
                _ => {
                    budget.retry(Ending::Success, Instant::now(), Failure::Quick, || secs(1));
                    eager.succeed(1_500);
                }
            }
        }
        eager.fade();
        let level = budget.level().unwrap();
        assert!(
            level.abs_diff(eager.level) <= 100,
            "seed {seed}: {level} and {}",
            eager.level
        );
    }
}

#[test]
fn sixty_four_threads_lose_and_invent_no_tokens() {
    let budget = Rule::earning(100_000);
    let start = budget.level().unwrap();
    let paid = AtomicU64::new(0);
    thread::scope(|scope| {
        for thread in 0..64 {
            let (budget, paid) = (&budget, &paid);
            scope.spawn(move || {
                for round in 0..1_000 {
                    let failure = if (thread + round) % 2 == 0 {
                        Failure::Quick
                    } else {
                        timed_out(1)
                    };
                    if budget.withdraw(failure, false) {
                        let cost = if failure == Failure::Quick {
                            1_000
                        } else {
                            2_000
                        };
                        paid.fetch_add(cost, Ordering::Relaxed);
                    }
                    budget.first_attempt(Ending::Success, Instant::now());
                }
            });
        }
    });
    let earned = 64 * 1_000 * 100;
    let expected = start + earned - paid.load(Ordering::Relaxed);
    assert_eq!(budget.level(), Some(expected));
}

#[test]
fn threads_that_race_for_the_last_tokens_take_each_once() {
    for _ in 0..20 {
        let budget = Rule::earning(5);
        let covered = AtomicU64::new(0);
        thread::scope(|scope| {
            for _ in 0..64 {
                scope.spawn(|| {
                    if budget.withdraw(Failure::Quick, false) {
                        covered.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
        });
        assert_eq!(covered.into_inner(), 10);
        assert_eq!(budget.level(), Some(0));
    }
}
