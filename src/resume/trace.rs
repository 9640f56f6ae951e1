//! `tracing` events for resumptions, with OpenTelemetry's field names.

use tracing::debug;

use super::resumption::Resumption;
use crate::trace::{TARGET, address, milliseconds, signed};

pub(super) fn retell(resumption: &Resumption<'_>) {
    let uri = resumption.request.uri();
    debug!(
        target: TARGET,
        {
        http.request.method = resumption.request.method().as_str(),
        server.address = address(uri.host().unwrap_or_default()),
        server.port = uri.port_u16().map(i64::from),
        resume_count = i64::from(resumption.number),
        delivered_bytes = signed(resumption.delivered),
        expected_bytes = signed(resumption.expected),
        wait_ms = milliseconds(resumption.after),
        },
        "resuming",
    );
}
