//! Limits on requests: what comes of clients who hold their requests while a quota is used up, and of
//! those who do not.

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

/// A limit, of all clients or of each.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quota {
    /// As in the tables.
    pub name: &'static str,
    pub summary: &'static str,
    /// How many attempts are let through in a window.
    pub limit: u32,
    pub window: Duration,
    /// Whether each client has one of its own.
    pub is_own: bool,
    /// Whether answers say what remains.
    pub says_remaining: bool,
    /// What refusals ask for, if it is not what is left of the window.
    pub retry_after: Option<Duration>,
    /// A client that is refused so many times in a window is blocked.
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

/// How clients meet it. All retry twice, with the budget that a layer has unless told otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    Earning,
    /// The same with a `Cooldown`.
    Cooldown,
    /// The same on top of what is written by hand instead.
    HoldOnFirst429,
}

pub const MANNERS: [Manner; 3] = [Manner::Earning, Manner::Cooldown, Manner::HoldOnFirst429];
