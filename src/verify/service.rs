use std::fmt;
use std::mem;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response};
use http_body::Body;
use tower::Service;

use super::verifying::Verifying;
use super::{Settings, VerifyFuture};
use crate::attempt::Attempt;
use crate::error::BoxError;

/// Middleware that asks before it does again; made by [`VerifyLayer`](crate::VerifyLayer).
///
/// # Errors
///
/// The inner service's own error, unwrapped; or [`Unverified`](crate::Unverified).
#[derive(Clone)]
pub struct Verify<S> {
    pub(super) inner: S,
    pub(super) settings: Arc<Settings>,
}

impl<S, B, R> Service<Request<B>> for Verify<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone,
    S::Error: Into<BoxError>,
    B: Default,
    R: Body + Unpin,
{
    type Response = Response<R>;
    type Error = BoxError;
    type Future = VerifyFuture<S, B>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let attempt = request.extensions().get::<Attempt>();
        if !attempt.is_some_and(Attempt::may_have_been_acted_on) {
            return VerifyFuture::passing(self.inner.call(request));
        }
        let (head, body) = request.into_parts();
        let question = self.settings.question(&head);
        let request = Request::from_parts(head, body);
        let Some((operation, probe)) = question else {
            return VerifyFuture::passing(self.inner.call(request));
        };
        // The handle that was readied makes the calls; a clone of it is not ready.
        let clone = self.inner.clone();
        let inner = mem::replace(&mut self.inner, clone);
        let settings = self.settings.clone();
        let verifying = Verifying::new(inner, settings, request, operation, probe);
        VerifyFuture::verifying(verifying)
    }
}

impl<S: fmt::Debug> fmt::Debug for Verify<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verify")
            .field("inner", &self.inner)
            .field("settings", &self.settings)
            .finish()
    }
}
