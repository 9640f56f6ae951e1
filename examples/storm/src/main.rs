//! Simulates what retries do to a service during an overload: `cargo run --release -p storm`.
//!
//! Many clients call a service on a paused clock. A fault begins, lasts for 20 seconds and ends. Each
//! scenario is a fault; each variant is a way to retry, most of them this crate's layer with a
//! different budget. With some of them the service stays down long after the fault.
//!
//! Standard output has tables in Markdown: conclusions; how long the service takes to recover, how many
//! attempts were sent, and how many requests succeeded; and the recovery by the number of clients and
//! the load. Two more tables are about quotas: clients that hold their requests while a quota is used
//! up, with a `Cooldown` or a hand-written service, where all clients share a limit and where each has
//! its own. The last three are about latency: what hedged requests gain, and what they add to the load,
//! by this crate's rules and by others.
//!
//! A page, `index.html`, with charts and tables, and the chart of each scenario as SVG are written to
//! the directory `storm` in cargo's target directory, or to `--out`. Progress goes to standard error.
//! All results are the same for the same seed. `--help` lists the options.
//!
//! ```text
//! cargo run --release -p storm
//! cargo run --release -p storm -- --seed 2 --scenario brown-out
//! cargo run --release -p storm -- --clients 50 --load 0.9 --variant earning
//! cargo run --release -p storm -- --quotas
//! cargo run --release -p storm -- --hedge
//! ```
//!
//! A whole run takes three to four minutes on two cores; the quotas and the latency take less than one
//! minute each. They are left out if a scenario, a variant, a number of clients or a load is given.
//! With `--quotas` or `--hedge`, everything else is left out.
//!
//! Exit status: 0, or 1 if something could not be written, or 2 for wrong arguments.

use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use tower_http_retry::BoxError;

mod arguments;
mod chart;
mod conclusions;
mod figures;
mod grid;
mod hedge;
mod names;
mod page;
mod parallel;
mod peers;
mod quota;
mod runs;
mod scenario;
mod simulation;
mod table;
mod tables;
#[cfg(test)]
mod tests;
mod upstream;

use arguments::Arguments;
use grid::Grid;
use runs::{Extent, Outcomes};

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tell(&format!("error: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), BoxError> {
    let start = Instant::now();
    let out = arguments.out();
    let out = out.as_path();
    // The runs take minutes, so a directory that cannot be created is reported before them.
    fs::create_dir_all(out).map_err(|error| format!("cannot create {}: {error}", out.display()))?;
    let mut sections = Vec::new();
    if let Some(grid) = arguments.grid() {
        let outcomes = Outcomes::of(&grid, arguments.threads());
        write_charts(out, &grid, &outcomes)?;
        sections.push(page::section(&grid, &outcomes)?);
    }
    if let Some(grid) = arguments.quotas() {
        let outcomes = quota::runs::Outcomes::of(&grid, arguments.threads());
        sections.push(quota::page::section(&grid, &outcomes));
    }
    if let Some(grid) = arguments.hedges() {
        let outcomes = hedge::runs::Outcomes::of(&grid.jobs(), grid.seed(), arguments.threads());
        sections.push(hedge::page::section(&grid, &outcomes));
    }
    write(&out.join("index.html"), &page::page(&sections))?;
    let all = sections.iter();
    let all = all.flat_map(|section| section.summary.iter().chain(&section.tables));
    print(&tables::markdown(arguments.seed, all))?;
    let extent = Extent::sum(sections.iter().map(|section| section.extent));
    let seconds = start.elapsed().as_secs_f64();
    tell(&format!("{extent} in {seconds:.1} s"));
    tell(&format!("See {}", out.join("index.html").display()));
    Ok(())
}

/// Writes the chart of each scenario to a separate file.
fn write_charts(out: &Path, grid: &Grid, outcomes: &Outcomes) -> Result<(), BoxError> {
    for scenario in &grid.scenarios {
        let chart = chart::draw(scenario, grid, outcomes)?;
        write(&out.join(scenario.name).with_extension("svg"), &chart)?;
    }
    Ok(())
}

fn write(file: &Path, content: &str) -> Result<(), BoxError> {
    fs::write(file, content)
        .map_err(|error| format!("cannot write {}: {error}", file.display()).into())
}

/// Prints to standard output. It is not an error if the reader has closed the pipe, as `head` does.
fn print(text: &str) -> Result<(), BoxError> {
    let mut stdout = io::stdout();
    match stdout.write_all(text.as_bytes()).and(stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(format!("cannot write to standard output: {error}").into())
        }
        _ => Ok(()),
    }
}

/// Prints a line to standard error. If that is closed, the error is ignored.
fn tell(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}
