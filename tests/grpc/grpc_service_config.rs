//! Each call goes by what the service config says of its method.
use std::io::ErrorKind;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::support::level::Level;
use crate::support::step::Step;
use http::Request;
use serde_json::{Value, json};
use tower::{Layer, ServiceExt};
use tower_http_retry::event::{StopReason, WaitReason};
use tower_http_retry::grpc::ServiceConfig;
use tower_http_retry::{Attempt, Backoff, Jitter, RetryLayer, RetryOverride};

use crate::support::upstream::Answer::{Error, Headers, Never, Status};
use crate::support::upstream::{Answer, Body, Seen, Upstream};

const UNAVAILABLE: u16 = 14;
const ABORTED: u16 = 10;
const INTERNAL: u16 = 13;

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// The longest wait is a second, so that the jitter's fifth is at most 200 ms.
fn policy(attempts: u32, codes: &Value) -> Value {
    json!({
        "maxAttempts": attempts,
        "initialBackoff": "1s",
        "maxBackoff": "1s",
        "backoffMultiplier": 1,
        "retryableStatusCodes": codes,
    })
}

fn entry(service: &str, method: &str, policy: &Value) -> Value {
    let name = json!([{ "service": service, "method": method }]);
    json!({ "name": name, "retryPolicy": policy })
}

fn layer(config: &Value) -> RetryLayer<ServiceConfig> {
    RetryLayer::grpc().service_config(config.to_string().parse().unwrap())
}

/// One policy for every call.
fn every(policy: &Value) -> RetryLayer<ServiceConfig> {
    layer(&json!({ "methodConfig": [entry("", "", policy)] }))
}

fn code(code: u16) -> Answer {
    Headers(200, vec![("grpc-status", code.to_string())])
}

fn pushed(code: u16, pushback: i32) -> Answer {
    let pushback = ("grpc-retry-pushback-ms", pushback.to_string());
    Headers(200, vec![("grpc-status", code.to_string()), pushback])
}

fn call(path: &str) -> Request<Body> {
    let request = Request::post(format!("http://upstream.test{path}"));
    request.body(Body::default()).unwrap()
}

/// How often it was sent.
async fn count(layer: &RetryLayer<ServiceConfig>, path: &str, answer: Answer) -> usize {
    let upstream = Upstream::new([answer]);
    let service = layer.layer(upstream.clone());
    let _ = service.oneshot(call(path)).await;
    upstream.count()
}

/// How long each wait was.
fn waits(upstream: &Upstream) -> Vec<Duration> {
    let seen = upstream.seen();
    seen.windows(2)
        .map(|pair| pair[1].at - pair[0].at)
        .collect()
}

fn assert_around(waits: &[Duration], steps: &[u64]) {
    assert_eq!(waits.len(), steps.len(), "{waits:?}");
    for (wait, step) in waits.iter().zip(steps) {
        let step = Duration::from_millis(*step);
        // A timer fires at the millisecond after.
        let bounds = step * 4 / 5..=step * 6 / 5 + Duration::from_millis(1);
        assert!(bounds.contains(wait), "{wait:?} around {step:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn each_call_goes_by_the_config_of_its_method() {
    let config = layer(&json!({ "methodConfig": [
        entry("", "", &policy(2, &json!(["UNAVAILABLE"]))),
        entry("a.B", "", &policy(3, &json!(["ABORTED"]))),
        entry("a.B", "C", &policy(4, &json!(["UNAVAILABLE", "ABORTED"]))),
        { "name": [{ "service": "a.B", "method": "Once" }] },
    ]}));
    #[rustfmt::skip]
    let cases = [
        ("/a.B/C", UNAVAILABLE, 4),
        ("/a.B/C", ABORTED, 4),
        ("/a.B/C", INTERNAL, 1),
        ("/a.B/D", UNAVAILABLE, 1),
        ("/a.B/D", ABORTED, 3),
        ("/a.B/Once", UNAVAILABLE, 1),
        ("/a.B/Once", ABORTED, 1),
        ("/d.E/F", UNAVAILABLE, 2),
        ("/d.E/F", ABORTED, 1),
    ];
    for (path, status, expected) in cases {
        let sent = count(&config, path, code(status)).await;
        assert_eq!(sent, expected, "{path} answered {status}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_query_is_no_part_of_the_methods_name() {
    let policy = policy(3, &json!([14]));
    let config = layer(&json!({ "methodConfig": [entry("a.B", "C", &policy)] }));
    assert_eq!(count(&config, "/a.B/C?x=/y", code(UNAVAILABLE)).await, 3);
}

#[tokio::test(start_paused = true)]
async fn there_are_five_attempts_at_most() {
    for (attempts, expected) in [(2, 2), (5, 5), (6, 5), (u32::MAX, 5)] {
        let layer = every(&policy(attempts, &json!([14])));
        let sent = count(&layer, "/a.B/C", code(UNAVAILABLE)).await;
        assert_eq!(sent, expected, "{attempts} attempts");
    }
    // The layer's own number counts neither way.
    let layer = every(&policy(4, &json!([14])));
    for own in [0, 1, 9] {
        let layer = layer.clone().max_retries(own);
        assert_eq!(count(&layer, "/a.B/C", code(UNAVAILABLE)).await, 4);
    }
}

#[tokio::test(start_paused = true)]
async fn the_waits_are_those_of_the_config() {
    let mut policy = policy(5, &json!([14]));
    policy["initialBackoff"] = json!("0.5s");
    policy["maxBackoff"] = json!("10s");
    policy["backoffMultiplier"] = json!(3);
    let own = Backoff::fixed(secs(60)).jitter(Jitter::None);
    for (most, steps) in [
        ("10s", [500, 1_500, 4_500, 10_000]),
        ("2s", [500, 1_500, 2_000, 2_000]),
    ] {
        policy["maxBackoff"] = json!(most);
        for _ in 0..20 {
            let upstream = Upstream::new([code(UNAVAILABLE)]);
            let service = every(&policy).backoff(own).layer(upstream.clone());
            service.oneshot(call("/a.B/C")).await.unwrap();
            assert_around(&waits(&upstream), &steps);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_pushback_is_waited_for_exactly_and_then_the_back_off_starts_again() {
    let mut policy = policy(5, &json!([14]));
    policy["backoffMultiplier"] = json!(2);
    policy["maxBackoff"] = json!("60s");
    let plan = [code(14), code(14), pushed(14, 7_000), code(14)];
    let upstream = Upstream::new(plan);
    let service = every(&policy).layer(upstream.clone());
    service.oneshot(call("/a.B/C")).await.unwrap();
    let waits = waits(&upstream);
    assert_around(&waits[..2], &[1_000, 2_000]);
    // The timer is set from between two milliseconds, and fires at the next.
    let late = waits[2] - secs(7);
    assert!(late <= Duration::from_millis(1), "{late:?}");
    assert_around(&waits[3..], &[1_000]);
    assert_eq!(count(&every(&policy), "/a.B/C", pushed(14, -1)).await, 1);
    assert_eq!(count(&every(&policy), "/a.B/C", pushed(13, 0)).await, 1);
}

#[tokio::test(start_paused = true)]
async fn a_call_without_a_policy_is_not_sent_again_whatever_becomes_of_it() {
    let only = policy(4, &json!([14]));
    let config = layer(&json!({ "methodConfig": [entry("a.B", "C", &only)] }));
    let empty = layer(&json!({}));
    let outcomes = [
        code(UNAVAILABLE),
        pushed(UNAVAILABLE, 0),
        Status(503),
        Error(ErrorKind::ConnectionRefused),
        Error(ErrorKind::ConnectionReset),
        Error(ErrorKind::TimedOut),
    ];
    for outcome in outcomes {
        let sent = count(&config, "/a.B/D", outcome.clone()).await;
        assert_eq!(sent, 1, "{outcome:?}");
        let sent = count(&empty, "/a.B/C", outcome.clone()).await;
        assert_eq!(sent, 1, "{outcome:?}");
    }
    assert_eq!(count(&config, "/a.B/C", code(UNAVAILABLE)).await, 4);
}

#[tokio::test(start_paused = true)]
async fn errors_are_retried_by_the_codes_that_they_stand_for() {
    let unavailable = every(&policy(3, &json!(["UNAVAILABLE"])));
    let deadline = every(&policy(3, &json!(["DEADLINE_EXCEEDED"])));
    #[rustfmt::skip]
    let cases = [
        (Error(ErrorKind::ConnectionRefused), 3, 1),
        (Error(ErrorKind::ConnectionReset), 3, 1),
        // The connection's own time-out.
        (Error(ErrorKind::TimedOut), 3, 1),
        (Status(503), 3, 1),
        (Status(400), 1, 1),
    ];
    for (outcome, when_unavailable, when_late) in cases {
        let sent = count(&unavailable, "/a.B/C", outcome.clone()).await;
        assert_eq!(sent, when_unavailable, "{outcome:?}");
        let sent = count(&deadline, "/a.B/C", outcome.clone()).await;
        assert_eq!(sent, when_late, "{outcome:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_attempts_own_time_out_is_retried_only_where_there_is_a_policy() {
    let policy = policy(3, &json!(["ABORTED"]));
    let config = layer(&json!({ "methodConfig": [entry("a.B", "C", &policy)] }));
    let config = config.attempt_timeout(secs(1));
    assert_eq!(count(&config, "/a.B/C", Never).await, 3);
    assert_eq!(count(&config, "/a.B/D", Never).await, 1);
}

/// Why there was no other attempt, and what is left of the budget then, in thousandths.
type Ends = Arc<Mutex<Vec<(StopReason, Option<u64>)>>>;

fn noting(layer: RetryLayer<ServiceConfig>) -> (RetryLayer<ServiceConfig>, Ends) {
    let ends = Ends::default();
    let noted = ends.clone();
    let layer = layer.on_event(move |event| {
        if let Step::Stop(stop) = Step::from(event.kind()) {
            noted.lock().unwrap().push((stop, event.level()));
        }
    });
    (layer, ends)
}

#[tokio::test(start_paused = true)]
async fn the_throttling_of_the_config_is_shared_by_all_methods() {
    let config = json!({
        "methodConfig": [
            entry("a.B", "", &policy(3, &json!([14]))),
            entry("d.E", "", &policy(3, &json!([10]))),
        ],
        "retryThrottling": { "maxTokens": 8, "tokenRatio": 0.5 },
    });
    let (layer, ends) = noting(layer(&config));
    // Three failures: 5 of 8 tokens are left. The next one leaves half, which is not enough.
    assert_eq!(count(&layer, "/a.B/C", code(UNAVAILABLE)).await, 3);
    assert_eq!(count(&layer, "/d.E/F", code(ABORTED)).await, 1);
    // What is not retried takes nothing; a success gives half a token; then there are retries.
    assert_eq!(count(&layer, "/d.E/F", code(UNAVAILABLE)).await, 1);
    assert_eq!(count(&layer, "/other/F", code(0)).await, 1);
    assert_eq!(count(&layer, "/other/F", code(0)).await, 1);
    assert_eq!(count(&layer, "/other/F", code(0)).await, 1);
    assert_eq!(count(&layer, "/d.E/F", code(ABORTED)).await, 2);
    // A pushback that says no takes one, whatever the code.
    assert_eq!(count(&layer, "/other/F", pushed(INTERNAL, -1)).await, 1);
    let expected = [
        (StopReason::Attempts, Some(5_000)),
        (StopReason::Budget, Some(4_000)),
        (StopReason::Permanent, Some(4_000)),
        (StopReason::Success, Some(4_500)),
        (StopReason::Success, Some(5_000)),
        (StopReason::Success, Some(5_500)),
        (StopReason::Budget, Some(3_500)),
        (StopReason::ServerSaidNo, Some(2_500)),
    ];
    assert_eq!(*ends.lock().unwrap(), expected);
}

#[tokio::test(start_paused = true)]
async fn without_throttling_in_the_config_there_is_none() {
    let (layer, ends) = noting(every(&policy(5, &json!([14]))));
    for _ in 0..20 {
        assert_eq!(count(&layer, "/a.B/C", code(UNAVAILABLE)).await, 5);
    }
    assert_eq!(*ends.lock().unwrap(), [(StopReason::Attempts, None); 20]);
}

#[tokio::test(start_paused = true)]
async fn a_calls_own_word_goes_before_the_config() {
    let with = async |own: RetryOverride, path: &str| {
        let policies = entry("a.B", "", &policy(4, &json!([14])));
        let layer = layer(&json!({ "methodConfig": [policies] }));
        let upstream = Upstream::new([code(UNAVAILABLE)]);
        let mut request = call(path);
        request.extensions_mut().insert(own);
        layer
            .layer(upstream.clone())
            .oneshot(request)
            .await
            .unwrap();
        upstream
    };
    let new = RetryOverride::new();
    assert_eq!(with(new, "/a.B/C").await.count(), 4);
    assert_eq!(with(RetryOverride::once(), "/a.B/C").await.count(), 1);
    assert_eq!(with(new.max_retries(8), "/a.B/C").await.count(), 9);
    let fixed = new.backoff(Backoff::fixed(secs(7)).jitter(Jitter::None));
    assert_eq!(with(fixed, "/a.B/C").await.seconds(), [0, 7, 14, 21]);
    // It makes no code retryable.
    assert_eq!(with(new.max_retries(8), "/d.E/F").await.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_deadline_is_kept_and_told_with_and_without_a_policy() {
    let config = layer(&json!({ "methodConfig": [entry("a.B", "", &policy(5, &json!([14])))] }));
    let plan = [pushed(14, 1_000), pushed(14, 2_000), pushed(14, 1_000)];
    let upstream = Upstream::new(plan);
    let mut request = call("/a.B/C");
    let timeout = "4S".parse().unwrap();
    request.headers_mut().insert("grpc-timeout", timeout);
    let service = config.layer(upstream.clone());
    let response = service.oneshot(request).await.unwrap();
    assert_eq!(response.headers()["grpc-status"], "14");
    assert_eq!(upstream.seconds(), [0, 1, 3]);
    let told = |seen: &Seen| seen.headers["grpc-timeout"].to_str().unwrap().to_owned();
    let told: Vec<_> = upstream.seen().iter().map(told).collect();
    assert_eq!(told, ["4S", "3000000u", "1000000u"]);
    let ends = |path: &str| {
        let mut request = call(path);
        let timeout = "4S".parse().unwrap();
        request.headers_mut().insert("grpc-timeout", timeout);
        let upstream = Upstream::new([code(0)]);
        let start = tokio::time::Instant::now();
        let service = config.clone().mark_attempts().layer(upstream.clone());
        async move {
            service.oneshot(request).await.unwrap();
            let attempt = *upstream.seen()[0].extensions.get::<Attempt>().unwrap();
            attempt.window_end() == Some(start + secs(4))
        }
    };
    assert!(ends("/a.B/C").await);
    assert!(ends("/d.E/F").await);
}

#[tokio::test(start_paused = true)]
async fn retries_are_counted_in_the_header_that_the_layer_has() {
    let upstream = Upstream::new([code(UNAVAILABLE)]);
    let service = every(&policy(3, &json!([14]))).layer(upstream.clone());
    service.oneshot(call("/a.B/C")).await.unwrap();
    let header = |seen: &Seen| {
        let value = seen.headers.get("grpc-previous-rpc-attempts")?;
        Some(value.to_str().unwrap().to_owned())
    };
    let headers: Vec<_> = upstream.seen().iter().map(header).collect();
    assert_eq!(headers, [None, Some("1".to_owned()), Some("2".to_owned())]);
    // And without it, on a layer that is not gRPC's own.
    let config = json!({ "methodConfig": [entry("", "", &policy(3, &json!([14])))] });
    let plain = RetryLayer::new().service_config(config.to_string().parse().unwrap());
    assert_eq!(count(&plain, "/a.B/C", code(UNAVAILABLE)).await, 3);
}

/// A stream that the server refused, as hyper has it.
#[tokio::test]
async fn a_refused_stream_is_sent_again_once_without_a_policy() {
    use crate::support::http2::{Connection, Server, Turn};
    let refused = Turn::Reset(h2::Reason::REFUSED_STREAM);
    for (turns, expected) in [
        (vec![refused, Turn::Answer], true),
        (vec![refused; 3], false),
    ] {
        let server = Server::start([Connection::Streams(turns)]).await;
        let executor = hyper_util::rt::TokioExecutor::new();
        let client = hyper_util::client::legacy::Client::builder(executor)
            .http2_only(true)
            .build_http();
        let reasons = Arc::new(Mutex::new(Vec::new()));
        let told = reasons.clone();
        let layer = layer(&json!({})).on_event(move |event| {
            if let Step::Retry { after, reason } = Step::from(event.kind()) {
                told.lock().unwrap().push((after, reason));
            }
        });
        let request = Request::post(server.uri()).body(Body::from("item"));
        let result = layer.layer(client).oneshot(request.unwrap()).await;
        assert_eq!(result.is_ok(), expected);
        assert_eq!(server.received(), [["POST item", "POST item"]]);
        let once = [(Duration::ZERO, WaitReason::Transparent)];
        assert_eq!(*reasons.lock().unwrap(), once);
    }
}
