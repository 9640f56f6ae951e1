//! `tracing` events for hedges, with OpenTelemetry's field names.

use tracing::debug;

use crate::hedge_event::{HedgeEvent, HedgeEventKind};
use crate::trace::{TARGET, address, milliseconds};

pub(super) fn retell(event: &HedgeEvent<'_>) {
    // The other kinds follow from these, or are routine.
    let message = match event.kind {
        HedgeEventKind::Sent => "hedging",
        HedgeEventKind::Won => "the hedge was faster",
        _ => return,
    };
    let uri = event.request.uri();
    debug!(
        target: TARGET,
        {
        http.request.method = event.request.method().as_str(),
        server.address = address(uri.host().unwrap_or_default()),
        server.port = uri.port_u16().map(i64::from),
        elapsed_ms = milliseconds(event.elapsed),
        },
        "{message}",
    );
}
