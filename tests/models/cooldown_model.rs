//! A cooldown under threads: every order in which they can meet, on loom's model of memory.
//!
//! The files of the gate and its state are compiled here once more, with loom's atomics and lock in
//! place of std's, so that what is checked is what runs.

#[path = "../../src/cooldown"]
mod cooldown {
    use std::sync::Arc as StdArc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::task::{Wake, Waker};
    use std::time::Duration;

    use loom::sync::Arc;
    use loom::sync::atomic::AtomicU64;
    use loom::thread;
    use tokio::time::Instant;

    use gate::Gate;
    use look::{Look, Patience};
    use said::{Said, Terms};

    mod belief;
    #[allow(dead_code, reason = "snapshots are not in the model")]
    mod gate;
    mod look;
    mod queue;
    mod row;
    mod said;
    mod slow_start;
    #[allow(dead_code, reason = "snapshots are not in the model")]
    mod state;

    #[allow(dead_code, reason = "nobody reads what is not in the model")]
    mod snapshot {
        use std::time::Duration;

        pub(super) struct CooldownState {
            pub(super) phase: CooldownPhase,
            pub(super) left: Option<Duration>,
            pub(super) waiting: usize,
        }

        pub(super) enum CooldownPhase {
            Open,
            Holding,
            SlowStart,
        }
    }

    const PATIENT: Patience = Patience {
        max_hold: Duration::MAX,
        max_waiting: usize::MAX,
        until: None,
    };

    const SECOND: Duration = Duration::from_secs(1);

    fn model(check: impl Fn() + Sync + Send + 'static) {
        let mut model = loom::model::Builder::new();
        model.preemption_bound = Some(3);
        model.check(check);
    }

    #[derive(Default)]
    struct Flag(AtomicBool);

    impl Wake for Flag {
        fn wake(self: StdArc<Self>) {
            self.0.store(true, Ordering::SeqCst);
        }
    }

    struct World {
        gate: Gate,
        shut: Arc<AtomicU64>,
        now: Instant,
    }

    impl World {
        fn new() -> Arc<Self> {
            let (now, shut) = (Instant::now(), Arc::new(AtomicU64::new(0)));
            let gate = Gate::new(now, shut.clone());
            Arc::new(Self { gate, shut, now })
        }

        /// Requests were held until now: one may go.
        fn slow_start() -> Arc<Self> {
            let world = Self::new();
            let before = world.now - SECOND;
            world.gate.with(|state| state.hold_for(before, SECOND));
            world
        }

        fn look(&self, waker: &Waker) -> Look {
            let look = |state: &mut state::State| state.look(&mut None, self.now, &PATIENT, waker);
            self.gate.with(look)
        }

        fn came_back(&self, look: &Look, said: Said) {
            if let Look::Go(Some(round)) = look {
                self.gate
                    .with(|state| state.came_back(*round, said, self.now, SECOND));
            }
        }

        fn shut(&self) -> u64 {
            self.shut.load(loom::sync::atomic::Ordering::SeqCst)
        }
    }

    fn spawn<T: 'static>(
        world: &Arc<World>,
        act: impl FnOnce(&World) -> T + 'static,
    ) -> thread::JoinHandle<T> {
        let world = world.clone();
        thread::spawn(move || act(&world))
    }

    /// A request that looks, on a thread of its own.
    struct Looking {
        flag: StdArc<Flag>,
        look: thread::JoinHandle<Look>,
    }

    impl Looking {
        fn spawn(world: &Arc<World>) -> Self {
            let flag = StdArc::<Flag>::default();
            let waker = Waker::from(flag.clone());
            let look = spawn(world, move |world| world.look(&waker));
            Self { flag, look }
        }

        /// What it was told, unless it is woken to look again.
        fn told(self) -> Option<Look> {
            let look = self.look.join().unwrap();
            (!self.flag.0.load(Ordering::SeqCst)).then_some(look)
        }
    }

    const SERVED: Said = Said::Served { remaining: None };

    #[test]
    fn of_requests_that_race_for_the_first_place_one_goes() {
        model(|| {
            let world = World::slow_start();
            let went = |world: &World| matches!(world.look(Waker::noop()), Look::Go(Some(_)));
            let other = spawn(&world, went);
            assert_ne!(went(&world), other.join().unwrap());
        });
    }

    #[test]
    fn a_request_that_waits_as_another_comes_back_is_woken() {
        for said in [SERVED, Said::Nothing] {
            model(move || {
                let world = World::slow_start();
                let first = world.look(Waker::noop());
                let second = Looking::spawn(&world);
                world.came_back(&first, said);
                let told = second.told();
                assert!(matches!(told, None | Some(Look::Go(_))), "{told:?}");
            });
        }
    }

    #[test]
    fn a_request_that_waits_as_it_is_released_is_woken() {
        model(|| {
            let world = World::new();
            let now = world.now;
            world.gate.with(|state| state.hold_for(now, SECOND));
            let waiter = Looking::spawn(&world);
            world.gate.with(|state| state.release(now));
            let told = waiter.told();
            assert!(matches!(told, None | Some(Look::Go(None))), "{told:?}");
        });
    }

    #[test]
    fn how_many_are_shut_is_right_in_the_end() {
        model(|| {
            let world = World::new();
            let now = world.now;
            let other = spawn(&world, move |world| {
                world.gate.with(|state| state.hold_for(now, SECOND));
            });
            world.gate.with(|state| state.hold_for(now, SECOND));
            world.gate.with(|state| state.release(now));
            other.join().unwrap();
            let is_open = world.gate.is_open();
            assert_eq!(world.shut(), u64::from(!is_open));
            assert_eq!(world.gate.with(|state| state.is_open()), is_open);
        });
    }

    #[test]
    fn a_gate_that_goes_is_not_counted() {
        model(|| {
            for is_held in [true, false] {
                let (now, shut) = (Instant::now(), Arc::new(AtomicU64::new(5)));
                let gate = Gate::new(now, shut.clone());
                if is_held {
                    gate.with(|state| state.hold_for(now, SECOND));
                }
                drop(gate);
                assert_eq!(shut.load(loom::sync::atomic::Ordering::SeqCst), 5);
            }
        });
    }

    #[test]
    fn the_latest_of_two_successes_is_noted() {
        model(|| {
            let world = World::new();
            let (earlier, later) = (world.now + SECOND, world.now + 2 * SECOND);
            let other = spawn(&world, move |world| world.gate.served(later, later));
            world.gate.served(earlier, earlier);
            other.join().unwrap();
            assert_eq!(world.gate.last_success(), Some(later));
        });
    }

    #[test]
    fn a_success_waits_for_no_lock_while_nothing_is_asked_for() {
        model(|| {
            let world = World::new();
            let now = world.now;
            world.gate.with(|_| {
                // Were it to wait, it would wait for ever.
                spawn(&world, move |world| world.gate.served(now, now))
                    .join()
                    .unwrap();
            });
            assert_eq!(world.gate.last_success(), Some(now));
        });
    }

    #[test]
    fn a_success_that_meets_a_refusal_is_heard_or_was_before_it() {
        model(|| {
            let world = World::new();
            let now = world.now;
            // Sent before the refusal: it does not say that the refusal was not true.
            let other = spawn(&world, move |world| world.gate.served(now + SECOND, now));
            world.gate.with(|state| {
                let mut spread = |_| Duration::ZERO;
                let mut terms = Terms {
                    longest: Duration::MAX,
                    spread: &mut spread,
                };
                let asked = Some(60 * SECOND);
                state.refused(now + SECOND, now, asked, None, &mut terms)
            });
            other.join().unwrap();
            // One that is sent after it does, whatever the two did.
            let sent = now + 2 * SECOND;
            world.gate.served(sent, sent);
            assert!(!world.gate.with(|state| state.needs_successes()));
        });
    }
}
