//! gRPC: retries and hedges for tonic and other gRPC clients, as [gRFC A6] defines them.
//!
//! Contents: [a tonic client](#a-tonic-client) · [which calls are retried](#which-calls-are-retried) ·
//! [policies for each method](#policies-for-each-method) · [statuses in trailers](#statuses-in-trailers) ·
//! [deadlines](#deadlines-and-time-outs) · [streams](#streams) · [interceptors](#interceptors) ·
//! [hedging](#hedging) · [metrics](#metrics)
//!
//! # A tonic client
//!
//! tonic has no retries: a call that fails is reported to the caller. A generated client takes any service
//! instead of a channel, so the retry goes between the two. Before:
//!
//! ```
//! # mod greeter { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/greeter.rs")); }
//! # use greeter::{Greeter, GreeterClient, Turn, hello, unavailable};
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() {
//! # let server = Greeter::in_memory([unavailable(), unavailable(), Turn::Ok]);
//! # let channel = server.channel();
//! let mut greeter = GreeterClient::new(channel);
//!
//! // The server is unavailable for a moment.
//! let status = greeter.say_hello(hello("Ada")).await.unwrap_err();
//! assert_eq!(status.code(), tonic::Code::Unavailable);
//! # assert_eq!(server.count(), 1);
//! # }
//! ```
//!
//! After, with `cargo add tower-http-retry -F grpc`, `cargo add tower`, and `cargo add tower-http -F
//! map-request-body`:
//!
//! ```
//! # mod greeter { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/greeter.rs")); }
//! # use greeter::{Greeter, GreeterClient, Turn, hello, unavailable};
//! use tonic::body::Body;
//! use tower::ServiceBuilder;
//! use tower_http::map_request_body::MapRequestBodyLayer;
//! use tower_http_retry::RetryLayer;
//! use tower_http_retry::grpc::PeekTrailersLayer;
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), tonic::Status> {
//! # let server = Greeter::in_memory([unavailable(), unavailable(), Turn::Ok]);
//! # let channel = server.channel();
//! let channel = ServiceBuilder::new()
//!     .layer(RetryLayer::grpc())
//!     .layer(PeekTrailersLayer::new())
//!     .layer(MapRequestBodyLayer::new(Body::new))
//!     .service(channel);
//! let mut greeter = GreeterClient::new(channel);
//!
//! let reply = greeter.say_hello(hello("Ada")).await?;
//! assert_eq!(reply.into_inner().message, "Hello, Ada!");
//! # assert_eq!(server.count(), 3);
//! # Ok(())
//! # }
//! ```
//!
//! - [`RetryLayer::grpc`](crate::RetryLayer::grpc) makes up to five attempts, with waits of 0.1 s, 0.2 s,
//!   0.4 s and 0.8 s, each multiplied by a random factor from 0.8 to 1.2. Its budget is gRPC's throttle: a failure that
//!   could be retried takes one of 10 tokens, a success adds 0.1, and retries are sent while more than 5 are
//!   left.
//! - [`PeekTrailersLayer`] reads [statuses that come in trailers](#statuses-in-trailers).
//! - `MapRequestBodyLayer` converts the retry's request body into tonic's.
//!
//! A function that returns such a stack does not have to name its type: see [interceptors](#interceptors).
//! Create the layer once for each server, and share it by cloning the service: its throttle counts the calls
//! of all clones.
//!
//! # Which calls are retried
//!
//! A gRPC call is a POST, and HTTP says nothing about whether it may be repeated. The status code of the call
//! does: it is retried if its code is one that the client has listed. By default, this is only `UNAVAILABLE`.
//!
//! | the call ends with | what happens |
//! |---|---|
//! | `UNAVAILABLE`, or a connection that failed, or broke before the response began | retried |
//! | any other code | returned |
//! | a status after the first message of the response | returned: the call is committed |
//! | a stream that the server refused, or a request that was never sent | sent again immediately, once |
//! | `grpc-retry-pushback-ms` of 0 or more, beside a code that is retried | retried after exactly that time |
//! | `grpc-retry-pushback-ms` that is negative or malformed | returned |
//!
//! `UNAVAILABLE` does not promise that the server has not acted on the call. For a method that must not be
//! executed twice, use a [policy](#policies-for-each-method) without retries, or a
//! [`RetryOverride`](crate::RetryOverride) in the extensions of the call:
//!
//! ```
//! # mod greeter { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/greeter.rs")); }
//! # use greeter::{Greeter, Turn, hello, status, unavailable};
//! use tonic::{Code, Request};
//! use tower_http_retry::grpc::ByGrpcStatus;
//! use tower_http_retry::{RetryLayer, RetryOverride};
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), tonic::Status> {
//! // Calls that were aborted are retried, too. Codes are given by their number.
//! let layer = RetryLayer::grpc().classify(ByGrpcStatus::new().also(Code::Aborted as i32));
//! # let server = Greeter::in_memory([status(Code::Aborted), Turn::Ok, unavailable()]);
//! # let mut greeter = server.client(&layer);
//! # greeter.say_hello(hello("Ada")).await?;
//! # assert_eq!(server.count(), 2);
//!
//! // This call is sent once.
//! let mut call = Request::new(hello("Ada"));
//! call.extensions_mut().insert(RetryOverride::once());
//! let status = greeter.say_hello(call).await.unwrap_err();
//! assert_eq!(status.code(), Code::Unavailable);
//! # assert_eq!(server.count(), 3);
//! # Ok(())
//! # }
//! ```
//!
//! The table of [`ByGrpcStatus`](crate::grpc::ByGrpcStatus) has all cases, among them responses of proxies
//! that are not gRPC.
//!
//! # Policies for each method
//!
//! A [`ServiceConfig`] says for each method which codes are retried, how many times, and with which back-off.
//! It can be built in code, or parsed from the JSON that other gRPC clients use (feature `serde`; there is an
//! example [below](#hedging)). Its `retry_throttling` replaces the layer's budget. Without that, the layer has
//! no budget.
//!
//! ```
//! # mod greeter { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/greeter.rs")); }
//! # use greeter::{Greeter, GreeterClient, Turn, hello, status, unavailable};
//! use std::time::Duration;
//! use tonic::Code;
//! use tower_http_retry::RetryLayer;
//! use tower_http_retry::grpc::{MethodPolicy, RetryPolicy, ServiceConfig};
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let policy = RetryPolicy::new()
//!     .max_attempts(4)
//!     .initial_backoff(Duration::from_millis(50))
//!     .retryable_status_codes([Code::Unavailable, Code::Aborted]);
//! let config = ServiceConfig::builder()
//!     .service("hello.Greeter", policy)
//!     .method("hello.Greeter", "GreetOften", MethodPolicy::Once)
//!     .retry_throttling(10.0, 0.1)
//!     .build()?;
//! let layer = RetryLayer::grpc().service_config(config);
//! # let server = Greeter::in_memory([status(Code::Aborted), unavailable(), Turn::Ok]);
//! # server.client(&layer).say_hello(hello("Ada")).await?;
//! # assert_eq!(server.count(), 3);
//! # let server = Greeter::in_memory([unavailable()]);
//! # let status = server.client(&layer).greet_often(hello("Ada")).await.unwrap_err();
//! # assert_eq!((status.code(), server.count()), (Code::Unavailable, 1));
//! # Ok(())
//! # }
//! ```
//!
//! The most specific entry applies: that of the method, then that of the service, then the default. A call
//! with [`MethodPolicy::Once`](crate::grpc::MethodPolicy::Once), or without an entry, is sent again only if the
//! server has certainly not processed it. To exclude even this, use
//! [`RetryOverride::once`](crate::RetryOverride::once).
//!
//! # Statuses in trailers
//!
//! A server that fails a call immediately sends its status in the head of the response, where the retry reads
//! it. Some servers and proxies send the head first, and the status after it, in trailers. Put a
//! [`PeekTrailersLayer`] below the retry for them:
//!
//! - A status that follows the head directly is retried like one in the head.
//! - A status after data is returned to the caller. The throttle counts it, so that a server which fails all
//!   calls in this way stops the retries.
//!
//! Without the layer, the retry treats each response of HTTP status 200 without a `grpc-status` in its head as
//! a success.
//!
//! # Deadlines and time-outs
//!
//! - [`tonic::Request::set_timeout`] sets the deadline of a call, in the header `grpc-timeout`. No retry
//!   starts after the deadline, and each retry sends the time that is left. If a wait would end after the
//!   deadline, the last status is returned immediately. An attempt that is in flight at the deadline is ended
//!   by tonic's channel, with the same status as without a retry, `CANCELLED`.
//! - [`RetryLayer::attempt_timeout`](crate::RetryLayer::attempt_timeout) limits each attempt. An attempt that
//!   takes longer is retried, regardless of the codes, unless a service config has no `retryPolicy` for the
//!   method. If it is the last one, a generated client reports it as `UNKNOWN`.
//! - Do not use `Endpoint::timeout` to limit attempts. The retry cannot distinguish it from the deadline of
//!   the call, and does not retry after it.
//!
//! ```
//! # mod greeter { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/greeter.rs")); }
//! # use greeter::{Greeter, hello, unavailable};
//! use std::time::Duration;
//! use tonic::{Code, Request};
//! use tower_http_retry::{Backoff, Jitter, RetryLayer};
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() {
//! let backoff = Backoff::exponential(Duration::from_millis(100)).jitter(Jitter::None);
//! let layer = RetryLayer::grpc().backoff(backoff);
//! # let server = Greeter::in_memory([unavailable()]);
//! # let mut greeter = server.client(&layer);
//!
//! let mut call = Request::new(hello("Ada"));
//! call.set_timeout(Duration::from_millis(350));
//!
//! // Attempts after 0, 100 and 300 ms. The next one would start after 700 ms.
//! let status = greeter.say_hello(call).await.unwrap_err();
//! assert_eq!(status.code(), Code::Unavailable);
//! # assert_eq!(server.millis(), [0, 100, 300]);
//! # assert_eq!(
//! #     server.headers("grpc-timeout"),
//! #     ["350000u", "250000u", "50000000n"].map(|left| Some(left.to_owned()))
//! # );
//! # }
//! ```
//!
//! # Streams
//!
//! - **Messages of the client** are recorded while they are sent, up to 1 MiB
//!   ([`max_replay_bytes`](crate::RetryLayer::max_replay_bytes)). A retry sends them again, and continues with
//!   those that the caller sends later. A call with more than that is not retried.
//! - **Messages of the server** commit a call with the first one: a stream that breaks later is not retried,
//!   since the caller has seen a part of it.
//! - If a server sends its first message late, for example because it waits for the client, use
//!   [`wait_for_first_frame(false)`](crate::grpc::PeekTrailersLayer::wait_for_first_frame), and no
//!   `attempt_timeout`, or a longer one.
//!
//! # Interceptors
//!
//! An interceptor above the retry runs once for each call; `with_interceptor` puts it there. One below the
//! retry runs once for each attempt, and can add what must be new each time, such as a token. Both also run for
//! streaming calls. `map_response` converts the body of the response, so that the function can return a type
//! without naming those of the layers:
//!
//! ```
//! # mod greeter { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/greeter.rs")); }
//! # use greeter::{Greeter, GreeterClient, Turn, hello, unavailable};
//! use http::{Request, Response};
//! use tonic::Status;
//! use tonic::body::Body;
//! use tonic::service::interceptor::InterceptorLayer;
//! use tonic::transport::Channel;
//! use tower::{Service, ServiceBuilder};
//! use tower_http::map_request_body::MapRequestBodyLayer;
//! use tower_http_retry::grpc::PeekTrailersLayer;
//! use tower_http_retry::{BoxError, RetryLayer};
//!
//! fn with_retries(
//!     channel: Channel,
//! ) -> impl Service<Request<Body>, Response = Response<Body>, Error = BoxError, Future: Send> + Clone {
//!     ServiceBuilder::new()
//!         .map_response(|response: Response<_>| response.map(Body::new))
//!         .layer(RetryLayer::grpc())
//!         .layer(PeekTrailersLayer::new())
//!         .layer(InterceptorLayer::new(each_attempt))
//!         .layer(MapRequestBodyLayer::new(Body::new))
//!         .service(channel)
//! }
//!
//! fn each_call(mut call: tonic::Request<()>) -> Result<tonic::Request<()>, Status> {
//!     call.metadata_mut().insert("x-tenant", "blue".parse().unwrap());
//!     Ok(call)
//! }
//!
//! fn each_attempt(mut call: tonic::Request<()>) -> Result<tonic::Request<()>, Status> {
//!     call.metadata_mut().insert("authorization", "Bearer 7f3a".parse().unwrap());
//!     Ok(call)
//! }
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), Status> {
//! # let server = Greeter::in_memory([unavailable(), Turn::Ok]);
//! # let channel = server.channel();
//! let mut greeter = GreeterClient::with_interceptor(with_retries(channel), each_call);
//! greeter.say_hello(hello("Ada")).await?;
//! # for received in server.received() {
//! #     assert_eq!(received.header("x-tenant"), Some("blue"));
//! #     assert_eq!(received.header("authorization"), Some("Bearer 7f3a"));
//! # }
//! # assert_eq!(server.count(), 2);
//! # Ok(())
//! # }
//! ```
//!
//! A status that an interceptor below the retry returns is classified like one of the server.
//!
//! # Hedging
//!
//! A `hedgingPolicy` in a service config sends a call several times, at intervals, until one attempt
//! succeeds. Use it only for methods that may be executed more than once. The layer goes between the retry,
//! which has the same config, and the [`PeekTrailersLayer`]:
//!
//! ```
//! # mod greeter { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/greeter.rs")); }
//! # use greeter::{Greeter, GreeterClient, Turn, hello};
//! use std::time::Duration;
//! use tonic::Code;
//! use tonic::body::Body;
//! use tower::ServiceBuilder;
//! use tower_http::map_request_body::MapRequestBodyLayer;
//! use tower_http_retry::grpc::{HedgingPolicy, PeekTrailersLayer, ServiceConfig};
//! use tower_http_retry::{HedgeLayer, RetryLayer};
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let server = Greeter::in_memory([Turn::Never, Turn::Ok]);
//! # let channel = server.channel();
//! let policy = HedgingPolicy::new(Duration::from_millis(200))
//!     .max_attempts(3)
//!     .non_fatal_status_codes([Code::Unavailable]);
//! let config = ServiceConfig::builder().method("hello.Greeter", "SayHello", policy).build()?;
//!
//! let channel = ServiceBuilder::new()
//!     .layer(RetryLayer::grpc().service_config(config.clone()))
//!     .layer(HedgeLayer::new().service_config(config))
//!     .layer(PeekTrailersLayer::new())
//!     .layer(MapRequestBodyLayer::new(Body::new))
//!     .service(channel);
//!
//! // The first attempt hangs. The second one is sent after 200 ms, and succeeds.
//! let reply = GreeterClient::new(channel).say_hello(hello("Ada")).await?;
//! assert_eq!(reply.into_inner().message, "Hello, Ada!");
//! # assert_eq!(server.millis(), [0, 200]);
//! # Ok(())
//! # }
//! ```
//!
//! The same config in JSON, with the feature `serde`:
//!
#![cfg_attr(feature = "serde", doc = "```")]
#![cfg_attr(not(feature = "serde"), doc = "```ignore")]
//! use tower_http_retry::grpc::ServiceConfig;
//! # use std::time::Duration;
//! # use tonic::Code;
//! # use tower_http_retry::grpc::HedgingPolicy;
//!
//! let config: ServiceConfig = r#"{
//!     "methodConfig": [{
//!         "name": [{ "service": "hello.Greeter", "method": "SayHello" }],
//!         "hedgingPolicy": {
//!             "maxAttempts": 3,
//!             "hedgingDelay": "0.2s",
//!             "nonFatalStatusCodes": ["UNAVAILABLE"]
//!         }
//!     }]
//! }"#
//! .parse()?;
//! # let policy = HedgingPolicy::new(Duration::from_millis(200))
//! #     .max_attempts(3)
//! #     .non_fatal_status_codes([Code::Unavailable]);
//! # let built = ServiceConfig::builder().method("hello.Greeter", "SayHello", policy).build()?;
//! # assert_eq!(config, built);
//! # Ok::<_, tower_http_retry::grpc::ServiceConfigError>(())
//! ```
//!
//! [`HedgeLayer::service_config`](crate::HedgeLayer::service_config) has the rules. Unlike
//! [hedges of HTTP requests](super::hedging), these have a fixed delay, and successes do not have to earn them.
//! They are limited by `maxAttempts`, which is at most 5, by the deadline, by pushback, and by the throttle.
//!
//! # Metrics
//!
//! With the feature `metrics`, the metrics of gRFC A96 are recorded for each call that was sent more than once
//! or had to wait, beside those of the [retry layer](super::observability#metrics). The module `metrics` lists
//! them.
//!
//! `cargo run -p grpc-client` runs a tonic server that fails in several ways, and prints each attempt and each
//! decision.
//!
//! [gRFC A6]: https://github.com/grpc/proposal/blob/master/A6-client-retries.md
//! [`PeekTrailersLayer`]: crate::grpc::PeekTrailersLayer
//! [`ServiceConfig`]: crate::grpc::ServiceConfig
//! [`tonic::Request::set_timeout`]: https://docs.rs/tonic/latest/tonic/struct.Request.html#method.set_timeout
