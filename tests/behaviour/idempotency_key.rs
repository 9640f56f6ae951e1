//! Idempotency keys that the layer makes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, Method, Request};
use tower::{Layer, ServiceExt};
use tower_http_retry::{Backoff, Idempotency, Jitter, RetryLayer, RetryOverride};

use crate::support::upstream::Answer::Status;
use crate::support::upstream::{Body, Upstream, full};

const KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Its keys are `key-1`, `key-2`, ..
fn layer() -> RetryLayer {
    let made = AtomicU32::new(0);
    RetryLayer::new()
        .backoff(Backoff::fixed(Duration::from_secs(1)).jitter(Jitter::None))
        .idempotency_key(move || {
            let number = made.fetch_add(1, Ordering::Relaxed) + 1;
            HeaderValue::try_from(format!("key-{number}")).unwrap()
        })
}

fn request(method: Method) -> Request<Body> {
    let request = Request::builder().method(method);
    let request = request.uri("http://upstream.test/");
    request.body(Body::from("an order")).unwrap()
}

fn with(mut request: Request<Body>, name: HeaderName, value: &'static str) -> Request<Body> {
    let value = HeaderValue::from_static(value);
    request.headers_mut().insert(name, value);
    request
}

/// The values of a header on each attempt, after which the answer is 503.
async fn sent(layer: &RetryLayer, name: &HeaderName, request: Request<Body>) -> Vec<Vec<String>> {
    let upstream = Upstream::new([Status(503), Status(503), Status(200)]);
    let _ = layer.layer(upstream.clone()).send(request).await.unwrap();
    let text = |value: &HeaderValue| value.to_str().unwrap().to_owned();
    let values = |headers: &HeaderMap| headers.get_all(name).iter().map(text).collect();
    let seen = upstream.seen();
    seen.iter().map(|seen| values(&seen.headers)).collect()
}

#[tokio::test(start_paused = true)]
async fn a_post_and_a_patch_get_a_key_each_that_is_the_same_on_all_attempts() {
    let layer = layer();
    for (method, key) in [(Method::POST, "key-1"), (Method::PATCH, "key-2")] {
        let sent = sent(&layer, &KEY, request(method)).await;
        assert_eq!(sent, [[key], [key], [key]]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_clone_of_the_layer_makes_keys_by_the_same_function() {
    let layer = layer();
    let first = sent(&layer, &KEY, request(Method::POST)).await;
    let second = sent(&layer.clone(), &KEY, request(Method::POST)).await;
    assert_eq!((&*first[0][0], &*second[0][0]), ("key-1", "key-2"));
}

#[tokio::test(start_paused = true)]
async fn other_methods_get_none() {
    let layer = layer();
    for method in [
        Method::GET,
        Method::HEAD,
        Method::OPTIONS,
        Method::TRACE,
        Method::PUT,
        Method::DELETE,
    ] {
        let sent = sent(&layer, &KEY, request(method.clone())).await;
        assert_eq!(sent, [const { Vec::<String>::new() }; 3], "{method}");
    }
    let sent = sent(&layer, &KEY, request(Method::CONNECT)).await;
    assert_eq!(sent, [Vec::<String>::new()]);
}

#[tokio::test(start_paused = true)]
async fn a_request_keeps_the_key_that_it_has() {
    let layer = layer();
    let own = with(request(Method::POST), KEY, "own");
    assert_eq!(sent(&layer, &KEY, own).await, [["own"], ["own"], ["own"]]);
    let other = HeaderName::from_static("x-idempotency-key");
    let own = with(request(Method::POST), other.clone(), "own");
    assert_eq!(
        sent(&layer, &KEY, own).await,
        [const { Vec::<String>::new() }; 3]
    );
    // None was made for them.
    let next = sent(&layer, &KEY, request(Method::POST)).await;
    assert_eq!(next[0], ["key-1"]);
}

#[tokio::test(start_paused = true)]
async fn an_empty_key_is_replaced() {
    let empty = with(request(Method::POST), KEY, " ");
    assert_eq!(sent(&layer(), &KEY, empty).await, [["key-1"]; 3]);
}

#[tokio::test(start_paused = true)]
async fn a_key_after_an_empty_one_is_kept() {
    let mut request = with(request(Method::POST), KEY, "");
    let own = HeaderValue::from_static("own");
    request.headers_mut().append(KEY, own);
    assert_eq!(sent(&layer(), &KEY, request).await, [["", "own"]]);
}

#[tokio::test(start_paused = true)]
async fn it_goes_into_the_first_header_that_is_taken_for_a_key() {
    let name = HeaderName::from_static("client-request-id");
    let idempotency = Idempotency::new().without_keys().key(name.clone());
    let layer = layer().idempotency(idempotency);
    assert_eq!(
        sent(&layer, &name, request(Method::POST)).await,
        [["key-1"]; 3]
    );
    assert_eq!(
        sent(&layer, &KEY, request(Method::POST)).await,
        [const { Vec::<String>::new() }; 3]
    );
}

#[tokio::test(start_paused = true)]
async fn where_no_header_is_taken_for_a_key_none_is_added_and_nothing_is_repeated() {
    let layer = layer().idempotency(Idempotency::new().without_keys());
    assert_eq!(
        sent(&layer, &KEY, request(Method::POST)).await,
        [Vec::<String>::new()]
    );
}

#[tokio::test(start_paused = true)]
async fn a_key_that_the_function_leaves_empty_does_not_make_a_request_repeatable() {
    let layer = layer().idempotency_key(|| HeaderValue::from_static(""));
    assert_eq!(sent(&layer, &KEY, request(Method::POST)).await, [[""]]);
}

#[tokio::test(start_paused = true)]
async fn the_word_of_the_request_itself_goes_before_the_key() {
    let mut once = request(Method::POST);
    let not_repeatable = RetryOverride::new().repeatable(false);
    once.extensions_mut().insert(not_repeatable);
    assert_eq!(sent(&layer(), &KEY, once).await, [["key-1"]]);
    let upgrade = with(request(Method::POST), http::header::UPGRADE, "websocket");
    assert_eq!(sent(&layer(), &KEY, upgrade).await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_request_whose_headers_have_no_room_goes_without_a_key_and_once() {
    let mut request = request(Method::POST);
    *request.headers_mut() = full();
    assert_eq!(sent(&layer(), &KEY, request).await, [Vec::<String>::new()]);
}

#[tokio::test(start_paused = true)]
async fn a_409_to_a_retry_with_a_key_that_the_layer_made_is_waited_for() {
    let upstream = Upstream::new([Status(503), Status(409), Status(201)]);
    let service = layer().layer(upstream.clone());
    let response = service.send(request(Method::POST)).await.unwrap();
    assert_eq!(response.status(), 201);
    assert_eq!(upstream.seconds(), [0, 1, 2]);
}

#[tokio::test(start_paused = true)]
async fn two_stacked_layers_make_one_key() {
    let upstream = Upstream::new([Status(503), Status(200)]);
    let made = Arc::new(AtomicU32::new(0));
    let counted = made.clone();
    let below = layer().idempotency_key(move || {
        counted.fetch_add(1, Ordering::Relaxed);
        HeaderValue::from_static("below")
    });
    let service = layer().layer(below.layer(upstream.clone()));
    let response = service.oneshot(request(Method::POST)).await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(upstream.seen()[1].headers[KEY], "key-1");
    assert_eq!(made.load(Ordering::Relaxed), 0);
}
