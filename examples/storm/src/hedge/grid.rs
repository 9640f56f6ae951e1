//! What is run: each workload with each way to hedge.

use super::{HEDGINGS, Hedging, WORKLOADS, Workload};
use crate::grid::Asked;

/// One run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Job {
    pub workload: &'static Workload,
    pub hedging: Hedging,
}

#[derive(Debug)]
pub struct Grid {
    asked: Asked,
}

impl Grid {
    /// The seed is all that can be asked for.
    pub fn new(asked: Asked) -> Self {
        Self { asked }
    }

    pub fn seed(&self) -> u64 {
        self.asked.seed
    }

    /// All runs, each once.
    pub fn jobs(&self) -> Vec<Job> {
        let jobs = WORKLOADS
            .iter()
            .flat_map(|workload| HEDGINGS.map(|hedging| Job { workload, hedging }));
        jobs.collect()
    }

    /// What to type for the same again, without any other runs.
    pub fn command(&self) -> String {
        self.asked.command(" --hedge")
    }
}
