//! What is told of each step, and what never is.

mod support;

use std::io::ErrorKind;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::Request;
use support::upstream::Answer::{Error, Headers, Never, Status};
use support::upstream::{Answer, Body, Upstream, after, get, post};
use tower::{Layer, ServiceExt};
use tower_http_retry::{Backoff, Budget, Class, Jitter, Reason, RetryLayer, Step, Stop};

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn exact() -> RetryLayer {
    RetryLayer::new().backoff(Backoff::exponential(secs(1)).jitter(Jitter::None))
}

type Steps = Arc<Mutex<Vec<(u32, Step)>>>;

fn noting(layer: RetryLayer) -> (RetryLayer, Steps) {
    let steps = Steps::default();
    let noted = steps.clone();
    let layer = layer.on_event(move |event| {
        noted.lock().unwrap().push((event.attempt(), event.step()));
    });
    (layer, steps)
}

fn retry(seconds: u64, reason: Reason) -> Step {
    Step::Retry {
        after: secs(seconds),
        reason,
    }
}

#[tokio::test(start_paused = true)]
async fn each_step_is_told_once() {
    let asks = Headers(429, vec![("retry-after", "30".into())]);
    let plan = [Status(503), Never, asks, Status(200)];
    let (layer, steps) = noting(exact().attempt_timeout(secs(10)));
    layer
        .layer(Upstream::new(plan))
        .oneshot(get())
        .await
        .unwrap();
    let expected = [
        (1, Step::Sent),
        (1, retry(1, Reason::Backoff)),
        (2, Step::Sent),
        (2, retry(4, Reason::TimedOut)),
        (3, Step::Sent),
        (3, retry(30, Reason::Server)),
        (4, Step::Sent),
        (4, Step::Stop(Stop::Success)),
    ];
    assert_eq!(*steps.lock().unwrap(), expected);
}

#[tokio::test(start_paused = true)]
async fn every_stop_says_why() {
    let long = || Headers(503, vec![("retry-after", "999".into())]);
    let no_tokens = || {
        let budget = Budget::ratio(0.0);
        let drain = exact()
            .max_retries(10)
            .within(Duration::MAX)
            .budget(budget.clone());
        (drain, budget)
    };
    let cases: Vec<(RetryLayer, Request<Body>, Answer, Stop)> = vec![
        (exact(), get(), Status(200), Stop::Success),
        (exact(), get(), Status(404), Stop::Permanent),
        (
            exact(),
            get(),
            Error(ErrorKind::InvalidData),
            Stop::Permanent,
        ),
        (exact().max_retries(0), get(), Status(503), Stop::Attempts),
        (exact(), post(), Status(503), Stop::NotIdempotent),
        (exact(), get(), long(), Stop::ServerWaitTooLong),
        (exact().within(secs(1)), get(), Status(503), Stop::Window),
    ];
    for (layer, request, answer, expected) in cases {
        let (layer, steps) = noting(layer);
        let _ = layer
            .layer(Upstream::new([answer.clone()]))
            .oneshot(request)
            .await;
        let steps = steps.lock().unwrap();
        assert_eq!(
            *steps,
            [(1, Step::Sent), (1, Step::Stop(expected))],
            "{answer:?}"
        );
    }
    let (drain, budget) = no_tokens();
    drain
        .layer(Upstream::new([Status(503)]))
        .oneshot(get())
        .await
        .unwrap();
    let (layer, steps) = noting(exact().budget(budget));
    layer
        .layer(Upstream::new([Status(503)]))
        .oneshot(get())
        .await
        .unwrap();
    assert_eq!(steps.lock().unwrap()[1], (1, Step::Stop(Stop::Budget)));
}

#[tokio::test(start_paused = true)]
async fn an_event_says_what_the_outcome_was_and_what_is_left() {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let noted = lines.clone();
    let layer = exact().on_event(move |event| {
        assert_eq!(
            (event.method().as_str(), event.host(), event.path()),
            ("GET", "upstream.test", "/item")
        );
        assert_eq!(event.port(), None);
        noted.lock().unwrap().push((
            event.class(),
            event.status().map(|status| status.as_u16()),
            event.error().map(ToString::to_string),
            event.is_timed_out(),
            (event.elapsed(), event.attempt_elapsed()),
            event.budget(),
        ));
    });
    let plan = [
        after(secs(2), Status(504)),
        Error(ErrorKind::ConnectionRefused),
        Status(200),
    ];
    layer
        .layer(Upstream::new(plan))
        .oneshot(get())
        .await
        .unwrap();
    let refused = Some("connection refused".to_owned());
    let at = |seconds, attempt| (secs(seconds), secs(attempt));
    let expected = [
        (None, None, None, false, at(0, 0), Some(10_000)),
        (
            Some(Class::Transient),
            Some(504),
            None,
            true,
            at(2, 2),
            Some(8_000),
        ),
        (None, None, None, false, at(4, 0), Some(8_000)),
        (
            Some(Class::Refused),
            None,
            refused,
            false,
            at(4, 0),
            Some(7_000),
        ),
        (None, None, None, false, at(6, 0), Some(7_000)),
        (
            Some(Class::Success),
            Some(200),
            None,
            false,
            at(6, 0),
            Some(8_500),
        ),
    ];
    assert_eq!(*lines.lock().unwrap(), expected);
}

#[tokio::test(start_paused = true)]
async fn an_event_has_the_extensions_of_its_request() {
    let numbers = Arc::new(Mutex::new(Vec::new()));
    let noted = numbers.clone();
    let layer = exact().on_event(move |event| {
        noted
            .lock()
            .unwrap()
            .push(*event.extensions().get::<u32>().unwrap());
    });
    let service = layer.layer(Upstream::new([Status(404)]));
    for number in [7_u32, 8] {
        let mut request = get();
        request.extensions_mut().insert(number);
        service.clone().oneshot(request).await.unwrap();
    }
    assert_eq!(*numbers.lock().unwrap(), [7, 7, 8, 8]);
}

#[tokio::test(start_paused = true)]
async fn an_event_shows_no_query_and_no_user_info() {
    let shown = Arc::new(Mutex::new(String::new()));
    let noted = shown.clone();
    let layer = exact().on_event(move |event| {
        noted
            .lock()
            .unwrap()
            .push_str(&format!("{event:?} {} {}\n", event.host(), event.path()));
    });
    let request = Request::get("http://user:pass@upstream.test:8080/item?token=secret");
    let request = request
        .header("authorization", "Bearer hidden")
        .body(Body::default())
        .unwrap();
    layer
        .layer(Upstream::new([Status(503), Status(404)]))
        .oneshot(request)
        .await
        .unwrap();
    let shown = shown.lock().unwrap();
    assert!(shown.contains("upstream.test"), "{shown}");
    for secret in ["user", "pass", "token", "secret", "Bearer", "hidden"] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
}
