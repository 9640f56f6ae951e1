//! Runs several simulations at the same time.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use indicatif::{ProgressBar, ProgressStyle};

/// Runs all jobs, and returns their outcomes in the order of the jobs.
pub fn map<J: Sync, O: Send>(jobs: &[J], threads: usize, run: impl Fn(&J) -> O + Sync) -> Vec<O> {
    let progress = progress_bar(jobs.len());
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(job) = jobs.get(number) else {
                return done;
            };
            done.push((number, run(job)));
            progress.inc(1);
        }
    };
    let mut outcomes = thread::scope(|scope| {
        let workers = (0..threads.min(jobs.len())).map(|_| scope.spawn(work));
        // Iterators are lazy: all threads have to be started before the first one is joined.
        let workers: Vec<_> = workers.collect();
        let done = workers.into_iter().map(thread::ScopedJoinHandle::join);
        let done = done.flat_map(|done| done.expect("no run panics"));
        done.collect::<Vec<_>>()
    });
    progress.finish_and_clear();
    outcomes.sort_by_key(|(number, _)| *number);
    outcomes.into_iter().map(|(_, outcome)| outcome).collect()
}

/// Returns a progress bar. It is drawn on standard error if that is a terminal.
fn progress_bar(runs: usize) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} runs, {eta} left");
    let progress = ProgressBar::new(runs as u64);
    match style {
        Ok(style) => progress.with_style(style),
        Err(_) => progress,
    }
}
