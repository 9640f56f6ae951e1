//! Hedges whose steps are all deterministic.

// Not all of it is used without feature `metrics`.
#![allow(dead_code)]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{Request, Response};
use tokio::time::Instant;
use tower::{Layer, Service, ServiceExt};
use tower_http_retry::hedge::{DropLosers, HedgeEventKind, HedgeFuture};
use tower_http_retry::{BoxError, ByStatus, HedgeLayer};

use super::upstream::Answer::Status;
use super::upstream::{Body, Upstream, after, get};

pub const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Returns a layer that hedges after 100 ms, always if the budget covers it.
pub fn exact() -> HedgeLayer {
    HedgeLayer::new()
        .after(millis(100))
        .control(0.0)
        .mark_responses()
}

/// Records the events of a layer.
pub fn noting(layer: HedgeLayer) -> (HedgeLayer, Arc<Mutex<Vec<HedgeEventKind>>>) {
    let told = Arc::new(Mutex::new(Vec::new()));
    let notes = told.clone();
    let layer = layer.on_event(move |event| notes.lock().unwrap().push(event.kind()));
    (layer, told)
}

/// The outcome of a request, and how many milliseconds it took.
pub type Ended = (Result<Response<Body>, BoxError>, u128);

pub async fn send(layer: &HedgeLayer, upstream: &Upstream, request: Request<Body>) -> Ended {
    let start = Instant::now();
    let outcome = layer.layer(upstream.clone()).oneshot(request).await;
    (outcome, start.elapsed().as_millis())
}

/// Sends a request, and returns its future for the test to poll.
pub async fn call(
    layer: &HedgeLayer,
    upstream: &Upstream,
    request: Request<Body>,
) -> HedgeFuture<Upstream, ByStatus, Body, DropLosers> {
    let mut service = layer.layer(upstream.clone());
    std::future::poll_fn(|cx| Service::<Request<Body>>::poll_ready(&mut service, cx))
        .await
        .unwrap();
    service.call(request)
}

/// Sends so many requests with due hedges that the layer knows how much a hedge saves, which is 90 ms.
pub async fn compare_hedges() {
    let layer = exact().extra_load(1.0).control(0.5).control_seed(1);
    for _ in 0..300 {
        let slow = [
            after(millis(300), Status(200)),
            after(millis(10), Status(200)),
        ];
        send(&layer, &Upstream::new(slow), get()).await.0.unwrap();
        // This request earns the next hedge.
        send(&layer, &Upstream::new([Status(200)]), get())
            .await
            .0
            .unwrap();
    }
}
