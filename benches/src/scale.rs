//! The cost of many requests that are in their back-off at the same time.

use std::cmp::Reverse;
use std::env;
use std::fs;
use std::io;
use std::process::{Command, Stdio};
use std::str::FromStr;
use std::time::Duration;

use cpu_time::ProcessTime;
use http::StatusCode;

use crate::bench::{Bench, name_of, runtime};
use crate::case::{Requests, in_memory};
use crate::client::{Answer, Client, Visit};
use crate::contender::{Contender, Settings};
use crate::figures::written;
use crate::payload::Payload;
use crate::table::{Cell, Goal, Row};
use crate::upstream::Upstream;
use crate::valgrind;

/// The cost of each of many requests.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Share {
    /// The resident memory while all of them waited.
    pub bytes: f64,
    /// The CPU time until it waited.
    pub start_nanos: f64,
    /// The CPU time from then on.
    pub finish_nanos: f64,
}

impl Share {
    /// Formats it as the line that a child process prints.
    pub fn to_line(self) -> String {
        let Self {
            bytes,
            start_nanos,
            finish_nanos,
        } = self;
        format!("{bytes} {start_nanos} {finish_nanos}")
    }

    pub fn from_line(line: &str) -> Option<Self> {
        let mut figures = line.split_whitespace().map(f64::from_str);
        let mut next = || figures.next()?.ok();
        Some(Self {
            bytes: next()?,
            start_nanos: next()?,
            finish_nanos: next()?,
        })
    }
}

/// The goal for the cost of each of many requests, divided by that of each of few.
const GROWTH: f64 = 1.10;

/// The contenders whose instructions are counted.
const COUNTED: [Contender; 3] = [Contender::Bare, Contender::ThisCrate, Contender::TowerRetry];

/// Each request waits for this long, times the number of requests in flight, under valgrind and without
/// it. So all of them have started before the first has finished its wait.
const WAIT_COUNTED: Duration = Duration::from_micros(500);
const WAIT: Duration = Duration::from_micros(20);

pub fn rows(bench: &Bench) -> io::Result<Vec<Row>> {
    let mut rows = counted(bench)?;
    rows.extend(in_flight(bench)?);
    Ok(rows)
}

/// Counts the instructions of each request, with few and with many in flight.
fn counted(bench: &Bench) -> io::Result<Vec<Row>> {
    let flights = bench.effort.counted_flights;
    let with_none = [&[0], &flights[..]].concat();
    let of = |count| COUNTED.map(|contender| (contender, count));
    let mut jobs: Vec<_> = with_none.into_iter().flat_map(of).collect();
    // The longest jobs start first, so that the others run beside them.
    jobs.sort_by_key(|(_, count)| Reverse(*count));
    bench.begin("requests in flight: instructions", jobs.len());
    let counts = match bench.has_valgrind {
        true => bench.share(&jobs, |(contender, count)| {
            valgrind::count(&arguments(*contender, *count, WAIT_COUNTED))
        })?,
        false => Vec::new(),
    };
    let total = |contender: Contender, count: usize| {
        let place = jobs.iter().position(|job| *job == (contender, count));
        Some(counts.get(place?)?.instructions as f64)
    };
    let each = |contender: Contender, count: usize| {
        Some((total(contender, count)? - total(contender, 0)?) / count as f64)
    };
    let few = flights[0];
    let title = format!("{} waiting at once: instructions of each", grouped(few));
    let costs = Contender::COLUMNS.map(|contender| Cell::from(each(contender, few)));
    let mut rows = vec![Row::of_costs(title, None, costs.to_vec())];
    for many in &flights[1..] {
        let title = format!("{} waiting, over {}", grouped(*many), grouped(few));
        let growth = |contender| Some(each(contender, *many)? / each(contender, few)?);
        let cells = Contender::COLUMNS.map(|contender| Cell::from(growth(contender)));
        rows.push(Row::of_ratios(
            title,
            Some(Goal::AtMost(GROWTH)),
            cells.to_vec(),
        ));
    }
    Ok(rows)
}

/// Measures the memory and the CPU time of each of many requests.
fn in_flight(bench: &Bench) -> io::Result<Vec<Row>> {
    let count = bench.effort.flight;
    bench.begin("requests in flight", Contender::COLUMNS.len());
    let mut shares = Vec::new();
    for contender in Contender::COLUMNS {
        shares.push((contender, share(contender, count)?));
        bench.step();
    }
    let row = |what: &str, figure: fn(&Share) -> f64| {
        let of = |contender| shares.iter().find(|(other, _)| *other == contender);
        let title = format!("{} waiting at once: {what} of each", grouped(count));
        let cells =
            Contender::COLUMNS.map(|column| Cell::from(of(column).map(|(_, share)| figure(share))));
        Row::of_costs(title, None, cells.to_vec())
    };
    Ok(vec![
        row("resident bytes", |share| share.bytes),
        row("CPU ns to start", |share| share.start_nanos),
        row("CPU ns to finish", |share| share.finish_nanos),
    ])
}

/// Measures them in a separate process, whose memory has not been used for anything else.
fn share(contender: Contender, count: usize) -> io::Result<Share> {
    let output = Command::new(env::current_exe()?)
        .args(arguments(contender, count, WAIT))
        .stderr(Stdio::inherit())
        .output()?;
    let share = Share::from_line(&String::from_utf8_lossy(&output.stdout));
    share.ok_or_else(|| io::Error::other("requests in flight failed"))
}

fn grouped(count: usize) -> String {
    written(count as f64, 0)
}

/// Returns the arguments of the process that is measured.
fn arguments(contender: Contender, count: usize, wait: Duration) -> Vec<String> {
    let wait = wait * u32::try_from(count).unwrap_or(u32::MAX) + Duration::from_secs(1);
    let wait = wait.as_millis().to_string();
    let words = ["fly", &name_of(&contender), &count.to_string(), &wait];
    words.map(str::to_owned).to_vec()
}

/// Starts `count` requests, each in a task, whose back-off takes `wait`, and then finishes them.
pub fn run(contender: Contender, count: usize, wait: Duration) -> Share {
    let upstream = Upstream::refusing(count);
    let last = match contender.is_base() {
        true => StatusCode::TOO_MANY_REQUESTS,
        false => StatusCode::OK,
    };
    let visit = Flight {
        upstream,
        count,
        last,
    };
    contender.in_memory(upstream, &Settings::failing(wait), visit)
}

struct Flight {
    upstream: Upstream,
    count: usize,
    /// The status that each request ends with.
    last: StatusCode,
}

impl<B: Payload> Visit<B> for Flight {
    type Output = Share;

    fn visit<C: Client<B>>(self, mut client: C) -> Share {
        let requests = Requests::get(&in_memory(), false);
        runtime().block_on(async move {
            let mut tasks = Vec::with_capacity(self.count);
            let (memory, start) = (resident(), ProcessTime::now());
            for _ in 0..self.count {
                tasks.push(tokio::spawn(client.send(requests.make())));
            }
            while self.upstream.answered() < self.count {
                tokio::task::yield_now().await;
            }
            let (memory, start) = (resident() - memory, start.elapsed());
            let retried = self.upstream.answered() - self.count;
            assert_eq!(retried, 0, "the wait is too short for so many");
            let finish = ProcessTime::now();
            for task in tasks {
                let answer = task.await.expect("a task that does not panic");
                assert_eq!(answer.status(), self.last);
            }
            let finish = finish.elapsed();
            let each = |total: f64| total / self.count.max(1) as f64;
            Share {
                bytes: each(memory),
                start_nanos: each(start.as_secs_f64() * 1e9),
                finish_nanos: each(finish.as_secs_f64() * 1e9),
            }
        })
    }
}

/// Returns the resident memory of this process in bytes, or NaN if the system does not report it.
fn resident() -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kibibytes = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    kibibytes.map_or(f64::NAN, |kibibytes: f64| kibibytes * 1_024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_brings_back_what_it_was_made_of() {
        let share = Share {
            bytes: 1_950.5,
            start_nanos: 700.0,
            finish_nanos: 1.25,
        };
        assert_eq!(Share::from_line(&share.to_line()), Some(share));
        assert_eq!(Share::from_line("1 2"), None);
    }
}
