//! Each attempt is made by a clone of the client.

use std::future::{Ready, ready};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use tower::{Layer, Service};
use tower_http_retry::{BoxError, ReplayBody, RetryLayer};

struct Connection;

impl Service<Request<ReplayBody<Full<Bytes>>>> for Connection {
    type Response = Response<Full<Bytes>>;
    type Error = BoxError;
    type Future = Ready<Result<Self::Response, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<ReplayBody<Full<Bytes>>>) -> Self::Future {
        ready(Ok(Response::default()))
    }
}

fn main() {
    let client = RetryLayer::new().layer(Connection);
    let _ = client.send(Request::new(Full::<Bytes>::default()));
}
