use std::time::Duration;

use tokio::time::Instant;

/// The result of `State::look`.
#[derive(Debug)]
pub(crate) enum Look {
    /// The request may be sent. In a slow start, this contains the round to report the outcome for.
    Go(Option<u32>),
    /// The request waits until it is woken, or until this time.
    Wait(Instant),
    /// The request cannot wait: no request is sent for `left`, which is too long, or too many requests wait.
    Refused { left: Duration },
}

/// The limits for a request that waits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    pub(crate) max_hold: Duration,
    pub(crate) max_waiting: usize,
    /// When the request's window ends.
    pub(crate) until: Option<Instant>,
}
