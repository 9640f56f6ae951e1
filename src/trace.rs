//! Events through `tracing`, with OpenTelemetry's names for the fields.

use tracing::{debug, warn};

use crate::event::{Event, Step, Stop};

const TARGET: &str = "tower_http_retry";

pub(crate) fn retell(event: &Event<'_>) {
    match event.step {
        Step::Sent => {}
        Step::Retry { after, reason } => debug!(
            target: TARGET,
            {
            http.request.method = event.method.as_str(),
            http.request.resend_count = event.attempt,
            http.response.status_code = event.status().map(|status| status.as_u16()),
            server.address = event.host(),
            server.port = event.port(),
            error.r#type = error_type(event),
            wait_ms = u64::try_from(after.as_millis()).unwrap_or(u64::MAX),
            %reason,
            },
            "retrying",
        ),
        // An answer that is no concern of retries, such as a 404.
        Step::Stop(Stop::Permanent) if event.attempt == 1 => {}
        Step::Stop(stop) => warn!(
            target: TARGET,
            {
            http.request.method = event.method.as_str(),
            http.request.resend_count = event.attempt - 1,
            http.response.status_code = event.status().map(|status| status.as_u16()),
            server.address = event.host(),
            server.port = event.port(),
            error.r#type = error_type(event),
            reason = %stop,
            },
            "gave up",
        ),
    }
}

/// A low-cardinality name of the failure: the status, or what kind of error it was.
fn error_type<'a>(event: &'a Event<'_>) -> &'a str {
    use crate::classify::Class;
    match (&event.outcome, event.class) {
        (Some(Ok(status)), _) => status.as_str(),
        (Some(Err(_)), _) if event.timed_out => "timeout",
        (Some(Err(_)), Some(Class::Refused)) => "refused",
        (Some(Err(_)), Some(Class::Success | Class::Permanent | Class::Transient)) => "_OTHER",
        (Some(Err(_)), None) | (None, _) => "_OTHER",
    }
}
