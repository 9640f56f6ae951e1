use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, Uri};

use super::config::{Hedges, Plan, ServiceConfig};
use crate::class::Class;
use crate::classify::{Classify, Outcome, RequestHead, Verdict};
use crate::grpc::by_grpc_status::ByGrpcStatus;
use crate::grpc::layer::PREVIOUS_ATTEMPTS;
use crate::hedge::{HedgeLayer, Policy};
use crate::limits::RetryOverride;
use crate::retry_after::Hint;

/// Classifies attempts of calls that are hedged by a [`ServiceConfig`].
///
/// [`HedgeLayer::service_config`] sets this classifier.
///
/// | outcome | verdict |
/// |---|---|
/// | one of the method's `nonFatalStatusCodes`, or an error that maps to one | transient: the next hedge is sent immediately |
/// | `OK` | success, which ends the call |
/// | any other code | permanent, which ends the call |
/// | a 200 without `grpc-status` in its head | success: the call is committed |
/// | `grpc-retry-pushback-ms` of 0 or more beside a code that is not fatal | the next hedge is sent after exactly that time |
/// | `grpc-retry-pushback-ms` that is negative or malformed | no more hedges are sent |
///
/// In all other respects, it classifies like [`ByGrpcStatus`].
///
/// # Example
///
/// ```
/// use std::time::Duration;
/// use http::{Request, Response};
/// use tonic::Code;
/// use tower_http_retry::classify::{Class, Classify, Outcome};
/// use tower_http_retry::grpc::{HedgedCalls, HedgingPolicy, ServiceConfig};
///
/// let policy = HedgingPolicy::new(Duration::from_millis(200))
///     .non_fatal_status_codes([Code::Unavailable]);
/// let hedged = HedgedCalls::new(ServiceConfig::builder().service("hello.Greeter", policy).build()?);
///
/// let request = Request::post("http://127.0.0.1/hello.Greeter/SayHello").body(()).unwrap();
/// let class = |code| {
///     let response = Response::builder().header("grpc-status", code).body(()).unwrap();
///     hedged.classify(&Outcome::response(&request, &response)).class()
/// };
/// assert_eq!(class("14"), Class::Transient);
/// assert_eq!(class("13"), Class::Permanent);
/// # Ok::<_, tower_http_retry::grpc::ServiceConfigError>(())
/// ```
#[derive(Clone, Debug)]
pub struct HedgedCalls {
    config: Arc<ServiceConfig>,
}

impl HedgedCalls {
    /// Creates the classifier for the hedged methods of a config. Codes of all other methods are fatal.
    pub fn new(config: ServiceConfig) -> Self {
        Self {
            config: Arc::new(config),
        }
    }

    fn policy(&self, uri: &Uri) -> Option<Hedges> {
        match self.config.plan(uri.path()) {
            Plan::Hedge(policy) => Some(policy),
            Plan::Retry(_) | Plan::Once => None,
        }
    }
}

impl Classify for HedgedCalls {
    fn classify(&self, outcome: &Outcome<'_>) -> Verdict {
        let policy = self.policy(outcome.uri());
        let codes = policy.map_or(ByGrpcStatus::none(), |policy| policy.classify);
        let verdict = codes.classify(outcome);
        // A fatal code ends the call regardless of a pushback. The hint remains, because the throttle counts
        // a pushback that forbids a retry.
        let is_fatal = || {
            outcome
                .result()
                .is_ok_and(|head| !codes.retries_head(&head))
        };
        match verdict.hint {
            Some(Hint::Never) if is_fatal() => Class::Permanent.no_retry(),
            _ => verdict,
        }
    }

    fn overrides(&self, request: &RequestHead<'_>) -> RetryOverride {
        ByGrpcStatus::none().overrides(request)
    }

    fn renew(&self, headers: &mut HeaderMap, elapsed: Duration) {
        ByGrpcStatus::none().renew(headers, elapsed);
    }
}

impl<C, L> HedgeLayer<C, L> {
    /// Sets a gRPC service config. Only calls whose method has a `hedgingPolicy` are hedged, as defined in
    /// [gRFC A6].
    ///
    /// - A hedge is sent every `hedgingDelay` until there is a response or all attempts are sent. It has
    ///   the header `grpc-previous-rpc-attempts`, and the `grpc-timeout` that is left. No hedge is sent after
    ///   the call's deadline.
    /// - The first success ends the call, and so does a fatal code. After a code that is not fatal, the next
    ///   hedge is sent immediately. If all attempts fail, the failure of the first attempt is returned.
    /// - A `grpc-retry-pushback-ms` of *n* delays the next hedge by *n* milliseconds; if there are several,
    ///   the latest time is used. After a negative or malformed one, no more hedges are sent.
    /// - `retryThrottling` counts each attempt. While at most half of its tokens are left, no hedge is sent,
    ///   and the call continues with the attempts that are in flight.
    /// - An attempt whose stream the server refused is sent again immediately. The first time in a call, this
    ///   takes no token, and does not count towards `maxAttempts`.
    ///
    /// Only calls whose whole request is available are hedged; open client streams are not. The delay is not
    /// learned, and the setters for that have no effect.
    ///
    /// Put the layer below a [`RetryLayer`](crate::RetryLayer::service_config) with the same config, which
    /// retries the other methods and shares the tokens. If servers send a head before they fail, put a
    /// [`PeekTrailersLayer`](crate::grpc::PeekTrailersLayer) below this layer.
    ///
    /// # Example
    ///
    /// ```
    /// use std::time::Duration;
    /// use http::{Request, Response};
    /// use tonic::Code;
    /// use tonic::body::Body;
    /// use tonic::transport::{Channel, Endpoint};
    /// use tower::{Service, ServiceBuilder};
    /// use tower_http::map_request_body::MapRequestBodyLayer;
    /// use tower_http_retry::grpc::{HedgingPolicy, PeekTrailersLayer, ServiceConfig};
    /// use tower_http_retry::{BoxError, HedgeLayer, RetryLayer};
    ///
    /// /// Returns a service for a generated client: `GreeterClient::new(client(channel, config))`, or
    /// /// `GreeterClient::with_interceptor(client(channel, config), interceptor)`.
    /// fn client(
    ///     channel: Channel,
    ///     config: ServiceConfig,
    /// ) -> impl Service<Request<Body>, Response = Response<Body>, Error = BoxError, Future: Send> + Clone {
    ///     ServiceBuilder::new()
    ///         .map_response(|response: Response<_>| response.map(Body::new))
    ///         .layer(RetryLayer::grpc().service_config(config.clone()))
    ///         .layer(HedgeLayer::new().service_config(config))
    ///         .layer(PeekTrailersLayer::new())
    ///         .layer(MapRequestBodyLayer::new(Body::new))
    ///         .service(channel)
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let policy = HedgingPolicy::new(Duration::from_millis(200))
    ///     .max_attempts(3)
    ///     .non_fatal_status_codes([Code::Unavailable]);
    /// let config = ServiceConfig::builder()
    ///     .method("hello.Greeter", "SayHello", policy)
    ///     .retry_throttling(10.0, 0.1)
    ///     .build()
    ///     .unwrap();
    /// let channel = Endpoint::from_static("http://127.0.0.1:50051").connect_lazy();
    /// let client = client(channel, config);
    /// # let _ = client;
    /// # }
    /// ```
    ///
    /// [gRFC A6]: https://github.com/grpc/proposal/blob/master/A6-client-retries.md#hedging-policy
    pub fn service_config(self, config: ServiceConfig) -> HedgeLayer<HedgedCalls, L> {
        let throttle = config.budget.clone();
        let calls = HedgedCalls::new(config);
        let policies = calls.clone();
        let policies = move |uri: &Uri| {
            let policy = policies.policy(uri)?;
            Some(Policy {
                max_hedges: policy.max_attempts.after_first(),
                delay: policy.delay,
            })
        };
        self.by_policies(calls, policies, throttle, PREVIOUS_ATTEMPTS)
    }
}
