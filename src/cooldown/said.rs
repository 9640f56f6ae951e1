use std::time::Duration;

/// What an outcome says of the quota.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// The request was served, and this is known to be left of the quota.
    Served { remaining: Option<u64> },
    /// The request failed for other reasons than the quota.
    Answered { remaining: Option<u64> },
    /// The request was refused, and is asked to come again after this.
    Throttled { asked: Option<Duration> },
    /// Nobody waits for its outcome any more.
    Nothing,
}

/// A change of what others see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Started { left: Duration },
    Ended,
}

/// What bounds a hold that servers ask for, and spreads its end.
pub(crate) struct Terms<'a> {
    pub(crate) longest: Duration,
    pub(crate) spread: &'a mut Spread<'a>,
}

/// What is added to a hold, so that not all clients return at once.
pub(super) type Spread<'a> = dyn FnMut(Duration) -> Duration + 'a;
