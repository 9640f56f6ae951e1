use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response};
use http_body::Body;
use tower_service::Service;

use super::body::HedgeBody;
use super::future::HedgeFuture;
use super::losers::{DropLosers, Losers};
use super::shared::Shared;
use super::watch::Watch;
use crate::classify::{ByStatus, Classify};
use crate::error::BoxError;

/// Middleware that sends a second attempt beside one that is slow.
///
/// Created by [`HedgeLayer`](crate::HedgeLayer). The inner service must be `Clone`. It receives a
/// [`HedgeBody`] as the request body.
///
/// # Errors
///
/// Returns the inner service's own error, unwrapped.
///
/// # Example
///
/// The type of a stack can be named, with a function pointer to convert the body:
///
/// ```
/// use tower::Layer;
/// use tower_http::map_request_body::{MapRequestBody, MapRequestBodyLayer};
/// use tower_http_retry::HedgeLayer;
/// use tower_http_retry::hedge::{Hedge, HedgeBody};
///
/// type Body = axum::body::Body;
/// type Convert = fn(HedgeBody<Body>) -> Body;
///
/// fn client<S: Clone>(inner: S) -> Hedge<MapRequestBody<S, Convert>> {
///     HedgeLayer::new().layer(MapRequestBodyLayer::new(Body::new as Convert).layer(inner))
/// }
/// # fn accepts<S: tower::Service<http::Request<Body>>>(_: S) {}
/// # accepts(client(axum::Router::<()>::new()));
/// ```
pub struct Hedge<S, C = ByStatus, L = DropLosers> {
    inner: S,
    shared: Arc<Shared<C>>,
    losers: L,
}

impl<S, C, L> Hedge<S, C, L> {
    pub(super) fn new(inner: S, shared: Arc<Shared<C>>, losers: L) -> Self {
        Self {
            inner,
            shared,
            losers,
        }
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

impl<S, C, L, B, R> Service<Request<B>> for Hedge<S, C, L>
where
    S: Service<Request<HedgeBody<B>>, Response = Response<R>> + Clone,
    S::Error: Into<BoxError>,
    C: Classify,
    L: Losers<S::Future>,
    B: Body,
    B::Error: Into<BoxError>,
    R: Body,
{
    type Response = Response<R>;
    type Error = BoxError;
    type Future = HedgeFuture<S, C, B, L>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let losers = self.losers.clone();
        let Some(plan) = self.shared.settings.plan(&request) else {
            let first = self.inner.call(request.map(HedgeBody::own));
            return HedgeFuture::new(first, losers, None);
        };
        let spare = || self.inner.clone();
        let (watch, first) = Watch::begin(self.shared.clone(), plan, request, spare);
        let first = self.inner.call(first);
        HedgeFuture::new(first, losers, Some(watch))
    }
}

impl<S: Clone, C, L: Clone> Clone for Hedge<S, C, L> {
    fn clone(&self) -> Self {
        Self::new(self.inner.clone(), self.shared.clone(), self.losers.clone())
    }
}

impl<S: fmt::Debug, C: fmt::Debug, L: fmt::Debug> fmt::Debug for Hedge<S, C, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hedge")
            .field("inner", &self.inner)
            .field("settings", &self.shared.settings)
            .field("losers", &self.losers)
            .finish()
    }
}
