//! The runs: each workload with each way to hedge.

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
    /// Creates the grid. Only the seed of `asked` is used.
    pub fn new(asked: Asked) -> Self {
        Self { asked }
    }

    pub fn seed(&self) -> u64 {
        self.asked.seed
    }

    /// Returns all runs, each once.
    pub fn jobs(&self) -> Vec<Job> {
        let jobs = WORKLOADS
            .iter()
            .flat_map(|workload| HEDGINGS.map(|hedging| Job { workload, hedging }));
        jobs.collect()
    }

    /// Returns the command line that repeats only these runs.
    pub fn command(&self) -> String {
        self.asked.command(" --hedge")
    }
}
