//! Where the numbers of a request come from, and when they are asked for.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, Request, StatusCode};
use http_body_util::Full;
use tower::{Layer, ServiceExt};
use tower_http_retry::classify::{Class, Classify, Outcome, RequestHead, Verdict};
use tower_http_retry::event::EventKind;
use tower_http_retry::{
    Backoff, ByStatus, Idempotency, Jitter, ReplayBody, RetryLayer, RetryOverride,
};

use crate::support::body::{self, Source, data};
use crate::support::upstream::Answer::{Never, Status};
use crate::support::upstream::{Upstream, after, get, post};

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn exact() -> RetryLayer {
    RetryLayer::new().backoff(Backoff::exponential(secs(1)).jitter(Jitter::None))
}

/// Says of each request what the function says, and counts how often it is asked.
#[derive(Clone)]
struct Asked<F> {
    says: F,
    times: Arc<AtomicU32>,
}

impl<F: Fn(u32) -> RetryOverride> Classify for Asked<F> {
    fn classify(&self, outcome: &Outcome<'_>) -> Verdict {
        outcome.by_status()
    }

    fn overrides(&self, _: &RequestHead<'_>) -> RetryOverride {
        (self.says)(self.times.fetch_add(1, Ordering::Relaxed))
    }
}

fn asked<F: Fn(u32) -> RetryOverride>(says: F) -> (RetryLayer<Asked<F>>, Arc<AtomicU32>) {
    let times = Arc::new(AtomicU32::new(0));
    let classify = Asked {
        says,
        times: times.clone(),
    };
    (exact().classify(classify), times)
}

#[tokio::test(start_paused = true)]
async fn limits_are_asked_for_once_before_the_first_attempt_and_once_for_each_decision() {
    let slow = |status| after(secs(1), Status(status));
    for (plan, expected) in [
        (vec![slow(200)], 1),
        (vec![slow(404)], 1),
        (vec![slow(503), slow(200)], 2),
        (vec![slow(503), slow(503), slow(503), slow(200)], 4),
    ] {
        let (layer, times) = asked(|_| RetryOverride::new());
        let service = layer.attempt_timeout(secs(60)).layer(Upstream::new(plan));
        let mut sending = tokio_test::task::spawn(service.oneshot(get()));
        // Polled often, which asks for nothing.
        while sending.poll().is_pending() {
            tokio::time::advance(Duration::from_millis(50)).await;
        }
        assert_eq!(times.load(Ordering::Relaxed), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn limits_may_change_while_a_request_is_under_way() {
    // One retry more is allowed for each decision, until there are four.
    let (layer, _) = asked(|time| RetryOverride::new().max_retries(time.min(4)));
    let upstream = Upstream::new([Status(503)]);
    layer.layer(upstream.clone()).oneshot(get()).await.unwrap();
    assert_eq!(upstream.seconds(), [0, 1, 3, 7, 15]);

    // An attempt's time-out is the one of the decision for it.
    let (layer, _) = asked(|time| RetryOverride::new().attempt_timeout(secs(10 - u64::from(time))));
    let upstream = Upstream::new([Never]);
    let service = layer.max_retries(2).layer(upstream.clone());
    service.oneshot(get()).await.unwrap_err();
    assert_eq!(upstream.seconds(), [0, 10 + 2, 10 + 2 + 9 + 4]);
}

#[tokio::test(start_paused = true)]
async fn an_unlimited_layer_stops_for_no_number() {
    let layer = RetryLayer::unlimited().backoff(Backoff::fixed(secs(100)).jitter(Jitter::None));
    let mut plan = vec![Status(503); 100];
    plan.push(Status(200));
    let upstream = Upstream::new(plan);
    let response = layer.layer(upstream.clone()).oneshot(get()).await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(upstream.count(), 101);
    // What the server asks for is not bounded, and neither is what is kept of a body.
    let year = 365 * 24 * 60 * 60;
    let asks =
        crate::support::upstream::Answer::Headers(503, vec![("retry-after", year.to_string())]);
    let upstream = Upstream::new([asks, Status(200)]);
    let layer = RetryLayer::unlimited().backoff(Backoff::fixed(secs(1)).jitter(Jitter::None));
    layer.layer(upstream.clone()).oneshot(get()).await.unwrap();
    assert_eq!(upstream.seconds(), [0, year]);
}

#[tokio::test(start_paused = true)]
async fn a_request_has_its_own_limit_of_replayed_bytes() {
    let frames = || [data("four"), data("more")];
    for (layer, own, attempts) in [
        (1024, None, 2),
        (7, None, 1),
        (7, Some(8), 2),
        (1024, Some(7), 1),
        (1024, Some(0), 1),
    ] {
        let layer = body::at_once().max_retries(1).max_replay_bytes(layer);
        let mut request = Request::new(Source::streamed(frames()));
        *request.method_mut() = http::Method::PUT;
        if let Some(bytes) = own {
            let own = RetryOverride::new().max_replay_bytes(bytes);
            request.extensions_mut().insert(own);
        }
        let count = Arc::new(AtomicU32::new(0));
        let counted = count.clone();
        let service = layer.layer(tower::service_fn(
            move |request: Request<ReplayBody<Source>>| {
                counted.fetch_add(1, Ordering::Relaxed);
                async {
                    let body = http_body_util::BodyExt::collect(request.into_body()).await?;
                    assert_eq!(body.to_bytes(), "fourmore");
                    let mut response = http::Response::new(Full::<Bytes>::default());
                    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
                    Ok::<_, tower_http_retry::BoxError>(response)
                }
            },
        ));
        service.oneshot(request).await.unwrap();
        assert_eq!(count.load(Ordering::Relaxed), attempts, "{own:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_retry_sends_by_a_clone_of_itself() {
    let upstream = Upstream::new([Status(503), Status(200)]);
    let client = exact().layer(upstream.clone());
    let sending = client.send(get());
    drop(client);
    assert_eq!(sending.await.unwrap().status(), 200);
    assert_eq!(upstream.seconds(), [0, 1]);
}

#[tokio::test(start_paused = true)]
async fn none_is_a_classifier_that_retries_no_status_but_errors() {
    let upstream = Upstream::new([Status(503), Status(200)]);
    let layer = exact().classify(ByStatus::none());
    let response = layer.layer(upstream.clone()).oneshot(get()).await.unwrap();
    assert_eq!((response.status().as_u16(), upstream.count()), (503, 1));
    let refused = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
    let (request, none) = (get(), ByStatus::none());
    let verdict = none.classify(&Outcome::error(&request, &refused));
    assert_eq!(verdict.class(), Class::Refused);
    // A 409 to a keyed request is awaited by the default alone.
    let keyed = Request::post("/").header("idempotency-key", "7");
    let keyed = keyed.body(()).unwrap();
    let conflict = http::Response::builder().status(409).body(()).unwrap();
    let outcome = || Outcome::response(&keyed, &conflict).acted_on_before();
    assert_eq!(outcome().by_status().class(), Class::Transient);
    assert_eq!(none.classify(&outcome()).class(), Class::Permanent);
}

#[tokio::test(start_paused = true)]
async fn without_keys_no_header_makes_a_request_repeatable() {
    let key = HeaderName::from_static("request-id");
    for (idempotency, attempts) in [
        (Idempotency::new(), 2),
        (Idempotency::new().without_keys(), 1),
        (Idempotency::new().without_keys().key(key), 2),
    ] {
        let upstream = Upstream::new([Status(503), Status(200)]);
        let layer = exact().idempotency(idempotency);
        let mut request = post();
        for name in ["idempotency-key", "request-id"] {
            request.headers_mut().insert(name, "7".parse().unwrap());
        }
        layer
            .layer(upstream.clone())
            .oneshot(request)
            .await
            .unwrap();
        assert_eq!(upstream.count(), attempts);
    }
}

#[tokio::test(start_paused = true)]
async fn a_classifiers_own_wait_is_waited_for_without_jitter_and_told_as_back_off() {
    let told = Arc::new(std::sync::Mutex::new(Vec::new()));
    let tell = told.clone();
    let layer = RetryLayer::new()
        .max_retry_after(secs(1))
        .classify_fn(|outcome| match outcome.status() {
            Some(StatusCode::LOCKED) => Class::Refused.backoff(secs(7)),
            _ => outcome.by_status(),
        })
        .on_event(move |event| tell.lock().unwrap().push(event.kind()));
    let upstream = Upstream::new([Status(423), Status(423), Status(200)]);
    layer.layer(upstream.clone()).oneshot(post()).await.unwrap();
    assert_eq!(upstream.seconds(), [0, 7, 14]);
    let kinds: Vec<_> = told.lock().unwrap().iter().map(EventKind::as_str).collect();
    let (sent, retry) = ("attempt_started", "retry_scheduled");
    assert_eq!(kinds, [sent, retry, sent, retry, sent, "stopped"]);
    let told = format!("{:?}", told.lock().unwrap()[1]);
    assert_eq!(told, "RetryScheduled { after: 7s, reason: Backoff }");
}
