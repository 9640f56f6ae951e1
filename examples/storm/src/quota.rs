//! Quotas: clients that hold their requests while a quota is used up, compared with clients that do not.

use std::time::Duration;

pub mod figures;
pub mod grid;
mod hold;
pub mod page;
pub mod runs;
mod server;
pub mod simulation;
mod tables;
#[cfg(test)]
mod tests;

/// A limit that all clients share, or that each client has.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quota {
    /// The name in the tables.
    pub name: &'static str,
    pub summary: &'static str,
    /// How many attempts are accepted in a window.
    pub limit: u32,
    pub window: Duration,
    /// Whether each client has a separate quota.
    pub is_own: bool,
    /// Whether responses have a `RateLimit` header with the rest of the quota.
    pub says_remaining: bool,
    /// The wait that a 429 asks for, if it is not the rest of the window.
    pub retry_after: Option<Duration>,
    /// The number of 429s in a window after which a client is blocked.
    pub blocks_after: Option<u32>,
}

const SHARED: Quota = Quota {
    name: "shared-limit",
    summary: "all clients share 1,000 attempts per second",
    limit: 1_000,
    window: Duration::from_secs(1),
    is_own: false,
    says_remaining: false,
    retry_after: None,
    blocks_after: None,
};

const OWN: Quota = Quota {
    name: "own-quota",
    summary: "each client has 100 attempts in 10 s",
    limit: 100,
    window: Duration::from_secs(10),
    is_own: true,
    ..SHARED
};

pub const QUOTAS: [Quota; 5] = [
    SHARED,
    Quota {
        name: "shared-limit-constant",
        summary: "the same, but each 429 asks for a wait of 5 s, far longer than until the next second",
        retry_after: Some(Duration::from_secs(5)),
        ..SHARED
    },
    OWN,
    Quota {
        name: "own-quota-told",
        summary: "the same, and each response says what remains, in a RateLimit header",
        says_remaining: true,
        ..OWN
    },
    Quota {
        name: "own-quota-blocking",
        summary: "as own-quota, but a client that gets 50 429s within a window is blocked for 60 s",
        blocks_after: Some(50),
        ..OWN
    },
];

/// How clients respond to a quota. All of them retry up to twice, with the default budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    Earning,
    /// The same with a `Cooldown`.
    Cooldown,
    /// The same above a hand-written service instead.
    HoldOnFirst429,
}

pub const MANNERS: [Manner; 3] = [Manner::Earning, Manner::Cooldown, Manner::HoldOnFirst429];
