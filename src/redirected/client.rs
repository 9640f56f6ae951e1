use std::error::Error;
use std::fmt;

use crate::error::BoxError;

/// Extension of the responses of a client that follows redirects.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FollowsRedirects {
    pub(crate) to_another_uri: bool,
}

/// Error of a client that may have followed a redirect before.
///
/// A [`Service`](crate::reqwest::Service) returns it if its client is not known to have redirects turned off,
/// and the client's error says that a server was not reached or did not process the request. This server may
/// have been the target of a redirect, after another server had acted on the request. Therefore a retry layer
/// does not classify the error as [`Class::Refused`](crate::classify::Class::Refused), as it would otherwise.
///
/// # Example
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() {
/// use tower_http_retry::RetryLayer;
/// use tower_http_retry::reqwest::{MaybeRedirected, SendThrough, Service};
///
/// let client = reqwest::Client::builder().no_proxy().build().unwrap();
/// let service = tower::ServiceBuilder::new()
///     .layer(RetryLayer::new())
///     .service(Service::from(client.clone()));
///
/// // Nothing listens on port 9.
/// let request = client.post("http://127.0.0.1:9/orders").body("an order");
/// let error = request.send_through(&service).await.unwrap_err();
/// let error = error.downcast::<MaybeRedirected>().unwrap();
/// assert!(error.into_inner().downcast::<reqwest::Error>().unwrap().is_connect());
/// # }
/// ```
#[derive(Debug)]
pub struct MaybeRedirected {
    error: BoxError,
}

impl MaybeRedirected {
    pub(crate) fn new(error: impl Into<BoxError>) -> Self {
        let error = error.into();
        Self { error }
    }

    /// Returns the client's own error.
    pub fn into_inner(self) -> BoxError {
        self.error
    }
}

impl fmt::Display for MaybeRedirected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the request failed, maybe after a redirect")
    }
}

impl Error for MaybeRedirected {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.error)
    }
}
