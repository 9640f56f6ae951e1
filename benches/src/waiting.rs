//! The memory of requests that wait in their back-off.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::process;
use std::task::Poll;
use std::time::Duration;

use clap::ValueEnum;

use crate::bench::{Bench, name_of, runtime};
use crate::case::{Requests, in_memory};
use crate::client::{Client, Visit};
use crate::contender::{Contender, Settings};
use crate::payload::Payload;
use crate::table::{Cell, Goal, Row};
use crate::upstream::Upstream;
use crate::valgrind;

/// Longer than the whole run, but within the window for retries.
const WAIT: Duration = Duration::from_secs(200);

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Method {
    Get,
    Post,
}

/// One row for each method.
pub fn rows(bench: &Bench) -> io::Result<Vec<Row>> {
    let get = row(bench, Method::Get, "GET, 12 headers", 0.68)?;
    let post = row(bench, Method::Post, "POST, 12 headers, 1 KiB", 0.8)?;
    Ok(vec![get, post])
}

fn row(bench: &Bench, method: Method, request: &str, factor: f64) -> io::Result<Row> {
    let (few, many) = bench.effort.requests;
    let mut contenders = bench.effort.counted.clone();
    contenders.retain(|contender| !contender.is_base());
    let title = format!("{request}, waiting: heap bytes");
    bench.begin(&title, contenders.len());
    let bytes = match bench.has_valgrind {
        true => bench.share(&contenders, |contender| {
            let few_bytes = valgrind::bytes_at_exit(&arguments(*contender, method, few))?;
            let many_bytes = valgrind::bytes_at_exit(&arguments(*contender, method, many))?;
            Ok((many_bytes as f64 - few_bytes as f64) / (many - few) as f64)
        })?,
        false => Vec::new(),
    };
    let cell = |contender: Contender| {
        let place = contenders.iter().position(|other| *other == contender);
        Cell::from(place.and_then(|place| bytes.get(place).copied()))
    };
    let cells = Contender::COLUMNS.into_iter().map(cell).collect();
    Ok(Row::of_costs(title, Some(Goal::OfTower(factor)), cells))
}

/// Returns the arguments of the process that is measured.
fn arguments(contender: Contender, method: Method, count: usize) -> Vec<String> {
    let words = [
        "wait",
        &name_of(&contender),
        &name_of(&method),
        &count.to_string(),
    ];
    words.map(str::to_owned).to_vec()
}

/// Lets `count` requests wait, and exits while they do.
pub fn wait(contender: Contender, method: Method, count: usize) {
    let settings = Settings {
        repeats_any_method: true,
        ..Settings::failing(WAIT)
    };
    let requests = match method {
        Method::Get => Requests::get(&in_memory(), true),
        Method::Post => Requests::post(&in_memory()),
    };
    let upstream = Upstream::refusing(usize::MAX);
    contender.in_memory(upstream, &settings, Waiting { requests, count });
}

struct Waiting {
    requests: Requests,
    count: usize,
}

impl<B: Payload> Visit<B> for Waiting {
    type Output = ();

    fn visit<C: Client<B>>(self, mut client: C) {
        runtime().block_on(async move {
            // The capacity is the same for any count, so that the difference of two runs does not contain it.
            let mut waiting: Vec<Pin<Box<_>>> = Vec::with_capacity(1 << 16);
            for _ in 0..self.count {
                let mut future = Box::pin(client.send(self.requests.make()));
                let waits =
                    poll_fn(|context| Poll::Ready(future.as_mut().poll(context).is_pending()));
                assert!(waits.await, "answered already");
                waiting.push(future);
            }
            process::exit(0);
        });
    }
}
