use std::error::Error;
use std::fmt;

/// Error of a service config that is not valid. Contains the path of the invalid field, and the problem.
///
/// Fields have their names in JSON, even if the config was built in code. Each call of
/// [`default_policy`](super::ServiceConfigBuilder::default_policy),
/// [`service`](super::ServiceConfigBuilder::service) or
/// [`method`](super::ServiceConfigBuilder::method) is then an entry of `methodConfig`, in order.
///
/// # Example
///
/// ```
/// use tower_http_retry::grpc::ServiceConfig;
///
/// let error = ServiceConfig::builder().retry_throttling(2000.0, 0.1).build().unwrap_err();
/// assert_eq!(error.field(), "retryThrottling.maxTokens");
/// assert_eq!(error.to_string(), "retryThrottling.maxTokens: is above 1000");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceConfigError {
    field: String,
    problem: String,
}

impl ServiceConfigError {
    pub(super) fn new(field: &str, problem: impl Into<String>) -> Self {
        Self {
            field: field.to_owned(),
            problem: problem.into(),
        }
    }

    /// Returns the path of the invalid field, such as `methodConfig[1].retryPolicy.maxBackoff`. It is empty
    /// if the config as a whole is invalid.
    pub fn field(&self) -> &str {
        &self.field
    }
}

impl fmt::Display for ServiceConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.field.as_str() {
            "" => write!(f, "the service config {}", self.problem),
            field => write!(f, "{field}: {}", self.problem),
        }
    }
}

impl Error for ServiceConfigError {}
