//! The budget under threads: every order in which they can meet, on loom's model of memory.
//!
//! The files of the bucket and the throttle are compiled here once more, with loom's atomics and lock
//! in place of std's, so that what is checked is what runs. The search is bounded by the number of
//! times that a thread is interrupted (CHESS: most faults show with two). What is not in the model:
//! which stripe a thread gets, and the map of a budget for each authority.

// Here stands what the crate has in these modules, as far as the budget's files use it.
pub(crate) mod sync {
    pub(crate) use std::sync::PoisonError;

    pub(crate) use loom::sync::atomic::{AtomicU32, AtomicU64, Ordering};
    pub(crate) use loom::sync::{Arc, Mutex, MutexGuard};
}

pub(crate) mod striped {
    use std::cell::Cell;

    pub(crate) const STRIPES: usize = 3;

    loom::thread_local! {
        /// The first is what each thread has unless it takes another.
        pub(crate) static OWN: Cell<usize> = Cell::new(0);
    }

    pub(crate) fn own_stripe() -> usize {
        OWN.with(Cell::get)
    }

    pub(crate) fn used_stripes() -> usize {
        STRIPES
    }
}

#[path = "../../src/budget"]
mod budget {
    use std::time::Duration;

    use loom::sync::Arc;
    use loom::thread;
    use tokio::time::Instant;

    use crate::striped::OWN;
    use Failure::{Quick, TimedOut};
    use bucket::{Bucket, Terms};
    use recent::Recent;
    use throttle::Throttle;

    #[allow(dead_code, reason = "a hedge, and a snapshot, ask it how full it is")]
    mod bucket;
    mod recent;
    #[allow(dead_code, reason = "a snapshot asks it how full it can be")]
    mod throttle;

    mod ending {
        pub(super) use super::Failure;
    }

    #[derive(Clone, Copy)]
    enum Failure {
        Quick,
        TimedOut { took: Duration },
    }

    /// What a default budget's first attempt earns, and what comes back for a retry that helped, in
    /// thousandths of a token, as all figures here.
    const EARNED: u64 = 100;
    const BACK: u64 = 1_500;

    fn model(check: impl Fn() + Sync + Send + 'static) {
        let mut model = loom::model::Builder::new();
        model.preemption_bound = Some(3);
        model.check(check);
    }

    /// A bucket of the default budget that has `tokens` of its six left.
    fn bucket(tokens: u64) -> Arc<Bucket> {
        let bucket = Bucket::new(Terms::earning(2), 6);
        for _ in tokens..6 {
            assert!(bucket.withdraw(Quick, false));
        }
        Arc::new(bucket)
    }

    fn spawn(bucket: &Arc<Bucket>, act: impl FnOnce(&Bucket) + 'static) -> thread::JoinHandle<()> {
        let bucket = bucket.clone();
        thread::spawn(move || act(&bucket))
    }

    fn join<const N: usize>(threads: [thread::JoinHandle<()>; N]) {
        for thread in threads {
            thread.join().unwrap();
        }
    }

    #[test]
    fn what_threads_earn_on_one_stripe_or_on_two_is_all_there() {
        for stripe in [0, 1] {
            model(move || {
                let bucket = bucket(2);
                let first = spawn(&bucket, |bucket| {
                    bucket.first_attempt(true, Instant::now());
                    bucket.first_attempt(true, Instant::now());
                });
                let second = spawn(&bucket, move |bucket| {
                    OWN.with(|own| own.set(stripe));
                    bucket.first_attempt(true, Instant::now());
                    bucket.retry_served(Instant::now(), Quick, || Duration::ZERO);
                });
                // Somebody looks meanwhile, and so takes what was put aside.
                let seen = bucket.level();
                join([first, second]);
                let level = bucket.level();
                assert_eq!(level, 2_000 + 3 * EARNED + BACK);
                assert!((2_000..=level).contains(&seen));
            });
        }
    }

    #[test]
    fn of_two_threads_that_race_for_the_last_token_one_gets_it() {
        model(|| {
            let bucket = bucket(1);
            let threads = [0, 1].map(|_| {
                let bucket = bucket.clone();
                thread::spawn(move || bucket.withdraw(Quick, false))
            });
            let covered = threads.map(|thread| thread.join().unwrap());
            assert_eq!(covered.iter().filter(|covered| **covered).count(), 1);
            assert_eq!(bucket.level(), 0);
        });
    }

    #[test]
    fn a_thread_can_spend_what_it_has_earned_whoever_looks_meanwhile() {
        model(|| {
            let bucket = bucket(0);
            let earner = spawn(&bucket, |bucket| {
                bucket.retry_served(Instant::now(), Quick, || Duration::ZERO);
                assert!(bucket.withdraw(Quick, false), "its own token is not there");
            });
            // Takes what the other has put aside, or not yet, or nothing any more.
            let seen = bucket.level();
            assert!([0, BACK, BACK - 1_000].contains(&seen), "{seen}");
            join([earner]);
            assert_eq!(bucket.level(), BACK - 1_000);
        });
    }

    #[test]
    fn what_is_paid_and_what_is_earned_add_up() {
        model(|| {
            let bucket = bucket(3);
            let payer = spawn(&bucket, |bucket| {
                let took = Duration::from_secs(1);
                assert!(bucket.withdraw(TimedOut { took }, false));
                bucket.retry_served(Instant::now(), TimedOut { took }, || took);
            });
            let earner = spawn(&bucket, |bucket| {
                OWN.with(|own| own.set(1));
                bucket.first_attempt(true, Instant::now());
                bucket.first_attempt(false, Instant::now());
            });
            assert!(bucket.withdraw(Quick, false));
            join([payer, earner]);
            assert_eq!(bucket.level(), EARNED);
        });
    }

    #[test]
    fn a_success_waits_for_no_lock() {
        model(|| {
            let bucket = bucket(2);
            let held = bucket.settled();
            let earner = spawn(&bucket, |bucket| {
                bucket.first_attempt(true, Instant::now());
                bucket.retry_served(Instant::now(), Quick, || Duration::ZERO);
            });
            // Were it to wait, it would wait for ever.
            join([earner]);
            drop(held);
            assert_eq!(bucket.level(), 2_000 + EARNED + BACK);
        });
    }

    #[test]
    fn of_two_threads_that_end_an_idle_time_one_brings_the_floor_back() {
        let later = Instant::now() + Duration::from_secs(10 * 60);
        for is_served in [true, false] {
            model(move || {
                let bucket = bucket(0);
                let end = move |bucket: &Bucket| {
                    bucket.first_attempt(is_served, later);
                    let took = Duration::from_secs(1);
                    u64::from(bucket.withdraw(TimedOut { took }, false)) * 2_000
                };
                let other = {
                    let bucket = bucket.clone();
                    thread::spawn(move || {
                        OWN.with(|own| own.set(1));
                        end(&bucket)
                    })
                };
                let paid = end(&bucket) + other.join().unwrap();
                let all = paid + bucket.level();
                assert!((6_000..=6_000 + 2 * EARNED).contains(&all), "{all}");
            });
        }
    }

    #[test]
    fn what_is_earned_meanwhile_is_not_lost_to_the_end_of_an_idle_time() {
        model(|| {
            let bucket = bucket(0);
            let later = Instant::now() + Duration::from_secs(10 * 60);
            let earner = spawn(&bucket, move |bucket| {
                bucket.retry_served(later, Quick, || Duration::ZERO);
            });
            bucket.retry_failed(later);
            let paid = (0..4).filter(|_| bucket.withdraw(Quick, false)).count();
            join([earner]);
            let all = 1_000 * paid as u64 + bucket.level();
            // What was earned before the others were spent found no room.
            assert!((6_000..=6_000 + BACK).contains(&all), "{all}");
        });
    }

    #[test]
    fn of_a_burst_half_of_the_tokens_go_to_first_retries() {
        model(|| {
            let bucket = bucket(6);
            let begin = |bucket: &Bucket| (0..3).filter(|_| bucket.withdraw(Quick, true)).count();
            let other = {
                let bucket = bucket.clone();
                thread::spawn(move || begin(&bucket))
            };
            let begun = begin(&bucket) + other.join().unwrap();
            assert_eq!((begun, bucket.level()), (3, 3_000));
        });
    }

    #[test]
    fn a_ratio_earns_from_each_request_once() {
        model(|| {
            let bucket = Arc::new(Bucket::new(Terms::ratio(300), 1));
            assert!(bucket.withdraw(Quick, false));
            let earner = spawn(&bucket, |bucket| {
                bucket.first_attempt(false, Instant::now());
                bucket.retry_served(Instant::now(), Quick, || Duration::ZERO);
            });
            bucket.first_attempt(true, Instant::now());
            assert!(!bucket.withdraw(Quick, false));
            join([earner]);
            assert_eq!(bucket.level(), 600);
        });
    }

    #[test]
    fn a_full_bucket_stays_full_and_no_fuller() {
        model(|| {
            let bucket = bucket(6);
            let earner = || spawn(&bucket, |bucket| bucket.first_attempt(true, Instant::now()));
            let first = earner();
            assert_eq!(bucket.level(), 6_000);
            join([first]);
            let second = earner();
            assert!(bucket.withdraw(Quick, false));
            join([second]);
            // What was earned before the withdrawal found no room.
            assert!([5_000, 5_000 + EARNED].contains(&bucket.level()));
        });
    }

    #[test]
    fn what_two_threads_count_on_one_stripe_is_all_counted() {
        model(|| {
            let recent = Arc::new(Recent::new(0));
            let now = Instant::now();
            let other = {
                let recent = recent.clone();
                thread::spawn(move || recent.earn_first(1, now))
            };
            recent.earn_first(1, now);
            other.join().unwrap();
            assert_eq!((recent.times(1, now), recent.take_earned()), (2, 2));
        });
    }

    #[test]
    fn the_throttle_counts_each_failure_and_each_success() {
        model(|| {
            let throttle = Arc::new(Throttle::new(10_000, 500));
            throttle.failure();
            let act = |act: fn(&Throttle)| {
                let throttle = throttle.clone();
                thread::spawn(move || act(&throttle))
            };
            let threads = [
                act(|throttle| {
                    throttle.failure();
                    throttle.success();
                }),
                act(Throttle::failure),
            ];
            throttle.success();
            assert!(throttle.allows());
            join(threads);
            assert_eq!(throttle.level(), 8_000);
        });
    }

    #[test]
    fn the_throttle_never_holds_more_than_its_tokens() {
        model(|| {
            let throttle = Arc::new(Throttle::new(2_000, 900));
            throttle.failure();
            let other = {
                let throttle = throttle.clone();
                thread::spawn(move || throttle.success())
            };
            throttle.success();
            assert!(throttle.level() <= 2_000);
            other.join().unwrap();
            assert_eq!(throttle.level(), 2_000);
        });
    }
}
