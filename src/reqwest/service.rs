use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::{Request, Response};
use pin_project_lite::pin_project;
use reqwest::{Client, ClientBuilder};

use super::response::{Asked, to_http};
use crate::error::BoxError;

/// Service that sends requests with a reqwest client.
///
/// The request body can have any type that is `Into<reqwest::Body>`: that of a [`Retry`](crate::Retry) or a
/// [`Hedge`](crate::hedge::Hedge), `reqwest::Body`, bytes and text. A body in memory is passed as bytes, so
/// that reqwest can send it more than once. For other types, put `map_request_body(reqwest::Body::wrap)`
/// above this service. The response keeps its URL for [`reqwest::Response::url`].
///
/// TLS, proxies, default headers, cookies and time-outs are those of the client. A time-out of the client, or
/// of the request ([`RequestBuilder::timeout`](::reqwest::RequestBuilder::timeout)), applies to each attempt.
///
/// # Errors
///
/// Returns the client's own error, a [`reqwest::Error`]. If the client may follow redirects, and a server was
/// not reached or did not process the request, returns [`MaybeRedirected`](super::MaybeRedirected).
///
/// # Example
///
/// ```
/// # fn main() -> Result<(), reqwest::Error> {
/// use std::time::Duration;
/// use tower::ServiceBuilder;
/// use tower_http_retry::RetryLayer;
/// use tower_http_retry::reqwest::Service;
///
/// let builder = reqwest::Client::builder().timeout(Duration::from_secs(10));
/// let service = ServiceBuilder::new()
///     .layer(RetryLayer::new())
///     .service(Service::new(builder)?);
/// # fn accepts<S: tower::Service<http::Request<http_body_util::Full<bytes::Bytes>>>>(_: S) {}
/// # accepts(service);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Service {
    client: Client,
    may_follow_redirects: bool,
}

impl Service {
    /// Builds a client, and creates a service that sends requests with it.
    ///
    /// The client follows no redirects and does not retry, even if the builder was set up to do so.
    ///
    /// # Errors
    ///
    /// Returns the error of [`ClientBuilder::build`].
    pub fn new(builder: ClientBuilder) -> Result<Self, reqwest::Error> {
        let redirects = reqwest::redirect::Policy::none();
        let retries = reqwest::retry::never();
        let client = builder.redirect(redirects).retry(retries).build()?;
        Ok(Self::from(client).redirects_are_off())
    }

    /// States that the client follows no redirects, because it was built with
    /// [`Policy::none`](::reqwest::redirect::Policy::none).
    ///
    /// A refused connection or a 429 then always concerns the request itself, and the request is repeated
    /// regardless of its method. If the client does follow redirects, a POST can take effect twice.
    ///
    /// ```
    /// use tower_http_retry::reqwest::Service;
    ///
    /// let client = reqwest::Client::builder()
    ///     .redirect(reqwest::redirect::Policy::none())
    ///     .retry(reqwest::retry::never())
    ///     .build()?;
    /// let service = Service::from(client).redirects_are_off();
    /// # let _ = service;
    /// # Ok::<_, reqwest::Error>(())
    /// ```
    #[must_use]
    pub fn redirects_are_off(self) -> Self {
        Self {
            may_follow_redirects: false,
            ..self
        }
    }

    /// Returns the client, which builds requests for [`send_through`].
    ///
    /// The client's `execute`, and `send` of a request that it builds, bypass the layers above this service.
    ///
    /// [`send_through`]: super::SendThrough::send_through
    pub fn client(&self) -> &Client {
        &self.client
    }
}

/// Creates a service from an existing client, which may follow redirects.
///
/// By default, a client follows up to ten redirects, and retries HTTP/2 streams that the server refused. This
/// crate cannot see whether a redirect was followed before a failure. Therefore no failure is treated as a
/// refusal: a POST is not repeated after a 429 or a refused connection, unless it has an idempotency key. See
/// [`redirects_are_off`](Service::redirects_are_off).
impl From<Client> for Service {
    fn from(client: Client) -> Self {
        Self {
            client,
            may_follow_redirects: true,
        }
    }
}

impl<B: Into<reqwest::Body>> tower_service::Service<Request<B>> for Service {
    type Response = Response<reqwest::Body>;
    type Error = BoxError;
    type Future = ResponseFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> ResponseFuture {
        let state = match reqwest::Request::try_from(request) {
            Ok(request) => State::Sent {
                asked: self.may_follow_redirects.then(|| Asked::of(&request, true)),
                pending: tower_service::Service::call(&mut self.client, request),
            },
            Err(error) => State::Unsent { error: Some(error) },
        };
        ResponseFuture { state }
    }
}

pin_project! {
    /// The future of a [`Service`].
    pub struct ResponseFuture {
        #[pin]
        state: State,
    }
}

pin_project! {
    #[project = StateProj]
    enum State {
        Sent {
            #[pin]
            pending: <Client as tower_service::Service<reqwest::Request>>::Future,
            // `Some` if the client may follow redirects.
            asked: Option<Asked>,
        },
        // The request could not be converted to one of reqwest's.
        Unsent {
            error: Option<reqwest::Error>,
        },
    }
}

impl Future for ResponseFuture {
    type Output = Result<Response<reqwest::Body>, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().state.project() {
            StateProj::Sent { pending, asked } => {
                let outcome = ready!(pending.poll(cx));
                Poll::Ready(match asked {
                    Some(asked) => match outcome {
                        Ok(response) => Ok(asked.response(response)),
                        Err(error) => Err(asked.error(error)),
                    },
                    None => outcome.map(to_http).map_err(Into::into),
                })
            }
            StateProj::Unsent { error } => {
                let error = error
                    .take()
                    .expect("`ResponseFuture` polled after completion");
                Poll::Ready(Err(error.into()))
            }
        }
    }
}

impl fmt::Debug for ResponseFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
