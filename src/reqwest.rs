//! Retries for users of [reqwest] 0.13: feature `reqwest`, and `reqwest-middleware` for
//! [`RetryMiddleware`](self#a-client-with-middleware) and reqwest-middleware 0.5.
//!
//! # A stack over reqwest's client
//!
//! [`Service`] is a tower service that sends requests by a reqwest client, with redirects and reqwest's
//! own retries off. [`SendThrough::send_through`] sends what a reqwest `RequestBuilder` has built
//! through a stack over it, and returns a [`reqwest::Response`]:
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
//! A client that follows redirects by itself hides which request failed: a refused connection or a 429
//! may be that of a redirect's target, after the first server has acted on the request. So redirects are
//! followed above the retry, by tower-http's `FollowRedirectLayer`. A 307 or 308 needs the body once
//! more, which can be copied if it is in memory:
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
//! Three things differ from redirects that reqwest follows by itself, if the redirect leads to another host:
//!
//! - [`Standard`] removes `Authorization` and cookies from the request, but the client's *default* headers are
//!   added to every request. Put credentials on requests, or in a layer above the redirects, not into
//!   [`default_headers`](::reqwest::ClientBuilder::default_headers).
//! - [`Standard`] removes the extensions of the request: a [`RetryOverride`](crate::RetryOverride), and the
//!   time-out that was set by reqwest's `RequestBuilder::timeout`. Set time-outs on the client or on the layer.
//! - The body is copied only by a policy such as the one above.
//!
//! [`Standard`]: https://docs.rs/tower-http/latest/tower_http/follow_redirect/policy/type.Standard.html
//!
//! # A client that exists already
//!
//! [`Service::from`] takes a client that is built already. This crate cannot see whether such a client follows
//! redirects. A failure is treated as a refusal only if it certainly belongs to the original request: a POST
//! is not repeated after a 429 or a refused connection, unless it has an idempotency key. If the client was
//! built without redirects, call [`Service::redirects_are_off`].
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

[`RetryMiddleware`] is a retry layer as a middleware of [reqwest-middleware], for example in the place of
reqwest-retry's:

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
