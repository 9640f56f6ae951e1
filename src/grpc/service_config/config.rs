use std::collections::HashMap;
use std::time::Duration;

use crate::backoff::Backoff;
use crate::budget::{AwaitedCodes, Budget, Rule};
use crate::class::Class;
use crate::classify::{Classify, Outcome, RequestHead, Verdict};
use crate::grpc::by_grpc_status::ByGrpcStatus;
use crate::layer::RetryLayer;
use crate::limits::RetryOverride;
use crate::retry_after::Hint;
use http::HeaderMap;

/// A client's limit for the attempts that a config may ask for (gRFC A6).
pub(super) const MAX_ATTEMPTS: u32 = 5;

/// What a gRPC service config says of retries and hedges: `methodConfig` and `retryThrottling`, as
/// [gRFC A6] has them in JSON.
///
/// It is a classifier: each call goes by the config of its method, else of its service, else by
/// the default (an empty name). A call without a `retryPolicy` is sent again only
/// [transparently](Verdict::transparent). [`RetryLayer::service_config`] makes a layer of it that
/// retries; [`HedgeLayer::service_config`](crate::HedgeLayer::service_config) makes one, to be stacked
/// under it, for the calls that have a `hedgingPolicy`.
///
/// All layers that are made of a config and its clones share the tokens of its `retryThrottling`, which
/// are those of one server. Parse it once for each server.
///
/// | field | value |
/// |---|---|
/// | `methodConfig[].name[]` | `service` and `method`; `service` alone; neither: the default |
/// | `retryPolicy.maxAttempts` | 2 or more; above 5 it counts as 5 |
/// | `retryPolicy.initialBackoff`, `maxBackoff` | a duration above zero, as `"0.1s"` |
/// | `retryPolicy.backoffMultiplier` | a number above zero |
/// | `retryPolicy.retryableStatusCodes` | one or more, by name (in upper or lower case) or number |
/// | `hedgingPolicy.maxAttempts` | 2 or more; above 5 it counts as 5 |
/// | `hedgingPolicy.hedgingDelay` | a duration of zero or more; without it zero: all attempts are sent at once |
/// | `hedgingPolicy.nonFatalStatusCodes` | as `retryableStatusCodes`; none, or without it: all codes are fatal |
/// | `retryThrottling.maxTokens` | 0.001 to 1000 |
/// | `retryThrottling.tokenRatio` | 0.001 or more; three decimals count |
///
/// A method has a `retryPolicy`, a `hedgingPolicy` or none, not both. Fields that are not known are
/// ignored.
///
/// # Errors
///
/// [`ServiceConfigError`](super::ServiceConfigError) names the field that is wrong.
///
/// # Example
///
/// ```
/// use tower_http_retry::grpc::ServiceConfig;
/// use tower_http_retry::RetryLayer;
///
/// let config: ServiceConfig = r#"{
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
/// let layer = RetryLayer::grpc().service_config(config);
/// # let _ = layer;
///
/// let wrong = r#"{ "methodConfig": [{ "name": [{ "method": "SayHello" }] }] }"#;
/// let error = wrong.parse::<ServiceConfig>().unwrap_err();
/// assert_eq!(error.to_string(), "methodConfig[0].name[0].method: has no service");
/// # Ok::<_, tower_http_retry::grpc::ServiceConfigError>(())
/// ```
///
/// [gRFC A6]: https://github.com/grpc/proposal/blob/master/A6-client-retries.md#integration-with-service-config
#[derive(Clone, Debug)]
pub struct ServiceConfig {
    /// By `service/method`, by `service/`, and the default by an empty name.
    methods: HashMap<String, MethodPolicy>,
    pub(super) throttling: Option<Throttling>,
    /// That of all layers.
    pub(super) budget: Option<Budget>,
}

/// What becomes of the calls of a method.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum MethodPolicy {
    Once,
    Retry(RetryPolicy),
    Hedge(HedgingPolicy),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct RetryPolicy {
    pub(super) max_attempts: u32,
    pub(super) backoff: Backoff,
    pub(super) classify: ByGrpcStatus,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct HedgingPolicy {
    pub(super) max_attempts: u32,
    pub(super) delay: Duration,
    /// By the codes that are not fatal.
    pub(super) classify: ByGrpcStatus,
}

/// In thousandths of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Throttling {
    pub(super) max_tokens: u64,
    pub(super) token_ratio: u64,
}

impl ServiceConfig {
    pub(super) fn new(
        methods: HashMap<String, MethodPolicy>,
        throttling: Option<Throttling>,
    ) -> Self {
        Self {
            methods,
            throttling,
            budget: throttling.map(Throttling::budget),
        }
    }

    /// The most specific config of a call: its method's, its service's, or the default.
    pub(super) fn policy(&self, path: &str) -> MethodPolicy {
        let method = path.strip_prefix('/').unwrap_or(path);
        let service = method.rfind('/').map_or("", |slash| &method[..=slash]);
        let names = [method, service, ""];
        let policy = names.iter().find_map(|name| self.methods.get(*name));
        policy.copied().unwrap_or(MethodPolicy::Once)
    }
}

/// Whether they say the same, whatever tokens are left.
impl PartialEq for ServiceConfig {
    fn eq(&self, other: &Self) -> bool {
        self.methods == other.methods && self.throttling == other.throttling
    }
}

impl Classify for ServiceConfig {
    fn classify(&self, outcome: &Outcome<'_>) -> Verdict {
        let is_hedged = match self.policy(outcome.uri().path()) {
            MethodPolicy::Retry(policy) => return policy.classify.classify(outcome),
            MethodPolicy::Hedge(_) => true,
            MethodPolicy::Once => false,
        };
        let verdict = ByGrpcStatus::none().classify(outcome);
        // A server that says no is heard by the throttle, whatever the method; by the layer that hedges
        // for each attempt.
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
        match self.policy(request.uri().path()) {
            MethodPolicy::Retry(policy) => overrides
                .max_retries(policy.max_attempts.min(MAX_ATTEMPTS) - 1)
                .backoff(policy.backoff),
            // There is no code to retry; what is left is a transparent retry.
            MethodPolicy::Hedge(_) | MethodPolicy::Once => overrides.max_retries(1),
        }
    }

    fn renew(&self, headers: &mut HeaderMap, elapsed: Duration) {
        ByGrpcStatus::none().renew(headers, elapsed);
    }
}

impl<C> RetryLayer<C> {
    /// Goes by a gRPC service config: each call by what it says of its method, whatever the layer's
    /// own number of retries and back-off are. Its `retryThrottling` is the layer's budget, which it
    /// shares with all layers of the config's clones; without one there is none.
    /// ([`classify`](Self::classify) with the config leaves the budget as it is.)
    ///
    /// Calls with a `hedgingPolicy` are hedged by a
    /// [`HedgeLayer`](crate::HedgeLayer::service_config) under this one, which also counts them.
    ///
    /// ```
    /// use tower_http_retry::grpc::ServiceConfig;
    /// use tower_http_retry::RetryLayer;
    /// let config: ServiceConfig = r#"{ "methodConfig": [] }"#.parse().unwrap();
    /// let layer = RetryLayer::grpc().service_config(config);
    /// # let _ = layer;
    /// ```
    pub fn service_config(self, config: ServiceConfig) -> RetryLayer<ServiceConfig> {
        let layer = match config.budget.clone() {
            Some(budget) => self.budget(budget),
            None => self.without_budget(),
        };
        layer.classify(config)
    }
}

impl Throttling {
    pub(super) fn budget(self) -> Budget {
        Budget::of(Rule::throttling(self.max_tokens, self.token_ratio))
    }
}
