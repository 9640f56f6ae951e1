//! The runs: which scenarios, with which variants, under which loads.

use crate::names::variant_name;
use crate::scenario::{SCENARIOS, Scenario};
use crate::simulation::{Load, VARIANTS, Variant};

const BASE: Load = Load {
    clients: 100,
    share: 0.8,
};

const CLIENTS: [usize; 4] = [10, 100, 1_000, 10_000];
const SHARES: [f64; 4] = [0.7, 0.8, 0.9, 0.95];

/// The scenario in which all variants run under all loads.
const SWEPT_BY_ALL: &str = "brown-out";

/// The variants that run in all scenarios under all loads.
const SWEPT: [Variant; 3] = [Variant::NoRetry, Variant::Earning, Variant::Defaults];

/// One run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Job {
    pub scenario: &'static Scenario,
    pub variant: Variant,
    pub load: Load,
}

/// What the user asks for. An empty list stands for the defaults.
#[derive(Clone, Debug)]
pub struct Asked {
    pub seed: u64,
    pub scenarios: Vec<&'static Scenario>,
    pub variants: Vec<Variant>,
    pub clients: Vec<usize>,
    pub shares: Vec<f64>,
}

#[derive(Debug)]
pub struct Grid {
    asked: Asked,
    pub scenarios: Vec<&'static Scenario>,
    pub variants: Vec<Variant>,
    /// The load of the charts and of the first tables.
    pub base: Load,
    /// The loads of the sweep.
    pub loads: Vec<Load>,
}

impl Grid {
    pub fn new(asked: Asked) -> Self {
        let wants = |scenario: &&Scenario| is_asked(&asked.scenarios, scenario);
        let (base, loads) = loads(&asked);
        Self {
            scenarios: SCENARIOS.iter().filter(wants).collect(),
            variants: VARIANTS
                .into_iter()
                .filter(|variant| is_asked(&asked.variants, variant))
                .collect(),
            base,
            loads,
            asked,
        }
    }

    pub fn seed(&self) -> u64 {
        self.asked.seed
    }

    /// Whether the sweep has more than one load.
    pub fn is_swept(&self) -> bool {
        self.loads.len() > 1
    }

    /// Returns the variants of the sweep. Unless variants or loads are asked for, a few are enough in most
    /// scenarios.
    pub fn swept(&self, scenario: &Scenario) -> Vec<Variant> {
        let all = self.asked.asks_loads()
            || !self.asked.variants.is_empty()
            || scenario.name == SWEPT_BY_ALL;
        let variants = self.variants.iter().copied();
        variants
            .filter(|variant| all || SWEPT.contains(variant))
            .collect()
    }

    /// Returns all runs, each once.
    pub fn jobs(&self) -> Vec<Job> {
        let mut jobs = Vec::new();
        for scenario in self.scenarios.iter().copied() {
            let job = |variant, load| Job {
                scenario,
                variant,
                load,
            };
            jobs.extend(self.variants.iter().map(|variant| job(*variant, self.base)));
            let others = self.loads.iter().filter(|load| **load != self.base);
            for load in others {
                jobs.extend(
                    self.swept(scenario)
                        .into_iter()
                        .map(|variant| job(variant, *load)),
                );
            }
        }
        jobs
    }

    /// Returns the command line that repeats these runs.
    pub fn command(&self) -> String {
        self.asked.command("")
    }
}

impl Asked {
    fn asks_loads(&self) -> bool {
        !self.clients.is_empty() || !self.shares.is_empty()
    }

    /// Whether the user asks for anything but the defaults.
    pub fn asks_for_some(&self) -> bool {
        self.asks_loads() || !self.scenarios.is_empty() || !self.variants.is_empty()
    }

    /// Returns a command line, with this option first.
    pub fn command(&self, option: &str) -> String {
        let mut options = option.to_owned();
        if self.seed != 1 {
            options += &format!(" --seed {}", self.seed);
        }
        for scenario in &self.scenarios {
            options += &format!(" --scenario {}", scenario.name);
        }
        for variant in &self.variants {
            options += &format!(" --variant {}", variant_name(*variant));
        }
        for clients in &self.clients {
            options += &format!(" --clients {clients}");
        }
        for share in &self.shares {
            options += &format!(" --load {share}");
        }
        let separator = if options.is_empty() { "" } else { " --" };
        format!("cargo run --release -p storm{separator}{options}")
    }
}

/// Returns the base load and the loads of the sweep.
fn loads(asked: &Asked) -> (Load, Vec<Load>) {
    if !asked.asks_loads() {
        return (BASE, each_with_each(&CLIENTS, &SHARES));
    }
    let loads = each_with_each(
        non_empty(&asked.clients).unwrap_or(&[BASE.clients]),
        non_empty(&asked.shares).unwrap_or(&[BASE.share]),
    );
    (loads[0], loads)
}

pub fn each_with_each(clients: &[usize], shares: &[f64]) -> Vec<Load> {
    let mut loads = Vec::new();
    for &clients in clients {
        for &share in shares {
            let load = Load { clients, share };
            if !loads.contains(&load) {
                loads.push(load);
            }
        }
    }
    loads
}

pub fn non_empty<T>(all: &[T]) -> Option<&[T]> {
    Some(all).filter(|all| !all.is_empty())
}

fn is_asked<T: PartialEq>(asked: &[T], one: &T) -> bool {
    asked.is_empty() || asked.contains(one)
}
