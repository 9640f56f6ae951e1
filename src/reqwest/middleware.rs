use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use async_trait::async_trait;
use http::{Extensions, Request, Response};
use reqwest_middleware::{Error, Middleware, Next, Result};
use tower_layer::Layer;
use tower_service::Service;

use super::response::{Asked, from_http};
use crate::attempt::Attempt;
use crate::body::ReplayBody;
use crate::classify::{ByStatus, Classify};
use crate::error::{BoxError, RetryError};
use crate::layer::RetryLayer;
use crate::redirected::MaybeRedirected;

mod below;

use below::Below;

/// Middleware for reqwest-middleware that applies a [`RetryLayer`].
///
/// Middleware that is added before this one runs once for each request. Middleware that is added after it
/// runs once for each attempt.
///
/// Add a [`RetryOverride`](crate::RetryOverride) or an [`AttemptsHandle`](crate::AttemptsHandle) to a request
/// with reqwest-middleware's `with_extension`. Each attempt starts with the extensions of the request. The
/// extensions of the last attempt are returned.
///
/// # Redirects
///
/// The client follows redirects below its middleware, which cannot see them. A refused connection or a 429
/// can come from the target of a redirect, after another server has acted on the request. Therefore no
/// failure is treated as a refusal: a POST without an idempotency key is not repeated, unless the client's
/// redirects [are off](Self::redirects_are_off).
///
/// Middleware that is added after this one must not send a request more than once.
///
/// # Errors
///
/// Returns the error of the last attempt unchanged. Returns `Error::Middleware` with a [`RetryError`] if that
/// attempt exceeded the layer's time-out, if a retry could not start, or if a cooldown held the request for
/// longer than it could wait.
///
/// # Example
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use reqwest_middleware::ClientBuilder;
/// use tower_http_retry::reqwest::RetryMiddleware;
/// use tower_http_retry::{AttemptsHandle, Backoff, RetryLayer};
/// # use std::sync::atomic::{AtomicU32, Ordering};
/// # use axum::{Router, http::StatusCode, routing::get};
/// # static REQUESTS: AtomicU32 = AtomicU32::new(0);
/// # let app = Router::new().route("/", get(async || match REQUESTS.fetch_add(1, Ordering::Relaxed) {
/// #     0 => StatusCode::SERVICE_UNAVAILABLE,
/// #     _ => StatusCode::OK,
/// # }));
/// # let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
/// # let url = format!("http://{}/", listener.local_addr()?);
/// # tokio::spawn(async { axum::serve(listener, app).await });
///
/// let layer = RetryLayer::new().backoff(Backoff::fixed(std::time::Duration::from_millis(1)));
/// let client = ClientBuilder::new(reqwest::Client::new())
///     .with(RetryMiddleware::new(layer))
///     .build();
///
/// // This server fails once.
/// let attempts = AttemptsHandle::new();
/// let response = client.get(url).with_extension(attempts.clone()).send().await?;
/// assert_eq!(response.status(), 200);
/// assert_eq!(attempts.get().count, 2);
/// # Ok(())
/// # }
/// ```
#[doc(alias = "RetryTransientMiddleware")]
pub struct RetryMiddleware<C = ByStatus> {
    layer: RetryLayer<C>,
    may_follow_redirects: bool,
}

impl<C> RetryMiddleware<C> {
    /// Creates a middleware that retries with the settings of this layer.
    pub fn new(layer: RetryLayer<C>) -> Self {
        Self {
            layer,
            may_follow_redirects: true,
        }
    }

    /// States that the client follows no redirects, because it was built with
    /// [`Policy::none`](::reqwest::redirect::Policy::none).
    ///
    /// A refused connection or a 429 then always concerns the request itself, and the request is repeated
    /// regardless of its method. If the client does follow redirects, a POST can take effect twice.
    ///
    /// ```
    /// use reqwest_middleware::ClientBuilder;
    /// use tower_http_retry::RetryLayer;
    /// use tower_http_retry::reqwest::RetryMiddleware;
    ///
    /// let client = reqwest::Client::builder()
    ///     .redirect(reqwest::redirect::Policy::none())
    ///     .retry(reqwest::retry::never())
    ///     .build()?;
    /// let client = ClientBuilder::new(client)
    ///     .with(RetryMiddleware::new(RetryLayer::new()).redirects_are_off())
    ///     .build();
    /// # let _ = client;
    /// # Ok::<_, reqwest::Error>(())
    /// ```
    #[must_use]
    pub fn redirects_are_off(self) -> Self {
        Self {
            may_follow_redirects: false,
            ..self
        }
    }
}

#[async_trait]
impl<C: Classify + Send + Sync + 'static> Middleware for RetryMiddleware<C> {
    async fn handle(
        &self,
        request: reqwest::Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> Result<reqwest::Response> {
        let mut request: Request<reqwest::Body> = request.try_into()?;
        request.extensions_mut().extend(extensions.clone());
        let last = Arc::new(Mutex::new(None));
        let attempts = Attempts {
            next,
            given: extensions.clone(),
            last: Arc::clone(&last),
            may_follow_redirects: self.may_follow_redirects,
        };
        let outcome = self.layer.layer(attempts).send(request).await;
        // They are set only here: a caller that drops this future earlier finds them unchanged.
        if let Some(last) = lock(&last).take() {
            *extensions = last;
        }
        outcome.map(from_http).map_err(own)
    }
}

type Outcome = std::result::Result<Response<reqwest::Body>, BoxError>;

/// The `Middleware` trait boxes its futures, too.
type Attempted<'a> = Pin<Box<dyn Future<Output = Outcome> + Send + 'a>>;

/// The service below the retry: the rest of the middleware, and the client.
#[derive(Clone)]
struct Attempts<'a> {
    next: Next<'a>,
    /// The extensions that each attempt starts with.
    given: Extensions,
    /// The extensions that the last attempt ended with.
    last: Arc<Mutex<Option<Extensions>>>,
    may_follow_redirects: bool,
}

impl<'a> Service<Request<ReplayBody<reqwest::Body>>> for Attempts<'a> {
    type Response = Response<reqwest::Body>;
    type Error = BoxError;
    type Future = Attempted<'a>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<std::result::Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<ReplayBody<reqwest::Body>>) -> Attempted<'a> {
        let Self { next, last, .. } = self.clone();
        let mut extensions = self.given.clone();
        if let Some(attempt) = request.extensions().get::<Attempt>() {
            extensions.insert(*attempt);
        }
        let may_follow_redirects = self.may_follow_redirects;
        Box::pin(async move {
            let request = reqwest::Request::try_from(request)?;
            let asked = Asked::of(&request, may_follow_redirects);
            let outcome = next.run(request, &mut extensions).await;
            *lock(&last) = Some(extensions);
            match outcome {
                Ok(response) => Ok(asked.response(response)),
                Err(Error::Reqwest(error)) => Err(asked.error(error)),
                // The error may belong to another request that the middleware has sent.
                Err(error) => Err(MaybeRedirected::new(Below(error)).into()),
            }
        })
    }
}

fn lock(extensions: &Mutex<Option<Extensions>>) -> MutexGuard<'_, Option<Extensions>> {
    extensions.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Returns the original error of an attempt, or the layer's error as a middleware error.
fn own(error: BoxError) -> Error {
    let error = match error.downcast::<MaybeRedirected>() {
        Ok(error) => error.into_inner(),
        Err(error) => error,
    };
    let error = match error.downcast::<reqwest::Error>() {
        Ok(error) => return Error::Reqwest(*error),
        Err(error) => error,
    };
    let error = match error.downcast::<Below>() {
        Ok(below) => return below.0,
        Err(error) => error,
    };
    match error.downcast::<RetryError>() {
        Ok(error) => Error::middleware(of_layer(*error)),
        Err(error) => Error::middleware(std::io::Error::other(error)),
    }
}

/// Restores the original last error in [`RetryError::Abandoned`].
fn of_layer(error: RetryError) -> RetryError {
    match error {
        RetryError::Abandoned {
            reason,
            last: Err(last),
        } => RetryError::Abandoned {
            reason,
            last: Err(match own(last) {
                Error::Reqwest(error) => error.into(),
                error @ Error::Middleware(_) => error.into(),
            }),
        },
        RetryError::Abandoned { .. }
        | RetryError::AttemptTimedOut { .. }
        | RetryError::CoolingDown { .. } => error,
    }
}

impl<C> Clone for RetryMiddleware<C> {
    fn clone(&self) -> Self {
        Self {
            layer: self.layer.clone(),
            may_follow_redirects: self.may_follow_redirects,
        }
    }
}

impl<C: fmt::Debug> fmt::Debug for RetryMiddleware<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RetryMiddleware")
            .field("layer", &self.layer)
            .field("may_follow_redirects", &self.may_follow_redirects)
            .finish()
    }
}
