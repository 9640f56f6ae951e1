//! The simulated replicas.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fastrand::Rng;
use tokio::time::{Instant, sleep_until};

use super::times::{SLOW, whole_millis};
use super::{Balancer, Course, Workload};
use crate::scenario::{WARM_UP, in_fault};

/// How long it takes until all attempts take ten times as long.
const RAMP: Duration = Duration::from_secs(10);

/// All replicas of one service, and the balancer of the clients. Replicas also work on attempts that the
/// client has dropped. The balancer does not count these.
#[derive(Clone)]
pub struct Replicas {
    shared: Arc<Shared>,
}

struct Shared {
    workload: &'static Workload,
    start: Instant,
    state: Mutex<State>,
}

struct State {
    rng: Rng,
    replicas: Vec<Replica>,
}

#[derive(Clone, Copy)]
struct Replica {
    /// When the replica has finished its work, if it works on one attempt at a time.
    free_at: Instant,
    waited_for: usize,
}

/// An attempt that the client still waits for.
struct Waiting {
    shared: Arc<Shared>,
    replica: usize,
}

impl Replicas {
    pub fn start(workload: &'static Workload, rng: Rng) -> Self {
        let start = Instant::now();
        let replica = Replica {
            free_at: start,
            waited_for: 0,
        };
        let count = match workload.course {
            Course::Queues => 20,
            Course::OneSlow(_) => 10,
            Course::Even
            | Course::Misses
            | Course::SlowDown
            | Course::Tenfold
            | Course::BrownOut => 1,
        };
        let state = State {
            rng,
            replicas: vec![replica; count],
        };
        let shared = Shared {
            workload,
            start,
            state: Mutex::new(state),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// Waits until an attempt is answered. A miss takes longer.
    pub async fn answer(&self, is_miss: bool) {
        let (waiting, end) = self.shared.begin(is_miss);
        let waiting = Waiting {
            shared: Arc::clone(&self.shared),
            replica: waiting,
        };
        sleep_until(end).await;
        drop(waiting);
    }
}

impl Shared {
    /// Starts an attempt. Returns which replica works on it, and when it is answered.
    fn begin(&self, is_miss: bool) -> (usize, Instant) {
        let now = Instant::now();
        let course = self.workload.course;
        let mut state = self.lock();
        let State { rng, replicas } = &mut *state;
        let number = match course {
            Course::Queues | Course::OneSlow(Balancer::LeastLoaded) => least_loaded(replicas, rng),
            _ => rng.usize(..replicas.len()),
        };
        let millis = self.workload.times.draw(rng);
        let is_slow = is_miss || matches!(course, Course::OneSlow(_)) && number == 0;
        let times = if is_slow { SLOW } else { self.times(now) };
        let work = whole_millis(millis * times);
        let replica = &mut replicas[number];
        replica.waited_for += 1;
        let begin = match course {
            Course::Queues => replica.free_at.max(now),
            _ => now,
        };
        replica.free_at = begin + work;
        (number, replica.free_at)
    }

    /// Returns the factor by which all attempts take longer now.
    fn times(&self, now: Instant) -> f64 {
        let at = now - self.start;
        match self.workload.course {
            Course::SlowDown if in_fault(at) => SLOW,
            Course::Tenfold => {
                let ramp = at.saturating_sub(WARM_UP).as_secs_f64() / RAMP.as_secs_f64();
                SLOW.powf(ramp.min(1.0))
            }
            _ => 1.0,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.shared.lock().replicas[self.replica].waited_for -= 1;
    }
}

/// Returns a random replica of those with the fewest attempts.
fn least_loaded(replicas: &[Replica], rng: &mut Rng) -> usize {
    let first = rng.usize(..replicas.len());
    let numbers = (0..replicas.len()).map(|number| (first + number) % replicas.len());
    let least = numbers.min_by_key(|&number| replicas[number].waited_for);
    least.unwrap_or(first)
}
