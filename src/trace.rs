//! Events through `tracing`, with OpenTelemetry's names for the fields. Numbers are signed, because
//! OpenTelemetry has no unsigned attributes: tracing-opentelemetry converts unsigned numbers to strings.

use std::time::Duration;

use tracing::{debug, info, warn};

use crate::event::{Event, EventKind, StopReason};

pub(crate) const TARGET: &str = "tower_http_retry";

pub(crate) fn retell(event: &Event<'_>, _by_authority: bool) {
    match event.kind {
        // Each request emits these.
        EventKind::AttemptStarted | EventKind::Stopped(StopReason::Success) => {}
        EventKind::RetryScheduled { after, reason } => debug!(
            target: TARGET,
            {
            http.request.method = event.method().as_str(),
            http.request.resend_count = i64::from(event.attempt),
            http.response.status_code = event.status().map(|status| i64::from(status.as_u16())),
            server.address = address(event.host()),
            server.port = event.port().map(i64::from),
            error.r#type = event.error_type(),
            wait_ms = milliseconds(after),
            %reason,
            },
            "retrying",
        ),
        // Nothing was retried, as after a 404.
        EventKind::Stopped(StopReason::Permanent) if event.attempt == 1 => {}
        // Emitted for each request during a hold, whose start was emitted at `WARN`.
        EventKind::Stopped(stop @ StopReason::CoolingDown) => debug!(
            target: TARGET,
            {
            http.request.method = event.method().as_str(),
            server.address = address(event.host()),
            server.port = event.port().map(i64::from),
            waited_ms = milliseconds(event.waited),
            reason = %stop,
            },
            "not sent",
        ),
        EventKind::Stopped(stop) => warn!(
            target: TARGET,
            {
            http.request.method = event.method().as_str(),
            http.request.resend_count = i64::from(event.attempt.saturating_sub(1)),
            http.response.status_code = event.status().map(|status| i64::from(status.as_u16())),
            server.address = address(event.host()),
            server.port = event.port().map(i64::from),
            error.r#type = event.error_type(),
            waited_ms = milliseconds(event.waited),
            reason = %stop,
            },
            "gave up",
        ),
        EventKind::Held { left } => debug!(
            target: TARGET,
            {
            http.request.method = event.method().as_str(),
            server.address = address(event.host()),
            server.port = event.port().map(i64::from),
            left_ms = milliseconds(left),
            },
            "held",
        ),
        EventKind::CooldownStarted { left } => warn!(
            target: TARGET,
            {
            http.response.status_code = event.status().map(|status| i64::from(status.as_u16())),
            server.address = address(event.host()),
            server.port = event.port().map(i64::from),
            left_ms = milliseconds(left),
            },
            "the quota is used up: requests are held",
        ),
        EventKind::CooldownEnded => info!(
            target: TARGET,
            {
            server.address = address(event.host()),
            server.port = event.port().map(i64::from),
            },
            "requests are no longer held",
        ),
    }
}

/// Returns a host name, or an IPv6 address without the brackets that it has in a URI.
pub(crate) fn address(host: &str) -> Option<&str> {
    let bare = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    Some(bare.unwrap_or(host)).filter(|host| !host.is_empty())
}

pub(crate) fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

pub(crate) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
