//! What is told of gRPC calls that were sent more than once: the metrics of gRFC A96.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use metrics::set_default_local_recorder;
use metrics_util::MetricKind;
use metrics_util::debugging::DebugValue;
use metrics_util::debugging::{DebuggingRecorder, Snapshotter};
use serde_json::json;
use tokio::time::timeout;
use tower::{Layer, ServiceBuilder, ServiceExt};
use tower_http_retry::metrics::describe;
use tower_http_retry::{Cooldown, HedgeLayer, ReplayBody, RetryLayer};

use crate::support::calls::{exact, millis};
use crate::support::hedged::{call, code, every, policy};
use crate::support::http2::{Connection, Server, Turn};
use crate::support::upstream::Answer::Never;
use crate::support::upstream::{Body, Upstream, after};

/// By name, and the values of `grpc.method` and `grpc.target`: what was recorded.
type Recorded = BTreeMap<(String, String), Vec<f64>>;

fn recorded(snapshotter: &Snapshotter) -> Recorded {
    let metrics = snapshotter.snapshot().into_vec().into_iter();
    let of_calls = metrics.filter_map(|(key, _, _, value)| {
        assert_eq!(
            key.kind() == MetricKind::Histogram,
            matches!(value, DebugValue::Histogram(_))
        );
        let (name, labels) = key.key().clone().into_parts();
        let name = name.as_str().strip_prefix("grpc.client.call.")?.to_owned();
        let DebugValue::Histogram(values) = value else {
            panic!("{name} is a {value:?}");
        };
        let [method, target] = &labels[..] else {
            panic!("{labels:?}");
        };
        assert_eq!((method.key(), target.key()), ("grpc.method", "grpc.target"));
        let labels = format!("{} {}", method.value(), target.value());
        Some(((name, labels), values.into_iter().map(f64::from).collect()))
    });
    // Of what an earlier look has taken, the name is left.
    of_calls
        .filter(|(_, values): &(_, Vec<f64>)| !values.is_empty())
        .collect()
}

fn expected<const N: usize>(labels: &str, of: [(&str, f64); N]) -> Recorded {
    let of = of.map(|(name, value)| ((name.to_owned(), labels.to_owned()), vec![value]));
    of.into()
}

fn grpc(path: &str) -> Request<Body> {
    let mut request = call(path);
    let content = "application/grpc+proto".parse().unwrap();
    request.headers_mut().insert("content-type", content);
    request
}

const LABELS: &str = "a.B/C http://upstream.test";

#[tokio::test(start_paused = true)]
async fn the_retries_of_a_call_and_its_waits_are_told_when_it_ends() {
    let recorder = DebuggingRecorder::new();
    let _guard = set_default_local_recorder(&recorder);
    let service = exact().layer(Upstream::new([code(14), code(14), code(0)]));
    service.oneshot(grpc("/a.B/C")).await.unwrap();
    let told = [("retries", 2.0), ("retry_delay", 0.3)];
    assert_eq!(recorded(&recorder.snapshotter()), expected(LABELS, told));
    // Also if it fails in the end.
    let service = exact().max_retries(1).layer(Upstream::new([code(14)]));
    service.oneshot(grpc("/a.B/D")).await.unwrap();
    let told = [("retries", 1.0), ("retry_delay", 0.1)];
    let labels = "a.B/D http://upstream.test";
    assert_eq!(recorded(&recorder.snapshotter()), expected(labels, told));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_told_of_a_call_that_is_sent_once_nor_of_other_requests() {
    let recorder = DebuggingRecorder::new();
    let _guard = set_default_local_recorder(&recorder);
    for answer in [code(0), code(13)] {
        let service = exact().layer(Upstream::new([answer]));
        service.oneshot(grpc("/a.B/C")).await.unwrap();
    }
    let hedged = HedgeLayer::new().service_config(every(&policy(3, &json!([14]))));
    let service = hedged.layer(Upstream::new([code(0)]));
    service.oneshot(grpc("/a.B/C")).await.unwrap();
    for content in [
        None,
        Some("application/json"),
        Some("text/application/grpc"),
    ] {
        let mut request = call("/a.B/C");
        if let Some(content) = content {
            request
                .headers_mut()
                .insert("content-type", content.parse().unwrap());
        }
        let retried = exact().layer(Upstream::new([code(14), code(0)]));
        retried.oneshot(request.clone()).await.unwrap();
        let hedged = hedged.layer(Upstream::new([Never, code(0)]));
        hedged.oneshot(request).await.unwrap();
    }
    // Nor of one that has not ended.
    let dropped = exact()
        .layer(Upstream::new([code(14), Never]))
        .oneshot(grpc("/a.B/C"));
    assert!(timeout(millis(10_000), dropped).await.is_err());
    assert_eq!(recorded(&recorder.snapshotter()), Recorded::new());
}

#[tokio::test(start_paused = true)]
async fn the_hedges_of_a_call_are_told_when_it_ends_whoever_wins() {
    let plans = [
        vec![Never, Never, code(0)],
        vec![after(millis(1_100), code(0)), Never],
        vec![after(millis(1_100), code(13)), Never],
        vec![code(14)],
    ];
    for plan in plans {
        let recorder = DebuggingRecorder::new();
        let _guard = set_default_local_recorder(&recorder);
        let config = every(&policy(3, &json!([14])));
        let stack = ServiceBuilder::new()
            .layer(RetryLayer::grpc().service_config(config.clone()))
            .layer(HedgeLayer::new().service_config(config))
            .service(Upstream::new(plan));
        stack.oneshot(grpc("/a.B/C")).await.unwrap();
        let told = recorded(&recorder.snapshotter());
        assert_eq!(told, expected(LABELS, [("hedges", 2.0)]));
    }
}

#[tokio::test(start_paused = true)]
async fn a_hold_is_a_delay_of_a_call_that_is_sent_once() {
    let recorder = DebuggingRecorder::new();
    let _guard = set_default_local_recorder(&recorder);
    let cooldown = Cooldown::new();
    let request = grpc("/a.B/C");
    cooldown.hold(request.uri(), Duration::from_secs(3));
    let service = exact().cooldown(cooldown).layer(Upstream::new([code(0)]));
    service.oneshot(request).await.unwrap();
    let delay = &recorded(&recorder.snapshotter())[&("retry_delay".to_owned(), LABELS.to_owned())];
    assert!(
        (3.0..4.0).contains(&delay[0]) && delay.len() == 1,
        "{delay:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn the_target_is_that_of_the_uri() {
    for (uri, labels) in [
        ("http://A.test:80/a.B/C?x=1", "a.B/C http://a.test"),
        (
            "https://user:secret@a.test:50051/a.B/C",
            "a.B/C https://a.test:50051",
        ),
        ("/a.B/C", "a.B/C "),
    ] {
        let recorder = DebuggingRecorder::new();
        let _guard = set_default_local_recorder(&recorder);
        let mut request = grpc("/a.B/C");
        *request.uri_mut() = uri.parse().unwrap();
        let service = exact().layer(Upstream::new([code(14), code(0)]));
        service.oneshot(request).await.unwrap();
        let told = [("retries", 1.0), ("retry_delay", 0.1)];
        assert_eq!(
            recorded(&recorder.snapshotter()),
            expected(labels, told),
            "{uri}"
        );
    }
}

fn client<B>()
-> hyper_util::client::legacy::Client<hyper_util::client::legacy::connect::HttpConnector, B>
where
    B: http_body::Body<Data: Send> + Send,
{
    let executor = hyper_util::rt::TokioExecutor::new();
    hyper_util::client::legacy::Client::builder(executor)
        .http2_only(true)
        .build_http()
}

async fn refusing() -> (Server, Request<Full<Bytes>>, String) {
    let turns = vec![Turn::Reset(h2::Reason::REFUSED_STREAM), Turn::Answer];
    let server = Server::start([Connection::Streams(turns)]).await;
    let request = Request::post(format!("http://{}/a.B/C", server.address()))
        .header("content-type", "application/grpc")
        .body(Full::from("message"));
    let labels = format!("a.B/C http://{}", server.address());
    (server, request.unwrap(), labels)
}

/// A stream that the server refused, as hyper has it.
#[tokio::test]
async fn a_transparent_retry_is_told_as_one_and_as_no_other() {
    let recorder = DebuggingRecorder::new();
    let _guard = set_default_local_recorder(&recorder);
    let (_server, request, labels) = refusing().await;
    let service = RetryLayer::grpc().layer(client::<ReplayBody<Full<Bytes>>>());
    service.oneshot(request).await.unwrap();
    let told = [("transparent_retries", 1.0)];
    assert_eq!(recorded(&recorder.snapshotter()), expected(&labels, told));
}

#[tokio::test]
async fn a_hedge_in_the_place_of_a_refused_attempt_is_a_transparent_retry() {
    let recorder = DebuggingRecorder::new();
    let _guard = set_default_local_recorder(&recorder);
    let (_server, request, labels) = refusing().await;
    let config = every(&json!({ "maxAttempts": 2, "hedgingDelay": "3600s" }));
    let service = HedgeLayer::new().service_config(config).layer(client());
    service.oneshot(request).await.unwrap();
    let told = [("transparent_retries", 1.0)];
    assert_eq!(recorded(&recorder.snapshotter()), expected(&labels, told));
}

/// The golden list. A change of it is a change of what dashboards and alerts are made of.
#[tokio::test(start_paused = true)]
async fn the_metrics_of_calls_are_these_and_are_documented() {
    let golden = [
        ["hedges", "histogram", "hedges"],
        ["retries", "histogram", "retries"],
        ["retry_delay", "histogram", "seconds"],
        ["transparent_retries", "histogram", "retries"],
    ];
    let docs = include_str!("../../src/metrics.rs").lines();
    let rows = docs.filter_map(|line| line.strip_prefix("//! | `grpc.client.call."));
    let rows = rows.map(|row| row.replace('`', ""));
    let mut rows: Vec<Vec<_>> = rows
        .map(|row| row.split(" | ").take(4).map(str::to_owned).collect())
        .collect();
    rows.sort();
    let labels = "grpc.method, grpc.target";
    let documented = golden.map(|[name, kind, unit]| [name, kind, unit, labels].map(str::to_owned));
    assert_eq!(rows, documented);

    let recorder = DebuggingRecorder::new();
    let _guard = set_default_local_recorder(&recorder);
    describe();
    let hedged = HedgeLayer::new().service_config(every(&policy(2, &json!([14]))));
    let hedged = hedged.layer(Upstream::new([Never, code(0)]));
    hedged.oneshot(grpc("/a.B/C")).await.unwrap();
    let retried = exact().layer(Upstream::new([code(14), code(0)]));
    retried.oneshot(grpc("/a.B/C")).await.unwrap();
    let mut found = Vec::new();
    for (key, unit, description, _) in recorder.snapshotter().snapshot().into_vec() {
        let Some(name) = key.key().name().strip_prefix("grpc.client.call.") else {
            continue;
        };
        let unit = unit.map(|unit| unit.as_str());
        found.push((name.to_owned(), unit));
        assert!(
            description.is_some_and(|text| text.ends_with('.')),
            "{name}"
        );
    }
    found.sort();
    let count = Some("count");
    let units = [
        ("hedges", count),
        ("retries", count),
        ("retry_delay", Some("seconds")),
    ];
    assert_eq!(found, units.map(|(name, unit)| (name.to_owned(), unit)));
}
