//! Measures the cost of a request with tower-http-retry and with its peers, beyond the cost without
//! retries.
//!
//! The table in Markdown goes to standard output, the progress to standard error. The README of this
//! package explains what is measured, and how.

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand, ValueEnum};

use crate::bench::{Bench, Effort};
use crate::case::Case;
use crate::contender::Contender;
use crate::table::{Row, Table};

mod bench;
mod case;
mod client;
mod contender;
mod figures;
mod hedge;
mod instructions;
mod loopback;
mod payload;
mod rounds;
mod scale;
mod sequence;
mod server;
mod table;
mod threads;
mod upstream;
mod valgrind;
mod versions;
mod waiting;
mod waves;

/// Measures what retries cost, and prints a table in Markdown.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,

    /// Measures everything in about a minute, less exactly.
    #[arg(long)]
    quick: bool,

    /// Measures only these rows; may be given more than once.
    #[arg(long, value_name = "ROW")]
    only: Vec<Part>,
}

#[derive(Subcommand)]
enum Command {
    /// Shows which functions execute the instructions of a case; needs valgrind.
    Profile { contender: Contender, case: Case },
    /// Sends requests in memory, one after another.
    #[command(hide = true)]
    Send {
        contender: Contender,
        case: Case,
        count: u32,
    },
    /// Exits while requests wait.
    #[command(hide = true)]
    Wait {
        contender: Contender,
        method: waiting::Method,
        count: usize,
    },
    /// Lets requests wait, all at the same time.
    #[command(hide = true)]
    Fly {
        contender: Contender,
        count: usize,
        wait_millis: u64,
    },
    /// Runs a server.
    #[command(hide = true)]
    Serve { failures: usize },
}

/// A group of rows that are measured together.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    Get,
    GetCooldown,
    GetHeaders,
    Post,
    PostStream,
    Retries,
    RetriesHeaders,
    Waits,
    WaitsHeaders,
    WaitsPost,
    Hedge,
    Waiting,
    Cpu,
    Waves,
    Connections,
    Threads,
    Scale,
}

impl Part {
    fn rows(self, bench: &Bench) -> io::Result<Vec<Row>> {
        match self {
            Self::Get => instructions::rows(bench, Case::Get),
            Self::GetCooldown => instructions::rows(bench, Case::GetCooldown),
            Self::GetHeaders => instructions::rows(bench, Case::GetHeaders),
            Self::Post => instructions::rows(bench, Case::Post),
            Self::PostStream => instructions::rows(bench, Case::PostStream),
            Self::Retries => instructions::rows(bench, Case::Retries),
            Self::RetriesHeaders => instructions::rows(bench, Case::RetriesHeaders),
            Self::Waits => instructions::rows(bench, Case::Waits),
            Self::WaitsHeaders => instructions::rows(bench, Case::WaitsHeaders),
            Self::WaitsPost => instructions::rows(bench, Case::WaitsPost),
            Self::Hedge => hedge::rows(bench),
            Self::Waiting => waiting::rows(bench),
            Self::Cpu => loopback::cpu_rows(bench),
            Self::Waves => Ok(waves::rows(bench)),
            Self::Connections => loopback::connection_rows(bench),
            Self::Threads => Ok(threads::rows(bench)),
            Self::Scale => scale::rows(bench),
        }
    }
}

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tower-http-retry-benches: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> io::Result<()> {
    match arguments.command {
        None => compare(arguments.quick, &arguments.only),
        Some(Command::Profile { contender, case }) => {
            let sent = instructions::arguments(contender, case, 1_000);
            say(&valgrind::annotate(&sent)?)
        }
        Some(Command::Send {
            contender,
            case,
            count,
        }) => {
            instructions::send(contender, case, count);
            Ok(())
        }
        Some(Command::Wait {
            contender,
            method,
            count,
        }) => {
            waiting::wait(contender, method, count);
            Ok(())
        }
        Some(Command::Fly {
            contender,
            count,
            wait_millis,
        }) => {
            let wait = Duration::from_millis(wait_millis);
            say(&format!(
                "{}\n",
                scale::run(contender, count, wait).to_line()
            ))
        }
        Some(Command::Serve { failures }) => server::serve(failures),
    }
}

fn compare(is_quick: bool, only: &[Part]) -> io::Result<()> {
    let has_valgrind = valgrind::version().is_some();
    if !has_valgrind {
        eprintln!(
            "valgrind is not installed: instructions, allocations and heap bytes are left out"
        );
    }
    let effort = if is_quick {
        Effort::quick()
    } else {
        Effort::full()
    };
    let bench = Bench::new(effort, has_valgrind);
    let mut table = Table::default();
    for part in Part::value_variants() {
        if only.is_empty() || only.contains(part) {
            for row in part.rows(&bench)? {
                table.push(row);
            }
        }
    }
    bench.finish();
    say(&format!("{table}\n{}\n", versions::describe()))
}

/// Writes to standard output. It is not an error if the reader has closed the pipe.
fn say(text: &str) -> io::Result<()> {
    match io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
        _ => Ok(()),
    }
}
