//! The arguments. If one is wrong, the program prints a message that names it, and exits with status 2.

use std::env;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::thread::available_parallelism;

use clap::Parser;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};

use crate::grid::{Asked, Grid};
use crate::hedge;
use crate::names::{by_name, variant_name, variant_summary};
use crate::quota;
use crate::scenario::{SCENARIOS, Scenario};
use crate::simulation::{VARIANTS, Variant};

/// More clients take more memory than a small machine has.
const MOST_CLIENTS: usize = 100_000;

const AFTER_HELP: &str = "\
Without --clients and --load, everything runs with 100 clients and a load of 0.8. For the table by
clients and load, brown-out also runs with 10, 100, 1000 and 10000 clients and loads of 0.7, 0.8,
0.9 and 0.95, and so do the other scenarios with no-retry, earning and defaults, or with the
variants that are given.
With --clients or --load, each number of clients runs with each load, and nothing else does. The
charts and the first tables show the first of them.

Quotas run after that, with 1, 10, 100 and 1000 clients, and with loads of 0.8 and 0.9 where the
clients share a limit. They are left out if a scenario, a variant, --clients or --load is given.
With --quotas, nothing else runs, and --clients and --load set the numbers of clients and the loads.
There are no charts then.

Latency runs last: hedged requests in normal operation and in faults. It is left out as the quotas
are. With --hedge, nothing else runs, and there are no charts.

A whole run takes three to four minutes on two cores, --quotas and --hedge less than one each.

Exit status: 0, or 1 if something could not be written, or 2 for wrong arguments.";

/// Simulates what retries do to a service during an overload; prints tables and writes a page.
#[derive(Debug, Parser)]
#[command(name = "storm", version, after_help = AFTER_HELP)]
pub struct Arguments {
    /// Seed of all random numbers
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,

    /// The fault to simulate; can be repeated [default: all]
    #[arg(long = "scenario", value_name = "NAME", value_parser = scenarios())]
    scenarios: Vec<&'static Scenario>,

    /// The way in which the clients retry; can be repeated [default: all]
    #[arg(long = "variant", value_name = "NAME", value_parser = variants())]
    variants: Vec<Variant>,

    /// The number of clients; can be repeated
    #[arg(long, value_name = "N", value_parser = parse_clients)]
    clients: Vec<usize>,

    /// The part of the servers' capacity that the requests need; can be repeated
    #[arg(long = "load", value_name = "X", value_parser = parse_load)]
    loads: Vec<f64>,

    /// Simulate only quotas: clients that hold requests while a quota is used up, and others
    #[arg(long, conflicts_with_all = ["scenarios", "variants"])]
    quotas: bool,

    /// Simulate only latency: hedged requests, by this crate's rules and by others
    #[arg(long, conflicts_with_all = ["scenarios", "variants", "clients", "loads", "quotas"])]
    hedge: bool,

    /// Directory for the page and the charts [default: storm in cargo's target directory]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,

    /// The number of simulations that run at the same time [default: the number of cores]
    #[arg(long, value_name = "N", value_parser = parse_threads)]
    threads: Option<NonZeroUsize>,
}

impl Arguments {
    /// Returns the grid of the storms, unless only the quotas or only the latency are simulated.
    pub fn grid(&self) -> Option<Grid> {
        let is_wanted = !self.quotas && !self.hedge;
        is_wanted.then(|| Grid::new(self.asked()))
    }

    /// Returns the grid of the quotas, if they are asked for or everything is simulated.
    pub fn quotas(&self) -> Option<quota::grid::Grid> {
        let asked = self.asked();
        let is_wanted = self.quotas || !self.hedge && !asked.asks_for_some();
        is_wanted.then(|| quota::grid::Grid::new(asked))
    }

    /// Returns the grid of the latency, if it is asked for or everything is simulated.
    pub fn hedges(&self) -> Option<hedge::grid::Grid> {
        let asked = self.asked();
        let is_wanted = self.hedge || !self.quotas && !asked.asks_for_some();
        is_wanted.then(|| hedge::grid::Grid::new(asked))
    }

    pub fn out(&self) -> PathBuf {
        let program = || env::current_exe().unwrap_or_default();
        let out = self.out.clone();
        out.unwrap_or_else(|| target_directory(&program()).join("storm"))
    }

    fn asked(&self) -> Asked {
        Asked {
            seed: self.seed,
            scenarios: self.scenarios.clone(),
            variants: self.variants.clone(),
            clients: self.clients.clone(),
            shares: self.loads.clone(),
        }
    }

    pub fn threads(&self) -> usize {
        let threads = self.threads.or_else(|| available_parallelism().ok());
        threads.map_or(1, NonZeroUsize::get)
    }
}

/// Returns cargo's target directory. Cargo puts the program into the directory of a profile in it, such
/// as `release`.
fn target_directory(program: &Path) -> &Path {
    let profile = program.parent();
    let target = profile.and_then(Path::parent);
    target.unwrap_or(Path::new("target"))
}

fn scenarios() -> impl TypedValueParser<Value = &'static Scenario> {
    let values = SCENARIOS
        .iter()
        .map(|scenario| PossibleValue::new(scenario.name).help(scenario.summary));
    PossibleValuesParser::new(values)
        .map(|name| by_name(&SCENARIOS, &name, |scenario| scenario.name))
}

fn variants() -> impl TypedValueParser<Value = Variant> {
    let values = VARIANTS
        .map(|variant| PossibleValue::new(variant_name(variant)).help(variant_summary(variant)));
    PossibleValuesParser::new(values)
        .map(|name| *by_name(&VARIANTS, &name, |variant| variant_name(*variant)))
}

fn parse_clients(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(clients) if (1..=MOST_CLIENTS).contains(&clients) => Ok(clients),
        _ => Err(format!(
            "it must be a whole number from 1 to {MOST_CLIENTS}"
        )),
    }
}

fn parse_load(text: &str) -> Result<f64, &'static str> {
    match text.parse() {
        Ok(load) if load > 0.0 && load <= 2.0 => Ok(load),
        _ => Err("it must be a number above 0 and up to 2"),
    }
}

fn parse_threads(text: &str) -> Result<NonZeroUsize, &'static str> {
    text.parse()
        .map_err(|_| "it must be a whole number above zero")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_written_beside_the_directory_of_the_program() {
        for (program, target) in [
            ("/there/target/release/storm", "/there/target"),
            ("/elsewhere/debug/storm", "/elsewhere"),
            ("", "target"),
        ] {
            assert_eq!(target_directory(Path::new(program)), Path::new(target));
        }
        let arguments = Arguments::parse_from(["storm", "--out", "here"]);
        assert_eq!(arguments.out(), Path::new("here"));
    }
}
