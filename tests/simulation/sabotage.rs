//! Mistakes that are made on purpose, to see that they are found.

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
}

impl Sabotage {
    /// Each mistake, and how the law begins that finds it.
    pub const ALL: [(Self, &str); 13] = [
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
    ];
}
