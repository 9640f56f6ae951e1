use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use pin_project_lite::pin_project;
use tower_service::Service;

use super::response::from_http;
use crate::error::BoxError;

/// Extension trait that sends a reqwest request through a stack of tower layers. See the [module](super) for
/// an example.
///
/// It is implemented for reqwest's `RequestBuilder` and `Request`, and for `http::Request<reqwest::Body>`,
/// which can have extensions:
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), tower_http_retry::BoxError> {
/// use tower::ServiceBuilder;
/// use tower_http_retry::reqwest::{SendThrough, Service};
/// use tower_http_retry::{AttemptsHandle, RetryLayer};
///
/// let service = Service::new(reqwest::Client::builder().no_proxy())?;
/// let client = service.client().clone();
/// let retrying = ServiceBuilder::new().layer(RetryLayer::new()).service(service);
///
/// // Nothing listens on port 9.
/// let request = client.get("http://127.0.0.1:9/").build()?;
/// let mut request = http::Request::try_from(request)?;
/// let attempts = AttemptsHandle::new();
/// request.extensions_mut().insert(attempts.clone());
///
/// assert!(request.send_through(&retrying).await.is_err());
/// assert_eq!(attempts.get().count, 6);
/// # Ok(())
/// # }
/// ```
pub trait SendThrough: built::Built {
    /// Sends the request with a clone of this service, and returns the response.
    ///
    /// Use it instead of `RequestBuilder::send`, which would bypass the stack. Default headers, cookies and
    /// time-outs are those of the client below the stack, not those of the client that created the builder. A
    /// time-out that is set on the request applies to each attempt. Layers of the stack may change the type
    /// of the response body.
    ///
    /// # Errors
    ///
    /// Returns the error of the service, or a [`reqwest::Error`] if the request could not be built.
    fn send_through<S, R>(self, service: &S) -> Sending<S>
    where
        S: Service<Request<reqwest::Body>, Response = Response<R>> + Clone,
        S::Error: Into<BoxError>,
        R: Body + Send + Sync + 'static,
        R::Data: Into<Bytes>,
        R::Error: Into<BoxError>,
    {
        let state = match self.built() {
            Ok(request) => State::Readying {
                service: service.clone(),
                request: Some(request),
            },
            Err(error) => State::Unbuilt { error: Some(error) },
        };
        Sending { state }
    }
}

impl<T: built::Built> SendThrough for T {}

mod built {
    use http::Request;

    /// A request, or the error if it could not be built.
    pub trait Built: Sized {
        fn built(self) -> reqwest::Result<Request<reqwest::Body>>;
    }

    impl Built for reqwest::RequestBuilder {
        fn built(self) -> reqwest::Result<Request<reqwest::Body>> {
            self.build()?.try_into()
        }
    }

    impl Built for reqwest::Request {
        fn built(self) -> reqwest::Result<Request<reqwest::Body>> {
            self.try_into()
        }
    }

    impl Built for Request<reqwest::Body> {
        fn built(self) -> reqwest::Result<Self> {
            Ok(self)
        }
    }
}

pin_project! {
    /// The future of [`SendThrough::send_through`].
    #[must_use = "a request is not sent until its future is polled"]
    pub struct Sending<S>
    where
        S: Service<Request<reqwest::Body>>,
    {
        #[pin]
        state: State<S, S::Future>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<S, F> {
        Readying {
            service: S,
            request: Option<Request<reqwest::Body>>,
        },
        Called {
            #[pin]
            response: F,
        },
        Unbuilt {
            error: Option<reqwest::Error>,
        },
    }
}

impl<S, R> Future for Sending<S>
where
    S: Service<Request<reqwest::Body>, Response = Response<R>>,
    S::Error: Into<BoxError>,
    R: Body + Send + Sync + 'static,
    R::Data: Into<Bytes>,
    R::Error: Into<BoxError>,
{
    type Output = Result<reqwest::Response, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            match state.as_mut().project() {
                StateProj::Readying { service, request } => {
                    ready!(service.poll_ready(cx)).map_err(Into::into)?;
                    let request = request.take().expect("taken by this call alone");
                    let response = service.call(request);
                    // This drops the service, which may hold a resource that the request waits for.
                    state.set(State::Called { response });
                }
                StateProj::Called { response } => {
                    let outcome = ready!(response.poll(cx));
                    return Poll::Ready(outcome.map(from_http).map_err(Into::into));
                }
                StateProj::Unbuilt { error } => {
                    let error = error.take().expect("`Sending` polled after completion");
                    return Poll::Ready(Err(error.into()));
                }
            }
        }
    }
}

impl<S> fmt::Debug for Sending<S>
where
    S: Service<Request<reqwest::Body>>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sending").finish_non_exhaustive()
    }
}
