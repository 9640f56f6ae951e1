//! What each field of a config does to which requests a layer sends again, and to what it sends.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response};
use http_body::Frame;
use serde_json::{Value, json};
use tower::Layer;
use tower_http_retry::event::{EventKind, StopReason};
use tower_http_retry::{Attempt, Attempts, BoxError, ReplayBody};

use crate::layer;
use crate::support::body::{Source, data, read, send};
#[cfg(feature = "metrics")]
use crate::support::recorded::recorded;
use crate::support::upstream::Answer::{Headers, Status};
use crate::support::upstream::{Answer, Body, Seen, Upstream, get, request};

/// How many attempts are made.
async fn attempts(config: Value, request: Request<Body>, plan: impl Into<Vec<Answer>>) -> usize {
    let upstream = Upstream::new(plan);
    layer(config)
        .layer(upstream.clone())
        .send(request)
        .await
        .unwrap();
    upstream.count()
}

#[tokio::test(start_paused = true)]
async fn statuses_are_retried_as_configured() {
    let cases = [
        (json!({}), 503, true),
        (json!({}), 404, false),
        (json!({ "statuses": [404] }), 404, true),
        (json!({ "statuses": [404] }), 503, false),
        (json!({ "statuses": ["4xx"] }), 499, true),
        (json!({ "statuses": [] }), 429, false),
    ];
    for (classify, status, is_retried) in cases {
        let config = json!({ "classify": classify });
        let count = attempts(config, get(), [Status(status), Status(200)]).await;
        assert_eq!(count, 1 + usize::from(is_retried), "{classify} {status}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_header_says_whether_to_retry_as_configured() {
    let says = Headers(404, vec![("x-again", "true".to_owned())]);
    for (header, count) in [(Value::Null, 1), (json!("X-Again"), 2)] {
        let config = json!({ "classify": { "should_retry_header": header } });
        assert_eq!(
            attempts(config, get(), [says.clone(), Status(200)]).await,
            count
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_conflict_of_a_keyed_request_is_retried_as_configured() {
    for (is_retried, count) in [(true, 3), (false, 2)] {
        let mut post = request(Method::POST);
        post.headers_mut()
            .insert("idempotency-key", HeaderValue::from_static("7"));
        let config = json!({ "classify": { "keyed_conflict": is_retried } });
        let plan = [Status(503), Status(409), Status(200)];
        assert_eq!(attempts(config, post, plan).await, count);
    }
}

#[tokio::test(start_paused = true)]
async fn requests_are_repeated_as_configured() {
    let cases = [
        (json!({}), "PUT", "x-none", true),
        (json!({}), "POST", "x-none", false),
        (json!({}), "POST", "x-idempotency-key", true),
        (json!({ "methods": "safe" }), "GET", "x-none", true),
        (json!({ "methods": "safe" }), "PUT", "x-none", false),
        (
            json!({ "methods": "safe" }),
            "POST",
            "idempotency-key",
            false,
        ),
        (json!({ "methods": "any" }), "POST", "x-none", true),
        (json!({ "also": ["PATCH"] }), "PATCH", "x-none", true),
        (
            json!({ "methods": "any", "except": ["PATCH"] }),
            "PATCH",
            "x-none",
            false,
        ),
        (json!({ "keys": ["X-Id"] }), "POST", "x-id", true),
        (
            json!({ "keys": ["x-id"] }),
            "POST",
            "idempotency-key",
            false,
        ),
    ];
    for (idempotency, method, header, is_repeated) in cases {
        let mut request = request(method.parse().unwrap());
        request
            .headers_mut()
            .insert(header, HeaderValue::from_static("7"));
        let config = json!({ "idempotency": idempotency });
        let count = attempts(config, request, [Status(503), Status(200)]).await;
        assert_eq!(
            count,
            1 + usize::from(is_repeated),
            "{idempotency} {method} {header}"
        );
    }
}

/// The tokens of the budget when each attempt starts, of a request to each of these.
async fn tokens(config: Value) -> Vec<Option<f64>> {
    let tokens = Arc::new(Mutex::new(Vec::new()));
    let told = tokens.clone();
    let layer = layer(config).on_event(move |event| {
        if matches!(event.kind(), EventKind::AttemptStarted) {
            told.lock().unwrap().push(event.budget_tokens());
        }
    });
    let service = layer.layer(Upstream::new([Status(503)]));
    for uri in ["http://a.test", "http://b.test"] {
        let mut request = get();
        *request.uri_mut() = uri.parse().unwrap();
        service.send(request).await.unwrap();
    }
    std::mem::take(&mut tokens.lock().unwrap())
}

#[tokio::test(start_paused = true)]
async fn a_budget_is_as_configured() {
    let throttle = json!({ "kind": "throttle", "max_tokens": 3, "token_ratio": 0.5 });
    let mut throttle_each = throttle.clone();
    throttle_each["per_authority"] = json!(2);
    let cases = [
        (json!({}), vec![6.0, 5.0, 5.0, 4.0]),
        (json!({ "per_authority": 2 }), vec![6.0, 5.0, 6.0, 5.0]),
        // The first attempt adds to it, where there is room.
        (
            json!({ "kind": "ratio", "ratio": 0.5 }),
            vec![10.0, 9.0, 9.0, 8.5],
        ),
        (
            json!({ "kind": "ratio", "ratio": 0.5, "per_authority": 2 }),
            vec![10.0, 9.0, 10.0, 9.0],
        ),
        // Each failure takes one, and there is no retry with less than half of them.
        (throttle, vec![3.0, 2.0, 1.0]),
        (throttle_each, vec![3.0, 2.0, 3.0, 2.0]),
    ];
    for (budget, expected) in cases {
        let config = json!({ "max_retries": 1, "budget": budget });
        let expected: Vec<_> = expected.into_iter().map(Some).collect();
        assert_eq!(tokens(config).await, expected, "{budget}");
    }
    let without = json!({ "max_retries": 1, "budget": { "kind": "none" } });
    assert_eq!(tokens(without).await, [None; 4]);
}

#[tokio::test(start_paused = true)]
async fn a_budget_that_earns_follows_the_number_of_retries() {
    for budget in [json!({}), json!({ "per_authority": 2 })] {
        let config = json!({ "max_retries": 20, "window": "0s", "budget": budget });
        assert_eq!(tokens(config).await, [Some(40.0); 2]);
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_success_adds_to_a_throttle_is_as_configured() {
    let budget = json!({ "kind": "throttle", "max_tokens": 4, "token_ratio": 0.25 });
    let tokens = Arc::new(Mutex::new(Vec::new()));
    let told = tokens.clone();
    let layer = layer(json!({ "budget": budget }))
        .on_event(move |event| told.lock().unwrap().push(event.budget_tokens().unwrap()));
    let service = layer.layer(Upstream::new([Status(503), Status(200)]));
    service.send(get()).await.unwrap();
    // Two attempts start, between them a retry is scheduled, and the second one is the last.
    assert_eq!(*tokens.lock().unwrap(), [4.0, 3.0, 3.0, 3.25]);
}

#[tokio::test(start_paused = true)]
async fn a_body_is_kept_as_configured() {
    let cases = [
        (json!(14), StopReason::NotReplayable),
        (json!(15), StopReason::Attempts),
        (json!("unlimited"), StopReason::Attempts),
    ];
    for (limit, stop) in cases {
        let source = Source::streamed([data("abcdefghij"), data("klmno")]);
        let layer = layer(json!({ "max_replay_bytes": limit }));
        let sent = send(layer, source, |_, mut body| {
            read(&mut body).unwrap();
            503
        });
        assert_eq!(sent.await.stop, Some(stop), "{limit}");
    }
}

/// Gives frames of 1 KiB for ever, and counts those that are read.
struct Endless {
    read: Arc<AtomicUsize>,
}

impl http_body::Body for Endless {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.read.fetch_add(1, Ordering::Relaxed);
        Poll::Ready(Some(Ok(Frame::data(vec![0; 1_024].into()))))
    }
}

#[tokio::test(start_paused = true)]
async fn a_discarded_response_is_read_as_configured() {
    for (limit, expected) in [(0, 0), (2_048, 2), (3_000, 3)] {
        let frames = Arc::new(AtomicUsize::new(0));
        let read = frames.clone();
        let service = tower::service_fn(move |_: Request<ReplayBody<Body>>| {
            let read = read.clone();
            let response = Response::builder().status(503).body(Endless { read });
            async move { response.map_err(BoxError::from) }
        });
        let layer = layer(json!({ "max_drain_bytes": limit, "max_retries": 1 }));
        layer.layer(service).send(get()).await.unwrap();
        assert_eq!(frames.load(Ordering::Relaxed), expected, "{limit}");
    }
}

#[tokio::test(start_paused = true)]
async fn retries_are_counted_in_a_header_as_configured() {
    for (name, count) in [(Value::Null, None), (json!("X-Retry"), Some("1"))] {
        let upstream = Upstream::new([Status(503), Status(200)]);
        let layer = layer(json!({ "retry_count_header": name }));
        layer.layer(upstream.clone()).send(get()).await.unwrap();
        let seen = upstream.seen();
        assert_eq!(seen[0].headers.get("x-retry"), None);
        let expected = count.map(HeaderValue::from_static);
        assert_eq!(seen[1].headers.get("x-retry"), expected.as_ref());
    }
}

#[tokio::test(start_paused = true)]
async fn the_time_that_is_left_is_sent_as_configured() {
    let header = |unit: &str| json!({ "name": "X-Time-Left", "unit": unit });
    for (header, left) in [
        (Value::Null, None),
        (header("seconds"), Some("90")),
        (header("milliseconds"), Some("90000")),
    ] {
        let upstream = Upstream::new([Status(200)]);
        let layer = layer(json!({ "deadline_header": header, "window": "90s" }));
        layer.layer(upstream.clone()).send(get()).await.unwrap();
        let expected = left.map(HeaderValue::from_static);
        let seen = upstream.seen();
        assert_eq!(seen[0].headers.get("x-time-left"), expected.as_ref());
    }
}

#[tokio::test(start_paused = true)]
async fn attempts_and_responses_are_marked_as_configured() {
    for (attempts, responses) in [(false, false), (true, false), (false, true)] {
        let upstream = Upstream::new([Status(503), Status(200)]);
        let config = json!({ "mark_attempts": attempts, "mark_responses": responses });
        let response = layer(config)
            .layer(upstream.clone())
            .send(get())
            .await
            .unwrap();
        let is_marked = |seen: &Seen| seen.extensions.get::<Attempt>().is_some();
        assert!(
            upstream
                .seen()
                .iter()
                .all(|seen| is_marked(seen) == attempts)
        );
        let count = response
            .extensions()
            .get::<Attempts>()
            .map(|attempts| attempts.count);
        assert_eq!(count, responses.then_some(2));
    }
}

#[cfg(feature = "metrics")]
#[tokio::test(start_paused = true)]
async fn metrics_have_the_authority_as_configured() {
    use metrics::set_default_local_recorder;
    use metrics_util::debugging::{DebugValue, DebuggingRecorder};

    for (by_authority, name) in [
        (true, "attempts_total GET upstream.test"),
        (false, "attempts_total GET"),
    ] {
        let recorder = DebuggingRecorder::new();
        let _guard = set_default_local_recorder(&recorder);
        let layer = layer(json!({ "metrics_by_authority": by_authority }));
        layer
            .layer(Upstream::new([Status(200)]))
            .send(get())
            .await
            .unwrap();
        let recorded = recorded(&recorder.snapshotter());
        assert_eq!(
            recorded.get(name),
            Some(&DebugValue::Counter(1)),
            "{recorded:?}"
        );
    }
}
