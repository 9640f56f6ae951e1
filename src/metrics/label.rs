use http::Method;

use crate::event::Event;
use crate::hedge_event::{HedgeEventKind, NotSent};
use crate::reason::{StopReason, WaitReason};

/// A label with a fixed set of values.
pub(super) struct Label {
    pub(super) name: &'static str,
    pub(super) values: &'static [&'static str],
}

pub(super) const METHOD: Label = Label {
    name: "method",
    values: &[
        "GET", "POST", "PUT", "DELETE", "HEAD", "PATCH", "OPTIONS", "QUERY", "CONNECT", "TRACE",
        "_OTHER",
    ],
};

pub(super) const STATUS: Label = Label {
    name: "status",
    values: &[
        "1xx", "2xx", "3xx", "4xx", "5xx", "timeout", "refused", "_OTHER",
    ],
};

pub(super) const RETRY: Label = Label {
    name: "reason",
    values: &[
        WaitReason::Backoff.as_str(),
        WaitReason::TimedOut.as_str(),
        WaitReason::Server.as_str(),
        WaitReason::AtOnce.as_str(),
        WaitReason::Transparent.as_str(),
        WaitReason::Cooldown.as_str(),
    ],
};

pub(super) const STOP: Label = Label {
    name: "reason",
    values: &[
        StopReason::Success.as_str(),
        StopReason::Permanent.as_str(),
        StopReason::Attempts.as_str(),
        StopReason::NotReplayable.as_str(),
        StopReason::NotIdempotent.as_str(),
        StopReason::ServerSaidNo.as_str(),
        StopReason::RetryAfterTooLong.as_str(),
        StopReason::Window.as_str(),
        StopReason::Budget.as_str(),
        StopReason::SwitchedOff.as_str(),
        StopReason::NotReady.as_str(),
        StopReason::CoolingDown.as_str(),
    ],
};

pub(super) const RESULT: Label = Label {
    name: "result",
    values: &[
        HedgeEventKind::Sent.as_str(),
        HedgeEventKind::Won.as_str(),
        HedgeEventKind::Lost.as_str(),
        HedgeEventKind::Failed.as_str(),
        HedgeEventKind::Withheld.as_str(),
        HedgeEventKind::NotSent(NotSent::Budget).as_str(),
        HedgeEventKind::NotSent(NotSent::NotReady).as_str(),
        HedgeEventKind::NotSent(NotSent::NotReplayable).as_str(),
        HedgeEventKind::NotSent(NotSent::CoolingDown).as_str(),
    ],
};

/// The index of a value among the values of a label.
pub(super) type Place = usize;

impl Label {
    pub(super) fn len(&self) -> usize {
        self.values.len()
    }

    /// The index of a value. An unknown value gets the last index, which stands for all others.
    pub(super) fn place(&self, value: &str) -> Place {
        let known = self.values.iter().position(|known| *known == value);
        known.unwrap_or(self.len() - 1)
    }
}

pub(super) fn method(method: &Method) -> Place {
    METHOD.place(method.as_str())
}

pub(super) fn status(event: &Event<'_>) -> Place {
    STATUS.place(match event.status().map(|status| status.as_u16() / 100) {
        Some(1) => "1xx",
        Some(2) => "2xx",
        Some(3) => "3xx",
        Some(4) => "4xx",
        Some(5) => "5xx",
        Some(_) => "_OTHER",
        None => event.error_type().unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests;
