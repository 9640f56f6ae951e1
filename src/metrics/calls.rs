//! The metrics of gRFC A96 for calls that were sent more than once.

use metrics::{IntoF64, Key, Label, Unit, describe_histogram, with_recorder};

use super::family::METADATA;
use crate::authority::Authority;
use crate::event::{Event, EventKind};
use crate::head::RequestHead;
use crate::hedge_event::{HedgeEvent, HedgeEventKind};

const RETRIES: &str = "grpc.client.call.retries";

const TRANSPARENT_RETRIES: &str = "grpc.client.call.transparent_retries";

const HEDGES: &str = "grpc.client.call.hedges";

const RETRY_DELAY: &str = "grpc.client.call.retry_delay";

pub(super) fn describe() {
    describe_histogram!(
        RETRIES,
        Unit::Count,
        "Retries of a call, if there were any."
    );
    describe_histogram!(
        TRANSPARENT_RETRIES,
        Unit::Count,
        "Transparent retries of a call, if there were any."
    );
    describe_histogram!(HEDGES, Unit::Count, "Hedges of a call, if there were any.");
    describe_histogram!(
        RETRY_DELAY,
        Unit::Seconds,
        "Time of a call during which no attempt was in flight."
    );
}

/// Records nothing for a call that was sent once and did not wait.
pub(crate) fn retell(event: &Event<'_>, _by_authority: bool) {
    let is_end = matches!(event.kind, EventKind::Stopped(_));
    if !is_end || (event.attempt < 2 && event.waited.is_zero()) {
        return;
    }
    let Some(call) = Call::of(&event.request) else {
        return;
    };
    let retries = event.attempt.saturating_sub(1);
    let transparent = event.transparent_retries.min(retries);
    call.count(RETRIES, retries - transparent);
    call.count(TRANSPARENT_RETRIES, transparent);
    if !event.waited.is_zero() {
        call.record(RETRY_DELAY, event.waited);
    }
}

pub(crate) fn retell_hedge(event: &HedgeEvent<'_>) {
    match event.kind {
        HedgeEventKind::Won | HedgeEventKind::Lost | HedgeEventKind::Failed => {}
        HedgeEventKind::Sent | HedgeEventKind::Withheld | HedgeEventKind::NotSent(_) => return,
    }
    if let Some(call) = Call::of(&event.request) {
        let transparent = event.transparent_retries();
        call.count(HEDGES, event.sent - transparent);
        call.count(TRANSPARENT_RETRIES, transparent);
    }
}

/// The labels of a call.
struct Call {
    labels: [Label; 2],
}

impl Call {
    /// Returns `None` if the request is not a gRPC call.
    fn of(request: &RequestHead<'_>) -> Option<Self> {
        let content = request.header("content-type")?;
        if !content.starts_with("application/grpc") {
            return None;
        }
        let path = request.uri.path();
        let method = path.strip_prefix('/').unwrap_or(path).to_owned();
        let target = request.uri.scheme_str().map_or(String::new(), |scheme| {
            format!("{scheme}://{}", Authority::of(request.uri))
        });
        let labels = [("grpc.method", method), ("grpc.target", target)];
        Some(Self {
            labels: labels.map(|(name, value)| Label::new(name, value)),
        })
    }

    /// Records a count, if it is not zero.
    fn count(&self, name: &'static str, count: u32) {
        if count > 0 {
            self.record(name, count);
        }
    }

    fn record(&self, name: &'static str, value: impl IntoF64) {
        let key = Key::from_parts(name, self.labels.to_vec());
        with_recorder(|recorder| recorder.register_histogram(&key, &METADATA).record(value));
    }
}
