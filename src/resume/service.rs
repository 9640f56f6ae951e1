use std::fmt;
use std::mem;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response};
use http_body::Body;
use tower_service::Service;

use super::asked::Asked;
use super::body::ResumeBody;
use super::future::ResumeFuture;
use super::resuming::Start;
use super::settings::Settings;
use crate::classify::{ByStatus, Classify};
use crate::error::BoxError;

/// Middleware that resumes response bodies whose connection breaks.
///
/// Created by [`ResumeLayer`](crate::ResumeLayer). The inner service must be `Clone`.
///
/// # Errors
///
/// Returns the inner service's own error, unwrapped. A body that cannot be resumed ends with a
/// [`ResumeError`](crate::resume::ResumeError).
///
/// # Example
///
/// ```
/// use tower::Layer;
/// use tower_http_retry::ResumeLayer;
/// use tower_http_retry::resume::Resume;
///
/// let service: Resume<&str> = ResumeLayer::new().layer("client");
/// assert_eq!(service.into_inner(), "client");
/// ```
pub struct Resume<S, C = ByStatus> {
    inner: S,
    settings: Arc<Settings<C>>,
}

impl<S, C> Resume<S, C> {
    pub(super) fn new(inner: S, settings: Arc<Settings<C>>) -> Self {
        Self { inner, settings }
    }

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

impl<S, C, B, R> Service<Request<B>> for Resume<S, C>
where
    S: Service<Request<B>, Response = Response<R>> + Clone,
    S::Error: Into<BoxError>,
    C: Classify,
    B: Body + Default,
    R: Body,
    R::Error: Into<BoxError>,
{
    type Response = Response<ResumeBody<S, C, B, R>>;
    type Error = S::Error;
    type Future = ResumeFuture<S, C, B>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let Some(asked) = Asked::of(&request, &self.settings.known_names) else {
            return ResumeFuture::new(self.inner.call(request), None);
        };
        // The clone that was polled ready makes the call. It makes the resumptions, too, once it is ready
        // again.
        let clone = self.inner.clone();
        let mut service = mem::replace(&mut self.inner, clone);
        let call = service.call(request);
        let settings = self.settings.clone();
        let start = Start {
            service,
            settings,
            asked,
        };
        ResumeFuture::new(call, Some(start))
    }
}

impl<S: Clone, C> Clone for Resume<S, C> {
    fn clone(&self) -> Self {
        Self::new(self.inner.clone(), self.settings.clone())
    }
}

impl<S: fmt::Debug, C: fmt::Debug> fmt::Debug for Resume<S, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resume")
            .field("inner", &self.inner)
            .field("settings", &self.settings)
            .finish()
    }
}
