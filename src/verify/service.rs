use std::fmt;
use std::mem;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response};
use http_body::Body;
use tower_service::Service;

use super::body::VerifyBody;
use super::future::VerifyFuture;
use super::settings::Settings;
use super::verifying::Verifying;
use crate::body::ReplayBody;
use crate::error::BoxError;

/// Middleware that verifies whether a create or a delete took effect before it is retried.
///
/// Created by [`VerifyLayer`](crate::VerifyLayer). The inner service must be `Clone`.
///
/// # Errors
///
/// - The inner service's own error, unwrapped, if the probe or the operation fails.
/// - [`Unverified`](crate::verify::Unverified), if the response to a probe does not show whether the
///   operation took effect.
/// - The body's own error, if the response to a probe fails while it is read for
///   [`same_body`](crate::VerifyLayer::same_body).
/// - [`http::header::MaxSizeReached`], if the probe would have more headers than a
///   [`HeaderMap`](http::HeaderMap) can hold. No request is sent in this case: without some of its headers,
///   for example credentials, a probe could be answered 404 although the item exists.
///
/// # Example
///
/// ```
/// use http::{Request, Response};
/// use tower::{Layer, Service};
/// use tower_http_retry::verify::{Verify, VerifyBody};
/// use tower_http_retry::{ReplayBody, Retry, RetryLayer, VerifyLayer};
///
/// type Client<S> = Retry<Verify<S>>;
///
/// fn client<S: Clone>(inner: S) -> Client<S> {
///     RetryLayer::new().layer(VerifyLayer::new().layer(inner))
/// }
/// # type Body = axum::body::Body;
/// # fn accepts<S: Service<Request<Body>, Response = Response<VerifyBody<Body>>>>(_: S) {}
/// # let router = axum::Router::<()>::new();
/// # let router = tower_http::map_request_body::MapRequestBody::new(router, Body::new::<ReplayBody<Body>>);
/// # accepts(client(router));
/// ```
#[derive(Clone)]
pub struct Verify<S> {
    pub(super) inner: S,
    pub(super) settings: Arc<Settings>,
}

impl<S> Verify<S> {
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

impl<S, B, R> Service<Request<ReplayBody<B>>> for Verify<S>
where
    S: Service<Request<ReplayBody<B>>, Response = Response<R>> + Clone,
    S::Error: Into<BoxError>,
    R: Body,
    R::Error: Into<BoxError>,
{
    type Response = Response<VerifyBody<R>>;
    type Error = BoxError;
    type Future = VerifyFuture<S, B, R>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, request: Request<ReplayBody<B>>) -> Self::Future {
        let attempt = request.body().attempt();
        if !attempt.may_have_been_acted_on() {
            return VerifyFuture::passing(self.inner.call(request));
        }
        let (head, body) = request.into_parts();
        let question = self.settings.question(&head);
        let request = Request::from_parts(head, body);
        let (operation, probe) = match question {
            Ok(Some(question)) => question,
            Ok(None) => return VerifyFuture::passing(self.inner.call(request)),
            Err(error) => return VerifyFuture::failed(error.into()),
        };
        // The clone that was polled ready makes the calls, because a new clone is not ready.
        let clone = self.inner.clone();
        let inner = mem::replace(&mut self.inner, clone);
        let settings = self.settings.clone();
        let verifying = Verifying::new(
            inner,
            settings,
            request,
            operation,
            probe,
            attempt.is_last(),
        );
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
