//! Retries for [reqwest] 0.13 (feature `reqwest`), and for reqwest-middleware 0.5 with
//! [`RetryMiddleware`](self#a-client-with-middleware) (feature `reqwest-middleware`).
//!
//! # A stack over reqwest's client
//!
//! [`Service`] is a tower service that sends requests with a reqwest client. [`Service::new`] turns off the
//! redirects and the retries of the client. [`SendThrough::send_through`] sends the request of a reqwest
//! `RequestBuilder` through a stack above this service, and returns a [`reqwest::Response`]:
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), tower_http_retry::BoxError> {
//! use std::sync::atomic::{AtomicU32, Ordering};
//! use axum::{Router, http::StatusCode, routing::post};
//! use std::time::Duration;
//! use tower::ServiceBuilder;
//! use tower_http_retry::reqwest::{SendThrough, Service};
//! use tower_http_retry::{Backoff, RetryLayer};
//!
//! // A server that is overloaded at first.
//! static REQUESTS: AtomicU32 = AtomicU32::new(0);
//! let app = Router::new().route("/orders", post(async |body: String| {
//!     match REQUESTS.fetch_add(1, Ordering::Relaxed) {
//!         0 => (StatusCode::TOO_MANY_REQUESTS, String::new()),
//!         _ => (StatusCode::CREATED, format!("took {body}")),
//!     }
//! }));
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
//! let url = format!("http://{}/orders", listener.local_addr()?);
//! tokio::spawn(async { axum::serve(listener, app).await });
//!
//! let service = Service::new(reqwest::Client::builder())?;
//! let client = service.client().clone();
//! let retrying = ServiceBuilder::new()
//!     .layer(RetryLayer::new().backoff(Backoff::fixed(Duration::from_millis(1))))
//!     .service(service);
//!
//! let request = client.post(&url).header("x-tenant", "a").body("an order");
//! let response = request.send_through(&retrying).await?;
//! assert_eq!(response.status(), StatusCode::CREATED);
//! assert_eq!(response.url().as_str(), url);
//! assert_eq!(response.text().await?, "took an order");
//! # Ok(())
//! # }
//! ```
//!
//! # Redirects
//!
//! If the client itself follows redirects, a retry above it cannot see which request failed. A refused
//! connection or a 429 can come from the target of a redirect, after the first server has acted on the
//! request. Therefore follow redirects above the retry, with tower-http's `FollowRedirectLayer`. To follow a
//! 307 or 308, its policy has to copy the body, which is possible if the body is in memory:
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), tower_http_retry::BoxError> {
//! use axum::{Router, response::Redirect, routing::post};
//! use tower::ServiceBuilder;
//! use tower_http::follow_redirect::FollowRedirectLayer;
//! use tower_http::follow_redirect::policy::{PolicyExt, Standard, clone_body_fn};
//! use tower_http_retry::reqwest::{SendThrough, Service};
//! use tower_http_retry::{BoxError, RetryLayer};
//!
//! let app = Router::new()
//!     .route("/orders", post(async || Redirect::temporary("/v2/orders")))
//!     .route("/v2/orders", post(async |body: String| format!("took {body}")));
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
//! let address = listener.local_addr()?;
//! tokio::spawn(async { axum::serve(listener, app).await });
//!
//! let service = Service::new(reqwest::Client::builder())?;
//! let client = service.client().clone();
//! let copies_bytes = clone_body_fn(|body: &reqwest::Body| {
//!     let bytes = body.as_bytes()?;
//!     Some(reqwest::Body::from(bytes.to_vec()))
//! });
//! let policy = Standard::default().and::<_, _, BoxError>(copies_bytes);
//! let retrying = ServiceBuilder::new()
//!     .layer(FollowRedirectLayer::with_policy(policy))
//!     .layer(RetryLayer::new())
//!     .service(service);
//!
//! let request = client.post(format!("http://{address}/orders")).body("an order");
//! let response = request.send_through(&retrying).await?;
//! assert_eq!(response.url().path(), "/v2/orders");
//! assert_eq!(response.text().await?, "took an order");
//! # Ok(())
//! # }
//! ```
//!
//! This differs in three ways from redirects that reqwest follows:
//!
//! - If a redirect leads to another origin, [`Standard`] removes `Authorization` and cookies from the
//!   request. The client's *default* headers, however, are added to every request. Put credentials on
//!   requests, or in a layer above the redirects, not into
//!   [`default_headers`](::reqwest::ClientBuilder::default_headers).
//! - If a redirect leads to another origin, [`Standard`] also removes the extensions of the request, such as
//!   a [`RetryOverride`](crate::RetryOverride), or the time-out that was set with reqwest's
//!   `RequestBuilder::timeout`. Set time-outs on the client or on the layer.
//! - The body is copied only by a policy such as the one above.
//!
//! [`Standard`]: https://docs.rs/tower-http/latest/tower_http/follow_redirect/policy/type.Standard.html
//!
//! # A client that exists already
//!
//! [`Service::from`] takes an existing client. This crate cannot see whether that client follows redirects,
//! so it never treats a failure as a refusal: a POST is not repeated after a 429 or a refused connection,
//! unless it has an idempotency key. If the client was built without redirects, call
//! [`Service::redirects_are_off`].
//!
//! ```
//! # fn main() -> Result<(), reqwest::Error> {
//! use http::HeaderValue;
//! use tower::Layer;
//! use tower_http_retry::RetryLayer;
//! use tower_http_retry::reqwest::Service;
//!
//! let client = reqwest::Client::builder().retry(reqwest::retry::never()).build()?;
//! let new_key = || HeaderValue::try_from(uuid::Uuid::new_v4().to_string()).unwrap();
//! let retrying = RetryLayer::new().idempotency_key(new_key).layer(Service::from(client.clone()));
//! # let _ = retrying;
//! # Ok(())
//! # }
//! ```
#![cfg_attr(
    feature = "reqwest-middleware",
    doc = r#"
# A client with middleware

[`RetryMiddleware`] applies a retry layer as a middleware of [reqwest-middleware]. It can replace that of
reqwest-retry, for example:

```
# #[tokio::main(flavor = "current_thread")]
# async fn main() -> Result<(), Box<dyn std::error::Error>> {
use reqwest_middleware::ClientBuilder;
use tower_http_retry::RetryLayer;
use tower_http_retry::reqwest::RetryMiddleware;

# let app = axum::Router::new().route("/", axum::routing::get(async || "here"));
# let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
# let url = format!("http://{}/", listener.local_addr()?);
# tokio::spawn(async { axum::serve(listener, app).await });
let client = ClientBuilder::new(reqwest::Client::new())
    .with(RetryMiddleware::new(RetryLayer::new()))
    .build();
let response = client.get(url).send().await?;
assert_eq!(response.text().await?, "here");
# Ok(())
# }
```

[reqwest-middleware]: https://docs.rs/reqwest-middleware
"#
)]
//!
//! [reqwest]: https://docs.rs/reqwest

mod body;
#[cfg(feature = "reqwest-middleware")]
mod middleware;
mod response;
mod send_through;
mod service;

#[cfg(feature = "reqwest-middleware")]
pub use middleware::RetryMiddleware;
pub use send_through::{SendThrough, Sending};
pub use service::{ResponseFuture, Service};

pub use crate::redirected::MaybeRedirected;
