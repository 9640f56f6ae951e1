use std::task::{Context, Poll};

use http::{Request, Response};
use http_body::Body;
use tower_service::Service;

use super::body::CommittedBody;
use super::future::CommitFuture;
use super::point::Settings;
use crate::error::BoxError;

/// Middleware that holds a response back until the first bytes of its body, or the whole body, have arrived.
///
/// Created by [`CommitLayer`](crate::CommitLayer). The response body must be `Unpin`. Box it if it is not.
///
/// # Errors
///
/// - The inner service's own error, unwrapped.
/// - [`BrokenAnswer`](crate::commit::BrokenAnswer), if the body fails before the commit point.
///
/// # Example
///
/// ```
/// use tower::Layer;
/// use tower_http_retry::CommitLayer;
/// use tower_http_retry::commit::Commit;
///
/// let service: Commit<&str> = CommitLayer::first_bytes().layer("client");
/// assert_eq!(service.into_inner(), "client");
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Commit<S> {
    pub(super) inner: S,
    pub(super) settings: Settings,
}

impl<S> Commit<S> {
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

impl<S, B, R> Service<Request<B>> for Commit<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Error: Into<BoxError>,
    R: Body + Unpin,
    R::Error: Into<BoxError>,
{
    type Response = Response<CommittedBody<R>>;
    type Error = BoxError;
    type Future = CommitFuture<S::Future, R>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let settings = self.settings.for_request(&request);
        CommitFuture::new(self.inner.call(request), settings)
    }
}
