//! A first client with retries.
//!
//! The program below starts a server that fails twice, and a client whose request succeeds in the end. Copy
//! it to `src/main.rs` of a new package, and add its dependencies:
//!
//! ```text
//! cargo add tower-http-retry axum bytes http http-body-util hyper-util tokio tower \
//!     -F hyper-util/client-legacy,hyper-util/http1,hyper-util/tokio,tokio/full
//! ```
//!
//! ```
//! use std::sync::atomic::{AtomicU32, Ordering};
//! use std::time::Duration;
//!
//! use axum::Router;
//! use bytes::Bytes;
//! use http::{Request, StatusCode};
//! use http_body_util::{BodyExt, Full};
//! use hyper_util::client::legacy::Client;
//! use hyper_util::rt::TokioExecutor;
//! use tokio::net::TcpListener;
//! use tower::ServiceBuilder;
//! use tower_http_retry::{Attempts, BoxError, RetryLayer};
//!
//! /// Answers 503 twice, and then 200.
//! async fn flaky() -> (StatusCode, &'static str) {
//!     static REQUESTS: AtomicU32 = AtomicU32::new(0);
//!     match REQUESTS.fetch_add(1, Ordering::Relaxed) {
//!         0 | 1 => (StatusCode::SERVICE_UNAVAILABLE, "not now"),
//!         _ => (StatusCode::OK, "an item"),
//!     }
//! }
//!
//! #[tokio::main]
//! async fn main() -> Result<(), BoxError> {
//!     let listener = TcpListener::bind("127.0.0.1:0").await?;
//!     let server = format!("http://{}/", listener.local_addr()?);
//!     let router = Router::new().fallback(flaky);
//!     tokio::spawn(async { axum::serve(listener, router).await });
//!
//!     let retry = RetryLayer::new()
//!         .attempt_timeout(Duration::from_secs(10))
//!         .mark_responses();
//!     let client = ServiceBuilder::new()
//!         .layer(retry)
//!         .service(Client::builder(TokioExecutor::new()).build_http());
//!
//!     let request = Request::get(server).body(Full::<Bytes>::default())?;
//!     let response = client.send(request).await?;
//!     assert_eq!(response.status(), StatusCode::OK);
//!     assert_eq!(response.extensions().get::<Attempts>().unwrap().count, 3);
//!
//!     let body = response.into_body().collect().await?.to_bytes();
//!     assert_eq!(body, "an item");
//!     Ok(())
//! }
//! ```
//!
//! It takes between 1.5 and 3 seconds: the client waits between 0.5 and 1 second before the first retry, and
//! between 1 and 2 seconds before the second one.
//!
//! [`send`](crate::Retry::send) takes `&self`, so one client can send many requests concurrently. If there
//! are other layers above the retry, call `ServiceExt::oneshot` of tower (feature `util`) on a clone of the
//! client. Clones share their connections and their budget.
//!
//! # What is retried
//!
//! By default, a request is sent up to six times, and a retry starts no later than five minutes after the
//! first attempt.
//!
//! | outcome of an attempt | GET, HEAD, PUT, DELETE | POST, PATCH |
//! |---|---|---|
//! | 429, a refused connection | retried | retried |
//! | 5xx, a time-out, a broken connection | retried | returned |
//! | any other response | returned | returned |
//! | any other error | returned | returned |
//!
//! - A POST or a PATCH with an `Idempotency-Key` header is retried like a GET.
//! - `Retry-After` is obeyed. If it asks for a wait that ends after these five minutes, the response is
//!   returned immediately.
//! - If the layer does not retry, it returns the last response or the last error unchanged.
//! - A [budget](crate::budget) stops retries that do not help. A new layer has ten tokens, and a retry costs
//!   one, or two after a time-out. Successes earn tokens.
//! - [`ByStatus`](crate::ByStatus) has the complete list of errors. Some need a [feature](crate#features).
//!
//! ```
//! use http::{Request, Response};
//! use http_body_util::Empty;
//! use tower::ServiceBuilder;
//! use tower_http_retry::{AttemptsHandle, BoxError, ReplayBody, RetryLayer};
//!
//! type Body = Empty<bytes::Bytes>;
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), BoxError> {
//! /// A server that always fails, with the status in the path.
//! async fn fail(request: Request<ReplayBody<Body>>) -> Result<Response<Body>, BoxError> {
//!     let status = request.uri().path().trim_start_matches('/');
//!     Ok(Response::builder().status(status).body(Body::new())?)
//! }
//!
//! /// Sends a request, and returns how many attempts there were.
//! async fn attempts(method: &str, path: &str) -> Result<u32, BoxError> {
//!     let client = ServiceBuilder::new().layer(RetryLayer::new()).service_fn(fail);
//!     let attempts = AttemptsHandle::new();
//!     let request = Request::builder().method(method).uri(path).extension(attempts.clone());
//! #   let request = match path.ends_with('k') {
//! #       true => request.uri("/500").header("idempotency-key", "k1"),
//! #       false => request,
//! #   };
//!     let response = client.send(request.body(Body::new())?).await?;
//!     assert!(!response.status().is_success());
//!     Ok(attempts.get().count)
//! }
//!
//! assert_eq!(attempts("GET", "/500").await?, 6);
//! assert_eq!(attempts("POST", "/500").await?, 1);
//! assert_eq!(attempts("POST", "/429").await?, 6);
//! assert_eq!(attempts("GET", "/404").await?, 1);
//! # assert_eq!(attempts("HEAD", "/503").await?, 6);
//! # assert_eq!(attempts("PUT", "/502").await?, 6);
//! # assert_eq!(attempts("DELETE", "/599").await?, 6);
//! # assert_eq!(attempts("PATCH", "/503").await?, 1);
//! # assert_eq!(attempts("PATCH", "/429").await?, 6);
//! # assert_eq!(attempts("POST", "/404").await?, 1);
//! # assert_eq!(attempts("POST", "/k").await?, 6);
//! # Ok(())
//! # }
//! ```
//!
//! # The settings that are changed most
//!
//! [`max_retries`](crate::RetryLayer::max_retries) and [`backoff`](crate::RetryLayer::backoff) set how often
//! and how soon a request is retried. The default back-off is meant for programs that can wait. If a person
//! waits for the response, use a shorter one. [`classify`](crate::RetryLayer::classify) sets which outcomes
//! are retried.
//!
//! ```
//! use std::time::Duration;
//!
//! use http::StatusCode;
//! use tower_http_retry::{Backoff, ByStatus, RetryLayer};
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), tower_http_retry::BoxError> {
//! let backoff = Backoff::exponential(Duration::from_millis(100)).max_wait(Duration::from_secs(2));
//! let statuses = ByStatus::new()
//!     .except(StatusCode::NOT_IMPLEMENTED)
//!     .also(StatusCode::REQUEST_TIMEOUT);
//! let retry = RetryLayer::new().max_retries(3).backoff(backoff).classify(statuses);
//! # use http::{Request, Response};
//! # use http_body_util::Empty;
//! # use tower::ServiceBuilder;
//! # use tower_http_retry::{Attempts, BoxError, ReplayBody};
//! # let retry = retry.mark_responses().without_budget();
//! # type Body = Empty<bytes::Bytes>;
//! # for (status, count, least, most) in [(408, 4, 700, 1_400), (500, 4, 350, 700), (501, 1, 0, 0)] {
//! #     let client = ServiceBuilder::new().layer(retry.clone()).service_fn(
//! #         move |_: Request<ReplayBody<Body>>| async move {
//! #             Ok::<_, BoxError>(Response::builder().status(status).body(Body::new())?)
//! #         },
//! #     );
//! #     let start = tokio::time::Instant::now();
//! #     let response = client.send(Request::new(Body::new())).await?;
//! #     let attempts = response.extensions().get::<Attempts>().map_or(1, |attempts| attempts.count);
//! #     assert_eq!(attempts, count, "{status}");
//! #     let took = start.elapsed().as_millis();
//! #     assert!((least..=most + 10).contains(&took), "{status}: {took} ms");
//! # }
//! # Ok(())
//! # }
//! ```
//!
//! A single request can have its own settings, as an extension. Use this for a POST that is safe to repeat,
//! or for a request that must be sent only once:
//!
//! ```
//! use http::Request;
//! use tower_http_retry::RetryOverride;
//!
//! let search = Request::post("http://service.test/search")
//!     .extension(RetryOverride::new().repeatable(true))
//!     .body("..")?;
//! let ping = Request::get("http://service.test/ping").extension(RetryOverride::once()).body("")?;
//! # use http::Response;
//! # use tower::ServiceBuilder;
//! # use tower_http_retry::{Attempts, BoxError, ReplayBody, RetryLayer};
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn send(request: Request<&'static str>) -> u32 {
//! #     let client = ServiceBuilder::new().layer(RetryLayer::new().mark_responses()).service_fn(
//! #         async |_: Request<ReplayBody<String>>| {
//! #             Ok::<_, BoxError>(Response::builder().status(503).body(String::new())?)
//! #         },
//! #     );
//! #     let response = client.send(request.map(String::from)).await.unwrap();
//! #     response.extensions().get::<Attempts>().map_or(1, |attempts| attempts.count)
//! # }
//! # assert_eq!((send(search), send(ping)), (6, 1));
//! # Ok::<_, http::Error>(())
//! ```
//!
//! [`RetryLayer`](crate::RetryLayer) has a table of all settings.
//!
//! # How to see what happened
//!
//! - [`mark_responses`](crate::RetryLayer::mark_responses), as above: if a request took more than one
//!   attempt, its response has the extension [`Attempts`](crate::Attempts), with the number of attempts, the
//!   time spent waiting, and the reason why there was no further attempt.
//! - [`AttemptsHandle`](crate::AttemptsHandle), an extension of the request: it has the same data, even if
//!   the request fails with an error.
//! - tracing: each retry emits an event at level `DEBUG`. A request that fails in the end emits one at
//!   `WARN`, unless its first attempt already failed permanently, for example with a 404. A subscriber prints
//!   them, for example that of the crate tracing-subscriber.
//!
#![cfg_attr(feature = "tracing", doc = "```")]
#![cfg_attr(not(feature = "tracing"), doc = "```ignore")]
//! use tracing::Level;
//!
//! # #[derive(Clone, Default)]
//! # struct Log(std::sync::Arc<std::sync::Mutex<Vec<u8>>>);
//! # impl std::io::Write for Log {
//! #     fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
//! #         self.0.lock().unwrap().write(bytes)
//! #     }
//! #     fn flush(&mut self) -> std::io::Result<()> {
//! #         Ok(())
//! #     }
//! # }
//! # let log = Log::default();
//! # let writer = log.clone();
//! # let _ = || {
//! tracing_subscriber::fmt().with_max_level(Level::DEBUG).init();
//! # };
//! # let subscriber = tracing_subscriber::fmt()
//! #     .with_max_level(Level::DEBUG)
//! #     .with_ansi(false)
//! #     .without_time()
//! #     .with_writer(move || writer.clone())
//! #     .finish();
//! # let _guard = tracing::subscriber::set_default(subscriber);
//! # use http::{Request, Response};
//! # use tower::ServiceBuilder;
//! # use tower_http_retry::{BoxError, ReplayBody, RetryLayer};
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn send(layer: RetryLayer) {
//! #     let client = ServiceBuilder::new().layer(layer).service_fn(
//! #         async |_: Request<ReplayBody<String>>| {
//! #             Ok::<_, BoxError>(Response::builder().status(503).body(String::new())?)
//! #         },
//! #     );
//! #     client.send(Request::get("http://service.test/").body(String::new()).unwrap()).await.unwrap();
//! # }
//! # use std::time::Duration;
//! # use tower_http_retry::{Backoff, Jitter};
//! # let backoff = Backoff::exponential(Duration::from_millis(683)).jitter(Jitter::None);
//! # send(RetryLayer::new().max_retries(1).backoff(backoff));
//! # let log = String::from_utf8(std::mem::take(&mut *log.0.lock().unwrap())).unwrap();
//! # let lines: Vec<_> = log.lines().map(str::trim_start).collect();
//! # let retrying = "DEBUG tower_http_retry: retrying http.request.method=\"GET\" \
//! #     http.request.resend_count=1 http.response.status_code=503 server.address=\"service.test\" \
//! #     error.type=\"503\" wait_ms=683 reason=back-off";
//! # assert_eq!(lines[0], retrying);
//! # assert!(lines[1].starts_with("WARN tower_http_retry: gave up "), "{}", lines[1]);
//! ```
//!
//! ```text
//! DEBUG tower_http_retry: retrying http.request.method="GET" http.request.resend_count=1
//!     http.response.status_code=503 server.address="service.test" error.type="503" wait_ms=683
//!     reason=back-off
//! ```
//!
//! # Where to go next
//!
//! | you want to | page |
//! |---|---|
//! | combine the retry with other layers | [`stacking`](super::stacking) |
//! | use reqwest, axum, OAuth 2.0, or rate limits of a provider | [`recipes`](super::recipes) |
//! | follow redirects, decompress, trace with tower-http | [`tower_http`](super::tower_http) |
//! | watch retries with traces, metrics and alerts | [`observability`](super::observability) |
//! | test code that retries | [`testing`](super::testing) |
//! | understand a compiler error | [`compile_errors`](super::compile_errors) |
//! | send a second attempt beside a slow one | [`hedging`](super::hedging) |
//! | use tonic | [`grpc`][grpc] (feature `grpc`) |
//! | replace other retries with these | [`migrating`][migrating] (feature `reqwest-middleware`) |
//!
#![cfg_attr(feature = "grpc", doc = "[grpc]: super::grpc")]
#![cfg_attr(not(feature = "grpc"), doc = "[grpc]: crate#features")]
#![cfg_attr(feature = "reqwest-middleware", doc = "[migrating]: super::migrating")]
#![cfg_attr(
    not(feature = "reqwest-middleware"),
    doc = "[migrating]: crate#features"
)]
