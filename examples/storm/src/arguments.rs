//! What the user asks for. A wrong argument ends the program with status 2 and a message that
//! names it.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::thread::available_parallelism;

use clap::Parser;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};

use crate::grid::{Asked, Grid};
use crate::hedge;
use crate::names::{by_name, variant_name, variant_summary};
use crate::quota;
use crate::scenario::{SCENARIOS, Scenario};
use crate::simulation::{VARIANTS, Variant};

/// More take more memory than a small machine has.
const MOST_CLIENTS: usize = 100_000;

const AFTER_HELP: &str = "\
Without --clients and --load: all with 100 clients and load 0.8, and then, for the tables of the
sweep, brown-out with 10, 100, 1000 and 10000 clients and loads 0.7, 0.8, 0.9 and 0.95, and the
other scenarios, too, with no-retry, earning and defaults, or the variants that are asked for.
With them: each number of clients with each load, and no others. The charts are those of the first.

After them, quotas: with 1, 10, 100 and 1000 clients and, where these share a limit, loads 0.8 and
0.9. They are left out if a scenario, a variant, --clients or --load is asked for. With --quotas
nothing else is run, and --clients and --load say with which; there are no charts then.

At last, latency: hedged requests on a usual day and on bad ones. It is left out as the quotas are.
With --hedge nothing else is run; there are no charts then.

All of it takes three to four minutes on two cores, and --quotas and --hedge less than one each.

Exit status: 0, or 1 if something could not be written, or 2 for wrong arguments.";

/// Simulates what retries do to a service on a bad day; prints tables and writes a page.
#[derive(Debug, Parser)]
#[command(name = "storm", version, after_help = AFTER_HELP)]
pub struct Arguments {
    /// What all that is random depends on
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,

    /// What goes wrong; repeat it for more [default: each]
    #[arg(long = "scenario", value_name = "NAME", value_parser = scenarios())]
    scenarios: Vec<&'static Scenario>,

    /// How the clients retry; repeat it for more [default: each]
    #[arg(long = "variant", value_name = "NAME", value_parser = variants())]
    variants: Vec<Variant>,

    /// How many clients there are; repeat it for more
    #[arg(long, value_name = "N", value_parser = parse_clients)]
    clients: Vec<usize>,

    /// What is asked for, of what the servers can answer; repeat it for more
    #[arg(long = "load", value_name = "X", value_parser = parse_load)]
    loads: Vec<f64>,

    /// Only the quotas: clients who hold their requests while a quota is used up, and others
    #[arg(long, conflicts_with_all = ["scenarios", "variants"])]
    quotas: bool,

    /// Only the latency: a second attempt beside a slow one, by this crate's rules and by others
    #[arg(long, conflicts_with_all = ["scenarios", "variants", "clients", "loads", "quotas"])]
    hedge: bool,

    /// Where to write the page and the charts
    #[arg(long, value_name = "DIR", default_value = "target/storm")]
    pub out: PathBuf,

    /// How many runs to do at a time [default: as many as there are cores]
    #[arg(long, value_name = "N", value_parser = parse_threads)]
    threads: Option<NonZeroUsize>,
}

impl Arguments {
    /// The storms, unless only the quotas or only the latency is asked for.
    pub fn grid(&self) -> Option<Grid> {
        let is_wanted = !self.quotas && !self.hedge;
        is_wanted.then(|| Grid::new(self.asked()))
    }

    /// The quotas, if they are asked for, or all is.
    pub fn quotas(&self) -> Option<quota::grid::Grid> {
        let asked = self.asked();
        let is_wanted = self.quotas || !self.hedge && !asked.asks_for_some();
        is_wanted.then(|| quota::grid::Grid::new(asked))
    }

    /// The latency, if it is asked for, or all is.
    pub fn hedges(&self) -> Option<hedge::grid::Grid> {
        let asked = self.asked();
        let is_wanted = self.hedge || !self.quotas && !asked.asks_for_some();
        is_wanted.then(|| hedge::grid::Grid::new(asked))
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
