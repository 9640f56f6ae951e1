//! What hedges have earned under threads: every order in which they can meet, on loom's model of memory.
//!
//! The files of what is learned and of the purse are compiled here once more, with loom's atomics and lock
//! in place of std's, and with two buckets. What is not in the model: what is worked out of the times.

#[path = "../../src/hedge"]
mod hedge {
    use std::time::Duration;

    use loom::sync::Arc;
    use loom::thread;
    use tokio::time::Instant;

    use learned::{Learned, Permit, Terms};

    mod control;
    #[allow(
        dead_code,
        reason = "what hedges save, other upstreams, and snapshots are not in the model"
    )]
    mod learned;
    #[allow(dead_code, reason = "snapshots are not in the model")]
    mod purse;

    #[allow(dead_code, reason = "nobody reads what is not in the model")]
    mod snapshot {
        use std::time::Duration;

        pub(super) struct HedgeState {
            pub(super) delay: Option<Duration>,
            pub(super) saved_seconds: Option<f64>,
            pub(super) hedges: f64,
            pub(super) capacity: f64,
        }
    }

    mod buckets {
        use std::time::Duration;

        pub(super) const BUCKETS: usize = 2;

        pub(super) fn bucket(time: Duration) -> usize {
            usize::from(time > Duration::from_secs(1))
        }
    }

    mod survival {
        use std::time::Duration;

        pub(super) struct Times(u32);

        impl Times {
            pub(super) fn new() -> Self {
                Self(0)
            }

            pub(super) fn fade(&mut self, _: f32) {}

            pub(super) fn add(&mut self, _: usize, ended: u32, cut: u32) {
                self.0 += ended + cut;
            }

            pub(super) fn count(&self) -> f32 {
                self.0 as f32
            }

            pub(super) fn exceeded_by(&self, _: f32) -> Duration {
                SECOND
            }
        }

        const SECOND: Duration = Duration::from_secs(1);
    }

    const QUICK: Duration = Duration::from_millis(1);
    const SLOW: Duration = Duration::from_secs(2);

    fn model(check: impl Fn() + Sync + Send + 'static) {
        let mut model = loom::model::Builder::new();
        model.preemption_bound = Some(3);
        model.check(check);
    }

    /// Where each success earns a share of a hedge. The first hedge is there from the start.
    fn learned(extra_load: f64) -> Arc<Learned> {
        Arc::new(Learned::new(Terms {
            extra_load,
            fixed: Some(QUICK),
            withheld: 0.0,
            seed: Some(1),
            ..Terms::default()
        }))
    }

    fn spawn<T: 'static>(
        learned: &Arc<Learned>,
        act: impl FnOnce(&Learned) -> T + 'static,
    ) -> thread::JoinHandle<T> {
        let learned = learned.clone();
        thread::spawn(move || act(&learned))
    }

    /// How many hedges are covered.
    fn hedges(learned: &Learned) -> usize {
        (0..5).filter(|_| is_granted(learned)).count()
    }

    fn is_granted(learned: &Learned) -> bool {
        learned.ask(false) == Permit::Granted
    }

    #[test]
    fn a_success_waits_for_no_lock() {
        model(|| {
            let learned = learned(1.0);
            let held = learned.lock();
            let now = Instant::now();
            let successes = spawn(&learned, move |learned| {
                assert_eq!(learned.delay_at(now), Some(QUICK));
                learned.ended(QUICK);
                learned.cut(SLOW);
            });
            // Were it to wait, it would wait for ever.
            successes.join().unwrap();
            drop(held);
            assert_eq!(hedges(&learned), 2);
        });
    }

    #[test]
    fn each_success_is_earned_once_whoever_looks_meanwhile() {
        model(|| {
            let learned = learned(0.5);
            let later = Instant::now() + SLOW;
            let successes = spawn(&learned, |learned| {
                learned.ended(QUICK);
                learned.ended(SLOW);
            });
            let other = spawn(&learned, move |learned| {
                learned.delay_at(later);
                is_granted(learned)
            });
            let own = usize::from(is_granted(&learned));
            successes.join().unwrap();
            let sent = own + usize::from(other.join().unwrap()) + hedges(&learned);
            assert_eq!(sent, 2);
        });
    }

    #[test]
    fn of_two_threads_that_race_for_the_last_hedge_one_gets_it() {
        model(|| {
            let learned = learned(0.5);
            let other = spawn(&learned, is_granted);
            let own = is_granted(&learned);
            assert_ne!(own, other.join().unwrap());
            assert!(!is_granted(&learned));
        });
    }

    #[test]
    fn of_two_threads_that_look_in_the_same_second_one_works_it_out() {
        model(|| {
            let learned = learned(0.5);
            learned.ended(QUICK);
            learned.ended(QUICK);
            let later = Instant::now() + SLOW;
            let other = spawn(&learned, move |learned| {
                learned.delay_at(later);
            });
            learned.delay_at(later);
            other.join().unwrap();
            assert_eq!(hedges(&learned), 2);
            // And nothing is earned of it again.
            learned.delay_at(later + SLOW);
            assert!(!is_granted(&learned));
        });
    }

    #[test]
    fn who_comes_too_late_to_work_it_out_makes_no_room() {
        model(|| {
            let learned = learned(1.0);
            let now = Instant::now();
            let look = |after: u64| {
                spawn(&learned, move |learned| {
                    learned.delay_at(now + Duration::from_secs(after));
                })
            };
            let (early, late) = (look(2), look(4));
            learned.ended(QUICK);
            early.join().unwrap();
            late.join().unwrap();
            for _ in 0..5 {
                learned.ended(QUICK);
            }
            assert_eq!(hedges(&learned), 3);
        });
    }

    #[test]
    fn a_thread_can_spend_what_its_success_has_earned() {
        model(|| {
            let learned = learned(1.0);
            assert!(is_granted(&learned));
            let later = Instant::now() + SLOW;
            let other = spawn(&learned, move |learned| {
                learned.delay_at(later);
            });
            learned.ended(QUICK);
            assert!(is_granted(&learned));
            other.join().unwrap();
            assert!(!is_granted(&learned));
        });
    }
}
