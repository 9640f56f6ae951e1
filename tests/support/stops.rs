//! A request for each reason to stop, after a retry if that is possible.

// Each test binary uses only a part of this.
#![allow(dead_code)]

use http::HeaderName;
use std::future::{Ready, ready};
use std::io;
use std::task::{Context, Poll};
use std::time::Duration;

use super::body::{Source, data, read};
use bytes::Bytes;
use http::header::{AUTHORIZATION, RETRY_AFTER, SET_COOKIE};
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use tower::{Layer, Service, ServiceExt};
use tower_http_retry::event::StopReason;
use tower_http_retry::{
    Backoff, BoxError, Budget, ByStatus, Jitter, ReplayBody, RetryLayer, Switch,
};

pub const ALL: [StopReason; 11] = [
    StopReason::Success,
    StopReason::Permanent,
    StopReason::Attempts,
    StopReason::NotReplayable,
    StopReason::NotIdempotent,
    StopReason::ServerSaidNo,
    StopReason::RetryAfterTooLong,
    StopReason::Window,
    StopReason::Budget,
    StopReason::SwitchedOff,
    StopReason::NotReady,
];

/// Returns a layer that waits 1 s, 2 s, 4 s, ..
pub fn layer() -> RetryLayer {
    let backoff = Backoff::exponential(Duration::from_secs(1)).jitter(Jitter::None);
    RetryLayer::new().backoff(backoff)
}

/// Sends a request that stops for this reason. Every part that may contain credentials contains a secret.
pub async fn send(stop: StopReason, layer: RetryLayer) -> Result<Response<Full<Bytes>>, BoxError> {
    let layer = layer
        .classify(ByStatus::new().should_retry_header(HeaderName::from_static("x-should-retry")));
    let layer = match stop {
        StopReason::Attempts => layer.max_retries(1),
        StopReason::NotReplayable => layer.max_replay_bytes(4),
        StopReason::Window => layer.window(Duration::from_secs(2)),
        // The first failure leaves three of four tokens. The second one leaves half, which stops retries.
        StopReason::Budget => layer.budget(Budget::throttle(4, 0.0)),
        _ => layer,
    };
    let server = Server::of(stop);
    let layer = layer.switch(server.switch.clone());
    let method = match stop {
        StopReason::NotIdempotent => Method::POST,
        _ => Method::PUT,
    };
    layer.layer(server).oneshot(request(method)).await
}

fn request(method: Method) -> Request<Source> {
    let request = Request::builder()
        .method(method)
        .uri("http://user-secret:secret@upstream.test:8080/item?token=secret")
        .header(AUTHORIZATION, "Bearer secret")
        .header("x-secret", "secret");
    let body = Source::streamed([data("secret")]);
    request.body(body).unwrap()
}

/// A service that fails once, and then responds so that the request stops for this reason.
#[derive(Clone)]
struct Server {
    stop: StopReason,
    calls: usize,
    switch: Switch,
}

impl Server {
    fn of(stop: StopReason) -> Self {
        Self {
            stop,
            calls: 0,
            switch: Switch::new(),
        }
    }

    fn answer(&self) -> io::Result<Response<Full<Bytes>>> {
        let status = match (self.calls, self.stop) {
            (1, StopReason::NotIdempotent) => StatusCode::TOO_MANY_REQUESTS,
            (2, StopReason::Success) => StatusCode::OK,
            (2, StopReason::Permanent) => StatusCode::NOT_FOUND,
            (2, StopReason::Attempts) => {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "secret"));
            }
            _ => StatusCode::SERVICE_UNAVAILABLE,
        };
        let response = Response::builder()
            .status(status)
            .header(SET_COOKIE, "secret");
        let response = match (self.calls, self.stop) {
            (2, StopReason::ServerSaidNo) => response.header("x-should-retry", "false"),
            (2, StopReason::RetryAfterTooLong) => response.header(RETRY_AFTER, "999"),
            _ => response,
        };
        Ok(response.body(Full::from("secret")).unwrap())
    }
}

impl Service<Request<ReplayBody<Source>>> for Server {
    type Response = Response<Full<Bytes>>;
    type Error = io::Error;
    type Future = Ready<io::Result<Self::Response>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        match (self.calls, self.stop) {
            (1, StopReason::NotReady) => Poll::Ready(Err(io::Error::other("secret"))),
            _ => Poll::Ready(Ok(())),
        }
    }

    fn call(&mut self, request: Request<ReplayBody<Source>>) -> Self::Future {
        self.calls += 1;
        if (self.calls, self.stop) == (2, StopReason::SwitchedOff) {
            self.switch.turn_off();
        }
        read(&mut request.into_body()).unwrap();
        ready(self.answer())
    }
}
