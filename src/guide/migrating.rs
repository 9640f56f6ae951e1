//! How to replace other retries: reqwest-retry, reqwest's own, `tower::retry`, and backon; and how to add
//! retries to tonic.
//!
//! Each part has the code before and after. The tests of this crate run both, against a server that fails
//! twice and then succeeds, and against one that fails a POST.
//!
//! For HTTP, the gain is the same in each case: a POST is not repeated if the server may have acted on it,
//! `Retry-After` is obeyed, a [budget](crate::budget) stops retries that do not help, and a
//! [`RetryOverride`](crate::RetryOverride) changes the settings for a single request. The rules of gRPC
//! [differ](#from-tonic-without-retries).
//!
//! # From reqwest-retry
//!
//! Before:
//!
//! ```
//! # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/flaky.rs"));
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> reqwest_middleware::Result<()> {
//! use reqwest_middleware::ClientBuilder;
//! use reqwest_retry::{RetryTransientMiddleware, policies::ExponentialBackoff};
//!
//! let policy = ExponentialBackoff::builder().build_with_max_retries(5);
//! let client = ClientBuilder::new(reqwest::Client::new())
//!     .with(RetryTransientMiddleware::new_with_policy(policy))
//!     .build();
//! # let server = Flaky::start([503, 503]).await;
//! # let url = &server.url;
//!
//! let response = client.get(url).send().await?;
//! # assert_eq!(response.status(), 200);
//! # assert_eq!(server.received(), ["GET", "GET", "GET"]);
//! # let server = Flaky::start([503]).await;
//! # client.post(&server.url).body("an order").send().await?;
//! # assert_eq!(server.received(), ["POST an order", "POST an order"]);
//! # Ok(())
//! # }
//! ```
//!
//! After, with the feature `reqwest-middleware`:
//!
//! ```
//! # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/flaky.rs"));
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> reqwest_middleware::Result<()> {
//! use reqwest_middleware::ClientBuilder;
//! use tower_http_retry::{RetryLayer, reqwest::RetryMiddleware};
//!
//! let client = ClientBuilder::new(reqwest::Client::new())
//!     .with(RetryMiddleware::new(RetryLayer::new()))
//!     .build();
//! # let server = Flaky::start([503, 503]).await;
//! # let url = &server.url;
//!
//! let response = client.get(url).send().await?;
//! # assert_eq!(response.status(), 200);
//! # assert_eq!(server.received(), ["GET", "GET", "GET"]);
//! # let server = Flaky::start([503]).await;
//! # let response = client.post(&server.url).body("an order").send().await?;
//! # assert_eq!(response.status(), 503);
//! # assert_eq!(server.received(), ["POST an order"]);
//! # Ok(())
//! # }
//! ```
//!
//! | | reqwest-retry | [`RetryMiddleware`] |
//! |---|---|---|
//! | POST and PATCH, after a 5xx, a time-out, or a connection that broke | repeated | not repeated, unless they have an idempotency key |
//! | POST after a 429 or a refused connection | repeated | repeated if the client's redirects [are off] |
//! | 408 | retried | returned, unless you add it with [`ByStatus::also`] |
//! | `Retry-After` | not read | obeyed, up to [`max_retry_after`] |
//! | a streamed body | an error before the request is sent | recorded as it is sent, up to 1 MiB |
//! | an error after retries | `RetryError::WithRetries`, with the error as its source | the last error itself; the number of attempts is in an [`AttemptsHandle`] |
//! | a server that is down | each request is sent six times | the budget allows ten retries; then each request is sent once, until requests succeed |
//! | your own classification | a `RetryableStrategy` | [`RetryLayer::classify_fn`] |
//!
//! # From reqwest's own retries
//!
//! Before:
//!
//! ```
//! # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/flaky.rs"));
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> reqwest::Result<()> {
//! use reqwest::retry;
//!
//! let retries = retry::for_host("127.0.0.1").max_retries_per_request(5).classify_fn(|attempt| {
//!     let may_pass = |status: reqwest::StatusCode| status.is_server_error() || status == 429;
//!     match attempt.status() {
//!         Some(status) if may_pass(status) => attempt.retryable(),
//!         _ => attempt.success(),
//!     }
//! });
//! let client = reqwest::Client::builder().retry(retries).build()?;
//! # let server = Flaky::start([503, 503]).await;
//! # let url = &server.url;
//!
//! let response = client.get(url).send().await?;
//! # assert_eq!(response.status(), 200);
//! # assert_eq!(server.received(), ["GET", "GET", "GET"]);
//! # let server = Flaky::start([503]).await;
//! # client.post(&server.url).body("an order").send().await?;
//! # assert_eq!(server.received(), ["POST an order", "POST an order"]);
//! # Ok(())
//! # }
//! ```
//!
//! After, with the feature `reqwest`:
//!
//! ```
//! # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/flaky.rs"));
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), tower_http_retry::BoxError> {
//! use tower::Layer;
//! use tower_http_retry::{RetryLayer, reqwest::{SendThrough, Service}};
//!
//! let client = reqwest::Client::builder().retry(reqwest::retry::never()).build()?;
//! let retrying = RetryLayer::new().layer(Service::from(client.clone()));
//! # let server = Flaky::start([503, 503]).await;
//! # let url = &server.url;
//!
//! let response = client.get(url).send_through(&retrying).await?;
//! # assert_eq!(response.status(), 200);
//! # assert_eq!(server.received(), ["GET", "GET", "GET"]);
//! # let server = Flaky::start([503]).await;
//! # let response = client.post(&server.url).body("an order").send_through(&retrying).await?;
//! # assert_eq!(response.status(), 503);
//! # assert_eq!(server.received(), ["POST an order"]);
//! # Ok(())
//! # }
//! ```
//!
//! | | reqwest's own | a [`RetryLayer`] above [`Service`] |
//! |---|---|---|
//! | wait between attempts | none | 1 s, 2 s, 4 s, .. with jitter |
//! | POST | as the closure decides | not repeated if the server may have acted on it |
//! | errors | as the closure decides; by default, HTTP/2 streams that the server refused are retried | classified by their cause: see [`ByStatus`] |
//! | `Retry-After` | not read | obeyed, up to [`max_retry_after`] |
//! | budget | 20 % of the requests, refilled by time | earned by requests that succeed |
//! | scope | one host | all requests of the layer; with [`Budget::per_authority`], each host has its own budget |
//! | redirects | followed below the retry | the same with `Service::from`; followed above the retry with [`Service::new`](crate::reqwest::Service::new) and tower-http's layer |
//!
//! # From `tower::retry`
//!
//! Before:
//!
//! ```
//! # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/flaky.rs"));
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), tower_http_retry::BoxError> {
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::Full;
//! use hyper_util::{client::legacy::Client, rt::TokioExecutor};
//! use std::time::Duration;
//! use tower::retry::backoff::{Backoff, ExponentialBackoff, ExponentialBackoffMaker, MakeBackoff};
//! use tower::{ServiceBuilder, ServiceExt, retry::Policy, util::rng::HasherRng};
//!
//! #[derive(Clone)]
//! struct Retries {
//!     left: u32,
//!     backoff: ExponentialBackoff,
//! }
//!
//! impl Retries {
//!     fn new() -> Self {
//!         let (min, max) = (Duration::from_secs(1), Duration::from_secs(60));
//!         let maker = ExponentialBackoffMaker::new(min, max, 0.5, HasherRng::default());
//!         Self { left: 5, backoff: maker.unwrap().make_backoff() }
//!     }
//! }
//!
//! impl<B: Clone, R, E> Policy<Request<B>, Response<R>, E> for Retries {
//!     type Future = tokio::time::Sleep;
//!
//!     fn retry(
//!         &mut self,
//!         _: &mut Request<B>,
//!         result: &mut Result<Response<R>, E>,
//!     ) -> Option<Self::Future> {
//!         let may_pass = match result {
//!             Ok(response) => response.status().is_server_error() || response.status() == 429,
//!             Err(_) => true,
//!         };
//!         self.left = if may_pass { self.left.checked_sub(1)? } else { return None };
//!         Some(self.backoff.next_backoff())
//!     }
//!
//!     fn clone_request(&mut self, request: &Request<B>) -> Option<Request<B>> {
//!         Some(request.clone())
//!     }
//! }
//!
//! let client = ServiceBuilder::new()
//!     .retry(Retries::new())
//!     .service(Client::builder(TokioExecutor::new()).build_http());
//! # let server = Flaky::start([503, 503]).await;
//! # let url = &server.url;
//!
//! let response = client.oneshot(Request::get(url).body(Full::<Bytes>::default())?).await?;
//! # assert_eq!(response.status(), 200);
//! # assert_eq!(server.received(), ["GET", "GET", "GET"]);
//! # let client = ServiceBuilder::new()
//! #     .retry(Retries::new())
//! #     .service(Client::builder(TokioExecutor::new()).build_http());
//! # let server = Flaky::start([503]).await;
//! # let request = Request::post(&server.url).body(Full::<Bytes>::from("an order"))?;
//! # client.oneshot(request).await?;
//! # assert_eq!(server.received(), ["POST an order", "POST an order"]);
//! # Ok(())
//! # }
//! ```
//!
//! After:
//!
//! ```
//! # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/flaky.rs"));
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), tower_http_retry::BoxError> {
//! use bytes::Bytes;
//! use http::Request;
//! use http_body_util::Full;
//! use hyper_util::{client::legacy::Client, rt::TokioExecutor};
//! use tower::{ServiceBuilder, ServiceExt};
//! use tower_http_retry::RetryLayer;
//!
//! let client = ServiceBuilder::new()
//!     .layer(RetryLayer::new())
//!     .service(Client::builder(TokioExecutor::new()).build_http());
//! # let server = Flaky::start([503, 503]).await;
//! # let url = &server.url;
//!
//! let response = client.oneshot(Request::get(url).body(Full::<Bytes>::default())?).await?;
//! # assert_eq!(response.status(), 200);
//! # assert_eq!(server.received(), ["GET", "GET", "GET"]);
//! # let client = ServiceBuilder::new()
//! #     .layer(RetryLayer::new())
//! #     .service(Client::builder(TokioExecutor::new()).build_http());
//! # let server = Flaky::start([503]).await;
//! # let request = Request::post(&server.url).body(Full::<Bytes>::from("an order"))?;
//! # let response = client.oneshot(request).await?;
//! # assert_eq!(response.status(), 503);
//! # assert_eq!(server.received(), ["POST an order"]);
//! # Ok(())
//! # }
//! ```
//!
//! | | `tower::retry` | [`RetryLayer`] |
//! |---|---|---|
//! | what is retried | your [`Policy`](https://docs.rs/tower/latest/tower/retry/trait.Policy.html) | 5xx, 429, and transient errors: [`ByStatus`], or your [`Classify`](crate::classify::Classify) |
//! | POST | your policy | not repeated if the server may have acted on it |
//! | `Retry-After` | your policy | obeyed, up to [`max_retry_after`] |
//! | request body | has to be `Clone` | any `Body`; the inner service gets a [`ReplayBody`], which one line [converts](crate::ReplayBody#example) |
//! | discarded response | dropped: if its body has not arrived, an HTTP/1 connection is closed | drained, so that its connection is reused |
//! | budget | `TpsBudget` in your policy | the same with `Budget::tower`, or a budget of [this crate](crate::budget) |
//! | error | that of the inner service | a [`BoxError`](crate::BoxError) that contains the error of the inner service |
//!
//! # From backon, or a loop around the call
//!
//! Before:
//!
//! ```
//! # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/flaky.rs"));
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> reqwest::Result<()> {
//! use backon::{ExponentialBuilder, Retryable};
//!
//! let client = reqwest::Client::new();
//! # let server = Flaky::start([503, 503]).await;
//! # let url = &server.url;
//! let get = async || client.get(url).send().await?.error_for_status();
//! let response = get
//!     .retry(ExponentialBuilder::default().with_max_times(5).with_jitter())
//!     .when(|error| match error.status() {
//!         Some(status) => status.is_server_error() || status == 429,
//!         None => error.is_connect() || error.is_timeout(),
//!     })
//!     .await?;
//! # assert_eq!(response.status(), 200);
//! # assert_eq!(server.received(), ["GET", "GET", "GET"]);
//! # Ok(())
//! # }
//! ```
//!
//! After, with the feature `reqwest`:
//!
//! ```
//! # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/flaky.rs"));
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), tower_http_retry::BoxError> {
//! use tower::Layer;
//! use tower_http_retry::{RetryLayer, reqwest::{SendThrough, Service}};
//!
//! let client = reqwest::Client::builder().retry(reqwest::retry::never()).build()?;
//! # let server = Flaky::start([503, 503]).await;
//! # let url = &server.url;
//! let retrying = RetryLayer::new().layer(Service::from(client.clone()));
//! let response = client.get(url).send_through(&retrying).await?.error_for_status()?;
//! # assert_eq!(response.status(), 200);
//! # assert_eq!(server.received(), ["GET", "GET", "GET"]);
//! # Ok(())
//! # }
//! ```
//!
//! | | backon around a call | a [`RetryLayer`] |
//! |---|---|---|
//! | where it is written | around each call | once, for all requests of the client |
//! | POST | repeated like any call | not repeated if the server may have acted on it; after a 429 or a refused connection, repeated if the client's redirects are off: see [`Service::new`](crate::reqwest::Service::new) |
//! | what is retried | as `when` decides, for each call | [`ByStatus`], or your classifier |
//! | `Retry-After` | has to be carried through the error to `adjust` | obeyed, up to [`max_retry_after`] |
//! | a body that can be sent once | has to be created again in the closure | recorded as it is sent |
//! | budget | none | shared by all requests |
//! | error | that of the call | a [`BoxError`](crate::BoxError) that contains reqwest's error |
//! | the number of attempts | counted in `notify`, or in the loop | in an [`AttemptsHandle`], an extension of the request: see [`SendThrough`](crate::reqwest::SendThrough) |
//!
//! A loop that sends a request and sleeps is replaced in the same way. backon retries any operation, such as
//! a database query. Keep it for operations other than HTTP requests.
//!
//! # From tonic without retries
//!
//! A client that was generated for tonic returns every failure to its caller. Pass it a stack with a retry
//! instead of a channel. The rest of the code stays the same:
//!
#![cfg_attr(feature = "grpc", doc = "```")]
#![cfg_attr(not(feature = "grpc"), doc = "```ignore")]
//! # mod greeter { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/greeter.rs")); }
//! # use greeter::{Greeter, GreeterClient, Turn, hello, unavailable};
//! use tonic::body::Body;
//! use tower::ServiceBuilder;
//! use tower_http::map_request_body::MapRequestBodyLayer;
//! use tower_http_retry::RetryLayer;
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), tonic::Status> {
//! # let server = Greeter::in_memory([unavailable(), unavailable(), Turn::Ok]);
//! # let channel = server.channel();
//! // Before: GreeterClient::new(channel)
//! let mut greeter = GreeterClient::new(
//!     ServiceBuilder::new()
//!         .layer(RetryLayer::grpc())
//!         .layer(MapRequestBodyLayer::new(Body::new))
//!         .service(channel),
//! );
//! greeter.say_hello(hello("Ada")).await?;
//! # assert_eq!(server.count(), 3);
//! # Ok(())
//! # }
//! ```
//!
//! | | a channel | with [`RetryLayer::grpc`](crate::RetryLayer::grpc) |
//! |---|---|---|
//! | `UNAVAILABLE`, or a connection that broke before the response began | reported | retried up to four times, even if the server may have acted on the call |
//! | any other code | reported | reported, unless you [add it](crate::grpc::ByGrpcStatus::also) |
//! | a stream that the server refused | reported | sent again immediately |
//! | the deadline of a call | applies to the one attempt | applies to all attempts together; each retry sends the time that is left |
//!
//! The page on [gRPC](super::grpc) has the complete stack.
//!
//! [`AttemptsHandle`]: crate::AttemptsHandle
//! [`Budget::per_authority`]: crate::Budget::per_authority
//! [`ByStatus`]: crate::ByStatus
//! [`ByStatus::also`]: crate::ByStatus::also
//! [`ReplayBody`]: crate::ReplayBody
//! [`RetryLayer`]: crate::RetryLayer
//! [`RetryLayer::classify_fn`]: crate::RetryLayer::classify_fn
//! [`RetryMiddleware`]: crate::reqwest::RetryMiddleware
//! [`Service`]: crate::reqwest::Service
//! [`max_retry_after`]: crate::RetryLayer::max_retry_after
//! [are off]: crate::reqwest::RetryMiddleware::redirects_are_off
