use std::time::Duration;

/// What an attempt came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    Success,
    /// A failure that a server which is well answers with: a 404, say. For a bucket it is served.
    Answered,
    Failure,
}

/// How an attempt failed, which is what its retry is charged by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    Quick,
    TimedOut { took: Duration },
}
