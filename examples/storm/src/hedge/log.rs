//! The record of a run.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::Workload;
use super::figures::measured;
use super::histogram::Histogram;
use crate::scenario::{FAULT, WARM_UP};
use crate::simulation::{add, slot};

/// The numbers of events in each slot, and the times of requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Requests that started.
    pub started: Vec<u32>,
    /// Those of them that succeeded, however late, in the slot of their start.
    pub answered: Vec<u32>,
    /// Attempts that were sent.
    pub sent: Vec<u32>,
    /// How long the successful requests took that started in the measured time.
    pub took: Histogram,
    /// The same during the warm-up.
    pub usually_took: Histogram,
}

#[derive(Clone)]
pub struct Log {
    shared: Arc<Shared>,
}

struct Shared {
    start: Instant,
    workload: &'static Workload,
    record: Mutex<Record>,
}

/// Returns for how long requests are sent.
pub fn sending(workload: &Workload) -> Duration {
    match workload.course.has_fault() {
        true => WARM_UP + FAULT + workload.watched,
        false => WARM_UP + workload.watched,
    }
}

impl Log {
    pub fn start(workload: &'static Workload) -> Self {
        let none = vec![0; slot(sending(workload))];
        let record = Record {
            started: none.clone(),
            answered: none.clone(),
            sent: none,
            took: Histogram::default(),
            usually_took: Histogram::default(),
        };
        let shared = Shared {
            start: Instant::now(),
            workload,
            record: Mutex::new(record),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// Returns the time since the start.
    pub fn now(&self) -> Duration {
        self.shared.start.elapsed()
    }

    /// Records the start of a request, and returns its time.
    pub fn request_started(&self) -> Duration {
        let now = self.now();
        add(&mut self.record().started, now);
        now
    }

    pub fn request_answered(&self, start: Duration) {
        let took = self.now() - start;
        let mut record = self.record();
        add(&mut record.answered, start);
        if start < WARM_UP {
            record.usually_took.add(took);
        }
        if measured(self.shared.workload).contains(&start) {
            record.took.add(took);
        }
    }

    pub fn attempt_sent(&self) {
        let now = self.now();
        add(&mut self.record().sent, now);
    }

    pub fn record(&self) -> MutexGuard<'_, Record> {
        let record = self.shared.record.lock();
        record.unwrap_or_else(PoisonError::into_inner)
    }
}
