//! Random sequences of events: no request is forgotten, none overtakes another, and no more are sent than
//! allowed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Wake;

use fastrand::Rng;

use super::super::said::{Said, Terms};
use super::*;

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

const PATIENT: Patience = Patience {
    max_hold: Duration::MAX,
    max_waiting: usize::MAX,
    until: None,
};

#[derive(Default)]
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A waiting request.
struct Waiter {
    ticket: Option<Ticket>,
    patience: Patience,
    flag: Arc<Flag>,
    /// When the request calls `look` again without being woken.
    timer: Option<Instant>,
}

/// The state under test, the waiting requests in order of arrival, and the requests in flight.
struct World {
    state: State,
    rng: Rng,
    start: Instant,
    now: Instant,
    waiters: BTreeMap<u32, Waiter>,
    under_way: Vec<(Instant, Option<u32>)>,
    success: Option<Instant>,
    came: u32,
    /// How many requests were sent in this round of slow start, and how many were allowed.
    round: u32,
    went: u64,
    allowed: u64,
}

impl World {
    fn new(seed: u64) -> Self {
        let now = Instant::now();
        Self {
            state: State::new(),
            rng: Rng::with_seed(seed),
            start: now,
            now,
            waiters: BTreeMap::new(),
            under_way: Vec::new(),
            success: None,
            came: 0,
            round: 0,
            went: 0,
            allowed: 0,
        }
    }

    /// Does what `Turn` does: calls `look` for requests that are woken or whose timers have fired.
    fn settle(&mut self) {
        loop {
            for waker in self.state.take_aside().into_iter().next().unwrap() {
                waker.wake();
            }
            let now = self.now;
            let is_due = |waiter: &Waiter| {
                let is_time = waiter.timer.is_some_and(|time| time <= now);
                waiter.flag.0.swap(false, Ordering::Relaxed) || is_time
            };
            let Some((&number, _)) = self.waiters.iter().find(|(_, waiter)| is_due(waiter)) else {
                return;
            };
            let waiter = self.waiters.remove(&number).unwrap();
            self.look(number, waiter);
        }
    }

    fn look(&mut self, number: u32, mut waiter: Waiter) {
        let waker = Waker::from(waiter.flag.clone());
        let held = match &self.state.phase {
            Phase::Holding { opens, .. } => Some(*opens),
            _ => None,
        };
        match self
            .state
            .look(&mut waiter.ticket, self.now, &waiter.patience, &waker)
        {
            Look::Go(round) => {
                assert!(held.is_none_or(|opens| opens <= self.now), "it is held");
                if let Some(round) = round {
                    let before = self.waiters.first_key_value();
                    assert!(
                        before.is_none_or(|(first, _)| *first > number),
                        "it overtook"
                    );
                    self.went_in(round);
                }
                assert_eq!(waiter.ticket, None);
                assert!(self.state.stands(round));
                self.under_way.push((self.now, round));
            }
            Look::Refused { left } => {
                let Patience {
                    max_hold,
                    max_waiting,
                    until,
                } = waiter.patience;
                let is_late = until.is_some_and(|until| later(self.now, left) >= until);
                let is_crowded = self.state.waiting() >= max_waiting;
                assert!(left > max_hold || is_late || is_crowded);
                assert_eq!(waiter.ticket, None);
            }
            Look::Wait(change) => {
                assert!(change > self.now, "no time for others");
                waiter.timer = Some(change);
                self.waiters.insert(number, waiter);
            }
        }
    }

    /// Counts a request sent in a slow start. The first one is allowed; outcomes and time allow others.
    fn went_in(&mut self, round: u32) {
        if round != self.round {
            (self.round, self.went, self.allowed) = (round, 0, 1);
        }
        self.went += 1;
        assert!(
            self.went <= self.allowed,
            "{} of {}",
            self.went,
            self.allowed
        );
    }

    fn come(&mut self) {
        self.came += 1;
        let patience = match self.rng.u8(..4) {
            0 => Patience {
                max_hold: millis(self.rng.u64(..10_000)),
                max_waiting: self.rng.usize(..20),
                until: Some(self.now + millis(self.rng.u64(1..20_000))),
            },
            _ => PATIENT,
        };
        let waiter = Waiter {
            ticket: None,
            patience,
            flag: Arc::default(),
            timer: None,
        };
        self.look(self.came, waiter);
    }

    /// Reports a random outcome of one of the requests in flight.
    fn come_back(&mut self) {
        let (sent, round) = self
            .under_way
            .swap_remove(self.rng.usize(..self.under_way.len()));
        let said = match self.rng.u8(..4) {
            0 if self.rng.bool() => Said::Nothing,
            0 => Said::Answered { remaining: None },
            1 => Said::Throttled {
                asked: self.rng.bool().then(|| millis(self.rng.u64(1..8_000))),
            },
            _ => Said::Served {
                remaining: self.rng.bool().then(|| self.rng.u64(..6)),
            },
        };
        let mut spread = |wait: Duration| wait / 8;
        let mut terms = Terms {
            longest: secs(60),
            spread: &mut spread,
        };
        let now = self.now;
        if self.rng.u8(..20) == 0 {
            let wait = millis(self.rng.u64(1..8_000));
            self.state.exhausted(now, sent, wait, &mut terms);
        } else if let Said::Throttled { asked } = said {
            let success = self.success;
            self.state.refused(now, sent, asked, success, &mut terms);
        }
        if let Said::Served { .. } = said {
            self.success = Some(now);
            self.state.served(now, sent);
        }
        if let Some(round) = round {
            if round == self.round {
                self.allowed += match said {
                    Said::Served { .. } | Said::Answered { .. } => 2,
                    Said::Throttled { .. } | Said::Nothing => 1,
                };
            }
            self.state.came_back(round, said, now, secs(60));
        }
    }

    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        // The clock advances from timer to timer.
        loop {
            let timers = self.waiters.values().filter_map(|waiter| waiter.timer);
            let next = timers.min().filter(|next| *next <= end);
            self.now = next.map_or(end, |next| next.max(self.now));
            if let Phase::SlowStart(start) = &self.state.phase {
                self.allowed += start.impatience(self.now);
            }
            self.settle();
            if next.is_none() {
                return;
            }
        }
    }

    fn step(&mut self) {
        match self.rng.u8(..40) {
            0 => {
                self.state.hold_for(self.now, millis(self.rng.u64(..9_000)));
                let mut earlier = self.under_way.iter();
                assert!(!earlier.any(|(_, round)| self.state.stands(*round)));
            }
            1 => {
                self.state.release(self.now);
                // It allows one more request, if none is allowed.
                self.allowed += 1;
            }
            2..=4 => {
                let waiting: Vec<_> = self.waiters.keys().copied().collect();
                if let Some(number) = self.rng.choice(waiting) {
                    let mut waiter = self.waiters.remove(&number).unwrap();
                    self.state.leave(&mut waiter.ticket);
                }
            }
            5..=14 if !self.under_way.is_empty() => self.come_back(),
            15..=20 => {
                let time = millis(self.rng.u64(..2_000));
                self.pass(time);
            }
            _ => self.come(),
        }
        self.settle();
        let waiting = self
            .waiters
            .values()
            .filter(|waiter| waiter.ticket.is_some());
        assert_eq!(waiting.count(), self.state.waiting());
        assert!(!self.state.is_open() || self.state.waiting() == 0);
        if let Phase::SlowStart(start) = &self.state.phase {
            // The first request waits only if none may be sent.
            assert!(!start.may_go() || self.waiters.is_empty());
        }
    }
}

#[test]
fn whatever_comes_none_overtakes_and_no_more_go_than_may() {
    for seed in 0..1_500 {
        let mut world = World::new(seed);
        for _ in 0..200 {
            world.step();
        }
    }
}

#[test]
fn whatever_came_all_go_if_nothing_comes_back_any_more() {
    for seed in 0..500 {
        let mut world = World::new(seed);
        for _ in 0..200 {
            world.step();
        }
        let rounds = world.start + secs(4_000);
        while !world.waiters.is_empty() {
            assert!(
                world.now < rounds,
                "seed {seed}: {} wait",
                world.waiters.len()
            );
            world.pass(secs(1));
        }
    }
}

#[test]
fn a_time_that_no_clock_can_tell_is_far_away() {
    let mut state = State::new();
    let now = Instant::now();
    state.hold_for(now, Duration::MAX);
    assert!(state.left(now) > Some(secs(900_000_000)));
    state.hold_for(now, Duration::MAX);
    let mut spread = |wait| wait;
    let mut terms = Terms {
        longest: Duration::MAX,
        spread: &mut spread,
    };
    state.exhausted(now, now, Duration::MAX, &mut terms);
    for _ in 0..20 {
        let asked = Some(Duration::MAX);
        state.refused(now + secs(1), now + secs(1), asked, None, &mut terms);
    }
    assert!(state.left(now) > Some(secs(900_000_000)));
}
