//! A client with the layers of tower-http.
//!
//! tower-http has layers for request ids, spans, redirects and compressed bodies. Most of them work above a
//! retry as well as below it, but with different effects: above, they run once for each request; below, they
//! run once for each attempt. This page combines them with the layers of this crate, and explains the place
//! of each.
//!
//! # The stack
//!
//! ```
//! use std::time::Duration;
//!
//! use bytes::Bytes;
//! use http::header::{AUTHORIZATION, COOKIE};
//! use http::{Request, Response};
//! use http_body_util::Full;
//! use hyper_util::client::legacy::Client;
//! use hyper_util::client::legacy::connect::HttpConnector;
//! use tower::timeout::TimeoutLayer;
//! use tower::{Service, ServiceBuilder};
//! use tower_http::auth::AddAuthorizationLayer;
//! use tower_http::decompression::DecompressionLayer;
//! use tower_http::follow_redirect::FollowRedirectLayer;
//! use tower_http::follow_redirect::policy::{PolicyExt, Standard, clone_body_fn};
//! use tower_http::request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer};
//! use tower_http::sensitive_headers::SetSensitiveRequestHeadersLayer;
//! use tower_http::trace::{DefaultOnFailure, TraceLayer};
//! use tower_http_retry::hedge::HedgeBody;
//! use tower_http_retry::{
//!     Attempt, Backoff, BoxError, Budget, CommitLayer, HedgeLayer, ReplayBody, ResumeLayer, RetryLayer,
//!     VerifyLayer,
//! };
//! use tracing::{Level, Span, info_span};
//!
//! type Body = Full<Bytes>;
//!
//! fn client(
//!     hyper: Client<HttpConnector, HedgeBody<ReplayBody<Body>>>,
//!     token: &str,
//! ) -> impl Service<
//!     Request<Body>,
//!     Response = Response<impl http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + Unpin>,
//!     Error = BoxError,
//!     Future: Send,
//! > + Clone {
//!     let redirects = Standard::default()
//!         .and::<_, Body, BoxError>(clone_body_fn(|body: &Body| Some(body.clone())));
//!     let backoff = Backoff::exponential(Duration::from_millis(100));
//!     let budget = Budget::earning(5); // no hedges are sent while retries need it
//!     ServiceBuilder::new()
//!         // Once for each request.
//!         .layer(SetRequestIdLayer::x_request_id(MakeRequestUuid))
//!         .layer(PropagateRequestIdLayer::x_request_id())
//!         .layer(AddAuthorizationLayer::bearer(token))
//!         .layer(SetSensitiveRequestHeadersLayer::new([AUTHORIZATION, COOKIE]))
//!         .layer(TraceLayer::new_for_http().make_span_with(request_span))
//!         .layer(TimeoutLayer::new(Duration::from_secs(60)))
//!         .layer(DecompressionLayer::new())
//!         // Once for each hop.
//!         .layer(FollowRedirectLayer::with_policy(redirects))
//!         .layer(ResumeLayer::new())
//!         .layer(RetryLayer::new().backoff(backoff).budget(budget.clone()).mark_attempts())
//!         // Once for each attempt.
//!         .layer(VerifyLayer::new())
//!         .layer(CommitLayer::first_bytes().timeout(Duration::from_secs(10)))
//!         .layer(HedgeLayer::new().retry_budget(budget))
//!         .layer(TimeoutLayer::new(Duration::from_secs(10)))
//!         .layer(
//!             TraceLayer::new_for_http()
//!                 .make_span_with(attempt_span)
//!                 .on_failure(DefaultOnFailure::new().level(Level::DEBUG)),
//!         )
//!         .service(hyper)
//! }
//!
//! fn request_span<B>(request: &Request<B>) -> Span {
//!     info_span!("request", method = %request.method(), headers = ?request.headers())
//! }
//!
//! fn attempt_span<B>(request: &Request<B>) -> Span {
//!     let attempt = request.extensions().get().map(Attempt::number);
//!     info_span!("attempt", number = attempt, path = request.uri().path(), headers = ?request.headers())
//! }
//! # use std::io::Write;
//! # use std::sync::{Arc, Mutex};
//! # use axum::Router;
//! # use axum::extract::Request as Received;
//! # use axum::middleware::{Next, from_fn};
//! # use axum::response::IntoResponse;
//! # use axum::routing::{get, post};
//! # use http::StatusCode;
//! # use http::header::{CONTENT_ENCODING, LOCATION};
//! # use http_body_util::BodyExt;
//! # use hyper_util::rt::TokioExecutor;
//! # use tower::ServiceExt;
//! # use tracing_subscriber::fmt::format::FmtSpan;
//! #
//! # /// What the server received: method and path, the request's id and its credentials.
//! # type Seen = Vec<(String, String, String)>;
//! #
//! # const GZIP: &[u8] = b"\x1f\x8b\x08\0\0\0\0\0\x02\x0334R\xc8/JI-*V(\xc9OI\xac\x04\0-\xc2\x96(\x0f\0\0\0";
//! #
//! # /// Calls the first function the first time, and then the second one.
//! # fn second_time<T>(mut first: impl FnMut() -> T, mut then: impl FnMut() -> T) -> impl FnMut() -> T {
//! #     let mut count = 0;
//! #     move || {
//! #         count += 1;
//! #         match count {
//! #             1 => first(),
//! #             _ => then(),
//! #         }
//! #     }
//! # }
//! #
//! # #[derive(Clone, Default)]
//! # struct Log(Arc<Mutex<Vec<u8>>>);
//! #
//! # impl Write for Log {
//! #     fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
//! #         self.0.lock().unwrap().write(bytes)
//! #     }
//! #     fn flush(&mut self) -> std::io::Result<()> {
//! #         Ok(())
//! #     }
//! # }
//! #
//! # impl Log {
//! #     /// The spans that were created since this was last called.
//! #     fn spans(&self) -> Vec<String> {
//! #         let log = String::from_utf8(std::mem::take(&mut *self.0.lock().unwrap())).unwrap();
//! #         let lines = log.lines().filter(|line| line.ends_with(": new"));
//! #         lines.map(|line| line.trim().to_owned()).collect()
//! #     }
//! # }
//! #
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), BoxError> {
//! # let log = Log::default();
//! # let writer = log.clone();
//! # let subscriber = tracing_subscriber::fmt()
//! #     .with_writer(move || writer.clone())
//! #     .with_span_events(FmtSpan::NEW)
//! #     .with_ansi(false)
//! #     .without_time()
//! #     .with_target(false)
//! #     .finish();
//! # let _guard = tracing::subscriber::set_default(subscriber);
//! #
//! # let seen = Arc::new(Mutex::new(Seen::new()));
//! # let received = || std::mem::take(&mut *seen.lock().unwrap());
//! # let report = Arc::new(Mutex::new(second_time(
//! #     || (StatusCode::SERVICE_UNAVAILABLE, [(CONTENT_ENCODING, "identity")], &b""[..]),
//! #     || (StatusCode::OK, [(CONTENT_ENCODING, "gzip")], GZIP),
//! # )));
//! # let limited = Arc::new(Mutex::new(second_time(
//! #     || Some(StatusCode::TOO_MANY_REQUESTS),
//! #     || None,
//! # )));
//! # let see = seen.clone();
//! # let router = Router::new()
//! #     .route("/report", get(async move || (report.lock().unwrap())()))
//! #     .route("/orders", post(async || (StatusCode::TEMPORARY_REDIRECT, [(LOCATION, "/v2/orders")])))
//! #     .route("/v2/orders", post(async move |order: String| match (limited.lock().unwrap())() {
//! #         Some(status) => status.into_response(),
//! #         None => order.into_response(),
//! #     }))
//! #     .layer(from_fn(move |request: Received, next: Next| {
//! #         let line = format!("{} {}", request.method(), request.uri().path());
//! #         let header = |name| request.headers()[name].to_str().unwrap().to_owned();
//! #         see.lock().unwrap().push((line, header("x-request-id"), header("authorization")));
//! #         next.run(request)
//! #     }));
//! # let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
//! # let server = format!("http://{}", listener.local_addr()?);
//! # tokio::spawn(async { axum::serve(listener, router).await });
//!
//! let hyper = Client::builder(TokioExecutor::new()).build_http();
//! let client = client(hyper, "secret");
//!
//! // A server that answers 503, and then 200 with a gzip body.
//! let request = Request::get(format!("{server}/report")).body(Body::default())?;
//! let response = client.clone().oneshot(request).await?;
//! let id = response.headers()["x-request-id"].clone();
//! let body = response.into_body().collect().await.map_err(Into::into)?.to_bytes();
//! assert_eq!(body, "12 orders today");
//!
//! // Both attempts have the same id and the credentials.
//! let attempt = ("GET /report".to_owned(), id.to_str()?.to_owned(), "Bearer secret".to_owned());
//! assert_eq!(received(), [attempt.clone(), attempt]);
//!
//! // There is a span for the request, and inside it one for each attempt. None contains the credentials.
//! let spans = log.spans();
//! # assert_eq!(spans.len(), 3, "{spans:#?}");
//! # assert!(!spans[0].contains("attempt"), "{spans:#?}");
//! assert!(spans[1].contains("request{") && spans[1].contains("attempt{number=1"));
//! assert!(spans[2].contains("request{") && spans[2].contains("attempt{number=2"));
//! for span in spans {
//!     assert!(span.contains("\"authorization\": Sensitive") && !span.contains("secret"));
//! }
//!
//! // A POST that is redirected with 307, to a target that answers 429 the first time. The target gets the
//! // body twice, and the first request is not repeated.
//! let request = Request::post(format!("{server}/orders")).body(Body::from("an order"))?;
//! let response = client.oneshot(request).await?;
//! let body = response.into_body().collect().await.map_err(Into::into)?.to_bytes();
//! assert_eq!(body, "an order");
//! let (lines, ids): (Vec<_>, Vec<_>) = received().into_iter().map(|(line, id, _)| (line, id)).unzip();
//! assert_eq!(lines, ["POST /orders", "POST /v2/orders", "POST /v2/orders"]);
//! assert!(ids.iter().all(|id| *id == ids[0]));
//! # assert_eq!(log.spans().len(), 1 + 3);
//! # Ok(())
//! # }
//! ```
//!
//! The example needs `cargo add tower-http -F
//! auth,decompression-gzip,follow-redirect,request-id,sensitive-headers,trace`. Every layer is optional. If
//! the client takes another request body, put the layer that converts it directly above the client.
//!
//! # Why each layer stands where it stands
//!
//! | layer | place | why |
//! |---|---|---|
//! | `SetRequestId`, `PropagateRequestId` | above the retry | All attempts have the same id, so that the server's logs show them as one request. |
//! | `AddAuthorization`, or `SetRequestHeader` with fixed credentials | above the redirects | A redirect to another origin is sent [without credentials](#where-credentials-go). |
//! | `SetSensitiveRequestHeaders` | below the layers that add the headers, above the first `Trace` | The mark is kept on every attempt and redirect. Headers that are added further below have to be marked there. |
//! | `Trace` of requests | above the time-out | Its span covers all attempts and waits. A failure is reported once, as the caller gets it. |
//! | a total `Timeout` | above all layers that repeat requests | The time includes all redirects, attempts and waits, up to the head of the response. For a body that stalls, set [`ResumeLayer::idle_timeout`](crate::ResumeLayer::idle_timeout). |
//! | `Decompression` | above `Resume` | `Resume` continues the bytes that the server sends. A decompressed body has no `Content-Length`, and cannot be resumed. |
//! | `FollowRedirect` | above the retry, never below | Below it, a 429 from the redirect's target would be treated as one for the request itself, and a POST that the server has acted on would be [repeated](crate#redirects). |
//! | [`Resume`](crate::ResumeLayer) | above the retry | Each resumption is retried as a request. |
//! | [`Retry`](crate::RetryLayer) | | `mark_attempts` lets the layers below read the [`Attempt`](crate::Attempt). |
//! | [`Verify`](crate::VerifyLayer) | right below the retry | It acts before an attempt that repeats a DELETE, or a PUT that creates. |
//! | [`Commit`](crate::CommitLayer) | below `Verify` | A body that breaks before its first byte is an error of the attempt. |
//! | [`Hedge`](crate::HedgeLayer) | below `Commit` | It sends a second attempt beside one that is slow. |
//! | an attempt's `Timeout` | below `Hedge` | Each of the two attempts has its own time. |
//! | layers that sign requests, with a time or a nonce, or with a token that is [renewed](super::recipes#a-token-that-is-renewed-on-401) | below `Hedge` | Each attempt needs a new signature. |
//! | `Trace` of attempts | at the bottom | There is a span for each attempt, inside that of the request. A failure is logged at `DEBUG`, since it may be retried. |
//!
//! - tower-http's `Timeout` is not used here. It answers 408 or 504 with a default body, and the body of
//!   hyper's client does not implement `Default`. Below a retry, a 504 is retried, and a 408 is not. tower's
//!   `Timeout` returns an error, which this crate classifies with the feature `tower`.
//! - A redirect that keeps the body (307, 308) is followed only if the policy can clone the body:
//!   `clone_body_fn`. Without it, the caller gets the 307.
//! - The retry handles each hop of a redirect as a separate request, with its own number of retries. All hops
//!   share the budget.
//! - On a redirect to another origin, the `Standard` policy drops all extensions, including a
//!   [`RetryOverride`](crate::RetryOverride). To keep it, build the policy from
//!   `FilterCredentials::new().allow_extension::<RetryOverride>()`.
//! - With [`CommitLayer::whole`](crate::CommitLayer::whole), a classifier sees the body as the server sent
//!   it. To let it read compressed bodies, put `Decompression` below `Commit`. Then nothing can be resumed.
//!
//! # Where credentials go
//!
//! The policy of `FollowRedirect` removes the headers `Authorization` and `Cookie` if a redirect leads to
//! another origin. This works only for headers that are added above `FollowRedirect`. A layer below adds its
//! headers to every hop, wherever it leads. If such a layer has to be below, because it signs each attempt,
//! it has to check the host. The policy does not remove credentials in other headers, such as `X-Api-Key`.
//! With such headers, do not follow redirects to another origin (`policy::SameOrigin`).
//!
//! ```
//! use bytes::Bytes;
//! use http::header::{AUTHORIZATION, LOCATION};
//! use http::{Request, Response, StatusCode};
//! use http_body_util::Full;
//! use tower::{ServiceBuilder, ServiceExt};
//! use tower_http::auth::AddAuthorizationLayer;
//! use tower_http::follow_redirect::FollowRedirectLayer;
//! use tower_http_retry::{BoxError, ReplayBody, RetryLayer};
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), BoxError> {
//! type Body = Full<Bytes>;
//!
//! /// Redirects to another host, which reports whether it received credentials.
//! async fn servers(request: Request<ReplayBody<Body>>) -> Result<Response<Body>, BoxError> {
//!     let credentials = request.headers().get(AUTHORIZATION);
//!     let response = match request.uri().host() {
//!         Some("api.test") => Response::builder()
//!             .status(StatusCode::FOUND)
//!             .header(LOCATION, "http://other.test/")
//!             .body(Body::default()),
//!         _ => Response::builder()
//!             .header("x-got", credentials.map_or("nothing", |_| "credentials"))
//!             .body(Body::default()),
//!     };
//!     response.map_err(BoxError::from)
//! }
//! # let get = || Request::get("http://api.test/").body(Body::default());
//!
//! let above = ServiceBuilder::new()
//!     .layer(AddAuthorizationLayer::bearer("secret"))
//!     .layer(FollowRedirectLayer::new())
//!     .layer(RetryLayer::new())
//!     .service_fn(servers);
//! assert_eq!(above.oneshot(get()?).await?.headers()["x-got"], "nothing");
//!
//! // Wrong: the other host gets the credentials.
//! let below = ServiceBuilder::new()
//!     .layer(FollowRedirectLayer::new())
//!     .layer(RetryLayer::new())
//!     .layer(AddAuthorizationLayer::bearer("secret"))
//!     .service_fn(servers);
//! assert_eq!(below.oneshot(get()?).await?.headers()["x-got"], "credentials");
//! # Ok(())
//! # }
//! ```
