//! The runs: each quota with each manner, under the loads of the quota.

use super::simulation::SURPLUS;
use super::{MANNERS, Manner, QUOTAS, Quota};
use crate::grid::{Asked, each_with_each, non_empty};
use crate::simulation::Load;

pub const CLIENTS: [usize; 4] = [1, 10, 100, 1_000];

/// The default loads of a shared limit.
pub const SHARES: [f64; 2] = [0.8, 0.9];

/// One run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Job {
    pub quota: &'static Quota,
    pub manner: Manner,
    pub load: Load,
}

#[derive(Debug)]
pub struct Grid {
    asked: Asked,
}

impl Grid {
    /// Creates the grid. Only the seed, the numbers of clients and the loads of `asked` are used.
    pub fn new(asked: Asked) -> Self {
        Self { asked }
    }

    pub fn seed(&self) -> u64 {
        self.asked.seed
    }

    pub fn loads(&self, quota: &Quota) -> Vec<Load> {
        let clients = non_empty(&self.asked.clients).unwrap_or(&CLIENTS);
        match quota.is_own {
            // The load is a part of the scenario.
            true => each_with_each(clients, &[SURPLUS]),
            false => each_with_each(clients, non_empty(&self.asked.shares).unwrap_or(&SHARES)),
        }
    }

    /// Returns all runs, each once.
    pub fn jobs(&self) -> Vec<Job> {
        let mut jobs = Vec::new();
        for quota in &QUOTAS {
            for load in self.loads(quota) {
                jobs.extend(MANNERS.map(|manner| Job {
                    quota,
                    manner,
                    load,
                }));
            }
        }
        jobs
    }

    /// Returns the command line that repeats only these runs.
    pub fn command(&self) -> String {
        self.asked.command(" --quotas")
    }
}
