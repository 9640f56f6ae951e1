//! What goes wrong, and when.

use std::time::Duration;

/// How long all is well before the fault: budgets and queues are as on a usual day then.
pub const WARM_UP: Duration = Duration::from_secs(20);

/// How long the fault lasts.
pub const FAULT: Duration = Duration::from_secs(20);

/// How long is watched after it.
pub const AFTER: Duration = Duration::from_secs(60);

/// Whether the fault is there at this time, from the start.
pub fn in_fault(at: Duration) -> bool {
    (WARM_UP..WARM_UP + FAULT).contains(&at)
}

/// How long a cold server takes until it is as fast as ever.
pub const COLD_START: Duration = Duration::from_secs(10);

/// A fault of the upstream, or of those who call it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fault {
    /// This share of the servers is left.
    Capacity(f64),
    /// Every attempt is answered 503 at once.
    Outage,
    /// The same, and afterwards the caches are cold: a tenth of the servers' speed at first, all of
    /// it after [`COLD_START`].
    ColdStart,
    /// This share of the attempts is answered 503 at once, before and after the fault, too.
    Background(f64),
    /// So many times the requests.
    Spike(f64),
    /// This share of the attempts is answered 503 after the whole work was done for it.
    Costly(f64),
    /// More attempts in a second than this share of the capacity are answered 429, with a
    /// `Retry-After` of one second.
    Limited(f64),
    /// Every attempt takes so many times the time.
    Slow(u32),
    /// This share of the attempts meets a replica that answers 503 at once. The others have the
    /// whole capacity.
    BadReplicas(f64),
    /// The same with a replica that never answers.
    BlackHoles(f64),
}

/// A fault with its name.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scenario {
    /// As on the command line.
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
