//! Tests of the storms: the layer's retries do not prolong an overload, and they help if single attempts
//! fail.
//!
//! The simulation is that of `cargo run --release -p storm`: 20 servers that take 20 ms for each attempt,
//! a queue of 1,000, attempts that time out after 500 ms, and many clients, each with a separate budget.

use std::time::Duration;

use crate::figures::{Figures, figures};
use crate::scenario::{SCENARIOS, Scenario};
use crate::simulation::{Load, Variant, simulate};

const SEEDS: [u64; 2] = [1, 2];

const USUAL: Load = Load {
    clients: 100,
    share: 0.8,
};

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn scenario(name: &str) -> &'static Scenario {
    let scenario = SCENARIOS.iter().find(|scenario| scenario.name == name);
    scenario.expect("a scenario of this name")
}

fn run(name: &str, variant: Variant, load: Load, seed: u64) -> Figures {
    figures(&simulate(scenario(name), variant, load, seed))
}

/// Asserts a condition with 100 clients, load 0.8 and two retries, and that there are at most `attempts`
/// attempts for each request in the fault.
fn holds(name: &str, attempts: f64, is_good: impl Fn(&Figures) -> bool) {
    for seed in SEEDS {
        let figures = run(name, Variant::Earning, USUAL, seed);
        let is_good = is_good(&figures) && figures.attempts <= attempts;
        assert!(is_good, "{name}, seed {seed}: {figures:?}");
    }
}

/// Asserts that the service recovers within this time after the end of the fault.
fn recovers_within(name: &str, recovery: Duration, attempts: f64) {
    let in_time = |figures: &Figures| figures.recovery.is_some_and(|after| after <= recovery);
    holds(name, attempts, in_time);
}

#[test]
fn a_brown_out_is_over_four_seconds_after_it_ends() {
    recovers_within("brown-out", millis(4_000), 1.05);
}

#[test]
fn a_spike_is_over_four_seconds_after_it_ends() {
    recovers_within("spike", millis(4_000), 1.05);
}

#[test]
fn an_outage_is_over_when_it_ends() {
    recovers_within("outage", millis(0), 1.05);
}

#[test]
fn a_cold_start_is_over_in_fourteen_seconds() {
    recovers_within("cold-start", millis(14_000), 1.05);
}

#[test]
fn a_slow_down_is_over_four_and_a_half_seconds_after_it_ends() {
    recovers_within("slow-down", millis(4_500), 1.05);
}

#[test]
fn answers_that_cost_the_server_work_are_not_asked_for_again_and_again() {
    recovers_within("costly-503", millis(0), 1.25);
}

#[test]
fn of_five_failures_in_a_hundred_the_caller_sees_none() {
    holds("background", 1.055, |figures| figures.success >= 0.9995);
}

#[test]
fn a_rate_limiter_is_waited_for() {
    holds("rate-limit", 1.45, |figures| figures.success >= 0.97);
}

#[test]
fn bad_replicas_are_tried_around() {
    holds("bad-replicas", 1.4, |figures| {
        figures.success_in_fault >= 0.96
    });
}

#[test]
fn black_holes_are_tried_around() {
    holds("black-holes", 1.4, |figures| {
        figures.success_in_fault >= 0.9
    });
}

/// Returns the figures without and with retries. Asserts that the service recovers at most two seconds
/// later with them.
fn both(name: &str, load: Load, seed: u64) -> [Figures; 2] {
    let without = run(name, Variant::NoRetry, load, seed);
    let with = run(name, Variant::Earning, load, seed);
    let latest = without.recovery.expect("it recovers") + millis(2_000);
    let is_good = with.recovery.is_some_and(|after| after <= latest);
    assert!(is_good, "{name}, seed {seed}: {with:?}, {without:?}");
    [without, with]
}

#[test]
fn a_capacity_that_falls_short_by_a_little_is_no_worse_with_retries() {
    for seed in SEEDS {
        let [without, with] = both("marginal", USUAL, seed);
        assert!(with.success >= without.success - 0.02, "seed {seed}");
        assert!(with.success_in_fault >= without.success_in_fault - 0.02);
    }
}

#[test]
fn a_thousand_clients_recover_as_without_retries() {
    let load = Load {
        clients: 1_000,
        share: 0.8,
    };
    for name in ["brown-out", "spike", "slow-down"] {
        both(name, load, 1);
    }
}

#[test]
fn ten_thousand_clients_recover_when_their_first_tokens_are_spent() {
    let load = Load {
        clients: 10_000,
        share: 0.8,
    };
    let figures = run("brown-out", Variant::Earning, load, 1);
    let in_time = |after| after <= millis(35_000);
    assert!(figures.recovery.is_some_and(in_time), "{figures:?}");
}

/// Asserts that the service recovers from each fault at some time, as it does without retries.
fn recovers_at_all(variant: Variant, load: Load) {
    for scenario in &SCENARIOS {
        let figures = run(scenario.name, variant, load, 1);
        assert!(figures.recovery.is_some(), "{}: {figures:?}", scenario.name);
    }
}

const fn nearly_full(clients: usize) -> Load {
    Load {
        clients,
        share: 0.95,
    }
}

#[test]
fn ten_clients_recover_at_a_load_of_95_percent() {
    recovers_at_all(Variant::Earning, nearly_full(10));
}

#[test]
fn a_hundred_clients_recover_at_a_load_of_95_percent() {
    recovers_at_all(Variant::Earning, nearly_full(100));
}

#[test]
fn a_thousand_clients_recover_at_a_load_of_95_percent() {
    recovers_at_all(Variant::Earning, nearly_full(1_000));
}

#[test]
fn a_layer_as_it_is_recovers_wherever_clients_without_retries_do() {
    recovers_at_all(Variant::Defaults, USUAL);
}

#[test]
fn without_a_budget_a_brown_out_never_ends() {
    let figures = run("brown-out", Variant::WithoutBudget, USUAL, 1);
    assert_eq!(figures.recovery, None, "{figures:?}");
    let tower = run("brown-out", Variant::Tps, USUAL, 1);
    assert_eq!(tower.recovery, None, "{tower:?}");
}

#[test]
fn a_simulation_repeats_for_its_seed() {
    let record = |seed| simulate(scenario("costly-503"), Variant::Earning, USUAL, seed);
    assert_eq!(record(7), record(7));
    assert_ne!(record(7), record(8));
}
