use std::time::Duration;

use super::codes::Codes;
use super::config::Retries;
use super::error::ServiceConfigError;
use super::max_attempts::MaxAttempts;
use super::path::Path;
use crate::backoff::{Backoff, Jitter};
use crate::grpc::code::Code;

/// A `retryPolicy` of a gRPC service config ([gRFC A6]): how the calls of a method are retried.
///
/// Each setter corresponds to a field of the JSON form. The defaults are those of
/// [`RetryLayer::grpc`](crate::RetryLayer::grpc). Values are checked by
/// [`ServiceConfigBuilder::build`](super::ServiceConfigBuilder::build).
///
/// # Example
///
/// ```
/// use std::time::Duration;
/// use tonic::Code;
/// use tower_http_retry::grpc::{RetryPolicy, ServiceConfig};
///
/// let policy = RetryPolicy::new()
///     .max_attempts(4)
///     .initial_backoff(Duration::from_millis(200))
///     .max_backoff(Duration::from_secs(2))
///     .backoff_multiplier(1.5)
///     .retryable_status_codes([Code::Unavailable, Code::Aborted]);
/// assert!(ServiceConfig::builder().default_policy(policy).build().is_ok());
///
/// let once = RetryPolicy::new().max_attempts(1);
/// let error = ServiceConfig::builder().default_policy(once).build().unwrap_err();
/// assert_eq!(error.to_string(), "methodConfig[0].retryPolicy.maxAttempts: is less than 2");
/// ```
///
/// [gRFC A6]: https://github.com/grpc/proposal/blob/master/A6-client-retries.md#retry-policy
#[derive(Clone, Debug, PartialEq)]
#[must_use = "a policy does nothing until it is part of a config"]
pub struct RetryPolicy {
    max_attempts: u32,
    initial_backoff: Duration,
    max_backoff: Duration,
    backoff_multiplier: f64,
    codes: Codes,
}

impl RetryPolicy {
    /// Creates a policy with the settings of [`RetryLayer::grpc`](crate::RetryLayer::grpc).
    pub fn new() -> Self {
        Self {
            max_attempts: 5,
            initial_backoff: Duration::from_millis(100),
            max_backoff: Duration::from_secs(1),
            backoff_multiplier: 2.0,
            codes: Codes::new([Code::UNAVAILABLE.number()]),
        }
    }

    /// Sets the maximum number of attempts of a call, including the first one. Defaults to 5.
    ///
    /// It must be at least 2. Above 5, it counts as 5.
    pub fn max_attempts(mut self, count: u32) -> Self {
        self.max_attempts = count;
        self
    }

    /// Sets the wait before the first retry. Defaults to 0.1 s.
    ///
    /// It must be above zero. Each wait is multiplied by a random number between 0.8 and 1.2.
    pub fn initial_backoff(mut self, wait: Duration) -> Self {
        self.initial_backoff = wait;
        self
    }

    /// Sets the longest wait. Defaults to 1 s; [`Duration::MAX`] disables the limit.
    ///
    /// It must be above zero.
    pub fn max_backoff(mut self, wait: Duration) -> Self {
        self.max_backoff = wait;
        self
    }

    /// Sets the factor between the waits before two successive retries. Defaults to 2.
    ///
    /// It must be above zero.
    pub fn backoff_multiplier(mut self, multiplier: f64) -> Self {
        self.backoff_multiplier = multiplier;
        self
    }

    /// Sets the status codes that are retried, by number or as tonic's `Code`. Defaults to `UNAVAILABLE`.
    ///
    /// There must be at least one, and `OK` is not allowed. Codes that were set before are replaced.
    pub fn retryable_status_codes(
        mut self,
        codes: impl IntoIterator<Item = impl Into<i32>>,
    ) -> Self {
        self.codes = Codes::new(codes);
        self
    }

    pub(super) fn check(&self, at: &Path) -> Result<Retries, ServiceConfigError> {
        let max_attempts = MaxAttempts::new(self.max_attempts, at)?;
        let initial = at.field("initialBackoff");
        let most = at.field("maxBackoff");
        let multiplier = at.field("backoffMultiplier");
        let backoff = Backoff::exponential(initial.above_zero(self.initial_backoff)?)
            .max_wait(most.above_zero(self.max_backoff)?)
            .factor(multiplier.above_zero(self.backoff_multiplier)?)
            .jitter(Jitter::Between(0.8, 1.2));
        let codes = at.field("retryableStatusCodes");
        if self.codes.is_empty() {
            return Err(codes.wrong("is empty"));
        }
        Ok(Retries {
            max_attempts,
            backoff,
            classify: self.codes.check(&codes)?,
        })
    }
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self::new()
    }
}
