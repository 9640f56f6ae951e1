//! Errors of the retry itself.

// Each binary of tests uses what it needs.
#![allow(dead_code)]

use std::time::Duration;

use http::Response;
use tower_http_retry::event::StopReason;
use tower_http_retry::{BoxError, RetryError};

/// How long an attempt was given, if it timed out.
pub fn attempt_timeout(error: &(dyn std::error::Error + 'static)) -> Option<Duration> {
    match error.downcast_ref()? {
        RetryError::AttemptTimedOut { timeout, .. } => Some(*timeout),
        _ => None,
    }
}

/// Why a retry could not start, and the last outcome.
pub fn abandoned(error: &BoxError) -> Option<(StopReason, Result<&Response<()>, &BoxError>)> {
    match error.downcast_ref()? {
        RetryError::Abandoned { reason, last, .. } => Some((*reason, last.as_ref())),
        _ => None,
    }
}
