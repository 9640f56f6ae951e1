//! The journal of a run: everything that happened, in order.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tower_http_retry::classify::Class;
use tower_http_retry::event::EventKind;
use tower_http_retry::hedge::HedgeEventKind;
use tower_http_retry::resume::Unresumable;

use super::failure::Failure;

/// The journal, which all hosts of a simulation write to.
#[derive(Clone, Default)]
pub struct Journal {
    entries: Arc<Mutex<Vec<Entry>>>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Entry {
    /// The time since the start of the simulation, on the clock that all hosts share.
    pub at: Duration,
    pub id: u32,
    pub what: What,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum What {
    /// The caller passed the request to the layers.
    Asked,
    /// An attempt was passed to the client.
    Sent { attempt: u32 },
    /// The retry layer received the response to an attempt, which asks for this wait.
    Answered {
        attempt: u32,
        status: u16,
        hint: Option<Duration>,
    },
    /// Below the layers, the body of the response to an attempt made this progress.
    Body { attempt: u32, is: Progress },
    /// The retry layer received an error, because the response to the attempt broke. The response asked for
    /// this wait.
    Broken {
        attempt: u32,
        hint: Option<Duration>,
    },
    /// The attempt was redirected, which a layer below follows.
    Redirected { attempt: u32 },
    /// Below the layers, the attempt failed in a way that is recorded separately.
    Failed { attempt: u32, how: Failure },
    /// The retry layer emitted this event.
    Told {
        step: EventKind,
        class: Option<Class>,
        timed_out: bool,
    },
    /// A hedge was sent. `is_same` is whether its head is that of the first attempt, and `is_whole`
    /// whether the whole body had been read.
    Hedged {
        attempt: u32,
        is_same: bool,
        is_whole: bool,
    },
    /// The hedge layer received the outcome of a first attempt or of a hedge.
    Ended { attempt: u32, fate: Fate },
    /// The future of a first attempt or of a hedge was dropped.
    Gone { attempt: u32 },
    /// The hedge layer returned this outcome for a first attempt and its hedge. `attempt` is the number
    /// in the response.
    Chosen {
        beside: u32,
        attempt: Option<u32>,
        fate: Fate,
    },
    /// The future for a first attempt and its hedge was dropped.
    Settled { beside: u32 },
    /// The hedge layer emitted this event.
    HedgeTold(HedgeEventKind),
    /// The attempt arrived at the server.
    Came { attempt: u32 },
    /// The server read the whole body of the attempt. `is_right` is whether these are the bytes that were
    /// sent.
    Took { attempt: u32, is_right: bool },
    /// The server responded with this version of a file, or a part of it.
    Served { version: u32 },
    /// The server acted on the attempt.
    Acted,
    /// The caller got the response to this attempt. `count` is the number of attempts according to the
    /// response.
    Response {
        attempt: u32,
        status: u16,
        count: u32,
    },
    /// The caller read the whole body of the response.
    Read { is_right: bool },
    /// The body ended early, or took too long.
    BrokeOff { attempt: u32 },
    /// The body is a download, which a layer may resume.
    Begun(Begun),
    /// The resume layer requests the rest of a download.
    Resumed(Resumed),
    /// The caller has finished reading a download.
    Downloaded(Downloaded),
    /// The caller got an error. `is_broken` is whether it is a `BrokenAnswer`.
    Error { is_broken: bool },
    /// The caller dropped the future.
    GaveUp,
    /// The final count of the caller's `AttemptsHandle`.
    Counted { attempts: u32 },
    /// All requests have ended, and the caller has dropped everything.
    Over,
    /// What was left after a while.
    Left(Left),
}

/// The progress of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Its first bytes, or its trailers, have arrived.
    First,
    /// It is known to have more bytes than are held back, or to be an event stream.
    Beyond,
    /// The whole body has arrived.
    Whole,
    /// It ended with an error, or with fewer bytes than its head promised.
    Broke,
}

/// The classified outcome of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Success,
    Permanent,
    MayPass,
}

/// What the head of the first response of a download states.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Begun {
    pub version: u32,
    /// The position of its first byte in the file.
    pub first: u64,
    /// How many bytes it promises, if it does.
    pub promised: Option<u64>,
    /// Whether there is a `Content-Length`.
    pub has_length: bool,
}

/// The request of a resumption.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resumed {
    /// How many bytes the caller had by then.
    pub had: u64,
    /// The first and the last byte that are requested.
    pub range: Option<(u64, u64)>,
    pub condition: Condition,
    /// Whether it is otherwise the caller's request, without its conditions.
    pub is_same: bool,
}

/// The version in the condition of a resumption.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    None,
    Version(u32),
    /// A validator of no version.
    Unknown,
}

/// The outcome of a download.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Downloaded {
    pub bytes: u64,
    /// A bit for each version with these bytes.
    pub versions: u32,
    pub end: End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Without an error.
    Ended,
    /// The caller had enough, or waited too long.
    Left,
    /// With the error of a body that was not resumed.
    Error,
    /// With a `ResumeError`.
    Unresumed {
        delivered: u64,
        expected: u64,
        why: Option<Unresumable>,
    },
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Left {
    pub connections: usize,
    pub tasks: usize,
    pub bodies: usize,
}

/// The id of entries that do not belong to a request.
pub const ALL: u32 = u32::MAX;

impl What {
    pub fn is_retry(&self) -> bool {
        matches!(
            self,
            Self::Told {
                step: EventKind::RetryScheduled { .. },
                ..
            }
        )
    }
}

impl Journal {
    pub fn write(&self, id: u32, what: What) {
        let at = turmoil::sim_elapsed().unwrap_or_default();
        self.entries.lock().unwrap().push(Entry { at, id, what });
    }

    pub fn entries(&self) -> Vec<Entry> {
        self.entries.lock().unwrap().clone()
    }

    pub fn is_over(&self) -> bool {
        let entries = self.entries.lock().unwrap();
        entries.iter().any(|entry| entry.what == What::Over)
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at, id, what } = self;
        if *id == ALL {
            return write!(f, "{at:>12?}         {what:?}");
        }
        write!(f, "{at:>12?}  {id:>6} {what:?}")
    }
}
