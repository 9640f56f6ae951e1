//! Compiler errors of stacks whose layers do not fit together, and how to fix them.
//!
//! Find the line that the compiler prints, or a part of it:
//!
//! | the compiler says | cause |
//! |---|---|
//! | the method `oneshot` exists .. but its trait bounds were not satisfied | [any of these] |
//! | `..: Service<Request<ReplayBody<_>>>` is not satisfied | [the client takes another body] |
//! | `..: Clone` is not satisfied | [the client is not `Clone`] |
//! | expected function signature `fn(Request<ReplayBody<_>>)` | [a mock takes the caller's body] |
//! | `..: http_body::Body` is not satisfied, and below it `B: Body` | [the request has no body] |
//! | `..: http_body::Body` is not satisfied, and below it `R: Body` | [the response has no body] |
//! | a future that resolves to `Result<Response<_>, _>` | [the response is not one of HTTP] |
//! | `..: Into<Box<..>>` is not satisfied, and below it `S::Error: Into<BoxError>` | [the client's error is no `Error`] |
//! | the same, or `..: std::error::Error`, and below it `ReplayBody<..>` | [the error of the request's body is no `Error`] |
//! | is not a classifier | [a closure is passed to `classify`] |
//! | expected `Verdict`, found `Class` | [a closure returns a class] |
//! | expected `StatusCode`, found integer | [a status is given as a number] |
//! | `Verify<Retry<..>>: Service<..>` is not satisfied | [`VerifyLayer` is above the retry] |
//! | the item is gated behind the `..` feature | [a feature is off] |
//!
//! # `oneshot` names no cause
//!
//! ```text
//! error[E0599]: the method `oneshot` exists for struct `tower_http_retry::Retry<Connection>`, but its
//!     trait bounds were not satisfied
//! ```
//!
//! `oneshot`, `ready` and `call` are methods of a trait. If a bound is not satisfied, the compiler reports
//! that the method does not apply, but often not why. [`Retry::send`](crate::Retry::send) has the bounds in
//! its own signature. Call it instead of `oneshot` to see the cause, and keep it or change back when the code
//! compiles. If a stack is returned as `impl Service`, the compiler reports the cause at the return type.
//!
//! ```compile_fail,E0599
//! use bytes::Bytes;
//! use http::Request;
//! use http_body_util::Full;
//! use tower::{Layer, ServiceExt};
//! use tower_http_retry::RetryLayer;
//!
//! struct Connection;
//!
//! let client = RetryLayer::new().layer(Connection);
//! let _ = client.oneshot(Request::new(Full::<Bytes>::default()));
//! ```
//!
//! # The client takes another body
//!
//! ```text
//! error[E0277]: the trait bound `Client<HttpConnector, Body>: Service<http::Request<ReplayBody<_>>>` is not
//!     satisfied
//! ```
//!
//! The retry sends each attempt with a [`ReplayBody`](crate::ReplayBody), but the client accepts only one
//! other body type.
//!
//! ```compile_fail,E0277
//! use axum::body::Body;
//! use http::Request;
//! use hyper_util::client::legacy::Client;
//! use hyper_util::client::legacy::connect::HttpConnector;
//! use hyper_util::rt::TokioExecutor;
//! use tower::ServiceBuilder;
//! use tower_http_retry::RetryLayer;
//!
//! let hyper: Client<HttpConnector, Body> = Client::builder(TokioExecutor::new()).build_http();
//! let client = ServiceBuilder::new().layer(RetryLayer::new()).service(hyper);
//! let _ = client.send(Request::new(Body::empty()));
//! ```
//!
//! Leave the type out, so that the compiler infers a client for `ReplayBody<Body>`, or convert the body
//! directly above the client. The page on stacking has [the
//! constructors](super::stacking#converting-the-body) for other clients.
//!
//! ```
//! use axum::body::Body;
//! use http::Request;
//! use hyper_util::client::legacy::Client;
//! use hyper_util::client::legacy::connect::HttpConnector;
//! use hyper_util::rt::TokioExecutor;
//! use tower::ServiceBuilder;
//! use tower_http::map_request_body::MapRequestBodyLayer;
//! use tower_http_retry::RetryLayer;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), tower_http_retry::BoxError> {
//! # let router = axum::Router::new().fallback(async || "an item");
//! # let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
//! # let server = format!("http://{}/", listener.local_addr()?);
//! # tokio::spawn(async { axum::serve(listener, router).await });
//! let hyper: Client<HttpConnector, Body> = Client::builder(TokioExecutor::new()).build_http();
//! let client = ServiceBuilder::new()
//!     .layer(RetryLayer::new())
//!     .layer(MapRequestBodyLayer::new(Body::new))
//!     .service(hyper);
//! let response = client.send(Request::get(server).body(Body::empty())?).await?;
//! assert_eq!(response.status(), 200);
//! # Ok(())
//! # }
//! ```
//!
//! # The client is not `Clone`
//!
//! ```text
//! error[E0277]: the trait bound `RateLimit<Client<HttpConnector, ReplayBody<_>>>: Clone` is not satisfied
//! ```
//!
//! The retry clones the service below it for each request. tower's `RateLimit` and `Balance` are not `Clone`.
//!
//! ```compile_fail,E0277
//! use std::time::Duration;
//!
//! use bytes::Bytes;
//! use http::Request;
//! use http_body_util::Full;
//! use hyper_util::client::legacy::Client;
//! use hyper_util::rt::TokioExecutor;
//! use tower::ServiceBuilder;
//! use tower_http_retry::RetryLayer;
//!
//! let client = ServiceBuilder::new()
//!     .layer(RetryLayer::new())
//!     .rate_limit(10, Duration::from_secs(1))
//!     .service(Client::builder(TokioExecutor::new()).build_http());
//! let _ = client.send(Request::new(Full::<Bytes>::default()));
//! ```
//!
//! Put a buffer directly below the retry (feature `buffer` of tower). If the service is your own, derive
//! `Clone` for it instead. A buffer spawns a task, so build the stack inside a tokio runtime.
//!
//! ```
//! use std::time::Duration;
//!
//! use bytes::Bytes;
//! use http::Request;
//! use http_body_util::Full;
//! use hyper_util::client::legacy::Client;
//! use hyper_util::rt::TokioExecutor;
//! use tower::ServiceBuilder;
//! use tower_http_retry::RetryLayer;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), tower_http_retry::BoxError> {
//! # let router = axum::Router::new().fallback(async || "an item");
//! # let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
//! # let server = format!("http://{}/", listener.local_addr()?);
//! # tokio::spawn(async { axum::serve(listener, router).await });
//! let client = ServiceBuilder::new()
//!     .layer(RetryLayer::new())
//!     .buffer(64)
//!     .rate_limit(10, Duration::from_secs(1))
//!     .service(Client::builder(TokioExecutor::new()).build_http());
//! let request = Request::get(server).body(Full::<Bytes>::default())?;
//! assert_eq!(client.send(request).await?.status(), 200);
//! # Ok(())
//! # }
//! ```
//!
//! # A mock takes the caller's body
//!
//! ```text
//! error[E0631]: type mismatch in function arguments
//!   = note: expected function signature `fn(http::Request<ReplayBody<_>>) -> _`
//!              found function signature `fn(http::Request<http_body_util::Full<bytes::Bytes>>) -> _`
//! ```
//!
//! The service of a test takes the body type of the caller, but it receives a `ReplayBody` of that type.
//!
//! ```compile_fail,E0631
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::Full;
//! use tower::ServiceBuilder;
//! use tower_http_retry::{BoxError, RetryLayer};
//!
//! let client = ServiceBuilder::new().layer(RetryLayer::new()).service_fn(
//!     async |_: Request<Full<Bytes>>| Ok::<_, BoxError>(Response::new(Full::<Bytes>::default())),
//! );
//! let _ = client.send(Request::new(Full::<Bytes>::default()));
//! ```
//!
//! Take the `ReplayBody`:
//!
//! ```
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::Full;
//! use tower::ServiceBuilder;
//! use tower_http_retry::{BoxError, ReplayBody, RetryLayer};
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), BoxError> {
//! let client = ServiceBuilder::new().layer(RetryLayer::new()).service_fn(
//!     async |_: Request<ReplayBody<Full<Bytes>>>| {
//!         Ok::<_, BoxError>(Response::new(Full::<Bytes>::default()))
//!     },
//! );
//! let response = client.send(Request::new(Full::<Bytes>::default())).await?;
//! assert_eq!(response.status(), 200);
//! # Ok(())
//! # }
//! ```
//!
//! # The request has no body
//!
//! ```text
//! error[E0277]: the trait bound `Vec<u8>: http_body::Body` is not satisfied
//! note: required by a bound in `Retry::<S, C>::send`
//!     |         B: Body,
//! ```
//!
//! `Vec<u8>` and `()`, for example, do not implement `Body`.
//!
//! ```compile_fail,E0277
//! use http::{Request, Response};
//! use http_body_util::Empty;
//! use tower::ServiceBuilder;
//! use tower_http_retry::{BoxError, ReplayBody, RetryLayer};
//!
//! let client = ServiceBuilder::new().layer(RetryLayer::new()).service_fn(
//!     async |_: Request<ReplayBody<Vec<u8>>>| {
//!         Ok::<_, BoxError>(Response::new(Empty::<bytes::Bytes>::new()))
//!     },
//! );
//! let _ = client.send(Request::new(b"an item".to_vec()));
//! ```
//!
//! Use a body of http-body-util: `Full` for bytes, or `Empty`. A `String` also implements `Body`.
//!
//! ```
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::{Empty, Full};
//! use tower::ServiceBuilder;
//! use tower_http_retry::{BoxError, ReplayBody, RetryLayer};
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), BoxError> {
//! let client = ServiceBuilder::new().layer(RetryLayer::new()).service_fn(
//!     async |_: Request<ReplayBody<Full<Bytes>>>| {
//!         Ok::<_, BoxError>(Response::new(Empty::<Bytes>::new()))
//!     },
//! );
//! let response = client.send(Request::new(Full::from(b"an item".to_vec()))).await?;
//! assert_eq!(response.status(), 200);
//! # Ok(())
//! # }
//! ```
//!
//! # The response has no body
//!
//! ```text
//! error[E0277]: the trait bound `Vec<u8>: http_body::Body` is not satisfied
//! note: required by a bound in `Retry::<S, C>::send`
//!     |         R: Body,
//! ```
//!
//! The retry drains the body of a discarded response, so that its connection can be reused. Therefore the
//! response body has to implement `Body`. Here, the service below the retry returns bytes instead.
//!
//! ```compile_fail,E0277
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::Full;
//! use tower::ServiceBuilder;
//! use tower_http_retry::{BoxError, ReplayBody, RetryLayer};
//!
//! let client = ServiceBuilder::new().layer(RetryLayer::new()).service_fn(
//!     async |_: Request<ReplayBody<Full<Bytes>>>| {
//!         Ok::<_, BoxError>(Response::new(b"an item".to_vec()))
//!     },
//! );
//! let _ = client.send(Request::new(Full::<Bytes>::default()));
//! ```
//!
//! Convert the body to bytes above the retry, or after the call:
//!
//! ```
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::{BodyExt, Full};
//! use tower::ServiceBuilder;
//! use tower_http_retry::{BoxError, ReplayBody, RetryLayer};
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), BoxError> {
//! let client = ServiceBuilder::new().layer(RetryLayer::new()).service_fn(
//!     async |_: Request<ReplayBody<Full<Bytes>>>| {
//!         Ok::<_, BoxError>(Response::new(Full::<Bytes>::from("an item")))
//!     },
//! );
//! let response = client.send(Request::new(Full::<Bytes>::default())).await?;
//! let bytes = response.into_body().collect().await?.to_bytes().to_vec();
//! assert_eq!(bytes, b"an item");
//! # Ok(())
//! # }
//! ```
//!
//! # The response is not one of HTTP
//!
//! ```text
//! error[E0271]: expected `{async closure body@..}` to be a future that resolves to `Result<Response<_>, _>`,
//!     but it resolves to `Result<String, Box<dyn Error + Send + Sync>>`
//! ```
//!
//! The service below the retry returns a value that was parsed from the response. The retry needs the
//! response itself, to read its status.
//!
//! ```compile_fail,E0271
//! use bytes::Bytes;
//! use http::Request;
//! use http_body_util::Full;
//! use tower::ServiceBuilder;
//! use tower_http_retry::{BoxError, ReplayBody, RetryLayer};
//!
//! let client = ServiceBuilder::new().layer(RetryLayer::new()).service_fn(
//!     async |_: Request<ReplayBody<Full<Bytes>>>| Ok::<_, BoxError>(String::from("an item")),
//! );
//! let _ = client.send(Request::new(Full::<Bytes>::default()));
//! ```
//!
//! Parse above the retry:
//!
//! ```
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::{BodyExt, Full};
//! use tower::{ServiceBuilder, ServiceExt};
//! use tower_http_retry::{BoxError, ReplayBody, RetryLayer};
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), BoxError> {
//! let client = ServiceBuilder::new()
//!     .and_then(async |response: Response<Full<Bytes>>| {
//!         let bytes = response.into_body().collect().await?.to_bytes();
//!         Ok::<_, BoxError>(String::from_utf8(bytes.to_vec())?)
//!     })
//!     .layer(RetryLayer::new())
//!     .service_fn(async |_: Request<ReplayBody<Full<Bytes>>>| {
//!         Ok::<_, BoxError>(Response::new(Full::<Bytes>::from("an item")))
//!     });
//! let item = client.oneshot(Request::new(Full::<Bytes>::default())).await?;
//! assert_eq!(item, "an item");
//! # Ok(())
//! # }
//! ```
//!
//! # The client's error is no `Error`
//!
//! ```text
//! error[E0277]: the trait bound `Offline: Into<Box<(dyn std::error::Error + Send + Sync + 'static)>>` is not
//!     satisfied
//! help: the trait `std::error::Error` is not implemented for `Offline`
//! note: required by a bound in `Retry::<S, C>::send`
//!     |         S::Error: Into<BoxError>,
//! ```
//!
//! The retry returns errors as a [`BoxError`](crate::BoxError). The client's error cannot be converted to
//! one.
//!
//! ```compile_fail,E0277
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::Full;
//! use tower::ServiceBuilder;
//! use tower_http_retry::{ReplayBody, RetryLayer};
//!
//! struct Offline;
//!
//! let client = ServiceBuilder::new().layer(RetryLayer::new()).service_fn(
//!     async |_: Request<ReplayBody<Full<Bytes>>>| Err::<Response<Full<Bytes>>, _>(Offline),
//! );
//! let _ = client.send(Request::new(Full::<Bytes>::default()));
//! ```
//!
//! Implement `std::error::Error` for it. If the error has a cause, return the cause from `source`, so that
//! the [classifier](crate::ByStatus) sees it.
//!
//! ```
//! use std::error::Error;
//! use std::fmt;
//!
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::Full;
//! use tower::ServiceBuilder;
//! use tower_http_retry::{ReplayBody, RetryLayer};
//!
//! #[derive(Debug)]
//! struct Offline;
//!
//! impl fmt::Display for Offline {
//!     fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
//!         f.write_str("there is no network")
//!     }
//! }
//!
//! impl Error for Offline {}
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() {
//! let client = ServiceBuilder::new().layer(RetryLayer::new()).service_fn(
//!     async |_: Request<ReplayBody<Full<Bytes>>>| Err::<Response<Full<Bytes>>, _>(Offline),
//! );
//! let error = client.send(Request::new(Full::<Bytes>::default())).await.unwrap_err();
//! assert!(error.is::<Offline>());
//! # }
//! ```
//!
//! # The error of the request's body is no `Error`
//!
//! ```text
//! error[E0277]: the trait bound `Torn: Into<Box<(dyn std::error::Error + Send + Sync + 'static)>>` is not
//!     satisfied
//!     = note: required for `ReplayBody<MapErr<Full<Bytes>, {closure@..}>>` to implement `http_body::Body`
//! ```
//!
//! A `ReplayBody` implements `Body` only if the error of the caller's body can be converted to a
//! [`BoxError`](crate::BoxError).
//!
//! ```compile_fail,E0277
//! use bytes::Bytes;
//! use http::Request;
//! use http_body_util::{BodyExt, Full};
//! use hyper_util::client::legacy::Client;
//! use hyper_util::rt::TokioExecutor;
//! use tower::ServiceBuilder;
//! use tower_http_retry::RetryLayer;
//!
//! struct Torn;
//!
//! let client = ServiceBuilder::new()
//!     .layer(RetryLayer::new())
//!     .service(Client::builder(TokioExecutor::new()).build_http());
//! let body = Full::<Bytes>::from("an item").map_err(|_| Torn);
//! let _ = client.send(Request::new(body));
//! ```
//!
//! Implement `std::error::Error` for this error, or convert it with `map_err`:
//!
//! ```
//! use bytes::Bytes;
//! use http::Request;
//! use http_body_util::{BodyExt, Full};
//! use hyper_util::client::legacy::Client;
//! use hyper_util::rt::TokioExecutor;
//! use tower::ServiceBuilder;
//! use tower_http_retry::{BoxError, RetryLayer};
//!
//! struct Torn;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), BoxError> {
//! # let router = axum::Router::new().fallback(async |body: String| body);
//! # let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
//! # let server = format!("http://{}/", listener.local_addr()?);
//! # tokio::spawn(async { axum::serve(listener, router).await });
//! let client = ServiceBuilder::new()
//!     .layer(RetryLayer::new())
//!     .service(Client::builder(TokioExecutor::new()).build_http());
//! let body = Full::<Bytes>::from("an item").map_err(|_| Torn);
//! let body = body.map_err(|Torn| BoxError::from("the file is torn"));
//! let response = client.send(Request::put(server).body(body)?).await?;
//! assert_eq!(response.into_body().collect().await?.to_bytes(), "an item");
//! # Ok(())
//! # }
//! ```
//!
//! # A closure is passed to `classify`
//!
//! ```text
//! error[E0277]: `{closure@..}` is not a classifier
//!     = note: for a closure use `RetryLayer::classify_fn`; a type implements `Classify`
//! ```
//!
//! ```compile_fail,E0277
//! use tower_http_retry::classify::Classify;
//! use tower_http_retry::{ByStatus, RetryLayer};
//!
//! let _ = RetryLayer::new().classify(|outcome| ByStatus::new().classify(outcome));
//! ```
//!
//! [`classify`](crate::RetryLayer::classify) takes a type that implements
//! [`Classify`](crate::classify::Classify), such as [`ByStatus`](crate::ByStatus). For a closure, use
//! [`classify_fn`](crate::RetryLayer::classify_fn):
//!
//! ```
//! use tower_http_retry::RetryLayer;
//!
//! let _ = RetryLayer::new().classify_fn(|outcome| outcome.by_status());
//! ```
//!
//! # A closure returns a class
//!
//! ```text
//! error[E0308]: mismatched types
//!     expected `Verdict`, found `Class`
//! ```
//!
//! ```compile_fail,E0308
//! use tower_http_retry::RetryLayer;
//! use tower_http_retry::classify::Class;
//!
//! let _ = RetryLayer::new().classify_fn(|_| Class::Transient);
//! ```
//!
//! A classifier returns a [`Verdict`](crate::classify::Verdict): a class, and details such as the wait before
//! the next attempt. Convert the class to a verdict:
//!
//! ```
//! use tower_http_retry::RetryLayer;
//! use tower_http_retry::classify::Class;
//!
//! let _ = RetryLayer::new().classify_fn(|_| Class::Transient.into());
//! ```
//!
//! # A status is given as a number
//!
//! ```text
//! error[E0308]: mismatched types
//!     expected `StatusCode`, found integer
//! ```
//!
//! ```compile_fail,E0308
//! use tower_http_retry::ByStatus;
//!
//! let _ = ByStatus::new().except(501);
//! ```
//!
//! Use the constants of [`StatusCode`](http::StatusCode). For a status without a constant, use `from_u16`,
//! which returns an error if the number is not a status:
//!
//! ```
//! use http::StatusCode;
//! use tower_http_retry::ByStatus;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let _ = ByStatus::new().except(StatusCode::NOT_IMPLEMENTED).also(StatusCode::from_u16(423)?);
//! assert!(StatusCode::from_u16(1023).is_err());
//! # Ok(())
//! # }
//! ```
//!
//! # `VerifyLayer` is above the retry
//!
//! ```text
//! error[E0277]: the trait bound `Verify<Retry<ServiceFn<...>>>: Service<...>` is not satisfied
//! help: the trait `Service<http::Request<ReplayBody<B>>>` is implemented for `Verify<S>`
//! ```
//!
//! [`VerifyLayer`](crate::VerifyLayer) acts on retries only, and reads the number of the attempt from the
//! `ReplayBody`. Above the retry, below [`HedgeLayer`](crate::HedgeLayer), or below a layer that converts the
//! body, it does not receive a `ReplayBody`.
//!
//! ```compile_fail,E0277
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::Full;
//! use tower::{Service, ServiceBuilder};
//! use tower_http_retry::{BoxError, ReplayBody, RetryLayer, VerifyLayer};
//!
//! fn client() -> impl Service<Request<Full<Bytes>>> {
//!     ServiceBuilder::new()
//!         .layer(VerifyLayer::new())
//!         .layer(RetryLayer::new())
//!         .service_fn(async |_: Request<ReplayBody<Full<Bytes>>>| {
//!             Ok::<_, BoxError>(Response::new(Full::<Bytes>::default()))
//!         })
//! }
//! ```
//!
//! Put it directly below the retry. The page on [stacking](super::stacking) shows the place of each layer.
//!
//! ```
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::Full;
//! use tower::{Service, ServiceBuilder};
//! use tower_http_retry::{BoxError, ReplayBody, RetryLayer, VerifyLayer};
//!
//! fn client() -> impl Service<Request<Full<Bytes>>> {
//!     ServiceBuilder::new()
//!         .layer(RetryLayer::new())
//!         .layer(VerifyLayer::new())
//!         .service_fn(async |_: Request<ReplayBody<Full<Bytes>>>| {
//!             Ok::<_, BoxError>(Response::new(Full::<Bytes>::default()))
//!         })
//! }
//! # let _ = client();
//! ```
//!
//! # A feature is off
//!
//! ```text
//! error[E0432]: unresolved import `tower_http_retry::grpc`
//!     | #[cfg(feature = "grpc")]
//!     |       ---------------- the item is gated behind the `grpc` feature
//! ```
//!
#![cfg_attr(not(feature = "grpc"), doc = "```compile_fail,E0432")]
#![cfg_attr(feature = "grpc", doc = "```")]
//! use tower_http_retry::grpc::PeekTrailersLayer;
//!
//! let _ = PeekTrailersLayer::new();
//! ```
//!
//! Add the feature: `cargo add tower-http-retry -F grpc`. All features are listed [here](crate#features).
//!
//! [any of these]: #oneshot-names-no-cause
//! [the client takes another body]: #the-client-takes-another-body
//! [the client is not `Clone`]: #the-client-is-not-clone
//! [a mock takes the caller's body]: #a-mock-takes-the-callers-body
//! [the request has no body]: #the-request-has-no-body
//! [the response has no body]: #the-response-has-no-body
//! [the response is not one of HTTP]: #the-response-is-not-one-of-http
//! [the client's error is no `Error`]: #the-clients-error-is-no-error
//! [the error of the request's body is no `Error`]: #the-error-of-the-requests-body-is-no-error
//! [a closure is passed to `classify`]: #a-closure-is-passed-to-classify
//! [a closure returns a class]: #a-closure-returns-a-class
//! [a status is given as a number]: #a-status-is-given-as-a-number
//! [`VerifyLayer` is above the retry]: #verifylayer-is-above-the-retry
//! [a feature is off]: #a-feature-is-off
