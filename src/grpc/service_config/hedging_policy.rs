use std::time::Duration;

use super::codes::Codes;
use super::config::Hedges;
use super::error::ServiceConfigError;
use super::max_attempts::MaxAttempts;
use super::path::Path;

/// A `hedgingPolicy` of a gRPC service config ([gRFC A6]): how the calls of a method are hedged.
///
/// Each setter corresponds to a field of the JSON form. Values are checked by
/// [`ServiceConfigBuilder::build`](super::ServiceConfigBuilder::build).
///
/// # Example
///
/// ```
/// use std::time::Duration;
/// use tonic::Code;
/// use tower_http_retry::grpc::{HedgingPolicy, ServiceConfig};
///
/// let policy = HedgingPolicy::new(Duration::from_millis(200))
///     .max_attempts(3)
///     .non_fatal_status_codes([Code::Unavailable]);
/// assert!(ServiceConfig::builder().default_policy(policy).build().is_ok());
///
/// let unknown = HedgingPolicy::new(Duration::ZERO).non_fatal_status_codes([14, 17]);
/// let error = ServiceConfig::builder().default_policy(unknown).build().unwrap_err();
/// assert_eq!(error.field(), "methodConfig[0].hedgingPolicy.nonFatalStatusCodes[1]");
/// ```
///
/// [gRFC A6]: https://github.com/grpc/proposal/blob/master/A6-client-retries.md#hedging-policy
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a policy does nothing until it is part of a config"]
pub struct HedgingPolicy {
    max_attempts: u32,
    delay: Duration,
    codes: Codes,
}

impl HedgingPolicy {
    /// Creates a policy that sends one hedge after a delay (`hedgingDelay`). All status codes are fatal.
    ///
    /// With a delay of zero, all attempts are sent at the same time. This is the default of `hedgingDelay`
    /// in JSON.
    pub fn new(delay: Duration) -> Self {
        Self {
            max_attempts: 2,
            delay,
            codes: Codes::default(),
        }
    }

    /// Sets the maximum number of attempts of a call, including the first one. Defaults to 2.
    ///
    /// It must be at least 2. Above 5, it counts as 5. The delay of each hedge starts with the previous
    /// attempt.
    pub fn max_attempts(mut self, count: u32) -> Self {
        self.max_attempts = count;
        self
    }

    /// Sets the status codes that do not end the call, by number or as tonic's `Code`. Defaults to none.
    ///
    /// After one of these codes, the next hedge is sent immediately. `OK` is not allowed. Codes that were set
    /// before are replaced.
    pub fn non_fatal_status_codes(
        mut self,
        codes: impl IntoIterator<Item = impl Into<i32>>,
    ) -> Self {
        self.codes = Codes::new(codes);
        self
    }

    pub(super) fn check(&self, at: &Path) -> Result<Hedges, ServiceConfigError> {
        Ok(Hedges {
            max_attempts: MaxAttempts::new(self.max_attempts, at)?,
            delay: self.delay,
            classify: self.codes.check(&at.field("nonFatalStatusCodes"))?,
        })
    }
}
