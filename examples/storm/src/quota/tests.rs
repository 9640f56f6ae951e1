//! Tests of the quotas: a cooldown helps if each client has a quota, and does no harm if they share a limit.
//!
//! The simulation is that of `cargo run --release -p storm -- --quotas`.

use std::time::Duration;

use super::figures::{Own, Shared};
use super::grid::SHARES;
use super::simulation::{SURPLUS, simulate};
use super::{Manner, QUOTAS, Quota};
use crate::simulation::Load;

const SEEDS: [u64; 2] = [1, 2];

fn quota(name: &str) -> &'static Quota {
    let quota = QUOTAS.iter().find(|quota| quota.name == name);
    quota.expect("a quota of this name")
}

fn shared(name: &str, manner: Manner, load: Load, seed: u64) -> Shared {
    let quota = quota(name);
    Shared::of(quota, &simulate(quota, manner, load, seed))
}

fn own(name: &str, manner: Manner, clients: usize, seed: u64) -> Own {
    let quota = quota(name);
    let load = Load {
        clients,
        share: SURPLUS,
    };
    Own::of(quota, load, &simulate(quota, manner, load, seed))
}

/// Asserts that a cooldown costs at most one second of recovery and one request in a hundred.
fn is_no_worse(name: &str, load: Load, seed: u64) {
    let without = shared(name, Manner::Earning, load, seed);
    let with = shared(name, Manner::Cooldown, load, seed);
    let recovered = without.recovery.expect("it recovers") + Duration::from_secs(1);
    let is_good = with.recovery.is_some_and(|after| after <= recovered)
        && with.success_in_fault >= without.success_in_fault - 0.01
        && with.success >= without.success - 0.01;
    assert!(
        is_good,
        "{name}, {load:?}, seed {seed}: {with:?}, {without:?}"
    );
}

fn a_shared_limit_is_no_worse(clients: usize, seeds: &[u64]) {
    for share in SHARES {
        for seed in seeds {
            is_no_worse("shared-limit", Load { clients, share }, *seed);
        }
    }
}

#[test]
fn a_shared_limit_is_no_worse_with_a_cooldown_of_one_client() {
    a_shared_limit_is_no_worse(1, &SEEDS);
}

#[test]
fn a_shared_limit_is_no_worse_with_cooldowns_of_ten_clients() {
    a_shared_limit_is_no_worse(10, &SEEDS);
}

#[test]
fn a_shared_limit_is_no_worse_with_cooldowns_of_a_hundred_clients() {
    a_shared_limit_is_no_worse(100, &SEEDS);
}

#[test]
fn a_shared_limit_is_no_worse_with_cooldowns_of_a_thousand_clients() {
    a_shared_limit_is_no_worse(1_000, &[1]);
}

const fn usual(clients: usize) -> Load {
    Load {
        clients,
        share: 0.8,
    }
}

#[test]
fn refusals_that_ask_for_too_long_do_no_harm_with_a_cooldown() {
    for clients in [10, 100] {
        is_no_worse("shared-limit-constant", usual(clients), 1);
    }
}

#[test]
fn refusals_that_ask_for_too_long_cost_half_of_the_limit_if_the_first_one_is_enough() {
    for clients in [10, 100] {
        let name = "shared-limit-constant";
        let figures = shared(name, Manner::HoldOnFirst429, usual(clients), 1);
        let half = f64::from(quota(name).limit) / 2.0;
        assert!(figures.goodput < half, "{clients} clients: {figures:?}");
    }
}

/// Asserts a condition for one, ten and a hundred clients.
fn holds(name: &str, manner: Manner, is_good: impl Fn(&Own) -> bool) {
    for (clients, seed) in [(1, 1), (1, 2), (10, 1), (10, 2), (100, 1)] {
        let figures = own(name, manner, clients, seed);
        let case = format!("{name}, {clients} clients, seed {seed}");
        assert!(is_good(&figures), "{case}: {figures:?}");
    }
}

fn is_used(figures: &Own) -> bool {
    (0.97..=1.0).contains(&figures.used)
}

#[test]
fn a_quota_of_ones_own_is_used_with_one_refusal_for_ten_successes() {
    holds("own-quota", Manner::Cooldown, |figures| {
        is_used(figures) && figures.refusals <= 0.1
    });
}

#[test]
fn a_quota_of_ones_own_that_is_told_is_used_with_hardly_a_refusal() {
    holds("own-quota-told", Manner::Cooldown, |figures| {
        is_used(figures) && figures.refusals <= 0.02
    });
}

#[test]
fn without_a_cooldown_more_than_three_refusals_come_for_ten_successes() {
    holds("own-quota", Manner::Earning, |figures| {
        figures.refusals > 0.3
    });
    for clients in [1, 10] {
        let figures = own("own-quota-told", Manner::Earning, clients, 1);
        assert!(figures.refusals > 0.3, "{clients}: {figures:?}");
    }
}

#[test]
fn no_client_with_a_cooldown_is_blocked() {
    holds("own-quota-blocking", Manner::Cooldown, |figures| {
        is_used(figures) && figures.blocked == 0
    });
}

#[test]
fn most_clients_without_a_cooldown_are_blocked() {
    for clients in [1, 10, 100] {
        let figures = own("own-quota-blocking", Manner::Earning, clients, 1);
        let is_most = figures.blocked as usize * 2 > clients;
        assert!(is_most && figures.used < 0.5, "{clients}: {figures:?}");
    }
}

/// When the hold ends, all held requests are sent at the same time, and most are answered 429 again.
#[test]
fn holding_at_the_first_refusal_is_no_cure() {
    holds("own-quota", Manner::HoldOnFirst429, |figures| {
        figures.refusals > 0.2
    });
    for clients in [10, 100] {
        let figures = own("own-quota-blocking", Manner::HoldOnFirst429, clients, 1);
        let is_most = figures.blocked as usize * 2 > clients;
        assert!(is_most, "{clients}: {figures:?}");
    }
}

#[test]
fn a_simulation_repeats_for_its_seed() {
    let quota = quota("own-quota-blocking");
    let load = Load {
        clients: 3,
        share: SURPLUS,
    };
    let record = |seed| simulate(quota, Manner::Cooldown, load, seed);
    assert_eq!(record(7), record(7));
    assert_ne!(record(7), record(8));
}
