use std::collections::HashMap;
use std::time::Duration;

use http::HeaderMap;

use super::max_attempts::MaxAttempts;
use super::throttling::Throttling;
use crate::backoff::Backoff;
use crate::budget::{AwaitedCodes, Budget};
use crate::class::Class;
use crate::classify::{Classify, Outcome, RequestHead, Verdict};
use crate::grpc::by_grpc_status::ByGrpcStatus;
use crate::layer::RetryLayer;
use crate::limits::RetryOverride;
use crate::retry_after::Hint;

/// A gRPC service config: how the calls of each method are retried or hedged, and when retries are
/// throttled.
///
/// It contains `methodConfig` and `retryThrottling` of [gRFC A6]. [`builder`](Self::builder) builds a config
/// in code. With the feature `serde`, a config can be parsed from JSON, and can be part of another config
/// that is deserialized.
///
/// [`RetryLayer::service_config`] creates a layer that retries calls by this config.
/// [`HedgeLayer::service_config`](crate::HedgeLayer::service_config) creates a layer for the calls with a
/// `hedgingPolicy`, which goes below the retry. The config is also a classifier. For each call, the policy of
/// its method is used if there is one, otherwise that of its service, and otherwise the default. A call
/// without a `retryPolicy` is retried only [transparently](Verdict::transparent).
///
/// All layers that are created from a config and its clones share the tokens of its `retryThrottling`. Tokens
/// belong to one server, so build or parse a config for each server.
///
/// | field | in code | value |
/// |---|---|---|
/// | `methodConfig[].name[]` | [`method`], [`service`], [`default_policy`] | `service` and `method`, only `service`, or neither for the default |
/// | `retryPolicy` | [`RetryPolicy`] | |
/// | `retryPolicy.maxAttempts` | `max_attempts` | 2 or more; above 5 it counts as 5 |
/// | `retryPolicy.initialBackoff`, `maxBackoff` | `initial_backoff`, `max_backoff` | a duration above zero, such as `"0.1s"` |
/// | `retryPolicy.backoffMultiplier` | `backoff_multiplier` | a number above zero |
/// | `retryPolicy.retryableStatusCodes` | `retryable_status_codes` | one or more, by name (in upper or lower case) or number; not `OK` |
/// | `hedgingPolicy` | [`HedgingPolicy`] | |
/// | `hedgingPolicy.maxAttempts` | `max_attempts` | 2 or more; above 5 it counts as 5 |
/// | `hedgingPolicy.hedgingDelay` | `new` | a duration of zero or more; defaults to zero, so that all attempts are sent at the same time |
/// | `hedgingPolicy.nonFatalStatusCodes` | `non_fatal_status_codes` | like `retryableStatusCodes`, or none; defaults to none, so that all codes are fatal |
/// | neither policy | [`MethodPolicy::Once`] | the calls are only retried [transparently](Verdict::transparent) |
/// | `retryThrottling.maxTokens` | [`retry_throttling`] | 0.001 to 1000 |
/// | `retryThrottling.tokenRatio` | [`retry_throttling`] | 0.001 or more; only three decimals are used |
///
/// A method has a `retryPolicy` or a `hedgingPolicy` or neither, but not both. Unknown fields of JSON are
/// ignored.
///
/// # Errors
///
/// Building or parsing a config returns a [`ServiceConfigError`](super::ServiceConfigError) if a field is not
/// valid.
///
/// # Example
///
/// ```
/// use std::time::Duration;
/// use tonic::Code;
/// use tower_http_retry::RetryLayer;
/// use tower_http_retry::grpc::{RetryPolicy, ServiceConfig};
///
/// let policy = RetryPolicy::new()
///     .max_attempts(4)
///     .initial_backoff(Duration::from_millis(100))
///     .max_backoff(Duration::from_secs(1))
///     .backoff_multiplier(2.0)
///     .retryable_status_codes([Code::Unavailable]);
/// let config = ServiceConfig::builder()
///     .service("hello.Greeter", policy)
///     .retry_throttling(10.0, 0.1)
///     .build()?;
///
/// # #[cfg(feature = "serde")] {
/// // The same config, from JSON.
/// let parsed: ServiceConfig = r#"{
///     "methodConfig": [{
///         "name": [{ "service": "hello.Greeter" }],
///         "retryPolicy": {
///             "maxAttempts": 4,
///             "initialBackoff": "0.1s",
///             "maxBackoff": "1s",
///             "backoffMultiplier": 2,
///             "retryableStatusCodes": ["UNAVAILABLE"]
///         }
///     }],
///     "retryThrottling": { "maxTokens": 10, "tokenRatio": 0.1 }
/// }"#.parse()?;
/// assert_eq!(parsed, config);
/// # }
///
/// let layer = RetryLayer::grpc().service_config(config);
/// # let _ = layer;
/// # Ok::<_, tower_http_retry::grpc::ServiceConfigError>(())
/// ```
///
/// [gRFC A6]: https://github.com/grpc/proposal/blob/master/A6-client-retries.md#integration-with-service-config
/// [`method`]: super::ServiceConfigBuilder::method
/// [`service`]: super::ServiceConfigBuilder::service
/// [`default_policy`]: super::ServiceConfigBuilder::default_policy
/// [`retry_throttling`]: super::ServiceConfigBuilder::retry_throttling
/// [`RetryPolicy`]: super::RetryPolicy
/// [`HedgingPolicy`]: super::HedgingPolicy
/// [`MethodPolicy::Once`]: super::MethodPolicy::Once
#[derive(Clone, Debug)]
pub struct ServiceConfig {
    /// The plans by `service/method` or `service/`. The key of the default is empty.
    methods: HashMap<String, Plan>,
    pub(super) throttling: Option<Throttling>,
    /// The budget that all layers share.
    pub(super) budget: Option<Budget>,
}

/// How the calls of a method are sent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Plan {
    Once,
    Retry(Retries),
    Hedge(Hedges),
}

/// A `retryPolicy` that was checked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Retries {
    pub(super) max_attempts: MaxAttempts,
    pub(super) backoff: Backoff,
    pub(super) classify: ByGrpcStatus,
}

/// A `hedgingPolicy` that was checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hedges {
    pub(super) max_attempts: MaxAttempts,
    pub(super) delay: Duration,
    /// Retries the codes that are not fatal.
    pub(super) classify: ByGrpcStatus,
}

impl ServiceConfig {
    pub(super) fn new(methods: HashMap<String, Plan>, throttling: Option<Throttling>) -> Self {
        Self {
            methods,
            throttling,
            budget: throttling.map(Throttling::budget),
        }
    }

    /// Returns the most specific plan for a call: that of its method, that of its service, or the default.
    pub(super) fn plan(&self, path: &str) -> Plan {
        let method = path.strip_prefix('/').unwrap_or(path);
        let service = method.rfind('/').map_or("", |slash| &method[..=slash]);
        let names = [method, service, ""];
        let plan = names.iter().find_map(|name| self.methods.get(*name));
        plan.copied().unwrap_or(Plan::Once)
    }
}

/// Two configs are equal if their settings are. The tokens that are left are not compared.
impl PartialEq for ServiceConfig {
    fn eq(&self, other: &Self) -> bool {
        self.methods == other.methods && self.throttling == other.throttling
    }
}

impl Classify for ServiceConfig {
    fn classify(&self, outcome: &Outcome<'_>) -> Verdict {
        let is_hedged = match self.plan(outcome.uri().path()) {
            Plan::Retry(policy) => return policy.classify.classify(outcome),
            Plan::Hedge(_) => true,
            Plan::Once => false,
        };
        let verdict = ByGrpcStatus::none().classify(outcome);
        // The throttle counts a pushback that forbids a retry, whatever the method. For hedged calls, the
        // hedge layer counts it for each attempt.
        let says_never = verdict.hint == Some(Hint::Never) && !is_hedged;
        let is_told = verdict.transparent || says_never;
        match verdict.class() {
            Class::Transient | Class::Refused if !is_told => Class::Permanent.into(),
            Class::Success if is_hedged => Verdict {
                awaited: AwaitedCodes::COUNTED_BELOW,
                ..verdict
            },
            Class::Success | Class::Permanent | Class::Transient | Class::Refused => verdict,
        }
    }

    fn overrides(&self, request: &RequestHead<'_>) -> RetryOverride {
        let overrides = ByGrpcStatus::none().overrides(request);
        match self.plan(request.uri().path()) {
            Plan::Retry(policy) => overrides
                .max_retries(policy.max_attempts.after_first())
                .backoff(policy.backoff),
            // No code is retried, so the only possible retry is a transparent one.
            Plan::Hedge(_) | Plan::Once => overrides.max_retries(1),
        }
    }

    fn renew(&self, headers: &mut HeaderMap, elapsed: Duration) {
        ByGrpcStatus::none().renew(headers, elapsed);
    }
}

impl<C> RetryLayer<C> {
    /// Sets a gRPC service config. Each call is retried by the policy of its method.
    ///
    /// The policy replaces the layer's number of retries and back-off. The config's `retryThrottling` becomes
    /// the layer's budget, which all layers of the config and its clones share. Without `retryThrottling`,
    /// the layer has no budget. ([`classify`](Self::classify) with the config does not change the budget.)
    ///
    /// Calls with a `hedgingPolicy` are hedged, and counted for the budget, by a
    /// [`HedgeLayer`](crate::HedgeLayer::service_config) below this one.
    ///
    /// ```
    /// use tower_http_retry::RetryLayer;
    /// use tower_http_retry::grpc::{RetryPolicy, ServiceConfig};
    ///
    /// let config = ServiceConfig::builder().default_policy(RetryPolicy::new()).build()?;
    /// let layer = RetryLayer::grpc().service_config(config);
    /// # let _ = layer;
    /// # Ok::<_, tower_http_retry::grpc::ServiceConfigError>(())
    /// ```
    pub fn service_config(self, config: ServiceConfig) -> RetryLayer<ServiceConfig> {
        let layer = match config.budget.clone() {
            Some(budget) => self.budget(budget),
            None => self.without_budget(),
        };
        layer.classify(config)
    }
}
