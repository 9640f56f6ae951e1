//! Mistakes that are made on purpose, to see that they are found.

use tower_http_retry::ByStatus;
use tower_http_retry::classify::{Class, Classify, Outcome, Verdict};

use super::failure;

/// A mistake in the caller's stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sabotage {
    /// Anything is sent again.
    RepeatsAll,
    /// One retry more than the limit.
    OneMoreRetry,
    /// The window ends later.
    LongWindow,
    /// The attempt's time-out ends later.
    LongTimeout,
    /// Hints are not read.
    IgnoresHints,
    /// An attempt after the first is sent without its first piece.
    LosesAPiece,
    /// Each attempt is sent twice.
    SendsTwice,
    /// The response says that it is the first attempt's.
    KeepsTheFirst,
    /// A failure that was answered is an error in the end.
    LosesTheLast,
    /// A longer hint than allowed is waited for.
    WaitsTooLong,
    /// A task panics.
    Panics,
    /// A body is forgotten.
    LeaksABody,
    /// A handle to the client is forgotten.
    Leaks,
    /// Any GOAWAY is taken for a refusal.
    GoAwayIsRefused,
    /// So is the end of hyper's task.
    TaskEndedIsRefused,
    /// So is what QUIC says of a lost connection.
    NotConnectedIsRefused,
    /// It is not known that a redirect was followed.
    HidesRedirects,
}

impl Sabotage {
    /// Each mistake, and how the law begins that finds it.
    pub const ALL: [(Self, &str); 17] = [
        (Self::RepeatsAll, "a request that may not be repeated"),
        (Self::OneMoreRetry, "attempts never exceed"),
        (Self::LongWindow, "no attempt starts after the window"),
        (Self::LongTimeout, "every request ends"),
        (Self::IgnoresHints, "no attempt starts early"),
        (Self::LosesAPiece, "a body that the server took"),
        (
            Self::SendsTwice,
            "an attempt comes to the server at most once",
        ),
        (Self::KeepsTheFirst, "the caller is handed the last"),
        (Self::LosesTheLast, "the caller is handed the last"),
        (Self::WaitsTooLong, "no attempt starts early"),
        (Self::Panics, "panicked at"),
        (Self::Leaks, "no connection, task or body is left"),
        (Self::LeaksABody, "no connection, task or body is left"),
        (Self::GoAwayIsRefused, "a request that may not be repeated"),
        (
            Self::TaskEndedIsRefused,
            "a request that may not be repeated",
        ),
        (
            Self::NotConnectedIsRefused,
            "a request that may not be repeated",
        ),
        (Self::HidesRedirects, "a request that may not be repeated"),
    ];

    /// Whether it takes this for a refusal.
    fn refuses(self, outcome: &Outcome<'_>) -> bool {
        let Err(error) = outcome.result() else {
            return false;
        };
        match self {
            Self::GoAwayIsRefused => failure::is_go_away(error),
            Self::TaskEndedIsRefused => failure::is_task_ended(error),
            Self::NotConnectedIsRefused => failure::is_not_connected(error),
            _ => false,
        }
    }
}

/// [`ByStatus`], with a mistake.
#[derive(Clone, Copy)]
pub struct Judge(pub Option<Sabotage>);

impl Classify for Judge {
    fn classify(&self, outcome: &Outcome<'_>) -> Verdict {
        match self.0.is_some_and(|sabotage| sabotage.refuses(outcome)) {
            true => Class::Refused.into(),
            false => ByStatus::new().classify(outcome),
        }
    }
}
