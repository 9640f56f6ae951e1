//! A gRPC service whose response bodies follow a script.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use super::body::{Broken, Does, Source, trailers};
use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use http_body_util::Empty;
use tokio::time::{Instant, Sleep, sleep};
use tower::Service;
use tower_http_retry::grpc::ByGrpcStatus;
use tower_http_retry::{Backoff, BoxError, Jitter, RetryLayer};

/// A body that stays pending for `delay` after its first poll, and counts its polls.
pub struct Scripted {
    source: Source,
    delay: Duration,
    late: Option<Pin<Box<Sleep>>>,
    polls: Arc<Mutex<u32>>,
}

impl Scripted {
    pub fn new(source: Source) -> Self {
        Self {
            source,
            delay: Duration::ZERO,
            late: None,
            polls: Arc::default(),
        }
    }

    pub fn late(delay: Duration, source: Source) -> Self {
        Self {
            delay,
            ..Self::new(source)
        }
    }

    /// Returns the counter of polls, which the body holds until it is dropped.
    pub fn polls(&self) -> Arc<Mutex<u32>> {
        self.polls.clone()
    }
}

impl Body for Scripted {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        *self.polls.lock().unwrap() += 1;
        if !self.delay.is_zero() {
            let delay = self.delay;
            let late = self.late.get_or_insert_with(|| Box::pin(sleep(delay)));
            std::task::ready!(late.as_mut().poll(cx));
        }
        Pin::new(&mut self.source).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.source.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.source.size_hint()
    }
}

/// A service that responds as planned. It panics if it is called more often than planned.
#[derive(Clone)]
pub struct Upstream {
    plan: Arc<Mutex<VecDeque<Response<Scripted>>>>,
    at: Arc<Mutex<Vec<u64>>>,
    pub start: Instant,
}

impl Upstream {
    pub fn new(plan: impl IntoIterator<Item = Response<Scripted>>) -> Self {
        Self {
            plan: Arc::new(Mutex::new(plan.into_iter().collect())),
            at: Arc::default(),
            start: Instant::now(),
        }
    }

    /// Returns when each attempt arrived, in seconds.
    pub fn seconds(&self) -> Vec<u64> {
        self.at.lock().unwrap().clone()
    }
}

impl<B> Service<Request<B>> for Upstream {
    type Response = Response<Scripted>;
    type Error = BoxError;
    type Future = std::future::Ready<Result<Response<Scripted>, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<B>) -> Self::Future {
        self.at.lock().unwrap().push(self.start.elapsed().as_secs());
        let response = self.plan.lock().unwrap().pop_front();
        std::future::ready(Ok(response.expect("called more often than planned")))
    }
}

/// Returns a response whose head has no gRPC status.
pub fn grpc(body: Scripted) -> Response<Scripted> {
    let response = Response::builder().header("content-type", "application/grpc");
    response.header("x-from", "upstream").body(body).unwrap()
}

pub fn streamed(script: impl IntoIterator<Item = Does>) -> Response<Scripted> {
    grpc(Scripted::new(Source::streamed(script)))
}

pub fn status(code: &'static str) -> Does {
    Does::Trailers(trailers([("grpc-status", code)]))
}

pub fn call() -> Request<Empty<Bytes>> {
    let request = Request::post("http://upstream.test/a.B/C");
    request.body(Empty::new()).unwrap()
}

/// Returns a layer that waits exactly 1, 2, 4, 8 seconds.
pub fn exact() -> RetryLayer<ByGrpcStatus> {
    let backoff = Backoff::exponential(Duration::from_secs(1)).jitter(Jitter::None);
    RetryLayer::grpc().backoff(backoff).without_budget()
}
