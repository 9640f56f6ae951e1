//! The runs and their outcomes.

use super::figures::Figures;
use super::grid::Job;
use super::log::Record;
use super::simulation::simulate;
use super::{Hedging, Workload};
use crate::parallel;
use crate::runs::Extent;

/// The outcomes of the runs, in the order of the jobs.
pub struct Outcomes(Vec<(Job, Record)>);

impl Outcomes {
    pub fn of(jobs: &[Job], seed: u64, threads: usize) -> Self {
        let run = |job: &Job| (*job, simulate(job.workload, job.hedging, seed));
        Self(parallel::map(jobs, threads, run))
    }

    pub fn get(&self, workload: &Workload, hedging: Hedging) -> Option<Figures> {
        let mut outcomes = self.0.iter();
        let (_, record) =
            outcomes.find(|(job, _)| job.workload == workload && job.hedging == hedging)?;
        Some(Figures::of(workload, record))
    }

    pub fn extent(&self) -> Extent {
        Extent::of(self.0.iter().map(|(_, record)| record.started.as_slice()))
    }
}
