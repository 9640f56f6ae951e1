use std::time::Duration;

use tokio::time::Instant;

/// What a request that asks is told.
#[derive(Debug)]
pub(crate) enum Look {
    /// In slow start, with the round that the outcome is told for.
    Go(Option<u32>),
    /// Until it is woken, or until this time.
    Wait(Instant),
    /// Nothing goes for so long: too long, or too many wait.
    Refused { left: Duration },
}

/// How long, and how many, may wait.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    pub(crate) max_hold: Duration,
    pub(crate) max_waiting: usize,
    /// When the request's window ends.
    pub(crate) until: Option<Instant>,
}
