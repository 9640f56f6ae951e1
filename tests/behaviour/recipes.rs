//! What the recipes of the guide rest on.

use std::io::ErrorKind::ConnectionReset;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use http::{Method, Request, StatusCode};
use tower::{Layer, ServiceBuilder, ServiceExt};
use tower_http_retry::classify::{Class, Outcome, Verdict};
use tower_http_retry::{Backoff, Jitter, RetryLayer};

use crate::support::upstream::Answer::{Error, Status};
use crate::support::upstream::{Answer, Body, Upstream, get, post, request};

fn exact() -> RetryLayer {
    let backoff = Backoff::exponential(Duration::from_secs(1)).jitter(Jitter::None);
    RetryLayer::new().backoff(backoff)
}

#[tokio::test(start_paused = true)]
async fn a_classifier_is_asked_once_for_each_outcome() {
    let cases: [(Method, &[Answer]); 4] = [
        (Method::GET, &[Status(200)]),
        (
            Method::GET,
            &[Status(503), Error(ConnectionReset), Status(404)],
        ),
        (Method::GET, &[Status(503), Status(503), Status(503)]),
        (Method::POST, &[Status(429), Status(503)]),
    ];
    for (method, plan) in cases {
        let asked = Arc::new(AtomicU32::new(0));
        let counter = asked.clone();
        let layer = exact().max_retries(2).classify_fn(move |outcome| {
            counter.fetch_add(1, Ordering::Relaxed);
            outcome.by_status()
        });
        let upstream = Upstream::new(plan);
        let service = layer.layer(upstream.clone());
        service.oneshot(request(method)).await.unwrap();
        assert_eq!(upstream.count(), plan.len());
        assert_eq!(asked.load(Ordering::Relaxed) as usize, plan.len());
    }
}

/// Whether there was a 401: as in the guide.
#[derive(Clone, Default)]
struct Renewed(Arc<AtomicBool>);

fn once_more_on_401(outcome: &Outcome<'_>) -> Verdict {
    let is_first = || {
        let renewed = outcome.extensions().get::<Renewed>();
        renewed.is_some_and(|renewed| !renewed.0.swap(true, Ordering::Relaxed))
    };
    match outcome.status() {
        Some(StatusCode::UNAUTHORIZED) if is_first() => Class::Refused.at_once(),
        _ => outcome.by_status(),
    }
}

/// The last status, and when each attempt was sent, in seconds.
async fn renewed(request: Request<Body>, plan: &[u16]) -> (u16, Vec<u64>) {
    let plan: Vec<_> = plan.iter().copied().map(Status).collect();
    let upstream = Upstream::new(plan);
    let client = ServiceBuilder::new()
        .map_request(|mut request: Request<Body>| {
            request.extensions_mut().insert(Renewed::default());
            request
        })
        .layer(exact().classify_fn(once_more_on_401))
        .service(upstream.clone());
    let response = client.oneshot(request).await.unwrap();
    (response.status().as_u16(), upstream.seconds())
}

#[tokio::test(start_paused = true)]
async fn a_request_is_sent_once_more_after_a_401_whatever_failed_before() {
    assert_eq!(renewed(get(), &[401, 200]).await, (200, vec![0, 0]));
    assert_eq!(renewed(get(), &[401, 401]).await, (401, vec![0, 0]));
    assert_eq!(renewed(get(), &[503, 401, 200]).await, (200, vec![0, 1, 1]));
    let twice = renewed(get(), &[401, 503, 401]).await;
    assert_eq!(twice, (401, vec![0, 0, 1]));
}

#[tokio::test(start_paused = true)]
async fn a_post_is_sent_once_more_after_a_401_and_not_after_what_follows_it() {
    assert_eq!(renewed(post(), &[401, 200]).await, (200, vec![0, 0]));
    assert_eq!(renewed(post(), &[401, 503]).await, (503, vec![0, 0]));
    assert_eq!(renewed(post(), &[503]).await, (503, vec![0]));
}
