//! What happened in a run, in the order in which it did.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tower_http_retry::classify::Class;
use tower_http_retry::event::EventKind;
use tower_http_retry::hedge::HedgeEventKind;
use tower_http_retry::resume::Unresumable;

use super::failure::Failure;

/// Written to by all hosts of a simulation.
#[derive(Clone, Default)]
pub struct Journal {
    entries: Arc<Mutex<Vec<Entry>>>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Entry {
    /// Since the simulation's start, on the clock that all hosts share.
    pub at: Duration,
    pub id: u32,
    pub what: What,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum What {
    /// The caller handed the request to the layer.
    Asked,
    /// The layer handed an attempt to the client below it.
    Sent { attempt: u32 },
    /// The layer was handed the attempt's response, asking for this wait.
    Answered {
        attempt: u32,
        status: u16,
        hint: Option<Duration>,
    },
    /// So far the body of the attempt's response came, under the layers.
    Body { attempt: u32, is: Progress },
    /// The layer was handed an error of the attempt: its response, which asked for this wait, broke.
    Broken {
        attempt: u32,
        hint: Option<Duration>,
    },
    /// The attempt was answered by a redirect, which is followed under the layer.
    Redirected { attempt: u32 },
    /// The attempt failed under the layer in a way that is told apart here.
    Failed { attempt: u32, how: Failure },
    /// The layer told this.
    Told {
        step: EventKind,
        class: Option<Class>,
        timed_out: bool,
    },
    /// A hedge was handed on: whether its head is that of the first attempt, and all of its body was
    /// there.
    Hedged {
        attempt: u32,
        is_same: bool,
        is_whole: bool,
    },
    /// The layer that hedges was handed the outcome of a first attempt or of a hedge.
    Ended { attempt: u32, fate: Fate },
    /// The future of a first attempt or of a hedge is there no more.
    Gone { attempt: u32 },
    /// The layer that hedges handed this up for a first attempt and its hedge; a response says whose it
    /// is.
    Chosen {
        beside: u32,
        attempt: Option<u32>,
        fate: Fate,
    },
    /// The future of a first attempt together with its hedge is there no more.
    Settled { beside: u32 },
    /// The layer that hedges told this.
    HedgeTold(HedgeEventKind),
    /// The attempt came to the server.
    Came { attempt: u32 },
    /// The server read all of the attempt's body; these were, or were not, the bytes that were sent.
    Took { attempt: u32, is_right: bool },
    /// The server answered with this version of a file, or a part of it.
    Served { version: u32 },
    /// The attempt had its effect.
    Acted,
    /// The caller was handed the response to this attempt, after so many as the response says.
    Response {
        attempt: u32,
        status: u16,
        count: u32,
    },
    /// The caller read all of the response's body.
    Read { is_right: bool },
    /// That body ended early, or took too long.
    BrokeOff { attempt: u32 },
    /// That body is a download, which a layer is to resume or not.
    Begun(Begun),
    /// A layer asks for the rest of a download.
    Resumed(Resumed),
    /// The caller reads no more of a download.
    Downloaded(Downloaded),
    /// The caller was handed an error, which says that its response broke or something else.
    Error { is_broken: bool },
    /// The caller dropped the future.
    GaveUp,
    /// As a handle of the caller's says in the end.
    Counted { attempts: u32 },
    /// All requests have ended, and the caller dropped all it had.
    Over,
    /// What was left some time later.
    Left(Left),
}

/// How far a body has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Its first bytes are there, or its trailers.
    First,
    /// It is known to have more bytes than are held back, or to be a stream of events.
    Beyond,
    /// All of it is there.
    Whole,
    /// It ended with an error, or had fewer bytes than its head said.
    Broke,
}

/// What an attempt came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Success,
    Permanent,
    MayPass,
}

/// What the head of a download's first response says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Begun {
    pub version: u32,
    /// The place of its first byte in the file.
    pub first: u64,
    /// How many bytes it promises, if it says so.
    pub promised: Option<u64>,
    /// Whether there is a `Content-Length`.
    pub has_length: bool,
}

/// What a resumption asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resumed {
    /// So many bytes the caller had by then.
    pub had: u64,
    /// The first and the last byte that are asked for.
    pub range: Option<(u64, u64)>,
    pub condition: Condition,
    /// Whether it is the caller's request otherwise, without its conditions.
    pub is_same: bool,
}

/// Of which version a resumption wants the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    None,
    Version(u32),
    /// Of what was never a version.
    Unknown,
}

/// What came of a download.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Downloaded {
    pub bytes: u64,
    /// A bit for each version that has these bytes.
    pub versions: u32,
    pub end: End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// As if all were there.
    Ended,
    /// The caller wanted no more, or waited too long.
    Left,
    /// With the error of a body that is not resumed.
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

/// The id of what concerns no request.
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
