use std::time::Duration;

/// The outcome of an attempt, as a budget counts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    Success,
    /// A response that is a permanent failure, such as a 404. A bucket counts it as served.
    Answered,
    Failure,
}

/// How an attempt failed, which determines the cost of its retry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    Quick,
    TimedOut { took: Duration },
}
