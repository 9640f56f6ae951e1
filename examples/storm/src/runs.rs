//! The runs and their outcomes.

use std::fmt;

use indicatif::HumanCount;

use crate::figures::{Figures, figures};
use crate::grid::{Grid, Job};
use crate::parallel;
use crate::scenario::Scenario;
use crate::simulation::{Load, Record, Variant, simulate};

/// The outcomes of the runs, in the order of the jobs.
pub struct Outcomes(Vec<Outcome>);

pub struct Outcome {
    job: Job,
    pub record: Record,
    pub figures: Figures,
}

/// How much was simulated.
#[derive(Clone, Copy, Debug)]
pub struct Extent {
    pub runs: usize,
    pub requests: u64,
}

impl Outcomes {
    pub fn of(grid: &Grid, threads: usize) -> Self {
        let run = |job: &Job| Outcome::of(*job, grid.seed());
        Self(parallel::map(&grid.jobs(), threads, run))
    }

    pub fn get(&self, scenario: &Scenario, variant: Variant, load: Load) -> Option<&Outcome> {
        self.0.iter().find(|outcome| {
            let job = outcome.job;
            job.scenario == scenario && job.variant == variant && job.load == load
        })
    }

    pub fn extent(&self) -> Extent {
        let outcomes = self.0.iter();
        Extent::of(outcomes.map(|outcome| outcome.record.started.as_slice()))
    }
}

impl Outcome {
    fn of(job: Job, seed: u64) -> Self {
        let record = simulate(job.scenario, job.variant, job.load, seed);
        let figures = figures(&record);
        Self {
            job,
            record,
            figures,
        }
    }
}

impl Extent {
    /// Returns the extent of runs. Each item has the numbers of requests that started in the slots of a run.
    pub fn of<'a>(runs: impl ExactSizeIterator<Item = &'a [u32]>) -> Self {
        Self {
            runs: runs.len(),
            requests: runs.flatten().map(|&requests| u64::from(requests)).sum(),
        }
    }

    pub fn sum(all: impl Iterator<Item = Self>) -> Self {
        let none = Self {
            runs: 0,
            requests: 0,
        };
        all.fold(none, |sum, one| Self {
            runs: sum.runs + one.runs,
            requests: sum.requests + one.requests,
        })
    }
}

impl fmt::Display for Extent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { runs, requests } = *self;
        write!(f, "{runs} runs of {} requests", HumanCount(requests))
    }
}
