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

/// Middleware that sends requests again; made by [`RetryLayer`](crate::RetryLayer).
///
/// The inner service gets requests whose body is a [`ReplayBody`], and must be `Clone`; what is
/// not, as `tower`'s `RateLimit`, goes under a `buffer`.
///
/// # Errors
///
/// The inner service's own error, unwrapped; or one of [this crate's](BoxError).
///
/// # Example
///
/// The type of a whole stack can be named, with a function pointer to convert the body:
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
/// Retry and conversion as one, so that both can be left out:
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

    /// The inner service.
    pub fn get_ref(&self) -> &S {
        &self.inner
    }

    /// The inner service.
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// The inner service, without its retries.
    pub fn into_inner(self) -> S {
        self.inner
    }

    /// Sends a request by a clone of this service, once that is ready.
    ///
    /// It is [`ServiceExt::oneshot`] without the clone. And where the stack does not fit, because the
    /// inner service is not `Clone` for example, the compiler names what is missing here, which it
    /// does not for `oneshot`.
    ///
    /// # Errors
    ///
    /// See [`Retry`].
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
            // It may hold what the request waits for.
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
        // The handle that was readied makes the call; a clone of it is not ready.
        let clone = self.inner.clone();
        let mut inner = mem::replace(&mut self.inner, clone);
        let settings = self.settings.own().clone();
        if settings.holds(request.uri()) {
            // It is ready, and may hold what another request needs.
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
