//! The runs and their outcomes.

use super::grid::{Grid, Job};
use super::simulation::{Record, simulate};
use super::{Manner, Quota};
use crate::parallel;
use crate::runs::Extent;
use crate::simulation::Load;

/// The outcomes of the runs, in the order of the jobs.
pub struct Outcomes(Vec<(Job, Record)>);

impl Outcomes {
    pub fn of(grid: &Grid, threads: usize) -> Self {
        let run = |job: &Job| (*job, simulate(job.quota, job.manner, job.load, grid.seed()));
        Self(parallel::map(&grid.jobs(), threads, run))
    }

    pub fn get(&self, quota: &Quota, manner: Manner, load: Load) -> Option<&Record> {
        let mut outcomes = self.0.iter();
        let (_, record) = outcomes
            .find(|(job, _)| job.quota == quota && job.manner == manner && job.load == load)?;
        Some(record)
    }

    pub fn extent(&self) -> Extent {
        Extent::of(self.0.iter().map(|(_, record)| record.started.as_slice()))
    }
}
