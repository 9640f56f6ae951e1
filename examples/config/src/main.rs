//! Reads the settings of a client's retries from a file: `cargo run -p config -- retry.toml`.
//!
//! Prints all settings of a TOML, JSON or YAML file, including the defaults. If the file has a mistake,
//! prints the field and the error. With `--demo`, a client with these settings calls a server that fails at
//! first. The server is a part of this program and listens on 127.0.0.1. With `--schema`, prints the JSON
//! schema of such a file, for editors that complete and check it.
//!
//! Exit status: 0, or 1 if the file cannot be read or is wrong, 2 for wrong arguments.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use schemars::schema_for;
use tower_http_retry::BoxError;
use tower_http_retry::config::RetryConfig;

mod demo;
mod format;

use format::Format;

/// The settings of the demo if no file is given.
const SETTINGS: &str = include_str!("../retry.toml");

/// Reads the settings of a client's retries from a file, and prints all of them.
#[derive(Debug, Parser)]
#[command(name = "config", version)]
struct Arguments {
    /// The file: .toml, .json, .yaml or .yml [default: settings for a demo]
    file: Option<PathBuf>,

    /// Call a server that fails at first, with a client that has these settings
    #[arg(long)]
    demo: bool,

    /// Print the JSON schema of such a file instead
    #[arg(long, conflicts_with_all = ["file", "demo"])]
    schema: bool,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // If standard error is closed, the error cannot be reported.
            let _ = writeln!(io::stderr(), "config: {}", error.to_string().trim_end());
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<(), BoxError> {
    if arguments.schema {
        let schema = serde_json::to_string_pretty(&schema_for!(RetryConfig))?;
        say(&schema);
        return Ok(());
    }
    let (format, config) = read(arguments.file.as_ref())?;
    say(format.write(&config)?.trim_end());
    if arguments.demo {
        say("");
        demo::run(config).await?;
    }
    Ok(())
}

/// Reads the settings of a file, and its format.
fn read(file: Option<&PathBuf>) -> Result<(Format, RetryConfig), BoxError> {
    let Some(file) = file else {
        return Ok((Format::Toml, Format::Toml.read(SETTINGS)?));
    };
    let name = file.display();
    let Some(format) = Format::of(file) else {
        return Err(format!("{name}: not a .toml, .json, .yaml or .yml file").into());
    };
    let text = std::fs::read_to_string(file).map_err(|error| format!("{name}: {error}"))?;
    let config = format.read(&text);
    Ok((format, config.map_err(|error| format!("{name}: {error}"))?))
}

/// Prints a line. Does not panic if the reader has closed the pipe, as `head` does.
fn say(line: &str) {
    let _ = writeln!(io::stdout(), "{line}");
}
