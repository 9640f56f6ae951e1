//! Requests through [`CommitLayer`].

// Each test binary uses only a part of this.
#![allow(dead_code)]

use std::io::ErrorKind;
use std::time::Duration;

use http::{Request, Response};
use tower::{Layer, ServiceExt};
use tower_http_retry::commit::{BrokenAnswer, CommittedBody};
use tower_http_retry::{Backoff, CommitLayer, Jitter, RetryLayer};

use super::body::trailers;
use super::content::Part::{Fail, Trailers};
use super::content::{Content, Origin, Part, data, ok};
use super::upstream::{Body, get};

pub const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Returns a layer that waits exactly 1, 2, 4, 8 seconds.
pub fn retry() -> RetryLayer {
    let backoff = Backoff::exponential(secs(1)).jitter(Jitter::None);
    RetryLayer::new().backoff(backoff).without_budget()
}

/// Returns trailers; [`sum_text`] is how [`frames`](super::content::frames) prints them.
pub fn sum() -> Part {
    Trailers(trailers([("x-sum", "7")]))
}

pub fn sum_text() -> String {
    format!("{:?}", trailers([("x-sum", "7")]))
}

/// Returns a layer for each commit point.
pub fn both() -> [CommitLayer; 2] {
    [CommitLayer::first_bytes(), CommitLayer::whole(1024)]
}

/// Sends a request through the layer, without a retry.
pub async fn committed(
    layer: CommitLayer,
    answer: Response<Content>,
) -> Response<CommittedBody<Content>> {
    let service = layer.layer(Origin::new([answer]));
    service.oneshot(get()).await.unwrap()
}

/// Returns the error of the layer for this response, without a retry.
pub async fn broken(layer: CommitLayer, answer: Response<Content>) -> BrokenAnswer {
    let service = layer.layer(Origin::new([answer]));
    let Err(error) = service.oneshot(get()).await else {
        panic!("the answer is no broken one");
    };
    *error.downcast().unwrap()
}

pub fn fails(kind: ErrorKind) -> Response<Content> {
    ok([data("half"), Fail(kind)])
}

/// Returns when each attempt is sent if this is the first response and all others are complete.
pub async fn sent(retry: RetryLayer, request: Request<Body>, first: Response<Content>) -> Vec<u64> {
    let well = || ok([data("one")]);
    let origin = Origin::new([first, well(), well()]);
    let service = retry.layer(CommitLayer::whole(1024).layer(origin.clone()));
    let _ = service.oneshot(request).await;
    origin.seconds()
}
