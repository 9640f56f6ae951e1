//! The kind of an event, as tests compare it: they cannot build the crate's own.

use std::time::Duration;

use tower_http_retry::event::{EventKind, StopReason, WaitReason};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Sent,
    Retry { after: Duration, reason: WaitReason },
    Stop(StopReason),
    Held { left: Duration },
    CooldownStarted { left: Duration },
    CooldownEnded,
}

impl From<EventKind> for Step {
    fn from(kind: EventKind) -> Self {
        match kind {
            EventKind::AttemptStarted => Self::Sent,
            EventKind::RetryScheduled { after, reason, .. } => Self::Retry { after, reason },
            EventKind::Stopped(reason) => Self::Stop(reason),
            EventKind::Held { left, .. } => Self::Held { left },
            EventKind::CooldownStarted { left, .. } => Self::CooldownStarted { left },
            EventKind::CooldownEnded => Self::CooldownEnded,
            other => panic!("{other:?}"),
        }
    }
}
