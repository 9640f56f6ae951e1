use std::task::{Context, Poll};

use http::{Request, Response};
use http_body::Body;
use tower_service::Service;

use super::body::PeekedBody;
use super::future::PeekFuture;

/// Middleware that reads the status of gRPC calls from trailers.
///
/// Created by [`PeekTrailersLayer`](crate::grpc::PeekTrailersLayer).
#[derive(Clone, Copy, Debug)]
pub struct PeekTrailers<S> {
    pub(super) inner: S,
    pub(super) waits: bool,
}

impl<S> PeekTrailers<S> {
    /// Returns a reference to the inner service.
    pub fn get_ref(&self) -> &S {
        &self.inner
    }

    /// Returns a mutable reference to the inner service.
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// Consumes this service and returns the inner one.
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S, B, R> Service<Request<B>> for PeekTrailers<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    R: Body + Unpin,
{
    type Response = Response<PeekedBody<R>>;
    type Error = S::Error;
    type Future = PeekFuture<S::Future, R>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        PeekFuture::new(self.inner.call(request), self.waits)
    }
}
