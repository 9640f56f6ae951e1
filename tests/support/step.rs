//! The kind of an event in a form that tests can construct and compare, unlike the crate's type.

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
