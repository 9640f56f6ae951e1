//! Tests of the latency: hedges shorten it, add little load, and do no harm during a fault.
//!
//! The simulation is that of `cargo run --release -p storm -- --hedge`.

use std::time::Duration;

use fastrand::Rng;

use super::figures::Figures;
use super::grid::{Grid, Job};
use super::histogram::quantile;
use super::page::section;
use super::runs::Outcomes;
use super::simulation::simulate;
use super::{HEDGINGS, Hedging, SHARE, WORKLOADS, Workload};
use crate::grid::Asked;
use crate::table::Table;

const SEEDS: [u64; 2] = [1, 2];

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn workload(name: &str) -> &'static Workload {
    let workload = WORKLOADS.iter().find(|workload| workload.name == name);
    workload.expect("a workload of this name")
}

fn run(name: &str, hedging: Hedging, seed: u64) -> Figures {
    let workload = workload(name);
    Figures::of(workload, &simulate(workload, hedging, seed))
}

/// Asserts a condition for the layer.
fn holds(name: &str, hedging: Hedging, is_good: impl Fn(&Figures) -> bool) {
    for seed in SEEDS {
        let figures = run(name, hedging, seed);
        assert!(is_good(&figures), "{name}, seed {seed}: {figures:?}");
        // No ten seconds have more hedges than the share plus 0.01.
        assert!(
            figures.worst <= SHARE + 0.01,
            "{name}, seed {seed}: {figures:?}"
        );
    }
}

#[test]
fn stragglers_are_hardly_noticed_at_a_thirteenth_more_load() {
    holds("stragglers", Hedging::Layer, |figures| {
        figures.p99 <= millis(17) && figures.p999 <= millis(46) && figures.extra <= 0.077
    });
}

/// Each client can save up to three hedges. By chance, they are sometimes used up, which the p99.9 shows.
#[test]
fn a_hundred_small_clients_learn_enough_from_few_requests() {
    holds("small-clients", Hedging::Layer, |figures| {
        figures.p99 <= millis(20) && figures.p999 <= millis(70) && figures.extra <= 0.077
    });
}

#[test]
fn a_service_without_stragglers_gets_hardly_a_hedge() {
    holds("steady", Hedging::Layer, |figures| figures.extra <= 0.007);
}

#[test]
fn others_hedge_a_service_without_stragglers() {
    let others = [
        Hedging::Tower,
        Hedging::Finagle,
        Hedging::Failsafe,
        Hedging::Bhope,
    ];
    for hedging in others {
        let figures = run("steady", hedging, 1);
        assert!(figures.extra >= 0.03, "{hedging:?}: {figures:?}");
    }
}

#[test]
fn in_queues_the_p99_is_half_of_what_it_is_without_hedges() {
    holds("queues", Hedging::Layer, |figures| {
        figures.p99 <= millis(140) && figures.extra <= 0.093
    });
    let without = run("queues", Hedging::Never, 1);
    assert!(without.p99 >= millis(250), "{without:?}");
}

#[test]
fn a_service_that_slows_down_gets_no_more_than_the_share() {
    for name in ["slow-down", "tenfold"] {
        holds(name, Hedging::Layer, |figures| {
            figures.extra <= SHARE + 0.005
        });
    }
}

#[test]
fn requests_that_are_slow_wherever_they_go_get_no_more_than_the_share() {
    holds("bimodal", Hedging::Layer, |figures| figures.extra <= SHARE);
}

#[test]
fn a_slow_replica_is_gone_round() {
    for name in ["one-slow-random", "one-slow-least-loaded"] {
        holds(name, Hedging::Layer, |figures| figures.extra <= SHARE);
    }
}

#[test]
fn without_a_budget_a_slow_down_gets_half_as_many_attempts_again() {
    for hedging in [Hedging::Fixed, Hedging::Tower] {
        let figures = run("slow-down", hedging, 1);
        assert!(figures.extra >= 0.5, "{hedging:?}: {figures:?}");
    }
}

/// Asserts that a brown-out is no worse than without hedges.
fn is_no_worse(name: &str, hedging: Hedging) {
    for seed in SEEDS {
        let without = run(name, Hedging::Never, seed);
        let with = run(name, hedging, seed);
        let latest = without.recovery.expect("it recovers") + millis(1_000);
        let is_good = with.recovery.is_some_and(|after| after <= latest)
            && with.success >= without.success - 0.01
            && with.success_of_all >= without.success_of_all - 0.01
            && with.extra_of_all <= 0.005
            && with.worst <= SHARE + 0.01;
        assert!(is_good, "{name}, seed {seed}: {with:?}, {without:?}");
    }
}

#[test]
fn a_brown_out_at_a_load_of_70_percent_is_over_as_soon_as_without_hedges() {
    is_no_worse("brown-out-70", Hedging::Layer);
}

#[test]
fn a_brown_out_at_a_load_of_80_percent_is_over_as_soon_as_without_hedges() {
    is_no_worse("brown-out-80", Hedging::Layer);
}

#[test]
fn with_a_fixed_delay_a_brown_out_never_ends() {
    for name in ["brown-out-70", "brown-out-80"] {
        let figures = run(name, Hedging::Fixed, 1);
        assert_eq!(figures.recovery, None, "{name}: {figures:?}");
    }
}

/// The fixed delay is the p95 that a user would measure.
#[test]
fn the_p95_of_a_usual_day_is_as_the_workload_says() {
    let said = WORKLOADS.map(|workload| (workload.name, workload.p95));
    let seen = WORKLOADS.map(|workload| {
        let watched = Duration::from_secs(1);
        let short = Box::leak(Box::new(Workload {
            watched,
            ..workload
        }));
        let record = simulate(short, Hedging::Never, 1);
        let p95 = quantile(&[&record.usually_took], 0.95);
        (workload.name, p95.unwrap_or_default())
    });
    assert_eq!(said, seen);
}

#[test]
fn times_have_the_mean_that_is_asked_for() {
    let mut rng = Rng::with_seed(1);
    for name in ["stragglers", "steady", "queues"] {
        let times = workload(name).times;
        let draws = 100_000;
        let sum: f64 = (0..draws).map(|_| times.draw(&mut rng)).sum();
        let part = sum / f64::from(draws) / times.mean_of_all();
        assert!((0.99..1.01).contains(&part), "{name}: {part}");
    }
}

#[test]
fn a_simulation_repeats_for_its_seed() {
    let record = |seed| simulate(workload("slow-down"), Hedging::Layer, seed);
    assert_eq!(record(7), record(7));
    assert_ne!(record(7), record(8));
}

#[test]
fn each_workload_is_run_with_each_way_to_hedge() {
    let jobs = grid().jobs();
    assert_eq!(jobs.len(), WORKLOADS.len() * HEDGINGS.len());
    for (number, job) in jobs.iter().enumerate() {
        assert!(!jobs[..number].contains(job), "{job:?}");
    }
}

#[test]
fn the_tables_have_a_row_for_each_run() {
    let job = |name, hedging| Job {
        workload: workload(name),
        hedging,
    };
    let jobs = [
        job("steady", Hedging::Never),
        job("slow-down", Hedging::Never),
    ];
    let section = section(&grid(), &Outcomes::of(&jobs, 1, 2));
    let tables = section.tables.iter().map(Table::to_markdown);
    let tables: Vec<_> = tables.collect();
    let rows = tables.iter().map(|table| table.lines().last());
    let expected = [
        "| steady   | none   | 5   | 8   | 9     | 0.0   | 0.0        |",
        "| slow-down | none   | 0.0 s    | 48  | 642 | 0.0   | 0.0        | 100.0   | 100.0  |",
    ];
    assert!(rows.eq(expected.map(Some)), "{tables:?}");
    assert_eq!(section.extent.runs, 2);
    assert!(
        section
            .introduction
            .contains("storm -- --hedge --seed 2</code>")
    );
    let names = WORKLOADS.map(|workload| workload.name);
    for name in names.iter().chain(&["failsafe-go", "layer-defaults"]) {
        let term = format!("<dt>{name}</dt>");
        assert!(section.introduction.contains(&term), "{name}");
    }
}

#[test]
fn the_summary_compares_the_layer_with_no_hedges_where_both_were_run() {
    let summary = |jobs: &[(&str, Hedging)]| {
        let job = |&(name, hedging)| Job {
            workload: workload(name),
            hedging,
        };
        let jobs: Vec<_> = jobs.iter().map(job).collect();
        let section = section(&grid(), &Outcomes::of(&jobs, 1, 2));
        section.summary.as_ref().map(Table::to_markdown)
    };
    let jobs = [
        ("steady", Hedging::Never),
        ("steady", Hedging::Layer),
        ("bimodal", Hedging::Layer),
        ("slow-down", Hedging::Never),
        ("slow-down", Hedging::Layer),
    ];
    let table = summary(&jobs).unwrap();
    let rows: Vec<_> = table.lines().skip(2).collect();
    let expected = [
        "| scenario | none: p99 | layer: p99 | layer: extra |",
        "| -------- | --------- | ---------- | ------------ |",
        "| steady   | 8         | 8          | 0.0          |",
    ];
    assert_eq!(rows, expected);
    assert_eq!(summary(&jobs[1..]), None);
}

fn grid() -> Grid {
    Grid::new(Asked {
        seed: 2,
        scenarios: Vec::new(),
        variants: Vec::new(),
        clients: Vec::new(),
        shares: Vec::new(),
    })
}
