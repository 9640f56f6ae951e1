//! The cost of requests over real connections, to a server on 127.0.0.1.

use std::io;
use std::time::Duration;

use cpu_time::ProcessTime;
use http::Uri;

use crate::bench::{Bench, runtime};
use crate::case::Requests;
use crate::client::{Client, Visit};
use crate::contender::{Contender, Settings};
use crate::figures::written;
use crate::payload::Payload;
use crate::rounds::Rounds;
use crate::sequence::{Sequence, send};
use crate::server::Server;
use crate::table::{Cell, Goal, Row};

/// Measures the CPU time of each client, divided by that of its base. For a base, it is the time itself.
pub fn cpu_rows(bench: &Bench) -> io::Result<Vec<Row>> {
    let server = Server::start(0)?;
    let row = |(is_http2, version)| {
        let title = format!("{version}, GET, 12 headers: client CPU over bare (bare: µs)");
        bench.begin(&title, bench.effort.rounds);
        let rounds = Rounds::measure(bench, bench.effort.rounds, |contender| {
            let count = bench.effort.cpu_requests;
            cpu(contender, is_http2, server.uri(), count) * 1e6
        });
        Row::of_ratios(title, Some(Goal::OfTower(1.0)), rounds.over_base())
    };
    Ok([(false, "HTTP/1.1"), (true, "HTTP/2")].map(row).into())
}

/// Counts the connections of requests that are retried.
pub fn connection_rows(bench: &Bench) -> io::Result<Vec<Row>> {
    let count = bench.effort.connection_requests;
    let title = format!(
        "HTTP/1.1, {} GETs with two 503s of 32 KiB each: connections",
        written(f64::from(count), 0)
    );
    bench.begin(&title, Contender::COLUMNS.len());
    let mut cells = Vec::new();
    for contender in Contender::COLUMNS {
        cells.push(Cell::Figure(connections(contender, count)? as f64));
        bench.step();
    }
    Ok(vec![Row::of_costs(title, Some(Goal::AtMost(3.0)), cells)])
}

/// Returns the CPU time of this process per GET, in seconds.
fn cpu(contender: Contender, is_http2: bool, uri: &Uri, count: u32) -> f64 {
    let visit = Spent {
        requests: Requests::get(uri, true),
        count,
    };
    contender.over_network(is_http2, &Settings::default(), visit)
}

struct Spent {
    requests: Requests,
    count: u32,
}

impl<B: Payload> Visit<B> for Spent {
    type Output = f64;

    fn visit<C: Client<B>>(self, mut client: C) -> f64 {
        runtime().block_on(async move {
            // Connects, and warms up the caches.
            send(&mut client, &self.requests, self.count / 20 + 1).await;
            let start = ProcessTime::now();
            send(&mut client, &self.requests, self.count).await;
            start.elapsed().as_secs_f64() / f64::from(self.count)
        })
    }
}

/// Returns how many connections `count` requests take. Two attempts of each request fail, with large
/// bodies.
fn connections(contender: Contender, count: u32) -> io::Result<u64> {
    let failures = match contender.is_base() {
        true => 0,
        false => 2,
    };
    let server = Server::start(failures)?;
    let visit = Sequence {
        requests: Requests::get(server.uri(), false),
        count,
    };
    let settings = Settings::failing(Duration::from_millis(1));
    contender.over_network(false, &settings, visit);
    server.connections()
}
