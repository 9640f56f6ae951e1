use std::io;
use std::sync::Mutex;
use std::thread;

use clap::ValueEnum;
use indicatif::{ProgressBar, ProgressStyle};
use tokio::runtime::{Builder, Runtime};

use crate::contender::Contender;
use crate::table::Cell;

/// How much is measured, and the progress bar.
pub struct Bench {
    pub effort: Effort,
    pub has_valgrind: bool,
    progress: ProgressBar,
}

/// How much is measured.
pub struct Effort {
    /// The contenders that run under valgrind.
    pub counted: Vec<Contender>,
    /// Two numbers of requests. The difference of both runs does not contain what they have in common,
    /// such as start-up.
    pub requests: (usize, usize),
    /// The number of rounds of [`Rounds`](crate::rounds::Rounds).
    pub rounds: usize,
    pub cpu_requests: u32,
    pub waves: usize,
    pub connection_requests: u32,
    pub thread_rounds: usize,
    pub thread_requests: u32,
    /// The numbers of requests in flight at the same time if instructions are counted.
    pub counted_flights: [usize; 3],
    /// The number of requests in flight at the same time without valgrind.
    pub flight: usize,
    pub million: u32,
}

impl Effort {
    pub fn full() -> Self {
        Self {
            counted: Contender::value_variants().to_vec(),
            requests: (500, 1_500),
            rounds: 41,
            cpu_requests: 4_000,
            waves: 5,
            connection_requests: 1_000,
            thread_rounds: 41,
            thread_requests: 20_000,
            counted_flights: [1_000, 10_000, 100_000],
            flight: 100_000,
            million: 1_000_000,
        }
    }

    pub fn quick() -> Self {
        Self {
            counted: vec![Contender::Bare, Contender::ThisCrate, Contender::TowerRetry],
            requests: (50, 150),
            rounds: 3,
            cpu_requests: 500,
            waves: 1,
            connection_requests: 50,
            thread_rounds: 15,
            thread_requests: 10_000,
            counted_flights: [100, 300, 1_000],
            flight: 10_000,
            million: 200_000,
        }
    }
}

impl Bench {
    pub fn new(effort: Effort, has_valgrind: bool) -> Self {
        let style = ProgressStyle::with_template("{elapsed_precise} {wide_bar} {pos}/{len} {msg}");
        let progress = ProgressBar::new(0).with_style(style.expect("a valid template"));
        Self {
            effort,
            has_valgrind,
            progress,
        }
    }

    pub fn begin(&self, what: &str, steps: usize) {
        self.progress.set_length(steps as u64);
        self.progress.set_position(0);
        self.progress.set_message(what.to_owned());
    }

    pub fn step(&self) {
        self.progress.inc(1);
    }

    pub fn finish(&self) {
        self.progress.finish_and_clear();
    }

    /// Runs all jobs, as many at a time as there are processors, and returns their results in the order
    /// of the jobs. For work that is counted, not timed.
    pub fn share<J, T>(
        &self,
        jobs: &[J],
        work: impl Fn(&J) -> io::Result<T> + Sync,
    ) -> io::Result<Vec<T>>
    where
        J: Sync,
        T: Send,
    {
        let workers = thread::available_parallelism().map_or(1, usize::from);
        let queue = Mutex::new(jobs.iter().enumerate());
        let results = Mutex::new(Vec::new());
        thread::scope(|scope| {
            for _ in 0..workers {
                scope.spawn(|| {
                    loop {
                        let job = queue.lock().expect("no panic").next();
                        let Some((index, job)) = job else {
                            break;
                        };
                        let result = work(job);
                        self.step();
                        results.lock().expect("no panic").push((index, result));
                    }
                });
            }
        });
        let mut results = results.into_inner().expect("no panic");
        results.sort_by_key(|(index, _)| *index);
        results.into_iter().map(|(_, result)| result).collect()
    }
}

/// Returns a cell for each column: a contender's figure minus that of its base. For a base, it is the
/// figure itself.
pub fn over_base(figure: impl Fn(Contender) -> Option<f64>) -> Vec<Cell> {
    let cell = |contender: Contender| match (figure(contender), figure(contender.base())) {
        (Some(own), _) if contender.is_base() => Cell::Figure(own),
        (Some(own), Some(base)) => Cell::Figure(own - base),
        _ => Cell::Missing,
    };
    Contender::COLUMNS.into_iter().map(cell).collect()
}

/// Returns the name of a value on the command line.
pub fn name_of(value: &impl ValueEnum) -> String {
    let value = value.to_possible_value().expect("none is skipped");
    value.get_name().to_owned()
}

pub fn runtime() -> Runtime {
    let runtime = Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_the_base_takes_is_taken_off() {
        let cells = over_base(|contender| match contender {
            Contender::Bare => Some(100.0),
            Contender::ThisCrate => Some(160.0),
            Contender::Reqwest => Some(1_000.0),
            Contender::ReqwestRetry => Some(1_500.0),
            _ => None,
        });
        let missing = Cell::Missing;
        let figures = [100.0, 60.0].map(Cell::Figure);
        let expected = [
            figures[0],
            figures[1],
            missing,
            missing,
            missing,
            Cell::Figure(500.0),
        ];
        assert_eq!(cells, expected);
    }

    #[test]
    fn results_are_in_the_order_of_the_jobs() {
        let bench = Bench::new(Effort::quick(), false);
        let jobs: Vec<u64> = (0..20).collect();
        let results = bench.share(&jobs, |job| {
            thread::sleep(Duration::from_millis(20 - job));
            Ok(job * 2)
        });
        let doubled: Vec<u64> = (0..20).map(|job| job * 2).collect();
        assert_eq!(results.unwrap(), doubled);
    }
}
