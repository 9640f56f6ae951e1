//! Latency: what hedges gain, how much load they add, and what they do during a fault.

use std::time::Duration;

mod backup;
pub mod figures;
pub mod grid;
mod histogram;
mod log;
pub mod page;
mod peers;
mod replicas;
pub mod runs;
mod server;
pub mod simulation;
mod tables;
#[cfg(test)]
mod tests;
mod times;
mod window;

use times::Times;

/// How much hedges may add to the load. All rules that have such a setting use it.
pub const SHARE: f64 = 0.10;

/// A service and the requests to it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Workload {
    /// The name in the tables.
    pub name: &'static str,
    pub summary: &'static str,
    pub times: Times,
    pub course: Course,
    pub clients: usize,
    /// The number of requests per second, from all clients.
    pub rate: f64,
    /// How long the simulation continues after the warm-up and the fault.
    pub watched: Duration,
    /// The p95 without a fault and without hedges.
    pub p95: Duration,
}

/// How long attempts take, and which replicas they are sent to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Course {
    /// The time of an attempt does not depend on other attempts.
    Even,
    /// A fifth of the requests take ten times as long, whichever replica they are sent to.
    Misses,
    /// Ten replicas, one of which takes ten times as long.
    OneSlow(Balancer),
    /// Twenty replicas, each of which works on one attempt at a time. An attempt is sent to the least loaded
    /// one.
    Queues,
    /// During the fault, all attempts take ten times as long.
    SlowDown,
    /// Within ten seconds, all attempts slow down until they take ten times as long, and remain so.
    Tenfold,
    /// The servers of the storms, of which few are left during the fault.
    BrownOut,
}

/// Which replica an attempt is sent to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Balancer {
    Random,
    /// The one with the fewest attempts that a client still waits for.
    LeastLoaded,
}

/// How the clients hedge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hedging {
    Never,
    Fixed,
    Tower,
    Finagle,
    Failsafe,
    Bhope,
    /// A `HedgeLayer` with the same share as the others.
    Layer,
    /// `HedgeLayer::new()` with its defaults.
    Defaults,
}

pub const HEDGINGS: [Hedging; 8] = [
    Hedging::Never,
    Hedging::Fixed,
    Hedging::Tower,
    Hedging::Finagle,
    Hedging::Failsafe,
    Hedging::Bhope,
    Hedging::Layer,
    Hedging::Defaults,
];

impl Course {
    pub fn has_fault(self) -> bool {
        match self {
            Self::Even | Self::Misses | Self::OneSlow(_) | Self::Queues => false,
            Self::SlowDown | Self::Tenfold | Self::BrownOut => true,
        }
    }
}

const STRAGGLING: Workload = Workload {
    name: "stragglers",
    summary: "5 ± 2 ms, and one attempt in 20 takes ten times as long",
    times: Times {
        mean: 5.0,
        deviation: 2.0,
        stragglers: 0.05,
    },
    course: Course::Even,
    clients: 1,
    rate: 1_000.0,
    watched: Duration::from_secs(200),
    p95: Duration::from_millis(15),
};

/// Long enough if no quantile above the p99 matters.
const SHORT: Duration = Duration::from_secs(100);

const EVEN: Times = Times {
    stragglers: 0.0,
    ..STRAGGLING.times
};

const ONE_SLOW: Workload = Workload {
    times: EVEN,
    watched: SHORT,
    p95: Duration::from_millis(45),
    ..STRAGGLING
};

const BROWN_OUT: Workload = Workload {
    course: Course::BrownOut,
    clients: 100,
    watched: crate::scenario::AFTER,
    p95: Duration::from_millis(21),
    ..STRAGGLING
};

pub const WORKLOADS: [Workload; 11] = [
    STRAGGLING,
    Workload {
        name: "small-clients",
        summary: "the same, with 100 clients of 10 requests per second each",
        clients: 100,
        ..STRAGGLING
    },
    Workload {
        name: "steady",
        summary: "5 ± 1 ms, and no stragglers",
        times: Times {
            deviation: 1.0,
            ..EVEN
        },
        watched: SHORT,
        p95: Duration::from_millis(7),
        ..STRAGGLING
    },
    Workload {
        name: "queues",
        summary: "20 replicas that work on one attempt at a time, 20 ± 8 ms, or ten times as long for one \
                  in 20; attempts are sent to the least loaded replica, and the load is 0.5",
        times: Times {
            mean: 20.0,
            deviation: 8.0,
            ..STRAGGLING.times
        },
        course: Course::Queues,
        rate: 345.0,
        watched: Duration::from_secs(290),
        p95: Duration::from_millis(85),
        ..STRAGGLING
    },
    Workload {
        name: "bimodal",
        summary: "5 ± 2 ms, but ten times as long for a fifth of the requests, wherever they are sent",
        times: EVEN,
        course: Course::Misses,
        watched: SHORT,
        p95: Duration::from_millis(60),
        ..STRAGGLING
    },
    Workload {
        name: "one-slow-random",
        summary: "10 replicas, 5 ± 2 ms, one of which takes ten times as long; attempts are sent to a random one",
        course: Course::OneSlow(Balancer::Random),
        ..ONE_SLOW
    },
    Workload {
        name: "one-slow-least-loaded",
        summary: "the same, but attempts are sent to the least loaded replica",
        course: Course::OneSlow(Balancer::LeastLoaded),
        p95: Duration::from_millis(10),
        ..ONE_SLOW
    },
    Workload {
        name: "slow-down",
        summary: "as stragglers, but all attempts take ten times as long for 20 s",
        course: Course::SlowDown,
        watched: Duration::from_secs(40),
        ..STRAGGLING
    },
    Workload {
        name: "tenfold",
        summary: "as stragglers, but within 10 s all attempts come to take ten times as long, and stay so",
        course: Course::Tenfold,
        watched: Duration::from_secs(40),
        ..STRAGGLING
    },
    Workload {
        name: "brown-out-70",
        summary: "6 of the 20 servers of the first simulation are left for 20 s, with 100 clients and load 0.7",
        rate: 700.0,
        ..BROWN_OUT
    },
    Workload {
        name: "brown-out-80",
        summary: "the same with load 0.8",
        rate: 800.0,
        p95: Duration::from_millis(25),
        ..BROWN_OUT
    },
];
