//! How to test code that retries.
//!
//! - [The paused clock](#the-paused-clock)
//! - [A service that fails by a plan](#a-service-that-fails-by-a-plan)
//! - [Jitter](#jitter)
//! - [What a request took](#what-a-request-took)
//! - [Your own classifier](#your-own-classifier)
//! - [Budgets](#budgets)
//! - [Real connections](#real-connections)
//!
//! # The paused clock
//!
//! All waits and time-outs of this crate use tokio's clock. In a test, tokio can pause it (feature
//! `test-util`): it then jumps to the next timer whenever all tasks wait. A test that covers minutes takes
//! milliseconds, and its times are exact. [`Jitter::None`](crate::Jitter::None) makes the waits exact as
//! well, including those after a `Retry-After`.
//!
//! ```
//! use std::sync::Mutex;
//! use std::time::Duration;
//!
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::Empty;
//! use tokio::time::Instant;
//! use tower::ServiceBuilder;
//! use tower_http_retry::{Backoff, BoxError, Jitter, ReplayBody, RetryLayer};
//!
//! # /*
//! #[tokio::test(start_paused = true)]
//! # */
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! async fn the_waits_are_1_2_4_8_and_16_seconds() {
//!     let start = Instant::now();
//!     let sent_at = Mutex::new(Vec::new());
//!     let backoff = Backoff::exponential(Duration::from_secs(1)).jitter(Jitter::None);
//!     let client = ServiceBuilder::new()
//!         .layer(RetryLayer::new().backoff(backoff))
//!         .service_fn(async |_: Request<ReplayBody<Empty<Bytes>>>| {
//!             sent_at.lock().unwrap().push(start.elapsed().as_secs());
//!             let response = Response::builder().status(503);
//!             Ok::<_, BoxError>(response.body(Empty::<Bytes>::new())?)
//!         });
//!
//!     let response = client.send(Request::new(Empty::new())).await.unwrap();
//!     assert_eq!(response.status(), 503);
//!     assert_eq!(*sent_at.lock().unwrap(), [0, 1, 3, 7, 15, 31]);
//! }
//! # fn main() {
//! #     the_waits_are_1_2_4_8_and_16_seconds();
//! # }
//! ```
//!
//! Use `tokio::time::Instant`, because the clock of the standard library does not jump. After a time-out, the
//! wait is one step longer than after a 503: 2 seconds before the first retry.
//!
//! # A service that fails by a plan
//!
//! A mock of the client has to take the body that the retry sends: [`ReplayBody<B>`](crate::ReplayBody),
//! where `B` is the body of your requests. If the compiler prints `expected function signature`, the mock
//! takes `B` itself: see [the page on compile errors](super::compile_errors#a-mock-takes-the-callers-body).
//!
//! The body has the number of its attempt, so the mock needs no counter to fail the first attempts. To check
//! the bytes that an attempt sends, the mock reads the body as a client does.
//!
//! ```
//! use std::io::{Error, ErrorKind};
//! use std::time::Duration;
//!
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::{BodyExt, Full};
//! use tower::{Service, ServiceBuilder, service_fn};
//! use tower_http_retry::{BoxError, ReplayBody, RetryError, RetryLayer};
//!
//! type Body = Full<Bytes>;
//!
//! /// What the service does with one attempt.
//! #[derive(Clone, Copy)]
//! enum Answer {
//!     Status(u16),
//!     Error(ErrorKind),
//!     Never,
//! }
//!
//! /// Answers the first attempt of a request with the first item of the plan, and so on. A response has the
//! /// body of the request.
//! fn planned(
//!     plan: &'static [Answer],
//! ) -> impl Service<Request<ReplayBody<Body>>, Response = Response<Body>, Error = BoxError> + Clone {
//!     service_fn(async |request: Request<ReplayBody<Body>>| {
//!         let number = request.body().attempt().number() as usize;
//!         let sent = request.into_body().collect().await?.to_bytes();
//!         match plan[number - 1] {
//!             Answer::Status(status) => Ok(Response::builder().status(status).body(Full::from(sent))?),
//!             Answer::Error(kind) => Err(Error::from(kind).into()),
//!             Answer::Never => std::future::pending().await,
//!         }
//!     })
//! }
//!
//! # /*
//! #[tokio::test(start_paused = true)]
//! # */
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! async fn a_put_survives_a_503_a_broken_connection_and_a_time_out() -> Result<(), BoxError> {
//!     let plan = &[
//!         Answer::Status(503),
//!         Answer::Error(ErrorKind::ConnectionReset),
//!         Answer::Never,
//!         Answer::Status(200),
//!     ];
//!     let client = ServiceBuilder::new()
//!         .layer(RetryLayer::new().attempt_timeout(Duration::from_secs(10)))
//!         .service(planned(plan));
//!     let request = Request::put("http://service.test/items/7").body(Body::from("an item"))?;
//!     let response = client.send(request).await?;
//!     assert_eq!(response.into_body().collect().await?.to_bytes(), "an item");
//!     Ok(())
//! }
//!
//! # /*
//! #[tokio::test(start_paused = true)]
//! # */
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! async fn a_post_that_times_out_fails() -> Result<(), BoxError> {
//!     let client = ServiceBuilder::new()
//!         .layer(RetryLayer::new().attempt_timeout(Duration::from_secs(10)))
//!         .service(planned(&[Answer::Never]));
//!     let request = Request::post("http://service.test/orders").body(Body::from("an order"))?;
//!     let error = client.send(request).await.unwrap_err();
//!     assert!(matches!(error.downcast_ref(), Some(RetryError::AttemptTimedOut { .. })));
//!     Ok(())
//! }
//! # fn main() -> Result<(), BoxError> {
//! #     a_put_survives_a_503_a_broken_connection_and_a_time_out()?;
//! #     a_post_that_times_out_fails()
//! # }
//! ```
//!
//! If the plan is too short, the service panics. This is intended: the test fails if there are more attempts
//! than expected.
//!
//! # Jitter
//!
//! With jitter, the waits are random, and a test can only assert a range. Either turn jitter off with
//! [`Jitter::None`](crate::Jitter::None), or set a [`jitter_seed`](crate::RetryLayer::jitter_seed). Two
//! layers with the same seed draw the same jitter for the first request that they retry, for the second, and
//! so on.
//!
//! ```
//! use std::time::Duration;
//!
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::Empty;
//! use tower::ServiceBuilder;
//! use tower_http_retry::{Attempts, BoxError, ReplayBody, RetryLayer};
//!
//! type Body = Empty<Bytes>;
//!
//! /// Returns how long this layer waits between the attempts of its first request.
//! async fn waited(layer: RetryLayer) -> Duration {
//!     let client = ServiceBuilder::new().layer(layer.mark_responses()).service_fn(
//!         async |_: Request<ReplayBody<Body>>| {
//!             Ok::<_, BoxError>(Response::builder().status(503).body(Body::new())?)
//!         },
//!     );
//!     let response = client.send(Request::new(Body::new())).await.unwrap();
//!     response.extensions().get::<Attempts>().unwrap().waited
//! }
//!
//! # /*
//! #[tokio::test(start_paused = true)]
//! # */
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! async fn the_same_seed_makes_the_same_waits() {
//!     let seeded = |seed| RetryLayer::new().jitter_seed(seed);
//!     assert_eq!(waited(seeded(1)).await, waited(seeded(1)).await);
//!     assert_ne!(waited(seeded(1)).await, waited(seeded(2)).await);
//!
//!     // Without a seed: five waits, each of at least half a step.
//!     let range = Duration::from_millis(15_500)..=Duration::from_secs(31);
//!     assert!(range.contains(&waited(RetryLayer::new()).await));
//! }
//! # fn main() {
//! #     the_same_seed_makes_the_same_waits();
//! # }
//! ```
//!
//! # What a request took
//!
//! An [`AttemptsHandle`](crate::AttemptsHandle) on the request reports the number of attempts, the time spent
//! waiting, and why there was no further attempt. It needs no setting of the layer, and also works for
//! errors. With it, a test can check a client whose retry layer is built elsewhere.
//!
//! ```
//! use std::io::{Error, ErrorKind};
//!
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::Empty;
//! use tower::ServiceBuilder;
//! use tower_http_retry::event::StopReason;
//! use tower_http_retry::{AttemptsHandle, BoxError, ReplayBody, RetryLayer};
//!
//! type Body = Empty<Bytes>;
//!
//! # /*
//! #[tokio::test(start_paused = true)]
//! # */
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! async fn a_get_is_repeated_and_a_post_is_not() -> Result<(), BoxError> {
//!     let client = ServiceBuilder::new().layer(RetryLayer::new().max_retries(2)).service_fn(
//!         async |_: Request<ReplayBody<Body>>| -> Result<Response<Body>, BoxError> {
//!             Err(Error::from(ErrorKind::ConnectionReset).into())
//!         },
//!     );
//!     let attempts = AttemptsHandle::new();
//!     let get = Request::get("http://service.test/items/7").extension(attempts.clone());
//!     client.send(get.body(Body::new())?).await.unwrap_err();
//!     assert_eq!(attempts.get().count, 3);
//!     assert_eq!(attempts.get().stopped, Some(StopReason::Attempts));
//!
//!     let post = Request::post("http://service.test/orders").extension(attempts.clone());
//!     client.send(post.body(Body::new())?).await.unwrap_err();
//!     assert_eq!(attempts.get().count, 1);
//!     assert_eq!(attempts.get().stopped, Some(StopReason::NotIdempotent));
//!     Ok(())
//! }
//! # fn main() -> Result<(), BoxError> {
//! #     a_get_is_repeated_and_a_post_is_not()
//! # }
//! ```
//!
//! # Your own classifier
//!
//! A classifier can be tested without a service. Build the outcomes with
//! [`Outcome::response`](crate::classify::Outcome::response) and
//! [`Outcome::error`](crate::classify::Outcome::error), and compare the verdicts. By default, an outcome is
//! that of a first attempt with an empty body. Methods such as
//! [`on_attempt`](crate::classify::Outcome::on_attempt), [`after`](crate::classify::Outcome::after) and
//! [`with_body`](crate::classify::Outcome::with_body) change this. [`Classify`](crate::classify::Classify)
//! has another example: a classifier that retries a 404 once, for a store whose replicas lag.
//!
//! ```
//! use std::io::{Error, ErrorKind};
//! use std::time::Duration;
//!
//! use http::{Request, Response, StatusCode};
//! use tower_http_retry::classify::{Class, Outcome, Verdict};
//!
//! /// The service answers 409 for a short time, while it moves an item.
//! fn by_service(outcome: &Outcome<'_>) -> Verdict {
//!     match outcome.status() {
//!         Some(StatusCode::CONFLICT) if outcome.attempt() == 1 => {
//!             Class::Refused.retry_after(Duration::from_secs(2))
//!         }
//!         _ => outcome.by_status(),
//!     }
//! }
//!
//! # /*
//! #[test]
//! # */
//! fn a_conflict_is_retried_once_after_two_seconds() {
//!     let request = Request::post("http://service.test/items").body(()).unwrap();
//!     let response = Response::builder().status(StatusCode::CONFLICT).body(()).unwrap();
//!     let conflict = || Outcome::response(&request, &response);
//!     let two_seconds = Duration::from_secs(2);
//!     assert_eq!(by_service(&conflict()), Class::Refused.retry_after(two_seconds));
//!     assert_eq!(by_service(&conflict().on_attempt(2)).class(), Class::Permanent);
//! }
//!
//! # /*
//! #[test]
//! # */
//! fn errors_are_classified_as_by_default() {
//!     let request = Request::get("http://service.test/items/7").body(()).unwrap();
//!     for (kind, class) in [
//!         (ErrorKind::ConnectionRefused, Class::Refused),
//!         (ErrorKind::ConnectionReset, Class::Transient),
//!         (ErrorKind::InvalidData, Class::Permanent),
//!     ] {
//!         let error = Error::from(kind);
//!         assert_eq!(by_service(&Outcome::error(&request, &error)).class(), class, "{kind}");
//!     }
//! }
//! # a_conflict_is_retried_once_after_two_seconds();
//! # errors_are_classified_as_by_default();
//! # let _ = tower_http_retry::RetryLayer::new().classify_fn(by_service);
//! ```
//!
//! # Budgets
//!
//! If a test sends many failing requests through one layer, only the first of them are retried: the default
//! [budget](crate::budget) has ten tokens, each retry costs one, and nothing succeeds. Clones of a layer, and
//! clones of a client, share the budget. Therefore:
//!
//! - build a new layer in each test;
//! - use [`without_budget`](crate::RetryLayer::without_budget) in tests that are not about the budget.
//!
//! ```
//! use std::time::Duration;
//!
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::Empty;
//! use tower::ServiceBuilder;
//! use tower_http_retry::event::StopReason;
//! use tower_http_retry::{AttemptsHandle, BoxError, Budget, ReplayBody, RetryLayer};
//!
//! type Body = Empty<Bytes>;
//!
//! /// Sends three requests to a service that always fails, and returns the number of attempts of each.
//! async fn attempts(layer: &RetryLayer) -> [u32; 3] {
//!     let client = ServiceBuilder::new().layer(layer).service_fn(
//!         async |_: Request<ReplayBody<Body>>| {
//!             Ok::<_, BoxError>(Response::builder().status(503).body(Body::new())?)
//!         },
//!     );
//!     let mut counts = [0; 3];
//!     for count in &mut counts {
//!         let attempts = AttemptsHandle::new();
//!         let request = Request::get("http://service.test/").extension(attempts.clone());
//!         client.send(request.body(Body::new()).unwrap()).await.unwrap();
//!         *count = attempts.get().count;
//!         let all = attempts.get().stopped == Some(StopReason::Attempts);
//!         assert!(all || attempts.get().stopped == Some(StopReason::Budget));
//!     }
//!     counts
//! }
//!
//! # /*
//! #[tokio::test(start_paused = true)]
//! # */
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! async fn retries_stop_when_the_budget_is_spent() {
//!     let budget = Budget::earning(5); // as the default
//!     assert_eq!(budget.tokens(), Some(10.0));
//!     let layer = RetryLayer::new().budget(budget.clone());
//!     assert_eq!(attempts(&layer).await, [6, 6, 1]);
//!     assert_eq!(budget.tokens(), Some(0.0));
//!
//!     // After five minutes without an attempt, the budget has its initial tokens again.
//!     tokio::time::sleep(Duration::from_secs(5 * 60)).await;
//!     assert_eq!(budget.tokens(), Some(10.0));
//!
//!     let layer = RetryLayer::new().without_budget();
//!     assert_eq!(attempts(&layer).await, [6, 6, 6]);
//! }
//! # fn main() {
//! #     retries_stop_when_the_budget_is_spent();
//! # }
//! ```
//!
//! # Real connections
//!
//! Some failures occur only with a real client, such as a refused connection, or one that breaks. Test them
//! with a server on 127.0.0.1. Do not pause the clock in such a test: it would jump while bytes are in
//! transit, and an [`attempt_timeout`](crate::RetryLayer::attempt_timeout) would end the attempt immediately.
//! Use a short back-off instead.
//!
//! ```
//! use std::time::Duration;
//!
//! use bytes::Bytes;
//! use http::{Request, StatusCode};
//! use http_body_util::Full;
//! use hyper_util::client::legacy::Client;
//! use hyper_util::rt::TokioExecutor;
//! use tokio::io::AsyncReadExt;
//! use tokio::net::TcpListener;
//! use tower::ServiceBuilder;
//! use tower_http_retry::{AttemptsHandle, Backoff, BoxError, RetryLayer};
//!
//! # /*
//! #[tokio::test]
//! # */
//! # #[tokio::main(flavor = "current_thread")]
//! async fn a_connection_that_is_cut_or_refused() -> Result<(), BoxError> {
//!     let backoff = Backoff::fixed(Duration::from_millis(1));
//!     let client = ServiceBuilder::new()
//!         .layer(RetryLayer::new().backoff(backoff).max_retries(2))
//!         .service(Client::builder(TokioExecutor::new()).build_http());
//!     let attempts = AttemptsHandle::new();
//!
//!     // A server that reads a request, cuts the connection, and then works.
//!     let listener = TcpListener::bind("127.0.0.1:0").await?;
//!     let address = listener.local_addr()?;
//!     tokio::spawn(async move {
//!         let (mut connection, _) = listener.accept().await.unwrap();
//!         connection.read(&mut [0; 4096]).await.unwrap();
//!         drop(connection);
//!         let router = axum::Router::new().fallback(async || "an item");
//!         axum::serve(listener, router).await.unwrap();
//!     });
//!     let request = Request::get(format!("http://{address}/")).extension(attempts.clone());
//!     let response = client.send(request.body(Full::<Bytes>::default())?).await?;
//!     assert_eq!(response.status(), StatusCode::OK);
//!     assert_eq!(attempts.get().count, 2);
//!
//!     // Nothing listens on this port. No server has received the request, so even a POST is repeated.
//!     let unused = TcpListener::bind("127.0.0.1:0").await?.local_addr()?;
//!     let request = Request::post(format!("http://{unused}/")).extension(attempts.clone());
//!     let error = client.send(request.body(Full::default())?).await.unwrap_err();
//!     let error = error.downcast::<hyper_util::client::legacy::Error>()?;
//!     assert!(error.is_connect());
//!     assert_eq!(attempts.get().count, 3);
//!     Ok(())
//! }
//! # fn main() -> Result<(), BoxError> {
//! #     a_connection_that_is_cut_or_refused()
//! # }
//! ```
//!
//! A server in the same process needs no connection at all: an axum `Router` can be
//! [the inner service](super::recipes#an-axum-router-as-the-inner-service), and the clock can be paused.
