//! The cost of a request if several threads share a layer.

use std::fs;
use std::hint;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use http::StatusCode;

use crate::bench::{Bench, runtime};
use crate::case::{Requests, in_memory};
use crate::client::{Answer, Client, Visit};
use crate::contender::{Contender, Settings};
use crate::figures::{median, written};
use crate::payload::Payload;
use crate::table::{Cell, Goal, Row};
use crate::upstream::Upstream;

pub fn rows(bench: &Bench) -> Vec<Row> {
    vec![
        slow_down(bench, false),
        slow_down(bench, true),
        throughput(bench),
    ]
}

/// Measures how many times as long a request takes if a second thread sends requests, too.
fn slow_down(bench: &Bench, is_cloned: bool) -> Row {
    let (title, goal) = match is_cloned {
        false => (
            "GET, no headers: time with 2 threads over 1",
            Some(Goal::AtMost(1.3)),
        ),
        true => ("the same, the service cloned for each request", None),
    };
    bench.begin(title, Contender::COLUMNS.len());
    let cell = |contender| {
        let count = bench.effort.thread_requests;
        let measure = |threads| time(contender, threads, count, is_cloned);
        let ratio = ratio(bench.effort.thread_rounds, || (measure(2), measure(1)));
        bench.step();
        Cell::from(ratio)
    };
    Row::of_ratios(title, goal, Contender::COLUMNS.map(cell).to_vec())
}

fn throughput(bench: &Bench) -> Row {
    let count = bench.effort.million;
    let title = format!(
        "{} GETs, no headers, 2 threads: requests per second, more is better",
        written(f64::from(count), 0)
    );
    bench.begin(&title, Contender::COLUMNS.len());
    let cell = |contender| {
        let rate = |_| 2.0 / time(contender, 2, count / 2, false).on_the_clock();
        let rate = median((0..3).map(rate).collect());
        bench.step();
        Cell::from(rate)
    };
    Row::of_costs(title, None, Contender::COLUMNS.map(cell).to_vec())
}

/// The time per request, summed over the threads, in seconds.
#[derive(Clone, Copy, Debug)]
struct Time {
    running: f64,
    /// The time in which a thread waited for a processor, or had not begun, or had ended.
    disturbed: f64,
}

impl Time {
    fn on_the_clock(&self) -> f64 {
        self.running + self.disturbed
    }

    /// Whether the threads ran undisturbed. If another process takes a processor, the threads take turns on
    /// the other one, and do not contend.
    fn is_quiet(&self) -> bool {
        self.disturbed < self.running / 10.0
    }
}

/// Returns the ratio of the medians of two times, from up to `rounds` rounds in which neither was
/// disturbed, or `None` if there are too few of these rounds.
fn ratio(rounds: usize, measure: impl Fn() -> (Time, Time)) -> Option<f64> {
    let tries = (0..rounds * 8).map(|_| measure());
    let quiet = tries.filter(|(one, other)| one.is_quiet() && other.is_quiet());
    let quiet: Vec<_> = quiet.take(rounds).collect();
    if quiet.len() < rounds.div_ceil(4) {
        return None;
    }
    let (one, other): (Vec<_>, Vec<_>) = quiet
        .into_iter()
        .map(|(one, other)| (one.running, other.running))
        .unzip();
    Some(median(one)? / median(other)?)
}

/// The run of a thread.
struct Run {
    start: Instant,
    end: Instant,
    /// The seconds that it waited for a processor.
    delay: f64,
}

impl Run {
    fn running(&self) -> f64 {
        (self.end - self.start).as_secs_f64() - self.delay
    }
}

/// Returns the sum of the time in which the threads ran, and the sum of the time in which they did not,
/// between the first start and the last end.
fn sum(runs: &[Run]) -> Option<(f64, f64)> {
    let start = runs.iter().map(|run| run.start).min()?;
    let end = runs.iter().map(|run| run.end).max()?;
    let running: f64 = runs.iter().map(Run::running).sum();
    let all = (end - start).as_secs_f64() * runs.len() as f64;
    Some((running, all - running))
}

/// Measures `threads` threads that send `count` requests each.
fn time(contender: Contender, threads: usize, count: u32, is_cloned: bool) -> Time {
    let visit = Timed {
        threads,
        count,
        is_cloned,
    };
    contender.in_memory(Upstream::failing(0), &Settings::default(), visit)
}

struct Timed {
    threads: usize,
    count: u32,
    /// Whether the client is cloned for each request. If not, it is cloned once for each thread.
    is_cloned: bool,
}

impl<B: Payload> Visit<B> for Timed {
    type Output = Time;

    fn visit<C: Client<B>>(self, client: C) -> Time {
        let ready = AtomicUsize::new(0);
        let clients = vec![client; self.threads];
        let runs: Vec<Run> = thread::scope(|scope| {
            let start = |client| scope.spawn(|| self.on_thread(client, &ready));
            let threads: Vec<_> = clients.into_iter().map(start).collect();
            let runs = threads
                .into_iter()
                .map(|thread| thread.join().expect("done"));
            runs.collect()
        });
        let requests = f64::from(self.count) * self.threads as f64;
        let (running, disturbed) = sum(&runs).expect("a thread");
        Time {
            running: running / requests,
            disturbed: disturbed / requests,
        }
    }
}

impl Timed {
    fn on_thread<B: Payload, C: Client<B>>(&self, mut client: C, ready: &AtomicUsize) -> Run {
        // Each thread has a separate URI. Otherwise, the threads would contend for its reference count.
        let requests = Requests::get(&in_memory(), false);
        runtime().block_on(async {
            ready.fetch_add(1, Ordering::Relaxed);
            // Spins, so that all threads are running when they begin.
            while ready.load(Ordering::Relaxed) < self.threads {
                hint::spin_loop();
            }
            let (start, delay) = (Instant::now(), run_delay());
            for _ in 0..self.count {
                let answer = match self.is_cloned {
                    true => client.clone().send(requests.make()).await,
                    false => client.send(requests.make()).await,
                };
                assert_eq!(answer.status(), StatusCode::OK);
                answer.read().await;
            }
            Run {
                start,
                end: Instant::now(),
                delay: run_delay() - delay,
            }
        })
    }
}

/// Returns the seconds for which this thread has waited for a processor so far, or 0 if the system does
/// not report them.
fn run_delay() -> f64 {
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanos = text.split(' ').nth(1).and_then(|nanos| nanos.parse().ok());
    nanos.map_or(0.0, |nanos: f64| nanos / 1e9)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::time::Duration;

    use super::*;

    #[test]
    fn rounds_that_were_disturbed_are_left_out() {
        let round = Cell::new(0);
        let measure = |quiet: u32| {
            let number = round.replace(round.get() + 1);
            let disturbed = if number % 8 < quiet { 0.0 } else { 9.0 };
            let running = 1.0 + disturbed;
            let one = Time {
                running: running * 2.0,
                disturbed,
            };
            (one, Time { running, disturbed })
        };
        assert_eq!(ratio(8, || measure(8)), Some(2.0));
        assert_eq!(ratio(8, || measure(2)), Some(2.0));
        assert_eq!(ratio(8, || measure(0)), None);
    }

    #[test]
    fn to_run_one_after_the_other_is_to_be_disturbed() {
        let zero = Instant::now();
        let at = |seconds| zero + Duration::from_secs(seconds);
        let run = |start, end, delay| Run {
            start: at(start),
            end: at(end),
            delay,
        };
        assert_eq!(sum(&[run(0, 5, 0.0), run(0, 5, 0.0)]), Some((10.0, 0.0)));
        assert_eq!(sum(&[run(0, 5, 1.0), run(0, 5, 0.0)]), Some((9.0, 1.0)));
        assert_eq!(sum(&[run(0, 5, 0.0), run(5, 10, 0.0)]), Some((10.0, 10.0)));
    }
}
