//! The errors of the retry.

// Each test binary uses only a part of this.
#![allow(dead_code)]

use std::time::Duration;

use http::Response;
use tower_http_retry::event::StopReason;
use tower_http_retry::{BoxError, RetryError};

/// Returns the time-out of an attempt that timed out.
pub fn attempt_timeout(error: &(dyn std::error::Error + 'static)) -> Option<Duration> {
    match error.downcast_ref()? {
        RetryError::AttemptTimedOut { timeout, .. } => Some(*timeout),
        _ => None,
    }
}

/// Returns why a retry could not start, and the last outcome.
pub fn abandoned(error: &BoxError) -> Option<(StopReason, Result<&Response<()>, &BoxError>)> {
    match error.downcast_ref()? {
        RetryError::Abandoned { reason, last, .. } => Some((*reason, last.as_ref())),
        _ => None,
    }
}
