//! Service configs that are built in code: what is wrong with them, and what their layers do.

use std::time::Duration;

use http::Request;
use tonic::Code;
use tower::{Layer, ServiceBuilder, ServiceExt};
use tower_http_retry::grpc::{
    HedgingPolicy, MethodPolicy, RetryPolicy, ServiceConfig, ServiceConfigBuilder,
};
use tower_http_retry::{HedgeLayer, RetryLayer};

use crate::support::upstream::Answer::{self, Headers};
use crate::support::upstream::{Body, Upstream, after};

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn code(code: Code) -> Answer {
    Headers(200, vec![("grpc-status", (code as i32).to_string())])
}

fn call(path: &str) -> Request<Body> {
    let request = Request::post(format!("http://upstream.test{path}"));
    request.body(Body::from("message")).unwrap()
}

fn retry() -> RetryPolicy {
    RetryPolicy::new()
}

fn hedge() -> HedgingPolicy {
    HedgingPolicy::new(millis(200))
}

/// A policy for every call, in a config of its own.
fn every(policy: impl Into<MethodPolicy>) -> ServiceConfigBuilder {
    ServiceConfig::builder().default_policy(policy)
}

fn built() -> ServiceConfigBuilder {
    ServiceConfig::builder()
}

#[test]
fn each_field_that_is_wrong_is_named() {
    let zero = Duration::ZERO;
    #[rustfmt::skip]
    let cases = [
        // A policy of retries.
        (every(retry().max_attempts(0)), "methodConfig[0].retryPolicy.maxAttempts", "is less than 2"),
        (every(retry().max_attempts(1)), "methodConfig[0].retryPolicy.maxAttempts", "is less than 2"),
        (every(retry().initial_backoff(zero)), "methodConfig[0].retryPolicy.initialBackoff", "is not above zero"),
        (every(retry().max_backoff(zero)), "methodConfig[0].retryPolicy.maxBackoff", "is not above zero"),
        (every(retry().backoff_multiplier(0.0)), "methodConfig[0].retryPolicy.backoffMultiplier", "is not above zero"),
        (every(retry().backoff_multiplier(-2.0)), "methodConfig[0].retryPolicy.backoffMultiplier", "is not above zero"),
        (every(retry().backoff_multiplier(f64::NAN)), "methodConfig[0].retryPolicy.backoffMultiplier", "is not above zero"),
        (every(retry().retryable_status_codes([0; 0])), "methodConfig[0].retryPolicy.retryableStatusCodes", "is empty"),
        (every(retry().retryable_status_codes([14, 17])), "methodConfig[0].retryPolicy.retryableStatusCodes[1]", "is no status code"),
        (every(retry().retryable_status_codes([Code::Aborted, Code::Ok])), "methodConfig[0].retryPolicy.retryableStatusCodes[1]", "is OK, which is not a failure"),
        (every(retry().retryable_status_codes([-1])), "methodConfig[0].retryPolicy.retryableStatusCodes[0]", "is no status code"),
        (every(retry().retryable_status_codes([i32::MAX])), "methodConfig[0].retryPolicy.retryableStatusCodes[0]", "is no status code"),
        // A policy of hedges.
        (every(hedge().max_attempts(0)), "methodConfig[0].hedgingPolicy.maxAttempts", "is less than 2"),
        (every(hedge().max_attempts(1)), "methodConfig[0].hedgingPolicy.maxAttempts", "is less than 2"),
        (every(hedge().non_fatal_status_codes([1, 2, 99])), "methodConfig[0].hedgingPolicy.nonFatalStatusCodes[2]", "is no status code"),
        (every(hedge().non_fatal_status_codes([0])), "methodConfig[0].hedgingPolicy.nonFatalStatusCodes[0]", "is OK, which is not a failure"),
        // Names.
        (built().service("", retry()), "methodConfig[0].name[0].service", "is empty"),
        (built().method("", "C", retry()), "methodConfig[0].name[0].method", "has no service"),
        (built().method("", "", retry()), "methodConfig[0].name[0].method", "has no service"),
        (built().service("a/b", retry()), "methodConfig[0].name[0].service", "has a slash"),
        (built().method("/a.B", "C", retry()), "methodConfig[0].name[0].service", "has a slash"),
        (built().method("a.B", "C/", retry()), "methodConfig[0].name[0].method", "has a slash"),
        (built().method("a.B", "", retry()), "methodConfig[0].name[0].method", "is empty"),
        (every(retry()).default_policy(retry()), "methodConfig[1].name[0]", "is configured already"),
        (built().service("a.B", retry()).service("a.B", hedge()), "methodConfig[1].name[0]", "is configured already"),
        (every(hedge()).method("a.B", "C", retry()).method("a.B", "C", MethodPolicy::Once), "methodConfig[2].name[0]", "is configured already"),
        // A later entry.
        (every(retry()).service("a.B", hedge().max_attempts(1)), "methodConfig[1].hedgingPolicy.maxAttempts", "is less than 2"),
        // Throttling.
        (built().retry_throttling(0.0, 0.1), "retryThrottling.maxTokens", "is not above zero"),
        (built().retry_throttling(-10.0, 0.1), "retryThrottling.maxTokens", "is not above zero"),
        (built().retry_throttling(f64::NAN, 0.1), "retryThrottling.maxTokens", "is not above zero"),
        (built().retry_throttling(0.000_4, 0.1), "retryThrottling.maxTokens", "is less than 0.001"),
        (built().retry_throttling(1_000.5, 0.1), "retryThrottling.maxTokens", "is above 1000"),
        (built().retry_throttling(f64::INFINITY, 0.1), "retryThrottling.maxTokens", "is above 1000"),
        (built().retry_throttling(10.0, 0.0), "retryThrottling.tokenRatio", "is not above zero"),
        (built().retry_throttling(10.0, f64::NAN), "retryThrottling.tokenRatio", "is not above zero"),
        (built().retry_throttling(10.0, 0.000_4), "retryThrottling.tokenRatio", "is less than 0.001"),
    ];
    for (builder, field, problem) in cases {
        let Err(error) = builder.clone().build() else {
            panic!("{builder:?} is built");
        };
        assert_eq!(error.field(), field, "{builder:?}");
        assert_eq!(error.to_string(), format!("{field}: {problem}"));
    }
}

#[test]
fn the_most_and_the_least_that_can_be_said_is_taken() {
    let least = Duration::from_nanos(1);
    let retries = [
        retry().max_attempts(2),
        retry().max_attempts(u32::MAX),
        retry().initial_backoff(least).max_backoff(least),
        retry()
            .initial_backoff(Duration::MAX)
            .max_backoff(Duration::MAX),
        retry().backoff_multiplier(f64::MIN_POSITIVE),
        retry().backoff_multiplier(f64::INFINITY),
        retry().retryable_status_codes(1..=16),
    ];
    let hedges = [
        HedgingPolicy::new(Duration::ZERO),
        HedgingPolicy::new(Duration::MAX).max_attempts(u32::MAX),
        hedge().non_fatal_status_codes(1..=16),
    ];
    let retries = retries.map(MethodPolicy::from).into_iter();
    for policy in retries.chain(hedges.map(MethodPolicy::from)) {
        let config = every(policy.clone());
        assert!(config.build().is_ok(), "{policy:?}");
    }
    for (tokens, ratio) in [(0.001, 0.001), (1_000.0, f64::INFINITY)] {
        assert!(built().retry_throttling(tokens, ratio).build().is_ok());
    }
}

#[test]
fn codes_are_told_by_number_or_by_tonics_name() {
    let named = retry().retryable_status_codes([Code::Aborted, Code::Internal]);
    assert_eq!(named, retry().retryable_status_codes(vec![10, 13]));
    assert_ne!(named, retry().retryable_status_codes([10]));
    // The last setting counts.
    assert_eq!(named.clone().retryable_status_codes([14]), retry());
    let named = hedge().non_fatal_status_codes([Code::Aborted]);
    assert_eq!(named, hedge().non_fatal_status_codes([10]));
    assert_ne!(named, hedge());
}

/// How often the first call to such a server is sent.
async fn attempts(layer: &RetryLayer<ServiceConfig>, path: &str, code_of_all: Code) -> usize {
    let upstream = Upstream::new([code(code_of_all)]);
    let service = layer.layer(upstream.clone());
    service.oneshot(call(path)).await.unwrap();
    upstream.count()
}

#[tokio::test(start_paused = true)]
async fn each_call_goes_by_the_policy_of_its_method() {
    let config = built()
        .default_policy(retry().max_attempts(2))
        .service("a.B", retry().retryable_status_codes([10]).max_attempts(3))
        .method(
            "a.B",
            "C",
            retry().retryable_status_codes([14, 10]).max_attempts(4),
        )
        .method("a.B", "Once", MethodPolicy::Once)
        .build()
        .unwrap();
    let layer = RetryLayer::grpc().service_config(config);
    #[rustfmt::skip]
    let cases = [
        ("/a.B/C", Code::Unavailable, 4),
        ("/a.B/C", Code::Aborted, 4),
        ("/a.B/C", Code::Internal, 1),
        ("/a.B/D", Code::Unavailable, 1),
        ("/a.B/D", Code::Aborted, 3),
        ("/a.B/Once", Code::Unavailable, 1),
        ("/d.E/F", Code::Unavailable, 2),
        ("/d.E/F", Code::Aborted, 1),
    ];
    for (path, status, expected) in cases {
        let sent = attempts(&layer, path, status).await;
        assert_eq!(sent, expected, "{path} answered {status:?}");
    }
    let nothing = RetryLayer::grpc().service_config(built().build().unwrap());
    assert_eq!(attempts(&nothing, "/a.B/C", Code::Unavailable).await, 1);
}

#[tokio::test(start_paused = true)]
async fn without_setters_a_policy_is_that_of_the_grpc_layer() {
    for seed in 0..50 {
        let config = every(retry()).retry_throttling(10.0, 0.1).build().unwrap();
        let grpc = Upstream::new([code(Code::Unavailable)]);
        let layer = RetryLayer::grpc().jitter_seed(seed);
        let service = layer.layer(grpc.clone());
        service.oneshot(call("/a.B/C")).await.unwrap();

        let built = Upstream::new([code(Code::Unavailable)]);
        let layer = RetryLayer::grpc().jitter_seed(seed).service_config(config);
        let service = layer.layer(built.clone());
        service.oneshot(call("/a.B/C")).await.unwrap();

        assert_eq!(built.millis(), grpc.millis(), "seed {seed}");
        assert_eq!(built.count(), 5);
    }
}

/// The layers of a config, one above the other, over a server with this plan; when it got the attempts of
/// a call, in milliseconds.
async fn sent(config: &ServiceConfig, path: &str, plan: impl Into<Vec<Answer>>) -> Vec<u128> {
    let upstream = Upstream::new(plan);
    let stack = ServiceBuilder::new()
        .layer(RetryLayer::grpc().service_config(config.clone()))
        .layer(HedgeLayer::new().service_config(config.clone()))
        .service(upstream.clone());
    stack.oneshot(call(path)).await.unwrap();
    upstream.millis()
}

#[tokio::test(start_paused = true)]
async fn calls_are_hedged_by_the_policy_of_their_method() {
    let slow = || after(millis(1_000), code(Code::Ok));
    let policy = hedge().max_attempts(3).non_fatal_status_codes([14]);
    let config = built()
        .service("a.B", hedge())
        .method("a.B", "C", policy)
        .build()
        .unwrap();
    assert_eq!(sent(&config, "/a.B/C", [slow()]).await, [0, 200, 400]);
    assert_eq!(sent(&config, "/a.B/D", [slow()]).await, [0, 200]);
    assert_eq!(sent(&config, "/d.E/F", [slow()]).await, [0]);
    // After a code that is not fatal, the next hedge is sent at once; any other ends the call.
    let failing = |status| [after(millis(50), code(status)), code(Code::Ok)];
    let times = sent(&config, "/a.B/C", failing(Code::Unavailable)).await;
    assert_eq!(times, [0, 50]);
    let times = sent(&config, "/a.B/C", failing(Code::Internal)).await;
    assert_eq!(times, [0]);
    let times = sent(&config, "/a.B/D", failing(Code::Unavailable)).await;
    assert_eq!(times, [0]);
    // All at once.
    let at_once = HedgingPolicy::new(Duration::ZERO).max_attempts(9);
    let config = every(at_once).build().unwrap();
    assert_eq!(sent(&config, "/a.B/C", [slow()]).await, [0; 5]);
}

#[tokio::test(start_paused = true)]
async fn the_layers_of_a_config_share_its_tokens() {
    let policy = hedge().max_attempts(5).non_fatal_status_codes([14]);
    let config = every(retry().max_attempts(2))
        .service("hedged", policy)
        .retry_throttling(6.0, 1.0)
        .build()
        .unwrap();
    // The third failure leaves half of the tokens, which is not enough for another hedge.
    let failing = [code(Code::Unavailable)];
    assert_eq!(sent(&config, "/hedged/C", failing.clone()).await, [0; 3]);
    // Nor is it enough for a retry, which takes one as well.
    assert_eq!(sent(&config, "/a.B/C", failing.clone()).await, [0]);
    // Three successes later there are retries again, and hedges.
    for _ in 0..3 {
        assert_eq!(sent(&config, "/a.B/C", [code(Code::Ok)]).await, [0]);
    }
    assert_eq!(sent(&config, "/a.B/C", failing).await.len(), 2);
}
