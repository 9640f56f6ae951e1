//! A header that tells the server how much time is left.

use std::time::Duration;

use http::{HeaderName, HeaderValue, Request};
use tower::Layer;
use tower_http_retry::{
    Attempts, Backoff, Cooldown, DeadlineUnit, Jitter, RetryLayer, RetryOverride,
};

use crate::support::upstream::Answer::{Never, Status};
use crate::support::upstream::{Answer, Body, Upstream, after, full, get};

const LEFT: HeaderName = HeaderName::from_static("x-time-left");

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Waits 1 s before each retry.
fn layer(unit: DeadlineUnit) -> RetryLayer {
    RetryLayer::new()
        .backoff(Backoff::fixed(millis(1_000)).jitter(Jitter::None))
        .deadline_header(LEFT, unit)
}

fn given(value: &'static str) -> Request<Body> {
    let mut request = get();
    let value = HeaderValue::from_static(value);
    request.headers_mut().insert(LEFT, value);
    request
}

/// What each attempt was told; empty where the header is absent.
async fn told(layer: RetryLayer, plan: &[Answer], request: Request<Body>) -> Vec<String> {
    let upstream = Upstream::new(plan);
    let _ = layer.layer(upstream.clone()).send(request).await;
    let text = |value: &HeaderValue| value.to_str().unwrap().to_owned();
    let seen = upstream.seen();
    seen.iter()
        .map(|seen| {
            let mut values = seen.headers.get_all(LEFT).iter().map(text);
            let value = values.next().unwrap_or_default();
            assert_eq!(values.next(), None, "told twice");
            value
        })
        .collect()
}

fn fails_twice() -> [Answer; 3] {
    [after(millis(300), Status(503)), Status(503), Status(200)]
}

#[tokio::test(start_paused = true)]
async fn each_attempt_is_told_what_is_left_of_the_window() {
    let layer = layer(DeadlineUnit::Milliseconds).window(millis(10_000));
    let told = told(layer, &fails_twice(), get()).await;
    assert_eq!(told, ["10000", "8700", "7700"]);
}

#[tokio::test(start_paused = true)]
async fn seconds_are_rounded_down() {
    let layer = layer(DeadlineUnit::Seconds).window(millis(10_000));
    assert_eq!(told(layer, &fails_twice(), get()).await, ["10", "8", "7"]);
}

#[tokio::test(start_paused = true)]
async fn never_is_zero_told_which_some_servers_take_for_no_limit() {
    let layer = layer(DeadlineUnit::Seconds).window(millis(2_500));
    assert_eq!(told(layer, &fails_twice(), get()).await, ["2", "1", "1"]);
    let layer = self::layer(DeadlineUnit::Milliseconds).attempt_timeout(Duration::from_nanos(1));
    assert_eq!(told(layer.max_retries(0), &[Never], get()).await, ["1"]);
}

#[tokio::test(start_paused = true)]
async fn the_time_out_of_the_attempt_is_told_where_it_is_less() {
    let layer = layer(DeadlineUnit::Milliseconds)
        .window(millis(3_000))
        .attempt_timeout(millis(2_000));
    let told = told(layer, &fails_twice(), get()).await;
    assert_eq!(told, ["2000", "1700", "700"]);
}

#[tokio::test(start_paused = true)]
async fn without_a_limit_nothing_is_told() {
    for layer in [
        layer(DeadlineUnit::Milliseconds).window(Duration::MAX),
        layer(DeadlineUnit::Milliseconds)
            .window(Duration::MAX)
            .attempt_timeout(Duration::MAX),
    ] {
        assert_eq!(told(layer, &fails_twice(), get()).await, ["", "", ""]);
    }
    let timed = layer(DeadlineUnit::Milliseconds)
        .window(Duration::MAX)
        .attempt_timeout(millis(2_000));
    assert_eq!(told(timed, &fails_twice(), get()).await, ["2000"; 3]);
}

#[tokio::test(start_paused = true)]
async fn a_request_says_otherwise_by_its_override() {
    let mut request = get();
    let own = RetryOverride::new().window(millis(5_000));
    request.extensions_mut().insert(own);
    let layer = layer(DeadlineUnit::Milliseconds);
    assert_eq!(
        told(layer, &fails_twice(), request).await,
        ["5000", "3700", "2700"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_request_that_brings_a_deadline_is_told_what_is_left_of_that() {
    let layer = layer(DeadlineUnit::Milliseconds);
    let told = told(layer, &fails_twice(), given("4000")).await;
    assert_eq!(told, ["4000", "2700", "1700"]);
}

#[tokio::test(start_paused = true)]
async fn its_own_deadline_makes_no_window_longer() {
    let layer = layer(DeadlineUnit::Seconds).window(millis(5_000));
    let told = told(layer, &fails_twice(), given("60")).await;
    assert_eq!(told, ["5", "3", "2"]);
}

#[tokio::test(start_paused = true)]
async fn no_retry_starts_after_the_deadline_that_a_request_brings() {
    let upstream = Upstream::new([Status(503)]);
    let layer = layer(DeadlineUnit::Milliseconds).mark_responses();
    let service = layer.layer(upstream.clone());
    let response = service.send(given("1900")).await.unwrap();
    let attempts = response.extensions().get::<Attempts>().unwrap();
    assert_eq!((response.status().as_u16(), attempts.count), (503, 2));
    assert_eq!(upstream.millis(), [0, 1_000]);
}

#[tokio::test(start_paused = true)]
async fn a_deadline_that_is_no_whole_number_above_zero_is_replaced() {
    for value in ["0", "", "-1", "1.5", "1s", "soon"] {
        let layer = layer(DeadlineUnit::Milliseconds).window(millis(10_000));
        let told = told(layer, &[Status(200)], given(value)).await;
        assert_eq!(told, ["10000"], "{value}");
    }
}

#[tokio::test(start_paused = true)]
async fn of_several_deadlines_the_least_is_used() {
    for values in [["9000", "3000"], ["soon", "3000"], ["3000", "9000"]] {
        let mut request = get();
        for value in values {
            let value = HeaderValue::from_static(value);
            request.headers_mut().append(LEFT, value);
        }
        let layer = layer(DeadlineUnit::Milliseconds);
        let told = told(layer, &fails_twice(), request).await;
        assert_eq!(told, ["3000", "1700", "700"], "{values:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_deadline_beyond_all_measure_is_no_limit() {
    let layer = layer(DeadlineUnit::Milliseconds).window(Duration::MAX);
    let told = told(layer, &[Status(200)], given("99999999999999999999999")).await;
    assert_eq!(told, ["18446744073709551615"]);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_held_first_is_told_what_is_left_when_it_is_sent() {
    let (cooldown, upstream) = (Cooldown::new(), Upstream::new(fails_twice()));
    let layer = layer(DeadlineUnit::Milliseconds).window(millis(10_000));
    let service = layer.cooldown(cooldown.clone()).layer(upstream.clone());
    cooldown.hold(get().uri(), millis(2_000));
    service.send(get()).await.unwrap();
    let told = |number: usize| upstream.seen()[number].headers[LEFT].clone();
    assert_eq!(
        (told(0), told(1)),
        ("8000".parse().unwrap(), "6700".parse().unwrap())
    );
}

#[tokio::test(start_paused = true)]
async fn a_request_whose_headers_have_no_room_is_sent_without_it() {
    let mut request = get();
    *request.headers_mut() = full();
    let layer = layer(DeadlineUnit::Milliseconds);
    assert_eq!(told(layer, &fails_twice(), request).await, ["", "", ""]);
}
