use std::fmt;
use std::future::{Future, poll_fn};
use std::mem;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response};
use http_body::Body;
use tower_service::Service;

use crate::body::ReplayBody;
use crate::classify::{ByStatus, Classify};
use crate::error::BoxError;
use crate::exchange::Exchange;
use crate::future::ResponseFuture;
use crate::settings::Settings;
use crate::striped::Striped;
use crate::waiting::Waiting;

/// Middleware that retries HTTP requests that fail transiently. It is created by
/// [`RetryLayer`](crate::RetryLayer).
///
/// The inner service receives requests whose body is a [`ReplayBody`], and must be `Clone`. If it is not
/// `Clone`, like tower's `RateLimit`, put a `buffer` above it.
///
/// # Errors
///
/// Requests fail with the error of the inner service, which is not wrapped, or with an error of
/// [this crate](BoxError).
///
/// # Example
///
/// A function pointer that converts the body gives the stack a type that can be named:
///
/// ```
/// use http::Request;
/// use tower::{Layer, ServiceBuilder};
/// use tower_http::map_request_body::{MapRequestBody, MapRequestBodyLayer};
/// use tower_http_retry::{ReplayBody, Retry, RetryLayer};
///
/// type Body = axum::body::Body;
/// type Convert = fn(ReplayBody<Body>) -> Body;
/// type Client<S> = Retry<MapRequestBody<S, Convert>>;
///
/// fn client<S: Clone>(inner: S) -> Client<S> {
///     ServiceBuilder::new()
///         .layer(RetryLayer::new())
///         .layer(MapRequestBodyLayer::new(Body::new as Convert))
///         .service(inner)
/// }
/// # fn accepts<S: tower::Service<Request<Body>>>(_: S) {}
/// # accepts(client(axum::Router::<()>::new()));
/// ```
///
/// The retry and the conversion of the body can be made optional together:
///
/// ```
/// use tower::ServiceBuilder;
/// use tower_http::map_request_body::MapRequestBodyLayer;
/// use tower_http_retry::{BoxError, RetryLayer};
///
/// let retries = true;
/// let layers = ServiceBuilder::new()
///     .layer(RetryLayer::new())
///     .layer(MapRequestBodyLayer::new(axum::body::Body::new));
/// let service = ServiceBuilder::new()
///     .option_layer(retries.then(|| layers.into_inner()))
///     .map_err(BoxError::from)
///     .service(axum::Router::new());
/// # fn accepts<S: tower::Service<http::Request<axum::body::Body>>>(_: S) {}
/// # accepts(service);
/// ```
pub struct Retry<S, C = ByStatus> {
    inner: S,
    settings: Arc<Striped<Settings<C>>>,
}

impl<S, C> Retry<S, C> {
    pub(crate) fn new(inner: S, settings: Arc<Striped<Settings<C>>>) -> Self {
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

    /// Returns the inner service, and drops the retry.
    pub fn into_inner(self) -> S {
        self.inner
    }

    /// Sends a request through a clone of this service, as soon as the clone is ready.
    ///
    /// This is [`ServiceExt::oneshot`] for a service that is borrowed. If a trait bound is not met, for
    /// example because the inner service is not `Clone`, the compiler reports that bound. It does not do so
    /// for `oneshot`.
    ///
    /// # Errors
    ///
    /// See [`Retry`](Self#errors).
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), tower_http_retry::BoxError> {
    /// use bytes::Bytes;
    /// use http::{Request, Response};
    /// use http_body_util::Full;
    /// use tower::ServiceBuilder;
    /// use tower_http_retry::{BoxError, ReplayBody, RetryLayer};
    ///
    /// let client = ServiceBuilder::new()
    ///     .layer(RetryLayer::new())
    ///     .service_fn(async |_: Request<ReplayBody<Full<Bytes>>>| {
    ///         Ok::<_, BoxError>(Response::new(Full::<Bytes>::default()))
    ///     });
    /// let response = client.send(Request::new(Full::from("an item"))).await?;
    /// assert!(response.status().is_success());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// [`ServiceExt::oneshot`]: https://docs.rs/tower/latest/tower/trait.ServiceExt.html#method.oneshot
    #[doc(alias = "oneshot")]
    pub fn send<B, R>(
        &self,
        request: Request<B>,
    ) -> impl Future<Output = Result<Response<R>, BoxError>> + use<S, C, B, R>
    where
        S: Service<Request<ReplayBody<B>>, Response = Response<R>> + Clone,
        S::Error: Into<BoxError>,
        C: Classify,
        B: Body,
        R: Body,
    {
        let mut service = self.clone();
        async move {
            poll_fn(|cx| service.poll_ready(cx)).await?;
            let response = service.call(request);
            // The service may hold a permit that the request waits for.
            drop(service);
            response.await
        }
    }
}

impl<S, C, B, R> Service<Request<B>> for Retry<S, C>
where
    S: Service<Request<ReplayBody<B>>, Response = Response<R>> + Clone,
    S::Error: Into<BoxError>,
    C: Classify,
    B: Body,
    R: Body,
{
    type Response = Response<R>;
    type Error = BoxError;
    type Future = ResponseFuture<S, C, B>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        // The service that is ready has to make the call, because a clone of it is not ready.
        let clone = self.inner.clone();
        let mut inner = mem::replace(&mut self.inner, clone);
        let settings = self.settings.own().clone();
        if settings.holds(request.uri()) {
            // The service is ready, and may hold a permit that another request needs.
            drop(inner);
            let (exchange, waiting) = Waiting::held(settings, request);
            return ResponseFuture::held(self.inner.clone(), exchange, waiting);
        }
        let send = |request| {
            let attempt = inner.call(request);
            (inner, attempt)
        };
        let finish = |exchange, (inner, attempt)| ResponseFuture::new(inner, exchange, attempt);
        Exchange::begin(settings, request, true, send, finish)
    }
}

impl<S: Clone, C> Clone for Retry<S, C> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            settings: self.settings.clone(),
        }
    }
}

impl<S: fmt::Debug, C: fmt::Debug> fmt::Debug for Retry<S, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Retry")
            .field("inner", &self.inner)
            .field("settings", self.settings.original())
            .finish()
    }
}
