use std::task::{Context, Poll};

use http::{Request, Response};
use http_body::Body;
use tower_service::Service;

use super::body::CommittedBody;
use super::future::CommitFuture;
use super::point::Settings;
use crate::error::BoxError;

/// Middleware that returns a response only when its first bytes, or all of it, have arrived.
///
/// Created by [`CommitLayer`](crate::CommitLayer). The response's body must be `Unpin`; one that is not
/// can be boxed.
///
/// # Errors
///
/// - The inner service's own error, unwrapped.
/// - [`BrokenAnswer`](crate::commit::BrokenAnswer), if the body fails before the commit point.
#[derive(Clone, Copy, Debug)]
pub struct Commit<S> {
    pub(super) inner: S,
    pub(super) settings: Settings,
}

impl<S> Commit<S> {
    /// The inner service.
    pub fn get_ref(&self) -> &S {
        &self.inner
    }

    /// The inner service.
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// Returns the inner service.
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
