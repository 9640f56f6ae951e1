//! The report on one request.

use std::process::ExitCode;
use std::time::Duration;

use http::StatusCode;
use serde_json::json;
use tower_http_retry::event::StopReason;
use tower_http_retry::{Attempts, BoxError, RetryError};

use crate::timeline::with_causes;

pub(crate) struct Report {
    /// The number of the request; the first is 1.
    pub(crate) number: u64,
    /// The status of the response. There can also be an error, if the body of the response failed.
    pub(crate) status: Option<StatusCode>,
    pub(crate) error: Option<BoxError>,
    pub(crate) attempts: Attempts,
    /// The time from the start of the request to the end of the response body.
    pub(crate) took: Duration,
}

/// How a request ended. If there are many requests, the greatest value counts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Ending {
    Fine,
    OtherStatus,
    Error,
}

impl Report {
    pub(crate) fn ending(&self) -> Ending {
        match (&self.error, self.status) {
            (Some(_), _) | (None, None) => Ending::Error,
            (None, Some(status)) if status.is_success() || status.is_redirection() => Ending::Fine,
            (None, Some(_)) => Ending::OtherStatus,
        }
    }

    pub(crate) fn error(&self) -> Option<String> {
        self.error.as_deref().map(|error| with_causes(error))
    }

    /// The status or the error as text. Requests with the same outcome have the same text.
    pub(crate) fn outcome(&self) -> String {
        match (&self.error, self.status) {
            (Some(error), _) if is_cooling_down(error) => {
                format!("error: {}", StopReason::CoolingDown)
            }
            (Some(error), _) => format!("error: {}", with_causes(&**error)),
            (None, Some(status)) => status.to_string(),
            (None, None) => "no outcome".to_owned(),
        }
    }

    pub(crate) fn to_json(&self) -> String {
        let waited = self.attempts.waited.as_millis();
        let report = json!({
            "request": self.number,
            "status": self.status.map(|status| status.as_u16()),
            "attempts": self.attempts.count,
            "waited_ms": u64::try_from(waited).unwrap_or(u64::MAX),
            "error": self.error(),
        });
        report.to_string()
    }
}

/// The text of this error contains the time that is left, which differs between requests.
fn is_cooling_down(error: &BoxError) -> bool {
    matches!(error.downcast_ref(), Some(RetryError::CoolingDown { .. }))
}

/// The exit statuses of curl: 22 for a failure status, 7 for a failed connection.
impl From<Ending> for ExitCode {
    fn from(ending: Ending) -> Self {
        Self::from(match ending {
            Ending::Fine => 0,
            Ending::OtherStatus => 22,
            Ending::Error => 7,
        })
    }
}
