use std::collections::HashMap;

use super::config::{Plan, ServiceConfig};
use super::error::ServiceConfigError;
use super::method_policy::MethodPolicy;
use super::name::Name;
use super::path::Path;
use super::throttling::Throttling;

/// Builds a [`ServiceConfig`] in code. Created by [`ServiceConfig::builder`].
///
/// It can express everything that the JSON form can. A policy applies to a method, to a service, or to all
/// calls that have no other policy.
///
/// # Example
///
/// ```
/// use std::time::Duration;
/// use http::{Request, Response};
/// use tonic::Code;
/// use tower_http_retry::classify::{Class, Classify, Outcome};
/// use tower_http_retry::grpc::{HedgingPolicy, MethodPolicy, RetryPolicy, ServiceConfig};
///
/// let config = ServiceConfig::builder()
///     .default_policy(RetryPolicy::new())
///     .service("hello.Greeter", RetryPolicy::new().retryable_status_codes([Code::Aborted]))
///     .method("hello.Greeter", "SayHello", HedgingPolicy::new(Duration::from_millis(200)))
///     .method("hello.Greeter", "SayGoodbye", MethodPolicy::Once)
///     .retry_throttling(10.0, 0.1)
///     .build()?;
///
/// let class = |path, code: Code| {
///     let request = Request::post(path).body(()).unwrap();
///     let response = Response::builder().header("grpc-status", code as i32).body(()).unwrap();
///     config.classify(&Outcome::response(&request, &response)).class()
/// };
/// assert_eq!(class("/hello.Greeter/GreetAll", Code::Aborted), Class::Transient);
/// assert_eq!(class("/hello.Greeter/SayGoodbye", Code::Aborted), Class::Permanent);
/// assert_eq!(class("/other.Service/Call", Code::Aborted), Class::Permanent);
/// assert_eq!(class("/other.Service/Call", Code::Unavailable), Class::Transient);
///
/// let twice = ServiceConfig::builder()
///     .service("hello.Greeter", RetryPolicy::new())
///     .service("hello.Greeter", HedgingPolicy::new(Duration::from_millis(200)));
/// let error = twice.build().unwrap_err();
/// assert_eq!(error.to_string(), "methodConfig[1].name[0]: is configured already");
/// # Ok::<_, tower_http_retry::grpc::ServiceConfigError>(())
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "a builder does nothing until `build` is called"]
pub struct ServiceConfigBuilder {
    methods: Vec<MethodConfig>,
    /// `maxTokens` and `tokenRatio`.
    throttling: Option<(f64, f64)>,
}

/// An entry of `methodConfig`.
#[derive(Clone, Debug)]
struct MethodConfig {
    names: Vec<Name>,
    policy: MethodPolicy,
}

impl ServiceConfig {
    /// Creates a builder of a config that has no policies and no throttling yet.
    pub fn builder() -> ServiceConfigBuilder {
        ServiceConfigBuilder::default()
    }
}

impl ServiceConfigBuilder {
    /// Adds the policy of all calls that have no other policy.
    ///
    /// If it is added twice, [`build`](Self::build) returns an error.
    pub fn default_policy(self, policy: impl Into<MethodPolicy>) -> Self {
        self.method_config([Name::Default], policy)
    }

    /// Adds the policy of a service, such as `hello.Greeter`. It applies to those methods of the service that
    /// do not have their own policy.
    ///
    /// If the name is empty, contains a slash, or was added before, [`build`](Self::build) returns an error.
    pub fn service(self, service: impl Into<String>, policy: impl Into<MethodPolicy>) -> Self {
        self.method_config([Name::Service(service.into())], policy)
    }

    /// Adds the policy of one method of a service, such as `SayHello` of `hello.Greeter`.
    ///
    /// If a name is empty or contains a slash, or if the method was added before, [`build`](Self::build)
    /// returns an error.
    pub fn method(
        self,
        service: impl Into<String>,
        method: impl Into<String>,
        policy: impl Into<MethodPolicy>,
    ) -> Self {
        let (service, method) = (service.into(), method.into());
        self.method_config([Name::Method { service, method }], policy)
    }

    /// Sets `retryThrottling`: retries and hedges are sent only while more than half of `max_tokens` are
    /// left. Defaults to none.
    ///
    /// Each failed attempt that could be retried takes a token, and each successful one adds `token_ratio`.
    /// `max_tokens` must be 0.001 to 1000, and `token_ratio` at least 0.001. Only three decimals are used.
    pub fn retry_throttling(mut self, max_tokens: f64, token_ratio: f64) -> Self {
        self.throttling = Some((max_tokens, token_ratio));
        self
    }

    /// Adds an entry of `methodConfig`.
    pub(super) fn method_config(
        mut self,
        names: impl IntoIterator<Item = Name>,
        policy: impl Into<MethodPolicy>,
    ) -> Self {
        self.methods.push(MethodConfig {
            names: names.into_iter().collect(),
            policy: policy.into(),
        });
        self
    }

    /// Builds the config.
    ///
    /// # Errors
    ///
    /// Returns a [`ServiceConfigError`] if the config is not valid. It contains the path of the first invalid
    /// field, with the names of the JSON form.
    pub fn build(self) -> Result<ServiceConfig, ServiceConfigError> {
        let root = Path::default();
        let entries = root.field("methodConfig");
        let mut methods = HashMap::new();
        for (index, entry) in self.methods.into_iter().enumerate() {
            entry.check(&entries.item(index), &mut methods)?;
        }
        let at = root.field("retryThrottling");
        let throttling = self.throttling;
        let throttling = throttling.map(|(tokens, ratio)| Throttling::new(tokens, ratio, &at));
        Ok(ServiceConfig::new(methods, throttling.transpose()?))
    }
}

impl MethodConfig {
    fn check(
        self,
        at: &Path,
        methods: &mut HashMap<String, Plan>,
    ) -> Result<(), ServiceConfigError> {
        let plan = self.policy.check(at)?;
        let names = at.field("name");
        for (index, name) in self.names.into_iter().enumerate() {
            let at = names.item(index);
            if methods.insert(name.key(&at)?, plan).is_some() {
                return Err(at.wrong("is configured already"));
            }
        }
        Ok(())
    }
}
