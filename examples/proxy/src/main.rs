//! A reverse proxy that retries, and shows what it does:
//! `cargo run -p proxy -- --demo`.
//!
//! The upstream is a part of this program, fails as the path of a request says, and listens on
//! 127.0.0.1, as does the proxy. Open the proxy's page in a browser. It shows the success rate, the 95th
//! percentile of the latency, the retries, why requests ended, and the budget over the last minutes, and how
//! many requests are held while the upstream's quota is used up. `/metrics` has the same for
//! Prometheus. The log on standard error has a span for each request and for each of its attempts.
//!
//! Exit status: 0 if it stopped because it was told to, else 1.

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

/// How long requests in flight may take to end when the program is told to stop.
const GRACE: Duration = Duration::from_secs(10);

/// How often samples of histograms are added up, even if nobody asks for them.
const UPKEEP: Duration = Duration::from_secs(5);

/// Upper bounds, in seconds, of what attempts and waits take here.
const BUCKETS: &[f64] = &[0.001, 0.01, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0];

/// A reverse proxy that retries, in front of an upstream that fails, with a page that shows it.
#[derive(Debug, Parser)]
#[command(name = "proxy", version)]
#[command(after_help = "Durations are written like 10s, 5m, 1h30m.")]
struct Arguments {
    /// Where the proxy listens; port 0 is any that is free
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:3000")]
    listen: SocketAddr,

    /// Send requests for so long, through an outage in the middle, and through a quota that is used
    /// up now and then near the end [default duration: 1m]
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    #[arg(num_args = 0..=1, default_missing_value = "1m")]
    demo: Option<Duration>,

    /// Stop after so long [default: at Ctrl-C]
    #[arg(long = "for", value_name = "DURATION", value_parser = parse_duration)]
    runs_for: Option<Duration>,

    /// What goes to standard error: off, error, warn, info, debug or trace [default: info, or error
    /// with --demo]
    #[arg(long, value_name = "LEVEL")]
    log: Option<LevelFilter>,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // The demonstration's failures are meant: they would bury what it prints.
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
            // Nobody is left to tell if standard error is closed.
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
    // One for all requests, as there is one upstream.
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

/// The next Ctrl-C, which is listened for from now on: before that it would end the program by
/// itself, or be lost.
async fn next_interrupt() -> Interrupt {
    let mut interrupt: Interrupt = Box::pin(ctrl_c());
    tokio::select! {
        biased;
        failed = &mut interrupt => Box::pin(ready(failed)),
        () = ready(()) => interrupt,
    }
}

/// Until the time is up, or somebody presses Ctrl-C.
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

/// Takes no more requests, and waits for those in flight; for a second Ctrl-C, no longer.
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
    // An error would mean that nobody is left to say so.
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

/// Prints a line; a reader that has gone away, as `head` does, is no reason to panic.
fn say(line: &str) {
    let _ = writeln!(io::stdout(), "{line}");
}
