//! What is told to a recorder of metrics: which metrics there are, and what they count.

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::time::Duration;

use http::{Method, Request};
use metrics::{Label, set_default_local_recorder};
use metrics_util::debugging::DebugValue::{self, Counter, Gauge};
use metrics_util::debugging::DebuggingRecorder;
use tokio::time::{advance, timeout};
use tower::{Layer, ServiceExt};
use tower_http_retry::event::StopReason;
use tower_http_retry::metrics::describe;
use tower_http_retry::{Budget, Cooldown, RetryLayer};

use crate::support::cooling::{cool_down, told as told_of_quota};
use crate::support::hedging::compare_hedges;
use crate::support::recorded::{Recorded, recorded};
use crate::support::stops;
use crate::support::upstream::Answer::{Error, Headers, Never, Status};
use crate::support::upstream::{Answer, Body, Upstream, after, get, request};

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// What is recorded of requests that are sent one after the other by such a layer.
async fn told(layer: RetryLayer, requests: Vec<(Request<Body>, Vec<Answer>)>) -> Recorded {
    let recorder = DebuggingRecorder::new();
    let _guard = set_default_local_recorder(&recorder);
    for (request, plan) in requests {
        let _ = layer.layer(Upstream::new(plan)).oneshot(request).await;
    }
    recorded(&recorder.snapshotter())
}

fn seconds(of: &[f64]) -> DebugValue {
    DebugValue::Histogram(of.iter().map(|&seconds| seconds.into()).collect())
}

fn expect(recorded: &Recorded, expected: &[(&str, DebugValue)]) {
    let expected = expected
        .iter()
        .map(|(key, value)| ((*key).to_owned(), value));
    let recorded = recorded.iter().map(|(key, value)| (key.clone(), value));
    assert_eq!(recorded.collect::<BTreeMap<_, _>>(), expected.collect());
}

#[tokio::test(start_paused = true)]
async fn each_attempt_wait_retry_and_stop_is_counted_and_measured() {
    let asks = Headers(429, vec![("retry-after", "30".into())]);
    let plan = vec![
        after(secs(3), Status(503)),
        Never,
        asks,
        Error(ErrorKind::ConnectionReset),
        after(secs(1), Status(200)),
    ];
    let layer = stops::layer().attempt_timeout(secs(10));
    expect(
        &told(layer, vec![(get(), plan)]).await,
        &[
            ("attempts_total GET", Counter(5)),
            ("attempt_duration_seconds GET 5xx", seconds(&[3.0])),
            ("attempt_duration_seconds GET timeout", seconds(&[10.0])),
            ("attempt_duration_seconds GET 4xx", seconds(&[0.0])),
            ("attempt_duration_seconds GET _OTHER", seconds(&[0.0])),
            ("attempt_duration_seconds GET 2xx", seconds(&[1.0])),
            ("retries_total GET 5xx backoff", Counter(1)),
            ("retries_total GET timeout timed_out", Counter(1)),
            ("retries_total GET 4xx server", Counter(1)),
            ("retries_total GET _OTHER backoff", Counter(1)),
            ("wait_seconds GET 5xx backoff", seconds(&[1.0])),
            ("wait_seconds GET timeout timed_out", seconds(&[4.0])),
            ("wait_seconds GET 4xx server", seconds(&[30.0])),
            ("wait_seconds GET _OTHER backoff", seconds(&[8.0])),
            ("stops_total GET 2xx success", Counter(1)),
            // 10, less 1, 2, 1 and 1, and 1.5 for the retry that helped.
            ("budget_tokens", Gauge(6.5.into())),
        ],
    );
}

#[tokio::test(start_paused = true)]
async fn each_stop_is_counted_by_why() {
    for stop in stops::ALL {
        let recorder = DebuggingRecorder::new();
        let _guard = set_default_local_recorder(&recorder);
        let _ = stops::send(stop, stops::layer()).await;
        let mut recorded = recorded(&recorder.snapshotter());
        recorded.retain(|key, _| key.starts_with("stops_total"));
        let (method, status) = match stop {
            StopReason::Success => ("PUT", "2xx"),
            StopReason::Permanent => ("PUT", "4xx"),
            StopReason::Attempts => ("PUT", "timeout"),
            StopReason::NotIdempotent => ("POST", "5xx"),
            StopReason::NotReady => ("PUT", "_OTHER"),
            _ => ("PUT", "5xx"),
        };
        let key = format!("stops_total {method} {status} {}", stop.as_str());
        expect(&recorded, &[(&key, Counter(1))]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_retry_that_cannot_start_is_no_attempt() {
    let recorder = DebuggingRecorder::new();
    let _guard = set_default_local_recorder(&recorder);
    let layer = stops::layer().without_budget();
    let _ = stops::send(StopReason::NotReady, layer).await;
    expect(
        &recorded(&recorder.snapshotter()),
        &[
            ("attempts_total PUT", Counter(1)),
            ("attempt_duration_seconds PUT 5xx", seconds(&[0.0])),
            ("retries_total PUT 5xx backoff", Counter(1)),
            ("wait_seconds PUT 5xx backoff", seconds(&[1.0])),
            ("stops_total PUT _OTHER not_ready", Counter(1)),
        ],
    );
}

#[tokio::test(start_paused = true)]
async fn a_cooldown_is_counted_with_who_is_held_and_who_is_not_sent() {
    let recorder = DebuggingRecorder::new();
    let _guard = set_default_local_recorder(&recorder);
    let layer = || stops::layer().without_budget();
    cool_down(layer()).await;
    expect(
        &recorded(&recorder.snapshotter()),
        &[
            ("attempts_total GET", Counter(2)),
            ("attempt_duration_seconds GET 2xx", seconds(&[0.0, 0.0])),
            ("stops_total GET 2xx success", Counter(2)),
            ("stops_total GET _OTHER cooling_down", Counter(1)),
            ("held_total GET", Counter(1)),
            ("cooldowns_total", Counter(1)),
            ("cooling_down", Gauge(0.0.into())),
        ],
    );
    // Until it ends, one is cooling down; by authority, too.
    let service = layer()
        .metrics_by_authority()
        .rate_limit_headers(true)
        .cooldown(Cooldown::per_authority(9))
        .layer(Upstream::new([told_of_quota(200, 0, 3)]));
    service.send(get()).await.unwrap();
    let gauge = recorded(&recorder.snapshotter()).remove("cooling_down upstream.test");
    assert_eq!(gauge, Some(Gauge(1.0.into())));
}

#[tokio::test(start_paused = true)]
async fn attempts_are_retries_plus_stops() {
    let recorder = DebuggingRecorder::new();
    let _guard = set_default_local_recorder(&recorder);
    for stop in stops::ALL {
        if stop != StopReason::NotReady {
            let _ = stops::send(stop, stops::layer()).await;
        }
    }
    let recorded = recorded(&recorder.snapshotter());
    let sum = |name: &str| {
        let counts = recorded.iter().filter(|(key, _)| key.starts_with(name));
        let counts = counts.map(|(_, value)| match value {
            Counter(count) => *count,
            other => panic!("{other:?}"),
        });
        counts.sum::<u64>()
    };
    // All have a second attempt but the one whose body is gone.
    assert_eq!((sum("stops_total"), sum("retries_total")), (10, 9));
    assert_eq!(sum("attempts_total"), 10 + 9);
}

#[tokio::test(start_paused = true)]
async fn an_attempt_is_counted_even_if_its_caller_goes_away() {
    let recorder = DebuggingRecorder::new();
    let _guard = set_default_local_recorder(&recorder);
    let call = stops::layer().layer(Upstream::new([Never])).oneshot(get());
    assert!(timeout(secs(1), call).await.is_err());
    expect(
        &recorded(&recorder.snapshotter()),
        &[("attempts_total GET", Counter(1))],
    );
}

#[tokio::test(start_paused = true)]
async fn a_status_is_counted_by_its_class() {
    let statuses = [200, 204, 302, 404, 451, 501, 600, 999];
    let layer = stops::layer().max_retries(0);
    let requests = statuses.map(|status| (get(), vec![Status(status)]));
    let mut recorded = told(layer, requests.into()).await;
    recorded.retain(|key, _| key.starts_with("attempt_duration"));
    expect(
        &recorded,
        &[
            ("attempt_duration_seconds GET 2xx", seconds(&[0.0, 0.0])),
            ("attempt_duration_seconds GET 3xx", seconds(&[0.0])),
            ("attempt_duration_seconds GET 4xx", seconds(&[0.0, 0.0])),
            ("attempt_duration_seconds GET 5xx", seconds(&[0.0])),
            ("attempt_duration_seconds GET _OTHER", seconds(&[0.0, 0.0])),
        ],
    );
}

#[tokio::test(start_paused = true)]
async fn a_method_that_is_not_known_is_counted_with_the_others() {
    let method = |name: &[u8]| request(Method::from_bytes(name).unwrap());
    let requests =
        [&b"PROPFIND"[..], b"get", b"QUERY"].map(|name| (method(name), vec![Status(200)]));
    let mut recorded = told(stops::layer(), requests.into()).await;
    recorded.retain(|key, _| key.starts_with("stops_total"));
    expect(
        &recorded,
        &[
            ("stops_total QUERY 2xx success", Counter(1)),
            ("stops_total _OTHER 2xx success", Counter(2)),
        ],
    );
}

/// One success at each of two upstreams.
fn at_two_upstreams() -> Vec<(Request<Body>, Vec<Answer>)> {
    let to = |uri: &str| {
        let mut request = get();
        *request.uri_mut() = uri.parse().unwrap();
        (request, vec![Status(200)])
    };
    vec![
        to("http://A.test:80/1"),
        to("http://user:secret@b.test:8080/2?x"),
    ]
}

#[tokio::test(start_paused = true)]
async fn the_authority_is_a_label_of_all_where_it_is_asked_for() {
    for budget in [Budget::default(), Budget::per_authority(10)] {
        let layer = stops::layer().budget(budget).metrics_by_authority();
        expect(
            &told(layer, at_two_upstreams()).await,
            &[
                ("attempts_total GET a.test", Counter(1)),
                ("attempts_total GET b.test:8080", Counter(1)),
                ("attempt_duration_seconds GET 2xx a.test", seconds(&[0.0])),
                (
                    "attempt_duration_seconds GET 2xx b.test:8080",
                    seconds(&[0.0]),
                ),
                ("stops_total GET 2xx success a.test", Counter(1)),
                ("stops_total GET 2xx success b.test:8080", Counter(1)),
                ("budget_tokens a.test", Gauge(10.0.into())),
                ("budget_tokens b.test:8080", Gauge(10.0.into())),
            ],
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_level_is_told_where_there_is_one_for_all() {
    let level = async |layer: RetryLayer| {
        // So that the successes of the layer before do not count.
        advance(secs(1)).await;
        let recorded = told(layer, at_two_upstreams()).await;
        assert_eq!(recorded["attempts_total GET"], Counter(2));
        recorded.contains_key("budget_tokens")
    };
    assert!(level(stops::layer()).await);
    assert!(level(stops::layer().budget(Budget::throttle(10, 0.1))).await);
    assert!(!level(stops::layer().without_budget()).await);
    assert!(!level(stops::layer().budget(Budget::per_authority(10))).await);
    #[cfg(feature = "tower")]
    {
        let budget = tower::retry::budget::TpsBudget::default();
        assert!(!level(stops::layer().budget(Budget::tower(budget))).await);
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_retried_tells_the_level_each_time_and_other_outcomes_if_it_is_old() {
    let recorder = DebuggingRecorder::new();
    let _guard = set_default_local_recorder(&recorder);
    let layer = stops::layer()
        .max_retries(1)
        .budget(Budget::throttle(10, 1.0));
    // None if it is not told anew: to look at a gauge sets it to 0.
    let told = async |plan: Vec<Answer>| {
        let _ = layer.layer(Upstream::new(plan)).oneshot(get()).await;
        let gauge = recorded(&recorder.snapshotter()).remove("budget_tokens");
        gauge.filter(|level| *level != Gauge(0.0.into()))
    };
    let level = |level: f64| Some(Gauge(level.into()));
    assert_eq!(told(vec![Status(503), Status(503)]).await, level(8.0));
    assert_eq!(told(vec![Status(200)]).await, None);
    advance(Duration::from_millis(99)).await;
    assert_eq!(told(vec![Status(200)]).await, None);
    advance(Duration::from_millis(1)).await;
    assert_eq!(told(vec![Status(200)]).await, level(10.0));
    assert_eq!(told(vec![Status(503), Status(503)]).await, level(8.0));
    assert_eq!(told(vec![Status(404)]).await, None);
}

#[tokio::test(start_paused = true)]
async fn a_layer_without_a_level_does_not_keep_another_from_telling_its_own() {
    let recorder = DebuggingRecorder::new();
    let _guard = set_default_local_recorder(&recorder);
    let send = async |layer: &RetryLayer| {
        let service = layer.layer(Upstream::new([Status(200)]));
        service.oneshot(get()).await.unwrap();
        let gauge = recorded(&recorder.snapshotter()).remove("budget_tokens");
        gauge.is_some_and(|level| level != Gauge(0.0.into()))
    };
    let silent = stops::layer().without_budget();
    let by_authority = stops::layer().metrics_by_authority();
    let telling = stops::layer();
    for _ in 0..3 {
        advance(Duration::from_millis(100)).await;
        send(&silent).await;
        send(&by_authority).await;
        assert!(send(&telling).await);
        assert!(!send(&telling).await);
    }
}

/// Its rows: a metric's name, kind, unit and labels.
fn documented() -> BTreeSet<[String; 4]> {
    let docs = include_str!("../../src/metrics.rs").lines();
    let rows = docs.filter_map(|line| line.strip_prefix("//! | `tower_http_retry_"));
    rows.map(|row| {
        let [name, kind, unit, labels, ..] = row.split(" | ").collect::<Vec<_>>()[..] else {
            panic!("{row}");
        };
        [name, kind, unit, labels].map(|cell| cell.replace('`', ""))
    })
    .collect()
}

/// The golden list. A change of it is a change of what dashboards and alerts are made of.
#[tokio::test(start_paused = true)]
async fn the_metrics_are_these_and_are_documented() {
    let golden = [
        [
            "attempt_duration_seconds",
            "histogram",
            "seconds",
            "method, status",
        ],
        ["attempts_total", "counter", "attempts", "method"],
        ["budget_tokens", "gauge", "tokens", "none"],
        ["cooldowns_total", "counter", "cooldowns", "none"],
        ["cooling_down", "gauge", "cooldowns", "none"],
        ["hedge_delay_seconds", "histogram", "seconds", "method"],
        ["hedge_saved_seconds", "gauge", "seconds", "none"],
        ["hedges_total", "counter", "hedges", "method, result"],
        ["held_total", "counter", "requests", "method"],
        [
            "retries_total",
            "counter",
            "retries",
            "method, status, reason",
        ],
        [
            "stops_total",
            "counter",
            "requests",
            "method, status, reason",
        ],
        [
            "wait_seconds",
            "histogram",
            "seconds",
            "method, status, reason",
        ],
    ];
    let golden: BTreeSet<_> = golden.map(|row| row.map(str::to_owned)).into();
    assert_eq!(documented(), golden);

    let recorder = DebuggingRecorder::new();
    let _guard = set_default_local_recorder(&recorder);
    describe();
    for stop in stops::ALL {
        let _ = stops::send(stop, stops::layer()).await;
    }
    cool_down(stops::layer()).await;
    compare_hedges().await;
    let mut found = BTreeSet::new();
    for (key, unit, description, _) in recorder.snapshotter().snapshot().into_vec() {
        let (name, labels) = key.key().clone().into_parts();
        let name = name.as_str().strip_prefix("tower_http_retry_").unwrap();
        let labels: Vec<_> = labels.iter().map(Label::key).collect();
        let row = golden.iter().find(|row| row[0] == name).unwrap();
        let unit = unit.map(|unit| unit.as_str());
        let counted = row[1] == "counter";
        let expected = match row[2].as_str() {
            "seconds" => Some("seconds"),
            "tokens" => None,
            _ => Some("count"),
        };
        assert_eq!(unit, expected, "{name}");
        assert_eq!(format!("{:?}", key.kind()).to_lowercase(), row[1]);
        assert!(
            description.is_some_and(|text| text.ends_with('.')),
            "{name}"
        );
        assert_eq!(counted, name.ends_with("_total"));
        let labels = Some(labels.join(", ")).filter(|labels| !labels.is_empty());
        assert_eq!(labels.as_deref().unwrap_or("none"), row[3]);
        found.insert(row.clone());
    }
    assert_eq!(found, golden);
}
