//! A service that responds as planned, and records what it received and when.

// Each test binary uses only a part of this.
#![allow(dead_code)]

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Extensions, HeaderMap, HeaderName, Method, Request, Response, Uri, Version};
use http_body_util::Full;
use tokio::time::{Instant, sleep};
use tower::Service;
use tower_http_retry::BoxError;

pub type Body = Full<Bytes>;

/// What the service does with one attempt.
#[derive(Clone, Debug)]
pub enum Answer {
    Status(u16),
    Headers(u16, Vec<(&'static str, String)>),
    Error(std::io::ErrorKind),
    /// Responds after this delay.
    After(Duration, Box<Answer>),
    Never,
}

pub fn after(delay: Duration, answer: Answer) -> Answer {
    Answer::After(delay, Box::new(answer))
}

/// An attempt that the service received.
#[derive(Clone, Debug)]
pub struct Seen {
    pub at: Duration,
    pub method: Method,
    pub uri: Uri,
    pub version: Version,
    pub headers: HeaderMap,
    pub extensions: Extensions,
}

/// A service that responds as planned. It panics if it is called before it was ready, as `Buffer` does. A
/// clone is not ready.
pub struct Upstream {
    shared: Arc<Shared>,
    is_ready: bool,
}

struct Shared {
    start: Instant,
    plan: Vec<Answer>,
    seen: Mutex<Vec<Seen>>,
}

impl Upstream {
    /// Creates a service that responds as planned. Further calls use the last entry of the plan.
    pub fn new(plan: impl Into<Vec<Answer>>) -> Self {
        let shared = Shared {
            start: Instant::now(),
            plan: plan.into(),
            seen: Mutex::new(Vec::new()),
        };
        Self {
            shared: Arc::new(shared),
            is_ready: false,
        }
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.shared.seen.lock().unwrap().clone()
    }

    pub fn count(&self) -> usize {
        self.shared.seen.lock().unwrap().len()
    }

    /// Returns when each attempt arrived, in milliseconds since the service was created.
    pub fn millis(&self) -> Vec<u128> {
        let seen = self.seen();
        seen.iter().map(|seen| seen.at.as_millis()).collect()
    }

    /// Returns when each attempt arrived, in seconds. Panics if these are not whole seconds.
    pub fn seconds(&self) -> Vec<u64> {
        let whole = |seen: &Seen| {
            assert_eq!(
                seen.at.subsec_nanos(),
                0,
                "an attempt came at {:?}",
                seen.at
            );
            seen.at.as_secs()
        };
        self.seen().iter().map(whole).collect()
    }
}

impl Clone for Upstream {
    fn clone(&self) -> Self {
        Self {
            shared: self.shared.clone(),
            is_ready: false,
        }
    }
}

impl<B> Service<Request<B>> for Upstream {
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.is_ready = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        assert!(self.is_ready, "called before it was ready");
        self.is_ready = false;
        let head = request.into_parts().0;
        let mut seen = self.shared.seen.lock().unwrap();
        let index = seen.len().min(self.shared.plan.len() - 1);
        seen.push(Seen {
            at: self.shared.start.elapsed(),
            method: head.method,
            uri: head.uri,
            version: head.version,
            headers: head.headers,
            extensions: head.extensions,
        });
        Box::pin(give(self.shared.plan[index].clone()))
    }
}

async fn give(answer: Answer) -> Result<Response<Body>, BoxError> {
    match answer {
        Answer::Status(status) => Ok(response(status, Vec::new())),
        Answer::Headers(status, headers) => Ok(response(status, headers)),
        Answer::Error(kind) => Err(std::io::Error::from(kind).into()),
        Answer::Never => std::future::pending().await,
        Answer::After(delay, answer) => {
            sleep(delay).await;
            Box::pin(give(*answer)).await
        }
    }
}

fn response(status: u16, headers: Vec<(&'static str, String)>) -> Response<Body> {
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(name, value);
    }
    let body = format!("the body of a {status}");
    response.body(Full::from(body)).unwrap()
}

/// Returns as many headers as a map can hold.
pub fn full() -> HeaderMap {
    let mut headers = HeaderMap::new();
    let mut number = 0;
    let name = |number| HeaderName::try_from(format!("x-{number}")).unwrap();
    while headers.try_insert(name(number), number.into()).is_ok() {
        number += 1;
    }
    headers
}

pub fn get() -> Request<Body> {
    request(Method::GET)
}

pub fn post() -> Request<Body> {
    request(Method::POST)
}

pub fn request(method: Method) -> Request<Body> {
    let request = Request::builder().method(method);
    let request = request.uri("http://upstream.test/item?secret=1");
    request.body(Body::default()).unwrap()
}
