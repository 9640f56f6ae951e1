//! The faults and their times.

use std::time::Duration;

/// The time before the fault, after which budgets and queues are in their usual state.
pub const WARM_UP: Duration = Duration::from_secs(20);

/// How long the fault lasts.
pub const FAULT: Duration = Duration::from_secs(20);

/// How long the simulation continues after the fault.
pub const AFTER: Duration = Duration::from_secs(60);

/// Whether there is a fault at this time from the start.
pub fn in_fault(at: Duration) -> bool {
    (WARM_UP..WARM_UP + FAULT).contains(&at)
}

/// How long a cold server takes to reach its full speed.
pub const COLD_START: Duration = Duration::from_secs(10);

/// A fault of the upstream or of its clients.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fault {
    /// Only this share of the servers is left.
    Capacity(f64),
    /// Every attempt is answered 503 immediately.
    Outage,
    /// The same, and then the caches are cold: the servers begin with a tenth of their speed, and reach the
    /// full speed after [`COLD_START`].
    ColdStart,
    /// This share of the attempts is answered 503 immediately, during the whole simulation.
    Background(f64),
    /// The number of requests is multiplied by this.
    Spike(f64),
    /// This share of the attempts is answered 503 after as much work as a success takes.
    Costly(f64),
    /// Attempts in a second beyond this share of the capacity are answered 429, with `Retry-After: 1`.
    Limited(f64),
    /// The time of every attempt is multiplied by this.
    Slow(u32),
    /// This share of the attempts meets a replica that responds with 503 immediately. The others have the
    /// whole capacity.
    BadReplicas(f64),
    /// The same with a replica that never responds.
    BlackHoles(f64),
}

/// A fault with its name.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scenario {
    /// The name on the command line.
    pub name: &'static str,
    pub summary: &'static str,
    pub fault: Fault,
}

const fn scenario(name: &'static str, fault: Fault, summary: &'static str) -> Scenario {
    Scenario {
        name,
        summary,
        fault,
    }
}

pub const SCENARIOS: [Scenario; 11] = [
    scenario(
        "brown-out",
        Fault::Capacity(0.3),
        "6 of the 20 servers are left for 20 s",
    ),
    scenario(
        "outage",
        Fault::Outage,
        "every attempt is answered 503 at once, for 20 s",
    ),
    scenario(
        "cold-start",
        Fault::ColdStart,
        "every attempt is answered 503 for 20 s, then the servers are slow for 10 s",
    ),
    scenario(
        "background",
        Fault::Background(0.05),
        "5 % of the attempts are answered 503, all the time",
    ),
    scenario("spike", Fault::Spike(2.0), "twice the requests for 20 s"),
    scenario(
        "costly-503",
        Fault::Costly(0.5),
        "half of the attempts are answered 503 for 20 s, after as much work as a success takes",
    ),
    scenario(
        "rate-limit",
        Fault::Limited(0.72),
        "more than 720 attempts per second are answered 429 with Retry-After: 1, for 20 s",
    ),
    scenario(
        "slow-down",
        Fault::Slow(10),
        "every attempt takes 10 times as much work for 20 s",
    ),
    scenario(
        "bad-replicas",
        Fault::BadReplicas(0.3),
        "30 % of the attempts are answered 503 by bad replicas for 20 s",
    ),
    scenario(
        "black-holes",
        Fault::BlackHoles(0.3),
        "30 % of the attempts meet replicas that never answer for 20 s",
    ),
    scenario(
        "marginal",
        Fault::Capacity(0.75),
        "15 of the 20 servers are left for 20 s: too few by a little",
    ),
];
