//! The CPU time of many requests that fail, wait and succeed at the same time.

use std::time::Duration;

use cpu_time::ProcessTime;
use http::StatusCode;

use crate::bench::{Bench, runtime};
use crate::case::{Requests, in_memory};
use crate::client::{Answer, Client, Visit};
use crate::contender::{Contender, Settings};
use crate::figures::written;
use crate::payload::Payload;
use crate::rounds::Rounds;
use crate::table::Row;
use crate::upstream::Upstream;

const AT_ONCE: usize = 1_000;
const WAIT: Duration = Duration::from_millis(50);

pub fn rows(bench: &Bench) -> Vec<Row> {
    let title = format!(
        "{} at once, GET, 12 headers, one retry after {} ms: CPU ns of each",
        written(AT_ONCE as f64, 0),
        WAIT.as_millis()
    );
    bench.begin(&title, bench.effort.rounds);
    let waves = bench.effort.waves;
    let rounds = Rounds::measure(bench, bench.effort.rounds, |contender| {
        nanos(contender, waves)
    });
    vec![Row::of_costs(title, None, rounds.absolute())]
}

/// Returns the CPU time of this process per request, over `waves` waves.
fn nanos(contender: Contender, waves: usize) -> f64 {
    let upstream = match contender.is_base() {
        true => Upstream::failing(0),
        false => Upstream::failing_in_waves(AT_ONCE),
    };
    let visit = Waves { count: waves };
    let nanos = contender.in_memory(upstream, &Settings::failing(WAIT), visit);
    // No request failed twice.
    let attempts = if contender.is_base() { 0 } else { 2 };
    assert_eq!(upstream.answered(), attempts * AT_ONCE * (waves + 1));
    nanos
}

struct Waves {
    /// The number of measured waves, after one that warms up.
    count: usize,
}

impl<B: Payload> Visit<B> for Waves {
    type Output = f64;

    fn visit<C: Client<B>>(self, mut client: C) -> f64 {
        let requests = Requests::get(&in_memory(), true);
        runtime().block_on(async move {
            wave(&mut client, &requests).await;
            let mut spent = Duration::ZERO;
            for _ in 0..self.count {
                spent += wave(&mut client, &requests).await;
            }
            spent.as_secs_f64() * 1e9 / (AT_ONCE * self.count) as f64
        })
    }
}

/// Sends all requests of a wave, each in a task, and awaits their responses.
async fn wave<B: Payload, C: Client<B>>(client: &mut C, requests: &Requests) -> Duration {
    let made: Vec<_> = (0..AT_ONCE).map(|_| requests.make()).collect();
    let start = ProcessTime::now();
    let send = |request| tokio::spawn(client.send(request));
    let tasks: Vec<_> = made.into_iter().map(send).collect();
    for task in tasks {
        let answer = task.await.expect("a task that does not panic");
        assert_eq!(answer.status(), StatusCode::OK);
    }
    start.elapsed()
}
