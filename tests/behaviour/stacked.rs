//! A retry above a retry. An error has no place for a mark of what came before it.

use std::io::ErrorKind::ConnectionRefused;

use http::{Method, Request, StatusCode};
use tower::{ServiceBuilder, ServiceExt};
use tower_http_retry::classify::{Class, Classify, Outcome, Verdict};
use tower_http_retry::{ByStatus, Idempotency, ReplayBody, RetryLayer, RetryOverride};

use crate::support::upstream::Answer::{Error, Status};
use crate::support::upstream::{Answer, Body, Upstream, request};

/// What the server may have acted on, and then refusals.
const PLAN: [Answer; 2] = [Status(503), Error(ConnectionRefused)];

/// For a layer above another: an error may hide that an earlier attempt was acted on.
fn takes_no_error_for_refused(outcome: &Outcome<'_>) -> Verdict {
    let verdict = ByStatus::new().classify(outcome);
    match (verdict.class(), outcome.result()) {
        (Class::Refused, Err(_)) => Class::Transient.into(),
        _ => verdict,
    }
}

/// How often a request is sent through this layer over one that repeats anything once.
async fn sent<C: Classify>(outer: RetryLayer<C>, request: Request<Body>) -> usize {
    let upstream = Upstream::new(PLAN);
    let inner = RetryLayer::new()
        .idempotency(Idempotency::any())
        .max_retries(1);
    let stack = ServiceBuilder::new()
        .layer(outer.max_retries(1))
        .layer(inner)
        .map_request(|request: Request<ReplayBody<ReplayBody<Body>>>| {
            request.map(|_| ReplayBody::<Body>::default())
        })
        .service(upstream.clone());
    // The last outcome, whatever it is: it is the number that counts.
    let _ = stack.oneshot(request).await;
    upstream.count()
}

#[tokio::test(start_paused = true)]
async fn the_default_layer_repeats_a_post_whose_last_attempt_alone_was_refused() {
    assert_eq!(sent(RetryLayer::new(), request(Method::POST)).await, 4);
}

/// Each attempt of the upper layer tells anew whether the lower one's may have been acted on.
#[tokio::test(start_paused = true)]
async fn a_post_that_was_repeatable_once_is_not_repeated_after_what_the_layer_below_did() {
    // Of a 502 the upper layer knows that the POST may be repeated; the lower one hands it up.
    let upstream = Upstream::new([502, 503, 429, 200].map(Status));
    let outer = RetryLayer::new().classify_fn(|outcome| match outcome.status() {
        Some(StatusCode::BAD_GATEWAY) => Class::Transient.repeatable(),
        _ => ByStatus::new().classify(outcome),
    });
    let inner = RetryLayer::new()
        .classify(ByStatus::new().except(StatusCode::BAD_GATEWAY))
        .idempotency(Idempotency::any())
        .max_retries(1);
    let stack = ServiceBuilder::new()
        .layer(outer)
        .layer(inner)
        .map_request(|request: Request<ReplayBody<ReplayBody<Body>>>| {
            request.map(|_| ReplayBody::<Body>::default())
        })
        .service(upstream.clone());
    let response = stack.oneshot(request(Method::POST)).await.unwrap();
    assert_eq!((response.status().as_u16(), upstream.count()), (429, 3));
}

#[tokio::test(start_paused = true)]
async fn a_layer_that_takes_no_error_for_refused_repeats_no_post_that_may_have_been_acted_on() {
    let outer = || RetryLayer::new().classify_fn(takes_no_error_for_refused);
    assert_eq!(sent(outer(), request(Method::POST)).await, 2);
    assert_eq!(sent(outer(), request(Method::GET)).await, 4);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_to_be_sent_once_is_sent_once_through_both() {
    let mut once = request(Method::POST);
    once.extensions_mut().insert(RetryOverride::once());
    assert_eq!(sent(RetryLayer::new(), once).await, 1);
}
