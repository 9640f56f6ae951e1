//! Simulates the layers above hyper-util's client and hyper's connections, over a network that cuts off
//! servers, crashes them, shuts them down, and loses, delays and holds messages.
//!
//! A seed determines everything that happens in a run. `SIMULATION_SEEDS` sets how many seeds are run.
//! `SIMULATION_SEED` runs a single seed, and prints its plan and everything that happened.

mod answer;
mod ask;
mod caller;
mod cheat;
mod download;
mod failure;
mod file;
mod heard;
mod hearing;
mod hedging;
mod journal;
mod laws;
mod network;
mod parts;
mod payload;
mod plan;
mod policy;
mod sabotage;
mod serving;
mod stack;
mod tally;
mod trouble;
mod upstream;
mod watch;
mod world;

use std::env;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use plan::Plan;
use sabotage::Sabotage;
use tally::Tally;
use world::Run;

/// The default number of seeds.
const SEEDS: u64 = 2_000;
/// The number of seeds within which each sabotage has to be found.
const ENOUGH: u64 = 400;

#[test]
fn whatever_befalls_the_network_the_laws_hold() {
    let seeds = seeds();
    let is_alone = seeds.end - seeds.start == 1;
    let next = AtomicU64::new(seeds.start);
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let ended: Vec<_> = thread::scope(|scope| {
        let run = || run_each(&next, seeds.end, is_alone);
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(run)).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    let mut tally = Tally::default();
    for ended in ended {
        tally.merge(ended.unwrap_or_else(|broken| panic!("{broken}")));
    }
    println!("{tally}");
    if seeds.end - seeds.start >= SEEDS {
        assert_eq!(
            tally.never_met(),
            Vec::<&str>::new(),
            "these were never met"
        );
    }
}

#[test]
fn a_seed_is_the_same_run_each_time() {
    for seed in 0..50 {
        let plan = Arc::new(Plan::of(seed));
        let (run, again) = (Run::of(&plan), Run::of(&plan));
        assert!(!run.entries.is_empty());
        let differs = run
            .entries
            .iter()
            .zip(&again.entries)
            .find(|(one, other)| one != other);
        assert_eq!(differs, None, "seed {seed}");
        assert_eq!(run.entries.len(), again.entries.len(), "seed {seed}");
    }
}

#[test]
fn each_law_is_broken_by_the_mistake_it_is_there_for() {
    for (sabotage, law) in Sabotage::ALL {
        let broken = |seed| {
            let plan = Arc::new(Plan::of(seed).with(sabotage));
            laws::check(&plan, &Run::of(&plan)).err()
        };
        let mut found = (0..ENOUGH).filter_map(broken);
        assert!(
            found.any(|broken| broken.starts_with(law)),
            "{sabotage:?} is not found"
        );
    }
}

/// Runs seeds until there are no more, or until a law is broken.
fn run_each(next: &AtomicU64, end: u64, is_alone: bool) -> Result<Tally, String> {
    let mut tally = Tally::default();
    loop {
        let seed = next.fetch_add(1, Ordering::Relaxed);
        if seed >= end {
            return Ok(tally);
        }
        let plan = Arc::new(Plan::of(seed));
        let run = Run::of(&plan);
        if is_alone {
            println!("{plan:#?}\n{run}");
        }
        laws::check(&plan, &run).map_err(|broken| {
            next.store(end, Ordering::Relaxed);
            format!(
                "seed {seed}: {broken}\nalone: SIMULATION_SEED={seed} \
                 cargo test --all-features --test simulation -- --nocapture the_laws_hold"
            )
        })?;
        tally.add(&plan, &run.entries);
    }
}

fn seeds() -> Range<u64> {
    let number = |name| {
        let value = env::var(name).ok()?;
        let number = value.parse::<u64>();
        Some(number.unwrap_or_else(|_| panic!("{name} is no number: {value}")))
    };
    match number("SIMULATION_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("SIMULATION_SEEDS").unwrap_or(SEEDS),
    }
}
