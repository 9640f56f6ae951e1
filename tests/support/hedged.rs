//! Calls that are hedged by a service config, and what became of their attempts.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use http::{Request, Response};
use serde_json::{Value, json};
use tokio::time::Instant;
use tower::{Layer, Service, ServiceExt};
use tower_http_retry::grpc::{HedgedCalls, ServiceConfig};
use tower_http_retry::hedge::HedgeBody;
use tower_http_retry::{BoxError, HedgeLayer};

use super::upstream::{Answer, Body, Upstream};

pub type Layered = HedgeLayer<HedgedCalls>;

/// So many attempts, each half a second after the one before.
pub fn policy(attempts: u32, codes: &Value) -> Value {
    json!({ "maxAttempts": attempts, "hedgingDelay": "0.5s", "nonFatalStatusCodes": codes })
}

/// A config of one policy for every call.
pub fn every(policy: &Value) -> ServiceConfig {
    let config = json!({ "methodConfig": [{ "name": [{}], "hedgingPolicy": policy }] });
    config.to_string().parse().unwrap()
}

pub fn layer(policy: &Value) -> Layered {
    HedgeLayer::new().service_config(every(policy))
}

pub fn code(code: u16) -> Answer {
    Answer::Headers(200, vec![("grpc-status", code.to_string())])
}

pub fn pushed(code: u16, pushback: &str) -> Answer {
    let pushback = ("grpc-retry-pushback-ms", pushback.to_owned());
    Answer::Headers(200, vec![("grpc-status", code.to_string()), pushback])
}

pub fn call(path: &str) -> Request<Body> {
    let request = Request::post(format!("http://upstream.test{path}"));
    request.body(Body::from("message")).unwrap()
}

/// What became of a call, in milliseconds since it was made.
#[derive(Debug, PartialEq, Eq)]
pub struct Ended {
    /// The status that it ended with; none if it was an error.
    pub code: Option<String>,
    pub took: u128,
    /// When each attempt was sent.
    pub sent: Vec<u128>,
    /// When each attempt was dropped that had no outcome by then.
    pub dropped: Vec<u128>,
}

pub fn ended(code: u16, took: u128, sent: &[u128], dropped: &[u128]) -> Ended {
    Ended {
        code: Some(code.to_string()),
        took,
        sent: sent.to_vec(),
        dropped: dropped.to_vec(),
    }
}

pub async fn send(layer: &Layered, upstream: &Upstream, request: Request<Body>) -> Ended {
    let start = Instant::now();
    let watched = Watched {
        inner: upstream.clone(),
        start,
        dropped: Arc::default(),
    };
    let dropped = watched.dropped.clone();
    let before = upstream.count();
    let outcome = layer.layer(watched).oneshot(request).await;
    let took = start.elapsed().as_millis();
    let code = |response: Response<Body>| {
        let code = response.headers().get("grpc-status")?;
        Some(code.to_str().unwrap().to_owned())
    };
    let dropped = dropped.lock().unwrap().clone();
    Ended {
        code: outcome.ok().and_then(code),
        took,
        sent: upstream.millis().split_off(before),
        dropped,
    }
}

/// A call with such a policy to a server with this plan.
pub async fn run(policy: &Value, plan: impl Into<Vec<Answer>>) -> Ended {
    send(&layer(policy), &Upstream::new(plan), call("/a.B/C")).await
}

/// Notes when the futures of its attempts are dropped.
#[derive(Clone)]
struct Watched {
    inner: Upstream,
    start: Instant,
    dropped: Arc<Mutex<Vec<u128>>>,
}

struct Attempt {
    call: <Upstream as Service<Request<HedgeBody<Body>>>>::Future,
    is_over: bool,
    start: Instant,
    dropped: Arc<Mutex<Vec<u128>>>,
}

impl Service<Request<HedgeBody<Body>>> for Watched {
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = Attempt;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Service::<Request<HedgeBody<Body>>>::poll_ready(&mut self.inner, cx)
    }

    fn call(&mut self, request: Request<HedgeBody<Body>>) -> Attempt {
        Attempt {
            call: self.inner.call(request),
            is_over: false,
            start: self.start,
            dropped: self.dropped.clone(),
        }
    }
}

impl Future for Attempt {
    type Output = Result<Response<Body>, BoxError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let polled = self.call.as_mut().poll(cx);
        self.is_over = polled.is_ready();
        polled
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        if !self.is_over {
            let at = self.start.elapsed().as_millis();
            self.dropped.lock().unwrap().push(at);
        }
    }
}
