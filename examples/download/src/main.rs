//! Downloads a file, and resumes it where the connection breaks off:
//! `cargo run -p download -- URL FILE`.
//!
//! The stack is, from the outside in, [`ResumeLayer`], [`RetryLayer`], [`CommitLayer`] and hyper-util's
//! client, with HTTP/1.1 and without TLS. Standard error shows the progress, each resumption and each
//! retry. FILE is created when the download is complete. `--help` lists the options and the exit statuses.
//!
//! ```text
//! cargo run -p download -- http://127.0.0.1:8080/file.tar file.tar
//! cargo run -p download -- --verify-prefix --max-resumes 20 http://127.0.0.1:8080/file.tar file.tar
//! cargo run -p download -- --demo
//! cargo run --release -p download -- --demo --demo-bytes 1GiB
//! ```
//!
//! With `--demo`, the program starts a server on 127.0.0.1, and a proxy in front of it that cuts each
//! connection after a part of the response. Standard output then shows what happened, and whether the
//! received bytes are those that were served.
//!
//! [`CommitLayer`]: tower_http_retry::CommitLayer
//! [`ResumeLayer`]: tower_http_retry::ResumeLayer
//! [`RetryLayer`]: tower_http_retry::RetryLayer

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;
use tokio::runtime::Runtime;
use tokio::signal::ctrl_c;

mod arguments;
mod client;
mod demo;
mod download;
mod failure;
mod partial_file;
mod progress;
mod size;

use arguments::Arguments;
use failure::Failure;
use progress::Progress;

/// The exit status that shells report for a program that was ended by Ctrl-C.
const INTERRUPTED: u8 = 130;

fn main() -> io::Result<ExitCode> {
    let arguments = Arguments::parse();
    let progress = Progress::start(arguments.quiet);
    let runtime = Runtime::new()?;
    let outcome = runtime.block_on(async {
        tokio::select! {
            // Polled first, so that Ctrl-C is handled before there is a file to be removed.
            biased;
            Ok(()) = ctrl_c() => Ok(ExitCode::from(INTERRUPTED)),
            outcome = run(&arguments, &progress) => outcome,
        }
    });
    // A name lookup cannot be cancelled, and waiting for it would delay the exit.
    runtime.shutdown_background();
    progress.clear();
    Ok(outcome.unwrap_or_else(|failure| {
        // If standard error is closed, the error cannot be reported.
        let _ = writeln!(io::stderr(), "download: {failure}");
        ExitCode::from(failure.exit_status())
    }))
}

async fn run(arguments: &Arguments, progress: &Progress) -> Result<ExitCode, Failure> {
    let transfer = &arguments.transfer;
    match (&arguments.url, &arguments.file) {
        (Some(url), Some(file)) => {
            download::download(url.clone(), file, transfer, progress).await?;
            Ok(ExitCode::SUCCESS)
        }
        // Both arguments are required without `--demo`.
        _ => demo::run(&arguments.demo, transfer, progress).await,
    }
}
