//! Does the runs, several at a time.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use indicatif::{HumanCount, ProgressBar, ProgressStyle};

use crate::figures::{Figures, figures};
use crate::grid::{Grid, Job};
use crate::scenario::Scenario;
use crate::simulation::{Load, Record, Variant, simulate};

/// What the runs came to, in the order of the jobs, whichever was done first.
pub struct Outcomes(Vec<Outcome>);

pub struct Outcome {
    job: Job,
    pub record: Record,
    pub figures: Figures,
}

impl Outcomes {
    pub fn of(grid: &Grid, threads: usize) -> Self {
        let jobs = grid.jobs();
        let progress = progress_bar(jobs.len());
        let next = AtomicUsize::new(0);
        let work = || {
            let mut done = Vec::new();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                let Some(job) = jobs.get(number) else {
                    return done;
                };
                done.push((number, Outcome::of(*job, grid.seed())));
                progress.inc(1);
            }
        };
        let mut outcomes = thread::scope(|scope| {
            let workers = (0..threads.min(jobs.len())).map(|_| scope.spawn(work));
            // All of them have to be there before the first is waited for.
            let workers: Vec<_> = workers.collect();
            let done = workers.into_iter().map(thread::ScopedJoinHandle::join);
            let done = done.flat_map(|done| done.expect("no run panics"));
            done.collect::<Vec<_>>()
        });
        progress.finish_and_clear();
        outcomes.sort_by_key(|(number, _)| *number);
        Self(outcomes.into_iter().map(|(_, outcome)| outcome).collect())
    }

    pub fn get(&self, scenario: &Scenario, variant: Variant, load: Load) -> Option<&Outcome> {
        self.0.iter().find(|outcome| {
            let job = outcome.job;
            job.scenario == scenario && job.variant == variant && job.load == load
        })
    }

    /// How much was simulated.
    pub fn summary(&self) -> String {
        let requests = self.0.iter().flat_map(|outcome| &outcome.record.started);
        let requests = requests.map(|&requests| u64::from(requests)).sum();
        let runs = self.0.len();
        format!("{runs} runs of {} requests", HumanCount(requests))
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

/// Is drawn on standard error, and only if that is a terminal.
fn progress_bar(runs: usize) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} runs, {eta} left");
    let progress = ProgressBar::new(runs as u64);
    match style {
        Ok(style) => progress.with_style(style),
        Err(_) => progress,
    }
}
