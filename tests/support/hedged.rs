//! Calls that are hedged according to a service config, and what happens to their attempts.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Request, Response};
use serde_json::{Value, json};
use tokio::time::{Instant, timeout};
use tower::{Layer, Service, ServiceExt};
use tower_http_retry::grpc::{HedgedCalls, ServiceConfig};
use tower_http_retry::hedge::HedgeBody;
use tower_http_retry::{BoxError, HedgeLayer};

use super::upstream::{Answer, Body, Upstream};

pub type Layered = HedgeLayer<HedgedCalls>;

/// Returns a policy with a hedging delay of half a second.
pub fn policy(attempts: u32, codes: &Value) -> Value {
    json!({ "maxAttempts": attempts, "hedgingDelay": "0.5s", "nonFatalStatusCodes": codes })
}

/// Returns a config with this policy for all calls.
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

/// The outcome of a call. All times are in milliseconds.
#[derive(Debug, PartialEq, Eq)]
pub struct Ended {
    /// The status at the end of the call, or `None` if it ended with an error.
    pub code: Option<String>,
    pub took: u128,
    /// When each attempt was sent.
    pub sent: Vec<u128>,
    /// When each attempt was dropped that had no outcome yet.
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
    let call = layer.layer(watched).oneshot(request);
    let outcome = timeout(Duration::from_secs(3_600), call)
        .await
        .expect("an end");
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

/// Makes a call with this policy to a server with this plan.
pub async fn run(policy: &Value, plan: impl Into<Vec<Answer>>) -> Ended {
    send(&layer(policy), &Upstream::new(plan), call("/a.B/C")).await
}

/// A service that records when the futures of its attempts are dropped.
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
