//! The settings of a client's retries from a file: `cargo run -p config -- retry.toml`.
//!
//! Says what is wrong with a TOML, JSON or YAML file by the field, or prints all settings that it comes to,
//! with the defaults of those that it leaves out. With `--demo` a client with these settings calls a server
//! that fails at first; it is a part of this program and listens on 127.0.0.1. With `--schema`, the JSON
//! schema of such a file is printed, for editors that complete and check it.
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

/// The settings that the demo has without a file.
const SETTINGS: &str = include_str!("../retry.toml");

/// Reads the settings of a client's retries from a file, and prints what they come to.
#[derive(Debug, Parser)]
#[command(name = "config", version)]
struct Arguments {
    /// The file: .toml, .json, .yaml or .yml [default: settings for a demo]
    file: Option<PathBuf>,

    /// Lets a client with these settings call a server that fails at first
    #[arg(long)]
    demo: bool,

    /// Prints the JSON schema of such a file instead
    #[arg(long, conflicts_with_all = ["file", "demo"])]
    schema: bool,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody is left to tell if standard error is closed.
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

/// The settings of a file, and what it is written in.
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

/// Prints a line; a reader that has gone away, as `head` does, is no reason to panic.
fn say(line: &str) {
    let _ = writeln!(io::stdout(), "{line}");
}
