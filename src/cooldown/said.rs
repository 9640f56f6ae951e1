use std::time::Duration;

/// What an outcome means for the quota.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// The request was served. `remaining` is what is left of the quota, if known.
    Served { remaining: Option<u64> },
    /// The request failed for another reason than the quota.
    Answered { remaining: Option<u64> },
    /// The request was throttled. `asked` is the wait that the response asks for.
    Throttled { asked: Option<Duration> },
    /// The request was dropped before its outcome was known.
    Nothing,
}

/// A change that is emitted as an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Started { left: Duration },
    Ended,
}

/// The limit and the jitter of a hold that responses cause.
pub(crate) struct Terms<'a> {
    pub(crate) longest: Duration,
    pub(crate) spread: &'a mut Spread<'a>,
}

/// Returns the jitter to add to a wait, so that clients do not all return at the same time.
pub(super) type Spread<'a> = dyn FnMut(Duration) -> Duration + 'a;
