//! A small curl with retries: `cargo run -p request -- [options] http://..`.
//!
//! Standard output gets the result: the body as it arrives; with `--json`, a line for each request;
//! or with `--count`, a summary. Standard error gets a timeline: each attempt and its outcome, the
//! length of each wait and its reason, and why there is no further attempt. With `--cooldown`, it
//! also shows when requests are held because a quota is used up, and until when. `--help` lists the
//! options. The defaults are those of [`RetryLayer::new`].
//!
//! ```text
//! cargo run -p request -- http://127.0.0.1:8080/
//! cargo run -p request -- -d 'name=value' --replay-any http://127.0.0.1:8080/form
//! cargo run -p request -- -X PUT --data-binary @photo.jpg http://127.0.0.1:8080/photo
//! cargo run -p request -- --count 1000 --concurrency 50 http://127.0.0.1:8080/
//! cargo run -p request -- --count 1000 --cooldown --rate-limit-headers http://127.0.0.1:8080/
//! ```
//!
//! Exit status: 0 for a 2xx or 3xx, 22 for another status, 7 for an error (also if requests
//! are held for too long), 2 for wrong arguments.
//!
//! [`RetryLayer::new`]: tower_http_retry::RetryLayer::new

use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use indicatif::{ProgressBar, ProgressStyle};
use tokio::runtime::Runtime;
use tokio::sync::mpsc;

mod arguments;
mod client;
mod payload;
mod report;
mod summary;
mod timeline;

use arguments::Arguments;
use client::Client;
use report::Report;
use summary::Summary;
use timeline::Timeline;

fn main() -> io::Result<ExitCode> {
    let arguments = Arguments::read();
    let runtime = Runtime::new()?;
    let exit = runtime.block_on(run(arguments));
    // A read from standard input cannot be cancelled. On a terminal, waiting for it would delay the
    // exit until a key is pressed.
    runtime.shutdown_background();
    Ok(exit)
}

async fn run(arguments: Arguments) -> ExitCode {
    let progress = progress_bar(&arguments);
    let timeline = Timeline::new(progress.clone(), arguments.is_one());
    let client = Client::new(&arguments, timeline);
    let mut reports = start(client, &arguments);
    let mut summary = Summary::new();
    while let Some(report) = reports.recv().await {
        progress.inc(1);
        let printed = match arguments.many.json {
            true => progress.suspend(|| print(&report.to_json())),
            false => Ok(()),
        };
        summary.add(report);
        match printed {
            Ok(()) => {}
            // The reader has closed the pipe, so further requests would be unnecessary load.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => break,
            Err(error) => {
                let error = format!("cannot write to standard output: {error}");
                progress.suspend(|| tell_error(&error));
                summary.fail();
                break;
            }
        }
    }
    progress.finish_and_clear();
    tell_result(&arguments, &summary);
    ExitCode::from(summary.ending())
}

/// Sends all requests, with the given concurrency. The receiver gets a report when a request ends.
fn start(client: Client, arguments: &Arguments) -> mpsc::Receiver<Report> {
    let (reports, receiver) = mpsc::channel(1);
    let client = Arc::new(client);
    let count = arguments.many.count.get();
    let started = Arc::new(AtomicU64::new(0));
    for _ in 0..arguments.many.concurrency.get().min(count) {
        let (client, started, reports) = (client.clone(), started.clone(), reports.clone());
        tokio::spawn(async move {
            loop {
                let number = started.fetch_add(1, Ordering::Relaxed) + 1;
                if number > count || reports.send(client.send(number).await).await.is_err() {
                    return;
                }
            }
        });
    }
    receiver
}

/// Creates a progress bar, which is drawn only if standard error is a terminal.
fn progress_bar(arguments: &Arguments) -> ProgressBar {
    if arguments.is_one() {
        return ProgressBar::hidden();
    }
    let template = "{bar:40} {pos}/{len} requests, {per_sec}, {eta} left";
    let style = ProgressStyle::with_template(template);
    let progress = ProgressBar::new(arguments.many.count.get());
    match style {
        Ok(style) => progress.with_style(style),
        Err(_) => progress,
    }
}

/// Prints the result when all requests have ended. Errors of the output cannot be reported, and are
/// ignored.
fn tell_result(arguments: &Arguments, summary: &Summary) {
    if arguments.is_one() {
        summary.first_error().into_iter().for_each(tell_error);
    } else if arguments.many.json {
        let _ = write!(io::stderr(), "{summary}");
    } else {
        let _ = write!(io::stdout(), "{summary}");
    }
}

fn tell_error(error: &str) {
    let _ = writeln!(io::stderr(), "error: {error}");
}

fn print(line: &str) -> io::Result<()> {
    writeln!(io::stdout(), "{line}")
}
