//! What is run: each quota with each manner, under which loads.

use super::simulation::SURPLUS;
use super::{MANNERS, Manner, QUOTAS, Quota};
use crate::grid::{Asked, each_with_each, non_empty};
use crate::simulation::Load;

pub const CLIENTS: [usize; 4] = [1, 10, 100, 1_000];

/// How much is usually asked for of a shared limit.
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
    /// Numbers of clients and loads are all that can be asked for.
    pub fn new(asked: Asked) -> Self {
        Self { asked }
    }

    pub fn seed(&self) -> u64 {
        self.asked.seed
    }

    pub fn loads(&self, quota: &Quota) -> Vec<Load> {
        let clients = non_empty(&self.asked.clients).unwrap_or(&CLIENTS);
        match quota.is_own {
            // How much they ask for is a part of the scenario.
            true => each_with_each(clients, &[SURPLUS]),
            false => each_with_each(clients, non_empty(&self.asked.shares).unwrap_or(&SHARES)),
        }
    }

    /// All runs, each once.
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

    /// What to type for the same again, without any other runs.
    pub fn command(&self) -> String {
        self.asked.command(" --quotas")
    }
}
