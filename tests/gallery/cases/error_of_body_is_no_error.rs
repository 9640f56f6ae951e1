//! A client reads the body, which is one only if its source's error is an error.

use std::future::{Ready, ready};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame};
use http_body_util::Full;
use tower::{Layer, Service};
use tower_http_retry::{BoxError, RetryLayer};

struct File;
struct Torn;

impl Body for File {
    type Data = Bytes;
    type Error = Torn;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Torn>>> {
        Poll::Ready(Some(Err(Torn)))
    }
}

#[derive(Clone)]
struct Connection;

impl<B: Body> Service<Request<B>> for Connection {
    type Response = Response<Full<Bytes>>;
    type Error = BoxError;
    type Future = Ready<Result<Self::Response, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<B>) -> Self::Future {
        ready(Ok(Response::default()))
    }
}

fn main() {
    let client = RetryLayer::new().layer(Connection);
    let _ = client.send(Request::new(File));
}
