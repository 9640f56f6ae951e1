//! Rate-limit headers, and the back-off after a response that turns a request away.

use std::io::ErrorKind;
use std::time::Duration;

use http::Request;
use tower::{Layer, ServiceExt};
use tower_http_retry::classify::{ByStatus, Class, Classify};
use tower_http_retry::event::StopReason;
use tower_http_retry::{AttemptsHandle, Backoff, Jitter, RetryAfter, RetryLayer, RetryOverride};

use crate::support::upstream::Answer::{Error, Headers, Status};
use crate::support::upstream::{Answer, Body, Upstream, get};

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn exact(seconds: u64) -> Backoff {
    Backoff::exponential(secs(seconds)).jitter(Jitter::None)
}

fn layer() -> RetryLayer {
    let layer = RetryLayer::new().backoff(exact(1)).without_budget();
    layer.rate_limit_headers(true)
}

fn with_headers(status: u16, headers: &[(&'static str, &str)]) -> Answer {
    let owned = headers
        .iter()
        .map(|(name, value)| (*name, (*value).to_owned()));
    Headers(status, owned.collect())
}

/// Nothing remains for so many seconds.
fn exhausted(status: u16, seconds: &str) -> Answer {
    let headers = [
        ("x-ratelimit-remaining", "0"),
        ("x-ratelimit-reset", seconds),
    ];
    with_headers(status, &headers)
}

/// When each attempt came, in milliseconds.
async fn attempts<C: Classify>(layer: RetryLayer<C>, answers: impl Into<Vec<Answer>>) -> Vec<u128> {
    let upstream = Upstream::new(answers);
    layer.layer(upstream.clone()).oneshot(get()).await.unwrap();
    upstream.millis()
}

#[tokio::test(start_paused = true)]
async fn rate_limit_headers_are_not_read_unless_asked_for() {
    let answers = || [exhausted(429, "7"), Status(200)];
    let unset = RetryLayer::new().backoff(exact(1));
    assert_eq!(attempts(unset, answers()).await, [0, 1_000]);
    assert_eq!(attempts(layer(), answers()).await, [0, 7_000]);
    let off = layer().rate_limit_headers(false);
    assert_eq!(attempts(off, answers()).await, [0, 1_000]);
}

#[tokio::test(start_paused = true)]
async fn the_wait_is_used_as_that_of_retry_after_is() {
    let answers = |seconds| [exhausted(503, seconds), Status(503), Status(200)];
    // A floor; then the back-off goes on. Exactly; then it starts again. Not at all.
    for (setting, seconds, expected) in [
        (RetryAfter::Minimum, "7", [0, 7_000, 9_000]),
        (RetryAfter::Minimum, "0.5", [0, 1_000, 3_000]),
        (RetryAfter::Exact, "7", [0, 7_000, 8_000]),
        (RetryAfter::Exact, "0.5", [0, 500, 1_500]),
        (RetryAfter::Ignore, "7", [0, 1_000, 3_000]),
    ] {
        let layer = layer().retry_after(setting);
        assert_eq!(
            attempts(layer, answers(seconds)).await,
            expected,
            "{setting:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_reset_beyond_the_longest_wait_ends_the_request_with_its_response() {
    let upstream = Upstream::new([exhausted(429, "301")]);
    let handle = AttemptsHandle::new();
    let mut request = get();
    request.extensions_mut().insert(handle.clone());
    let response = layer()
        .layer(upstream.clone())
        .oneshot(request)
        .await
        .unwrap();
    assert_eq!(response.headers()["x-ratelimit-reset"], "301");
    assert_eq!(upstream.millis(), [0]);
    assert_eq!(handle.get().stopped, Some(StopReason::RetryAfterTooLong));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_slept_for_decades_even_without_limits() {
    let unlimited = || {
        RetryLayer::unlimited()
            .backoff(exact(1))
            .rate_limit_headers(true)
    };
    for reset in ["999999999", "99999999999", "1700000000000000", "1e9"] {
        let headers = [
            ("date", "Tue, 14 Nov 2023 22:13:20 GMT"),
            ("ratelimit-remaining", "0"),
            ("ratelimit-reset", reset),
        ];
        let answers = [with_headers(429, &headers), Status(200)];
        assert_eq!(attempts(unlimited(), answers).await, [0, 1_000], "{reset}");
    }
}

#[tokio::test(start_paused = true)]
async fn where_retry_after_is_there_in_any_form_rate_limit_headers_are_not_read() {
    for (name, value, expected) in [
        ("retry-after", "3", 3_000),
        ("retry-after", "soon", 1_000),
        ("retry-after", "0", 1_000),
        ("retry-after-ms", "", 1_000),
        ("x-ms-retry-after-ms", "x", 1_000),
        ("x-retry-in", "3", 7_000),
    ] {
        let headers = [("ratelimit", r#""a";r=0;t=7"#), (name, value)];
        let answers = [with_headers(429, &headers), Status(200)];
        assert_eq!(
            attempts(layer(), answers).await,
            [0, expected],
            "{name}: {value}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_classifiers_word_goes_before_rate_limit_headers() {
    let answers = || [exhausted(429, "7"), Status(200)];
    let default = layer().classify(ByStatus::new());
    assert_eq!(attempts(default, answers()).await, [0, 7_000]);
    let silent = layer().classify_fn(|outcome| outcome.by_status().ignore_retry_after());
    assert_eq!(attempts(silent, answers()).await, [0, 1_000]);
    let own = layer().classify_fn(|outcome| match outcome.status() {
        Some(status) if status == 429 => Class::Refused.retry_after(secs(9)),
        _ => outcome.by_status(),
    });
    assert_eq!(attempts(own, answers()).await, [0, 9_000]);
}

#[tokio::test(start_paused = true)]
async fn rate_limit_headers_make_nothing_retryable() {
    for status in [200, 403, 404] {
        let upstream = Upstream::new([exhausted(status, "7"), Status(201)]);
        let response = layer()
            .layer(upstream.clone())
            .oneshot(get())
            .await
            .unwrap();
        assert_eq!(response.status(), status);
        assert_eq!(upstream.millis(), [0]);
    }
}

#[tokio::test(start_paused = true)]
async fn after_429_and_503_the_waits_are_those_of_backoff_after_refusal() {
    let layer = || layer().backoff(exact(10)).backoff_after_refusal(exact(1));
    for (answer, expected) in [
        (Status(429), 1_000),
        (Status(503), 1_000),
        (Status(500), 10_000),
        (Status(502), 10_000),
        (Error(ErrorKind::ConnectionRefused), 10_000),
        (Error(ErrorKind::ConnectionReset), 10_000),
    ] {
        let name = format!("{answer:?}");
        assert_eq!(
            attempts(layer(), [answer, Status(200)]).await,
            [0, expected],
            "{name}"
        );
    }
    // One series of steps.
    let answers = [Status(503), Status(500), Status(429), Status(200)];
    assert_eq!(attempts(layer(), answers).await, [0, 1_000, 21_000, 25_000]);
    // Unset, they are those of the other.
    let unset = RetryLayer::new().backoff(exact(10));
    assert_eq!(
        attempts(unset, [Status(503), Status(200)]).await,
        [0, 10_000]
    );
}

#[tokio::test(start_paused = true)]
async fn what_the_server_asks_for_or_the_request_says_goes_before_backoff_after_refusal() {
    let layer = || layer().backoff(exact(10)).backoff_after_refusal(exact(100));
    // A floor under the back-off's own step.
    for (seconds, expected) in [("7", 10_000), ("12", 12_000)] {
        let answers = [with_headers(503, &[("retry-after", seconds)]), Status(200)];
        assert_eq!(attempts(layer(), answers).await, [0, expected]);
    }
    let upstream = Upstream::new([Status(503), Status(200)]);
    let own = RetryOverride::new().backoff(exact(2));
    let request = Request::get("http://a.example/").extension(own);
    let request = request.body(Body::default()).unwrap();
    layer()
        .layer(upstream.clone())
        .oneshot(request)
        .await
        .unwrap();
    assert_eq!(upstream.millis(), [0, 2_000]);
}

#[tokio::test(start_paused = true)]
async fn backoff_after_refusal_has_its_own_jitter() {
    let mut waits = std::collections::BTreeSet::new();
    for seed in 0..20 {
        let after_refusal = Backoff::exponential(secs(100)).jitter(Jitter::Full);
        let layer = layer()
            .backoff_after_refusal(after_refusal)
            .jitter_seed(seed);
        let at = attempts(layer.clone(), [Status(503), Status(200)]).await;
        assert!(at[1] <= 100_001);
        waits.insert(at[1]);
        assert_eq!(
            attempts(layer, [Status(500), Status(200)]).await,
            [0, 1_000]
        );
    }
    assert!(waits.len() > 10, "{waits:?}");
}
