//! What is told of each step, and what never is.

use std::io::ErrorKind;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::support::level::Level;
use crate::support::step::Step;
use http::Method;
use tower::{Layer, ServiceExt};
use tower_http_retry::classify::Class;
use tower_http_retry::event::{StopReason, WaitReason};
use tower_http_retry::{Cooldown, RetryLayer};

use crate::support::stops;
use crate::support::upstream::Answer::{Error, Headers, Never, Status};
use crate::support::upstream::{Upstream, after, get, request};

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

type Steps = Arc<Mutex<Vec<(u32, Step)>>>;

fn noting(layer: RetryLayer) -> (RetryLayer, Steps) {
    let steps = Steps::default();
    let noted = steps.clone();
    let layer = layer.on_event(move |event| {
        noted
            .lock()
            .unwrap()
            .push((event.attempt(), Step::from(event.kind())));
    });
    (layer, steps)
}

fn retry(seconds: u64, reason: WaitReason) -> Step {
    Step::Retry {
        after: secs(seconds),
        reason,
    }
}

#[tokio::test(start_paused = true)]
async fn each_step_is_told_once() {
    let asks = Headers(429, vec![("retry-after", "30".into())]);
    let plan = [Status(503), Never, asks, Status(200)];
    let (layer, steps) = noting(stops::layer().attempt_timeout(secs(10)));
    layer
        .layer(Upstream::new(plan))
        .oneshot(get())
        .await
        .unwrap();
    let expected = [
        (1, Step::Sent),
        (1, retry(1, WaitReason::Backoff)),
        (2, Step::Sent),
        (2, retry(4, WaitReason::TimedOut)),
        (3, Step::Sent),
        (3, retry(30, WaitReason::Server)),
        (4, Step::Sent),
        (4, Step::Stop(StopReason::Success)),
    ];
    assert_eq!(*steps.lock().unwrap(), expected);
}

#[tokio::test(start_paused = true)]
async fn a_second_listener_is_added_and_both_are_told_in_their_order() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let (first, second) = (told.clone(), told.clone());
    let layer = stops::layer()
        .on_event(move |event| {
            first
                .lock()
                .unwrap()
                .push(("first", Step::from(event.kind())));
        })
        .on_event(move |event| {
            second
                .lock()
                .unwrap()
                .push(("second", Step::from(event.kind())));
        });
    let service = layer.layer(Upstream::new([Status(200)]));
    service.oneshot(get()).await.unwrap();
    let success = Step::Stop(StopReason::Success);
    let steps = [Step::Sent, success];
    let expected = steps.map(|step| [("first", step), ("second", step)]);
    assert_eq!(*told.lock().unwrap(), expected.concat());
}

#[tokio::test(start_paused = true)]
async fn every_stop_is_told_once_and_says_why() {
    for stop in stops::ALL {
        let (layer, steps) = noting(stops::layer());
        let outcome = stops::send(stop, layer).await;
        let steps = steps.lock().unwrap();
        let stopped = |(_, step): &&(u32, Step)| matches!(step, Step::Stop(_));
        let stops: Vec<_> = steps.iter().filter(stopped).collect();
        assert_eq!(stops, [steps.last().unwrap()], "{stop:?}");
        assert_eq!(steps.last().unwrap().1, Step::Stop(stop));
        let is_success = outcome.is_ok_and(|response| response.status().is_success());
        assert_eq!(stop.is_failure(), !is_success, "{stop:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_first_attempt_can_be_the_last() {
    for (method, status, stop) in [
        (Method::GET, 200, StopReason::Success),
        (Method::GET, 404, StopReason::Permanent),
        (Method::POST, 503, StopReason::NotIdempotent),
    ] {
        let (layer, steps) = noting(stops::layer());
        let service = layer.layer(Upstream::new([Status(status)]));
        service.oneshot(request(method)).await.unwrap();
        let expected = [(1, Step::Sent), (1, Step::Stop(stop))];
        assert_eq!(*steps.lock().unwrap(), expected, "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_event_says_what_the_outcome_was_and_what_is_left() {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let noted = lines.clone();
    let layer = stops::layer().on_event(move |event| {
        assert_eq!(
            (event.method().as_str(), event.host(), event.path()),
            ("PUT", "upstream.test", "/item")
        );
        assert_eq!(event.port(), None);
        noted.lock().unwrap().push((
            event.class(),
            event.status().map(|status| status.as_u16()),
            event.error().map(ToString::to_string),
            event.is_timed_out(),
            (event.elapsed(), event.attempt_elapsed()),
            event.level(),
        ));
    });
    let plan = [
        after(secs(2), Status(504)),
        Error(ErrorKind::ConnectionRefused),
        Status(200),
    ];
    layer
        .layer(Upstream::new(plan))
        .oneshot(request(Method::PUT))
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
async fn an_event_says_how_long_was_waited_and_what_failed_in_a_word() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let noted = told.clone();
    let layer = stops::layer()
        .attempt_timeout(secs(10))
        .on_event(move |event| {
            let error_type = event.error_type().map(str::to_owned);
            noted.lock().unwrap().push((event.waited(), error_type));
        });
    let plan = [
        Status(503),
        Never,
        Error(ErrorKind::ConnectionRefused),
        Error(ErrorKind::ConnectionReset),
        Status(200),
    ];
    let service = layer.layer(Upstream::new(plan));
    service.oneshot(get()).await.unwrap();
    let word = |word: &str| Some(word.to_owned());
    let expected = [
        (secs(0), None),
        (secs(1), word("503")),
        (secs(1), None),
        (secs(1 + 4), word("timeout")),
        (secs(1 + 4), None),
        (secs(1 + 4 + 4), word("refused")),
        (secs(1 + 4 + 4), None),
        (secs(1 + 4 + 4 + 8), word("_OTHER")),
        (secs(1 + 4 + 4 + 8), None),
        (secs(1 + 4 + 4 + 8), None),
    ];
    assert_eq!(*told.lock().unwrap(), expected);
}

#[tokio::test(start_paused = true)]
async fn a_failure_in_a_200_has_no_status_for_its_word() {
    let words = Arc::new(Mutex::new(Vec::new()));
    let noted = words.clone();
    let layer = stops::layer()
        .max_retries(0)
        .classify_fn(|_| Class::Transient.into())
        .on_event(move |event| {
            let word = event.error_type().map(str::to_owned);
            noted.lock().unwrap().push(word);
        });
    for status in [200, 302, 400, 503] {
        let service = layer.layer(Upstream::new([Status(status)]));
        service.oneshot(get()).await.unwrap();
    }
    let words = words.lock().unwrap();
    let words: Vec<_> = words.iter().flatten().collect();
    assert_eq!(words, ["_OTHER", "_OTHER", "400", "503"]);
}

#[tokio::test(start_paused = true)]
async fn a_cooldown_that_a_success_starts_or_ends_is_no_failure() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let noted = told.clone();
    let layer = stops::layer()
        .rate_limit_headers(true)
        .cooldown(Cooldown::new())
        .on_event(move |event| {
            let error_type = event.error_type().map(str::to_owned);
            noted
                .lock()
                .unwrap()
                .push((event.kind().as_str(), error_type));
        });
    let exhausted = vec![("ratelimit", r#""default";r=0;t=3"#.to_owned())];
    let service = layer.layer(Upstream::new([Headers(200, exhausted), Status(200)]));
    for _ in 0..2 {
        service.send(get()).await.unwrap();
    }
    let told = told.lock().unwrap();
    let names: Vec<_> = told.iter().map(|(name, _)| *name).collect();
    assert!(names.contains(&"cooldown_started") && names.contains(&"cooldown_ended"));
    assert!(
        told.iter().all(|(_, error_type)| error_type.is_none()),
        "{told:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn an_event_has_the_extensions_of_its_request() {
    let numbers = Arc::new(Mutex::new(Vec::new()));
    let noted = numbers.clone();
    let layer = stops::layer().on_event(move |event| {
        noted
            .lock()
            .unwrap()
            .push(*event.request().extensions().get::<u32>().unwrap());
    });
    let service = layer.layer(Upstream::new([Status(404)]));
    for number in [7_u32, 8] {
        let mut request = get();
        request.extensions_mut().insert(number);
        service.clone().oneshot(request).await.unwrap();
    }
    assert_eq!(*numbers.lock().unwrap(), [7, 7, 8, 8]);
}
