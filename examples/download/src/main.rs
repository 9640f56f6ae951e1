//! Downloads a file, and resumes it where the connection breaks off:
//! `cargo run -p download -- URL FILE`.
//!
//! The stack is [`ResumeLayer`] over [`RetryLayer`] over [`CommitLayer`] over hyper-util's client, over
//! HTTP/1.1 without TLS. Standard error shows the progress, each resumption and each retry. FILE gets
//! its name when it is whole; `--help` lists the options and the exit statuses.
//!
//! ```text
//! cargo run -p download -- http://127.0.0.1:8080/file.tar file.tar
//! cargo run -p download -- --verify-prefix --max-resumes 20 http://127.0.0.1:8080/file.tar file.tar
//! cargo run -p download -- --demo
//! cargo run --release -p download -- --demo --demo-bytes 1GiB
//! ```
//!
//! With `--demo`, the server is a part of this program, and so is a proxy before it that cuts each
//! connection after some of the response; both listen on 127.0.0.1. Standard output then says what
//! happened, and whether what arrived is what was served.
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

/// What a shell says of a program that Ctrl-C has ended.
const INTERRUPTED: u8 = 130;

fn main() -> io::Result<ExitCode> {
    let arguments = Arguments::parse();
    let progress = Progress::start(arguments.quiet);
    let runtime = Runtime::new()?;
    let outcome = runtime.block_on(async {
        tokio::select! {
            // First, so that it is listened for before there is a file to be removed.
            biased;
            Ok(()) = ctrl_c() => Ok(ExitCode::from(INTERRUPTED)),
            outcome = run(&arguments, &progress) => outcome,
        }
    });
    // Looking up a name cannot be called off; waiting for it would hold up the exit.
    runtime.shutdown_background();
    progress.clear();
    Ok(outcome.unwrap_or_else(|failure| {
        // There is nobody to tell if standard error is closed.
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
        // The arguments are not parsed without both unless there is `--demo`.
        _ => demo::run(&arguments.demo, transfer, progress).await,
    }
}
