use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Empty;
use tower::Service;
use tower::hedge::{Hedge, Policy};
use tower_http_retry::BoxError;

use crate::hedge::SHARE;

/// `tower::hedge::Hedge` itself, shared because it is not `Clone`.
///
/// It hedges after a percentile of the times of attempts in the 10 s before the current ones, if there
/// were ten. It has no budget, and takes the first outcome, even an error.
pub struct TowerHedge<S>(Arc<Mutex<Hedge<S, All>>>);

/// Hedges all requests.
#[derive(Clone)]
pub struct All;

impl<B: Clone> Policy<Request<B>> for All {
    fn clone_request(&self, request: &Request<B>) -> Option<Request<B>> {
        Some(request.clone())
    }

    fn can_retry(&self, _: &Request<B>) -> bool {
        true
    }
}

impl<S> TowerHedge<S>
where
    S: Service<Request<Empty<Bytes>>, Error = BoxError> + Clone,
{
    pub fn new(inner: S) -> Self {
        let percentile = 1.0 - SHARE as f32;
        let hedge = Hedge::new(inner, All, 10, percentile, Duration::from_secs(10));
        Self(Arc::new(Mutex::new(hedge)))
    }
}

impl<S> Clone for TowerHedge<S> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<S> Service<Request<Empty<Bytes>>> for TowerHedge<S>
where
    S: Service<Request<Empty<Bytes>>, Response = Response<Empty<Bytes>>, Error = BoxError>,
    S: Clone + Send + 'static,
    S::Future: Send,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        let mut hedge = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        hedge.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Empty<Bytes>>) -> Self::Future {
        let mut hedge = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Box::pin(hedge.call(request))
    }
}
