//! Which layer goes where in a client.
//!
//! Every layer is optional. The layers that you use go in this order:
//!
//! ```text
//!                  the caller's request
//!                  │
//!   once for       total time-out
//!   each request   │
//!                  follow redirects
//!                  │
//!   once for       ResumeLayer
//!   each hop       │
//!                  RetryLayer, with its Cooldown
//!                  │
//!   once for       VerifyLayer
//!   each attempt   │
//!                  CommitLayer
//!                  │
//!                  HedgeLayer
//!                  │
//!   once for       attempt time-out
//!   each sending   │
//!                  sign, trace
//!                  │
//!                  convert the body
//!                  │
//!                  balancer or client
//! ```
//!
//! Add them to a `ServiceBuilder` in this order, from top to bottom.
//!
//! # The whole stack
//!
//! ```
//! use std::time::Duration;
//!
//! use axum::body::Body;
//! use bytes::Bytes;
//! use http::{HeaderValue, Request, Response};
//! use http_body_util::Full;
//! use hyper_util::client::legacy::Client;
//! use hyper_util::client::legacy::connect::HttpConnector;
//! use tower::ServiceBuilder;
//! use tower::timeout::TimeoutLayer;
//! use tower::util::BoxCloneSyncService;
//! use tower_http::follow_redirect::FollowRedirectLayer;
//! use tower_http::map_request_body::MapRequestBodyLayer;
//! use tower_http::trace::{DefaultOnFailure, TraceLayer};
//! use tower_http_retry::{
//!     BoxError, Budget, CommitLayer, Cooldown, HedgeLayer, ResumeLayer, RetryLayer, VerifyLayer,
//! };
//! use tracing::Level;
//!
//! type HttpClient = BoxCloneSyncService<Request<Full<Bytes>>, Response<Body>, BoxError>;
//!
//! fn client(hyper: Client<HttpConnector, Body>) -> HttpClient {
//!     let budget = Budget::earning(5); // shared by the retry and the hedge
//!     let cooldown = Cooldown::new();
//!     let retry = RetryLayer::new()
//!         .budget(budget.clone())
//!         .rate_limit_headers(true)
//!         .cooldown(cooldown.clone());
//!     let service = ServiceBuilder::new()
//!         .map_response(|response: Response<_>| response.map(Body::new))
//!         .layer(TimeoutLayer::new(Duration::from_secs(60)))
//!         .layer(FollowRedirectLayer::new())
//!         .layer(ResumeLayer::new())
//!         .layer(retry)
//!         .layer(VerifyLayer::new())
//!         .layer(CommitLayer::first_bytes().timeout(Duration::from_secs(10)))
//!         .layer(HedgeLayer::new().retry_budget(budget).cooldown(cooldown))
//!         .layer(TimeoutLayer::new(Duration::from_secs(10)))
//!         .map_request(sign)
//!         .layer(
//!             TraceLayer::new_for_http().on_failure(DefaultOnFailure::new().level(Level::DEBUG)),
//!         )
//!         .layer(MapRequestBodyLayer::new(Body::new))
//!         .service(hyper);
//!     BoxCloneSyncService::new(service)
//! }
//!
//! /// A placeholder for a signature, which is different each time that a request is sent.
//! fn sign<B>(mut request: Request<B>) -> Request<B> {
//!     let nonce = uuid::Uuid::new_v4().to_string();
//!     let nonce = HeaderValue::try_from(nonce).expect("it is plain text");
//!     request.headers_mut().insert("x-nonce", nonce);
//!     request
//! }
//!
//! /// A caller can keep the client in a struct, and share it between threads.
//! #[derive(Clone)]
//! struct Items {
//!     http: HttpClient,
//! }
//! # use std::sync::{Arc, Mutex};
//! # use axum::Router;
//! # use http::{HeaderMap, Method, StatusCode, header::LOCATION};
//! # use http_body_util::BodyExt;
//! # use hyper_util::rt::TokioExecutor;
//! # use tower::ServiceExt;
//! #
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), BoxError> {
//! # fn is_shared<T: Clone + Send + Sync + 'static>() {}
//! # is_shared::<Items>();
//! # let seen = Arc::new(Mutex::new(Vec::new()));
//! # let see = seen.clone();
//! # // `/old` is redirected to `/items/7`, which answers 503 to the first two PUTs.
//! # let server = async move |method: Method, uri: http::Uri, headers: HeaderMap, body: String| {
//! #     let mut seen = see.lock().unwrap();
//! #     let nonce = headers["x-nonce"].to_str().unwrap().to_owned();
//! #     seen.push((format!("{method} {uri} {body}").trim_end().to_owned(), nonce));
//! #     let location = [(LOCATION, "/items/7")];
//! #     match uri.path() {
//! #         "/old" => (StatusCode::FOUND, location, body),
//! #         _ if method == Method::PUT && seen.len() < 3 => {
//! #             (StatusCode::SERVICE_UNAVAILABLE, location, body)
//! #         }
//! #         _ => (StatusCode::OK, location, body),
//! #     }
//! # };
//! # let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
//! # let address = format!("http://{}", listener.local_addr()?);
//! # tokio::spawn(async { axum::serve(listener, Router::new().fallback(server)).await });
//!
//! let hyper = Client::builder(TokioExecutor::new()).build_http();
//! let items = Items { http: client(hyper) };
//!
//! // A PUT that is answered 503 twice has the same body each time, and a different signature.
//! let request = Request::put(format!("{address}/items/7")).body(Full::from("an item"))?;
//! let response = items.http.clone().oneshot(request).await?;
//! assert_eq!(response.status(), StatusCode::OK);
//! assert_eq!(response.into_body().collect().await?.to_bytes(), "an item");
//! # let received = || std::mem::take(&mut *seen.lock().unwrap()).into_iter();
//! # let (lines, mut nonces): (Vec<_>, Vec<_>) = received().unzip();
//! # assert_eq!(lines, ["PUT /items/7 an item"; 3]);
//! # nonces.sort();
//! # nonces.dedup();
//! # assert_eq!(nonces.len(), 3);
//! #
//! # let request = Request::get(format!("{address}/old")).body(Full::default())?;
//! # let response = items.http.oneshot(request).await?;
//! # assert_eq!(response.status(), StatusCode::OK);
//! # let (lines, _): (Vec<_>, Vec<_>) = received().unzip();
//! # assert_eq!(lines, ["GET /old", "GET /items/7"]);
//! # Ok(())
//! # }
//! ```
//!
//! The example needs `cargo add tower -F timeout,util` and `cargo add tower-http -F
//! follow-redirect,map-request-body,trace`. The page [`tower_http`](super::tower_http) has a stack with more
//! layers of tower-http: request ids, decompression, and spans.
//!
//! # Why each layer stands where it stands
//!
//! - **Total time-out**, above every layer that repeats requests. It covers all redirects, attempts and
//!   waits, up to the head of the response. Below the retry, it would restart with each attempt.
//! - **Follow redirects**, above the retry. Below it, a 429 or a refused connection of the redirect's target
//!   would be treated as that of the request itself, and a POST that the server has acted on
//!   [would be sent again](crate#redirects).
//! - **[`ResumeLayer`](crate::ResumeLayer)**, above the retry. Each resumption is a request, which the retry
//!   can repeat. Below the retry, a resumption that is answered 503 would end the download.
//! - **[`RetryLayer`](crate::RetryLayer)**. Its [`Cooldown`](crate::Cooldown) is a part of it, and holds
//!   retries as well as new requests. Use only one retry layer: two layers with five retries each send up to
//!   36 attempts.
//! - **[`VerifyLayer`](crate::VerifyLayer)**, directly below the retry. It reads the number of the attempt
//!   from the body of the request. Above the retry, it [does not
//!   compile](super::compile_errors#verifylayer-is-above-the-retry).
//! - **[`CommitLayer`](crate::CommitLayer)**, below the retry and `VerifyLayer`. It turns a body that breaks
//!   into an error of the attempt. Above the retry, nothing would retry that error.
//! - **[`HedgeLayer`](crate::HedgeLayer)**, below the retry. To the retry, an attempt and its hedge are one
//!   attempt. Above the retry, a hedge would be sent during the back-off, as if the attempt were slow.
//! - **Attempt time-out**, below the hedge. It starts anew each time that the request is sent. Above the
//!   retry, it would be a total time-out: a request whose first attempt hangs would fail.
//! - **Sign**, below every layer that repeats requests, so that a signature with a time or a nonce is created
//!   each time. If requests are signed above the retry, a server that rejects a reused nonce rejects the
//!   retry.
//! - **Trace** of attempts, below the layers that change the request, so that it shows the request that is
//!   sent. For a span of the whole request, add a second one at the top.
//! - **Convert the body**, directly above the client. Layers above the conversion can still read the number
//!   of the attempt from the [`ReplayBody`](crate::ReplayBody), which `VerifyLayer` requires.
//! - **Balancer or client**, at the bottom, so that each attempt can go to another replica. A balancer may
//!   still choose the same one: see [the recipe](super::recipes#another-replica-for-each-attempt).
//!
//! # Two kinds of attempt time-outs
//!
//! [`RetryLayer::attempt_timeout`](crate::RetryLayer::attempt_timeout) needs no layer. It covers everything
//! that is below the retry: the requests that `VerifyLayer` sends, the bytes that `CommitLayer` waits for,
//! both attempts of a hedge, and the time in a buffer.
//!
//! A time-out layer below the hedge covers only one sending of the request, up to the head of its response.
//! It does not limit a body that stalls below a `CommitLayer`: for that, use
//! [`CommitLayer::timeout`](crate::CommitLayer::timeout) or `RetryLayer::attempt_timeout`. Use the layer of
//! tower, whose error is classified with the feature `tower` (on by default). tower-http's `TimeoutLayer`
//! answers 408 or 504 instead of returning an error. A 504 is retried, and a 408 is not.
//!
//! A time-out and a signature in the wrong place, and in the right one:
//!
#![cfg_attr(feature = "tower", doc = "```")]
#![cfg_attr(not(feature = "tower"), doc = "```ignore")]
//! use std::collections::HashSet;
//! use std::sync::Mutex;
//! use std::sync::atomic::{AtomicU32, Ordering};
//! use std::time::Duration;
//!
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::Empty;
//! use tower::timeout::{TimeoutLayer, error::Elapsed};
//! use tower::{Layer, ServiceBuilder, ServiceExt};
//! use tower_http_retry::{AttemptsHandle, BoxError, ReplayBody, RetryLayer};
//!
//! type Body = Empty<Bytes>;
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), BoxError> {
//! /// The first attempt of each request hangs.
//! async fn hang_once(request: Request<ReplayBody<Body>>) -> Result<Response<Body>, BoxError> {
//!     if request.body().attempt().number() == 1 {
//!         std::future::pending().await
//!     }
//!     Ok(Response::new(Body::new()))
//! }
//! let timeout = TimeoutLayer::new(Duration::from_secs(5));
//! let request = || Request::new(Body::new());
//!
//! // Above the retry, the time-out ends the request. Below it, it ends the attempt.
//! let above = ServiceBuilder::new().layer(&timeout).layer(RetryLayer::new()).service_fn(hang_once);
//! assert!(above.oneshot(request()).await.unwrap_err().is::<Elapsed>());
//! let below = ServiceBuilder::new().layer(RetryLayer::new()).layer(&timeout).service_fn(hang_once);
//! assert!(below.oneshot(request()).await.is_ok());
//!
//! // Signed above the retry, all attempts have the same signature.
//! let signatures = AtomicU32::new(0);
//! let sign = |mut request: Request<_>| {
//!     let number = signatures.fetch_add(1, Ordering::Relaxed);
//!     request.headers_mut().insert("x-signature", number.into());
//!     request
//! };
//! # let sign_below = |mut request: Request<ReplayBody<Body>>| {
//! #     let number = signatures.fetch_add(1, Ordering::Relaxed);
//! #     request.headers_mut().insert("x-signature", number.into());
//! #     request
//! # };
//! let received = Mutex::new(HashSet::new());
//! let server = async |request: Request<ReplayBody<Body>>| {
//!     let is_new = received.lock().unwrap().insert(request.headers()["x-signature"].clone());
//!     let status = if !is_new { 401 } else if request.body().attempt().number() == 1 { 503 } else { 200 };
//!     Ok::<_, BoxError>(Response::builder().status(status).body(Body::new())?)
//! };
//! let above = ServiceBuilder::new().map_request(sign).layer(RetryLayer::new()).service_fn(server);
//! assert_eq!(above.oneshot(request()).await?.status(), 401);
//! # let sign = sign_below;
//! let below = ServiceBuilder::new().layer(RetryLayer::new()).map_request(sign).service_fn(server);
//! assert_eq!(below.oneshot(request()).await?.status(), 200);
//! # // Two layers with five retries each multiply.
//! # let attempts = AtomicU32::new(0);
//! # let fails = async |_: Request<ReplayBody<ReplayBody<Body>>>| {
//! #     attempts.fetch_add(1, Ordering::Relaxed);
//! #     Ok::<_, BoxError>(Response::builder().status(503).body(Body::new())?)
//! # };
//! # let layer = RetryLayer::new().without_budget();
//! # let two = ServiceBuilder::new().layer(layer.clone()).layer(layer).service_fn(fails);
//! # two.oneshot(request()).await?;
//! # assert_eq!(attempts.swap(0, Ordering::Relaxed), 36);
//! # // A hedge above the retry: if the first attempt fails, the hedge is sent during the back-off.
//! # use tower_http_retry::HedgeLayer;
//! # use tower_http_retry::hedge::HedgeBody;
//! # let fails_at_once = async |_: Request<ReplayBody<HedgeBody<Body>>>| {
//! #     let status = if attempts.fetch_add(1, Ordering::Relaxed) == 0 { 503 } else { 200 };
//! #     Ok::<_, BoxError>(Response::builder().status(status).body(Body::new())?)
//! # };
//! # let hedge = HedgeLayer::new().after(Duration::from_millis(100)).control(0.0);
//! # let above = ServiceBuilder::new().layer(hedge).layer(RetryLayer::new()).service_fn(fails_at_once);
//! # let start = tokio::time::Instant::now();
//! # let response = above.oneshot(request()).await?;
//! # assert_eq!((response.status(), start.elapsed().as_millis() / 10), (http::StatusCode::OK, 10));
//! # Ok(())
//! # }
//! ```
//!
//! # Converting the body
//!
//! The service below the retry receives a [`ReplayBody<B>`](crate::ReplayBody), where `B` is the body of the
//! caller. An axum `Router` takes any body, and so does hyper-util's `Client`, if the compiler infers its
//! body type. A client that takes only one type needs `MapRequestBodyLayer` of tower-http (feature
//! `map-request-body`) directly above it, with the constructor of its body:
//!
//! | client | layer |
//! |---|---|
//! | `Client<HttpConnector, axum::body::Body>` | `MapRequestBodyLayer::new(axum::body::Body::new)` |
//! | tonic's `Channel` | `MapRequestBodyLayer::new(tonic::body::Body::new)` |
//! | a client that takes `reqwest::Body` | `MapRequestBodyLayer::new(reqwest::Body::wrap)` |
//! | a client that takes `UnsyncBoxBody` | `MapRequestBodyLayer::new(BodyExt::boxed_unsync)` |
//!
//! The caller's body can have another type than the client's. In the stack above, it is `Full<Bytes>`.
//!
//! ```
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::combinators::UnsyncBoxBody;
//! use http_body_util::{BodyExt, Full};
//! use tower::ServiceBuilder;
//! use tower_http::map_request_body::MapRequestBodyLayer;
//! use tower_http_retry::{BoxError, RetryLayer};
//!
//! type Boxed = UnsyncBoxBody<Bytes, BoxError>;
//!
//! /// Returns the body that it receives.
//! async fn echo(request: Request<Boxed>) -> Result<Response<Full<Bytes>>, BoxError> {
//!     let body = request.into_body().collect().await?.to_bytes();
//!     Ok(Response::new(Full::from(body)))
//! }
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), BoxError> {
//! let client = ServiceBuilder::new()
//!     .layer(RetryLayer::new())
//!     .layer(MapRequestBodyLayer::new(BodyExt::boxed_unsync))
//!     .service_fn(echo);
//! let response = client.send(Request::new(Full::<Bytes>::from("an item"))).await?;
//! assert_eq!(response.into_body().collect().await?.to_bytes(), "an item");
//! # fn accepts<S: tower::Service<Request<Full<Bytes>>>>(_: S) {}
//! # let layers = || ServiceBuilder::new().layer(RetryLayer::new());
//! # let reqwest = tower::service_fn(async |_: Request<reqwest::Body>| {
//! #     Ok::<_, BoxError>(Response::new(String::new()))
//! # });
//! # accepts(layers().layer(MapRequestBodyLayer::new(reqwest::Body::wrap)).service(reqwest));
//! # fn channel(channel: tonic::transport::Channel) {
//! #     let layers = ServiceBuilder::new().layer(RetryLayer::new());
//! #     accepts(layers.layer(MapRequestBodyLayer::new(tonic::body::Body::new)).service(channel));
//! # }
//! # let hyper = hyper_util::client::legacy::Client::builder(hyper_util::rt::TokioExecutor::new());
//! # let hyper = hyper.build_http::<axum::body::Body>();
//! # accepts(layers().layer(MapRequestBodyLayer::new(axum::body::Body::new)).service(hyper));
//! # accepts(layers().service(axum::Router::new()));
//! # Ok(())
//! # }
//! ```
//!
//! # Services that are not `Clone`
//!
//! The retry clones the service below it for each request. Some layers of tower make services that are not
//! `Clone`, such as `RateLimit` and `Balance`. Put a `buffer` above them: its handles are `Clone`. The
//! [recipes](super::recipes#a-service-that-is-not-clone-and-two-time-outs) have an example. A buffer spawns a
//! task, so the stack has to be built inside a tokio runtime.
//!
//! # A type for the client
//!
//! The type of a stack is long, and closures in it have no name. There are three ways to return a stack from
//! a function:
//!
//! | return type | use it |
//! |---|---|
//! | `BoxCloneSyncService<Request<B>, Response<R>, BoxError>`, as above | to keep the client in a struct; it boxes the future of each request |
//! | `impl Service<Request<B>, Response = Response<R>, Error = BoxError, Future: Send> + Clone` | to avoid the box, if the type needs no name |
//! | [`Retry<S>`](crate::Retry#example) | for a retry directly above a client |
//!
//! Before you box the service, convert the body of the response to a fixed type with `map_response`. The type
//! of the client then stays the same if you add a layer that changes the body.
