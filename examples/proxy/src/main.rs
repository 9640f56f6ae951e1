//! A reverse proxy that retries, with a page that shows the retries:
//! `cargo run -p proxy -- --demo`.
//!
//! The proxy and its upstream are parts of this program, and listen on 127.0.0.1. The path of a request
//! determines how the upstream fails. Open the proxy's page in a browser. It shows the success rate, the 95th
//! percentile of the latency, the retries, why requests ended, and the budget over the last minutes, and how
//! many requests are held while the upstream's quota is used up. `/metrics` has this data for Prometheus. The
//! log on standard error has a span for each request and for each of its attempts.
//!
//! Exit status: 0 if it was stopped by Ctrl-C or at the end of its time, else 1.

use std::future::ready;
use std::io::{self, IsTerminal, Write};
use std::net::SocketAddr;
use std::pin::Pin;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use humantime::parse_duration;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tokio::net::TcpListener;
use tokio::signal::ctrl_c;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use tower_http_retry::{BoxError, Cooldown};
use tracing::level_filters::LevelFilter;

use crate::history::History;
use crate::upstream::Upstream;

mod demo;
mod gateway;
mod history;
mod status;
mod upstream;

/// How long requests in flight may take to end when the program stops.
const GRACE: Duration = Duration::from_secs(10);

/// How often the samples of histograms are added up, even if `/metrics` is not requested.
const UPKEEP: Duration = Duration::from_secs(5);

/// The upper bounds of the buckets for attempts and waits, in seconds.
const BUCKETS: &[f64] = &[0.001, 0.01, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0];

/// A reverse proxy that retries, in front of an upstream that fails, with a page that shows it.
#[derive(Debug, Parser)]
#[command(name = "proxy", version)]
#[command(after_help = "Durations are written like 10s, 5m, 1h30m.")]
struct Arguments {
    /// The address on which the proxy listens; port 0 selects a free port
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:3000")]
    listen: SocketAddr,

    /// Send requests for this time, with an outage in the middle, and with a quota that is used up
    /// several times near the end [default duration: 1m]
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    #[arg(num_args = 0..=1, default_missing_value = "1m")]
    demo: Option<Duration>,

    /// Stop after this time [default: at Ctrl-C]
    #[arg(long = "for", value_name = "DURATION", value_parser = parse_duration)]
    runs_for: Option<Duration>,

    /// The log level on standard error: off, error, warn, info, debug or trace [default: info, or
    /// error with --demo]
    #[arg(long, value_name = "LEVEL")]
    log: Option<LevelFilter>,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // The failures of the demonstration are intended, and would hide its output.
    let default_level = match arguments.demo {
        Some(_) => LevelFilter::ERROR,
        None => LevelFilter::INFO,
    };
    tracing_subscriber::fmt()
        .with_max_level(arguments.log.unwrap_or(default_level))
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .init();
    match run(&arguments).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // If standard error is closed, the error cannot be reported.
            let _ = writeln!(io::stderr(), "proxy: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: &Arguments) -> Result<(), BoxError> {
    let recorder = PrometheusBuilder::new()
        .set_buckets(BUCKETS)?
        .install_recorder()?;
    tower_http_retry::metrics::describe();
    let history = Arc::new(History::new());
    let upstream = Upstream::listen().await?;
    // One state for all requests, because there is only one upstream.
    let cooldown = Cooldown::new();
    let gateway = gateway::router(upstream.address(), cooldown.clone(), history.clone());
    let router = status::router(history.clone(), cooldown, recorder.clone()).merge(gateway);

    let interrupt = next_interrupt().await;
    let address = arguments.listen;
    let listener = TcpListener::bind(address).await;
    let listener = listener.map_err(|error| format!("cannot listen on {address}: {error}"))?;
    let address = listener.local_addr()?;
    say(&format!("proxy: http://{address}/"));

    let (stop, stopping) = watch::channel(false);
    let serving = axum::serve(listener, router).with_graceful_shutdown(stopped(stopping.clone()));
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { serving.await.map_err(BoxError::from) });
    if let Some(duration) = arguments.demo {
        tasks.spawn(demo::send(address, duration, history.clone(), stopping));
    }
    let upkeep = tokio::spawn(add_up(recorder));

    let outcome = tokio::select! {
        outcome = all(&mut tasks) => outcome,
        () = time_is_up(arguments.runs_for, interrupt) => finish(&stop, &mut tasks).await,
    };
    upkeep.abort();
    say(&history.summary());
    outcome
}

type Interrupt = Pin<Box<dyn Future<Output = io::Result<()>>>>;

/// Starts to listen for Ctrl-C, and returns a future for the next one. A Ctrl-C before this call ends
/// the program, or is lost.
async fn next_interrupt() -> Interrupt {
    let mut interrupt: Interrupt = Box::pin(ctrl_c());
    tokio::select! {
        biased;
        failed = &mut interrupt => Box::pin(ready(failed)),
        () = ready(()) => interrupt,
    }
}

/// Waits until the time is up, or until Ctrl-C is pressed.
async fn time_is_up(runs_for: Option<Duration>, interrupt: Interrupt) {
    let time = async {
        match runs_for {
            Some(duration) => sleep(duration).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = time => {}
        Ok(()) = interrupt => {}
    }
}

/// Stops accepting requests, and waits for those in flight, at most until a second Ctrl-C.
async fn finish(
    stop: &watch::Sender<bool>,
    tasks: &mut JoinSet<Result<(), BoxError>>,
) -> Result<(), BoxError> {
    let interrupt = next_interrupt().await;
    stop.send_replace(true);
    say("proxy: stops, and waits for the requests in flight");
    tokio::select! {
        ended = timeout(GRACE, all(tasks)) => ended.unwrap_or_else(|_| {
            say("proxy: waits no longer");
            Ok(())
        }),
        Ok(()) = interrupt => Ok(()),
    }
}

async fn all(tasks: &mut JoinSet<Result<(), BoxError>>) -> Result<(), BoxError> {
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    Ok(())
}

async fn stopped(mut stopping: watch::Receiver<bool>) {
    // An error means that the sender was dropped.
    let _ = stopping.wait_for(|stopping| *stopping).await;
}

async fn add_up(recorder: PrometheusHandle) {
    let mut ticks = interval(UPKEEP);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        recorder.run_upkeep();
    }
}

/// Prints a line. Does not panic if the reader has closed the pipe, as `head` does.
fn say(line: &str) {
    let _ = writeln!(io::stdout(), "{line}");
}
