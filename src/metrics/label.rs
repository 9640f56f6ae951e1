use http::Method;

use crate::event::{Event, Reason, Stop};

/// A label whose values are known beforehand.
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
        Reason::Backoff.name(),
        Reason::TimedOut.name(),
        Reason::Server.name(),
        Reason::AtOnce.name(),
        Reason::Transparent.name(),
    ],
};

pub(super) const STOP: Label = Label {
    name: "reason",
    values: &[
        Stop::Success.name(),
        Stop::Permanent.name(),
        Stop::Attempts.name(),
        Stop::NotReplayable.name(),
        Stop::NotIdempotent.name(),
        Stop::ServerSaidNo.name(),
        Stop::ServerWaitTooLong.name(),
        Stop::Window.name(),
        Stop::Budget.name(),
        Stop::NotReady.name(),
    ],
};

/// A value's place among a label's.
pub(super) type Place = usize;

impl Label {
    pub(super) fn len(&self) -> usize {
        self.values.len()
    }

    /// The place of a value; of one that is not known, that of the last, which stands for all others.
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
