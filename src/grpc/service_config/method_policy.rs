use super::config::Plan;
use super::error::ServiceConfigError;
use super::hedging_policy::HedgingPolicy;
use super::path::Path;
use super::retry_policy::RetryPolicy;

/// Policy of an entry of `methodConfig` in a gRPC service config, by which the calls of a method are retried,
/// hedged, or neither.
///
/// [`RetryPolicy`] and [`HedgingPolicy`] convert into it, so that
/// [`ServiceConfigBuilder`](super::ServiceConfigBuilder) accepts each of the three.
///
/// # Example
///
/// ```
/// use tower_http_retry::grpc::{MethodPolicy, RetryPolicy, ServiceConfig};
///
/// let policy = RetryPolicy::new().max_attempts(3);
/// assert_eq!(MethodPolicy::from(policy.clone()), MethodPolicy::Retry(policy.clone()));
///
/// // All calls are retried, except those of one method.
/// let config = ServiceConfig::builder()
///     .default_policy(policy)
///     .method("hello.Greeter", "SayGoodbye", MethodPolicy::Once)
///     .build()?;
/// # let _ = config;
/// # Ok::<_, tower_http_retry::grpc::ServiceConfigError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum MethodPolicy {
    /// Calls are retried only [transparently](crate::classify::Verdict::transparent), like calls without an
    /// entry in the config.
    Once,
    /// Calls are retried.
    Retry(RetryPolicy),
    /// Calls are hedged.
    Hedge(HedgingPolicy),
}

impl MethodPolicy {
    /// Checks the policy of the entry at the path `entry`.
    pub(super) fn check(&self, entry: &Path) -> Result<Plan, ServiceConfigError> {
        match self {
            Self::Once => Ok(Plan::Once),
            Self::Retry(policy) => policy.check(&entry.field("retryPolicy")).map(Plan::Retry),
            Self::Hedge(policy) => policy.check(&entry.field("hedgingPolicy")).map(Plan::Hedge),
        }
    }
}

impl From<RetryPolicy> for MethodPolicy {
    fn from(policy: RetryPolicy) -> Self {
        Self::Retry(policy)
    }
}

impl From<HedgingPolicy> for MethodPolicy {
    fn from(policy: HedgingPolicy) -> Self {
        Self::Hedge(policy)
    }
}
