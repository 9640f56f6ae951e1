//! HTTP-aware retries for any [tower] `Service`.
//!
//! A [`RetryLayer`] keeps a copy of each request, looks at the status of the response or at the
//! error, and sends the copy again after a back-off. It works with hyper, axum, tonic and reqwest
//! clients, and is placed above time-out, buffer and rate-limit layers. The [`guide`] has a page for
//! each topic, and [recipes](guide::recipes).
//!
//! # Example
//!
//! ```
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), tower_http_retry::BoxError> {
//! use std::sync::atomic::{AtomicU32, Ordering};
//! use std::time::Duration;
//! use bytes::Bytes;
//! use http::{Request, Response, StatusCode};
//! use http_body_util::Full;
//! use tower::{ServiceBuilder, ServiceExt};
//! use tower_http_retry::{Attempts, BoxError, ReplayBody, RetryLayer};
//!
//! // A client of a server that is overloaded at first.
//! let requests = AtomicU32::new(0);
//! let client = ServiceBuilder::new()
//!     .layer(RetryLayer::new().mark_responses())
//!     .layer(tower::timeout::TimeoutLayer::new(Duration::from_secs(10))) // each attempt
//!     .service_fn(|_: Request<ReplayBody<Full<Bytes>>>| {
//!         let number = requests.fetch_add(1, Ordering::Relaxed);
//!         let status = if number < 2 { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
//!         let response = Response::builder().status(status).body(Full::<Bytes>::default());
//!         async move { response.map_err(BoxError::from) }
//!     });
//!
//! let request = Request::put("http://service.test/items/7").body(Full::from("an item"))?;
//! let response = client.oneshot(request).await?;
//! assert_eq!(response.status(), StatusCode::OK);
//! assert_eq!(response.extensions().get::<Attempts>().unwrap().count, 3);
//! # Ok(())
//! # }
//! ```
//!
//! # How a request travels
//!
//! 1. [`Retry`] keeps a snapshot of the request and makes the first attempt. The inner service receives a
//!    [`ReplayBody`], which records the caller's body while it is sent.
//! 2. A classifier ([`classify`]) decides what the outcome means: a success, a permanent failure, a
//!    transient failure (the server may have acted on the request), or a refusal (the server did not
//!    process it). The default is [`ByStatus`].
//! 3. The rules decide whether there is a retry, and how long to wait before it. They check the number of
//!    retries, whether the body can be replayed, [`Idempotency`], the wait that the server asks for
//!    ([`RetryAfter`]), the [`Backoff`], the window, and last the [`Budget`].
//! 4. [`ResponseFuture`] waits. Meanwhile it reads the rest of the discarded response, so that its
//!    connection can be reused. Then it waits until the inner service is ready, and makes the next
//!    attempt. Dropping the future cancels everything.
//! 5. Each step emits an [`event`], for callbacks, tracing and metrics.
//!
//! When there is no further retry, the last response or error is returned unchanged.
//!
//! Waiting requires a tokio runtime with time enabled.
//!
//! # Layers around the retry
//!
//! Each layer can be used alone. From the outside in, the order of a whole stack is: a total time-out, a
//! layer that follows redirects, [`ResumeLayer`], [`RetryLayer`], [`VerifyLayer`], [`CommitLayer`],
//! [`HedgeLayer`], the time-out of an attempt, layers that sign requests, a layer that converts their
//! bodies, and the client.
//!
//! | layer | what it adds |
//! |---|---|
//! | [`ResumeLayer`] | resumes a download that breaks off, by range requests: module [`resume`] |
//! | [`VerifyLayer`] | checks whether a create or a delete took effect before it is sent again: module [`verify`] |
//! | [`CommitLayer`] | retries a response whose body breaks off before any of it was returned: module [`commit`] |
//! | [`HedgeLayer`] | sends a second attempt beside one that is slow, and returns the first success: module [`hedge`] |
//!
//! The page [`guide::tower_http`] has a whole stack with the layers of tower-http, and [`guide::recipes`]
//! has others: for OAuth 2.0 tokens, reqwest, axum, replicas, rate limits, and errors.
//!
//! # Redirects
//!
//! Put a layer that follows redirects above this one, not below it. If it is below, a 429 or a refused
//! connection may come from the target of a redirect, after the server has acted on the request itself,
//! and the request would be repeated regardless of its method. If it is above, only the request that failed
//! is repeated. If a client follows redirects by default, turn this off: for reqwest, with
//! `ClientBuilder::redirect(reqwest::redirect::Policy::none())`. `retry(reqwest::retry::never())` turns
//! off reqwest's own retries.
//!
//! ```
//! use tower::ServiceBuilder;
//! use tower_http::follow_redirect::FollowRedirectLayer;
//! use tower_http_retry::RetryLayer;
//!
//! let layers = ServiceBuilder::new()
//!     .layer(FollowRedirectLayer::new())
//!     .layer(RetryLayer::new());
//! # let client = layers.service_fn(
//! #     async |_: http::Request<tower_http_retry::ReplayBody<http_body_util::Full<bytes::Bytes>>>| {
//! #         Ok::<_, tower_http_retry::BoxError>(http::Response::new(String::new()))
//! #     },
//! # );
//! # fn accepts<S: tower::Service<http::Request<http_body_util::Full<bytes::Bytes>>>>(_: S) {}
//! # accepts(client);
//! ```
//!
//! # A retry above a retry
//!
//! Retry at one layer only; the module [`budget`](budget#at-one-layer-only) explains why. If two retry
//! layers are stacked, the upper layer can see from a response whether the server may have acted on an
//! earlier attempt of the lower layer. It cannot see this from an error, because the error is that of the
//! inner service, unchanged. If the last attempt of the lower layer fails with an error that is a refusal,
//! the upper layer assumes that the server never processed the request, and repeats it regardless of its
//! method. The error of an HTTP/2 `GOAWAY` has the same problem. Configure the upper layer so that it does
//! not treat errors as refusals:
//!
//! ```
//! use http::Request;
//! use std::io::{Error, ErrorKind};
//! use tower_http_retry::classify::{Class, Classify, Outcome, Verdict};
//! use tower_http_retry::{ByStatus, RetryLayer};
//!
//! fn takes_no_error_for_refused(outcome: &Outcome<'_>) -> Verdict {
//!     let verdict = ByStatus::new().classify(outcome);
//!     match (verdict.class(), outcome.result()) {
//!         (Class::Refused, Err(_)) => Class::Transient.into(),
//!         _ => verdict,
//!     }
//! }
//!
//! let request = Request::post("http://service.test/orders").body(()).unwrap();
//! let refused = Error::from(ErrorKind::ConnectionRefused);
//! let verdict = takes_no_error_for_refused(&Outcome::error(&request, &refused));
//! assert_eq!(verdict.class(), Class::Transient);
//!
//! let upper = RetryLayer::new().classify_fn(takes_no_error_for_refused);
//! # let _ = upper;
//! ```
//!
//! # Features
//!
//! | feature | default | what it adds |
//! |---|---|---|
//! | `tracing` | yes | emits [events](event::Event) through `tracing`: a retry at `DEBUG`, giving up at `WARN` |
//! | `tower` | yes | `Budget::tower`; errors of tower's `Timeout` are time-outs (without this feature, they are not retried) |
//! | `hyper-util` | yes | connect errors of hyper-util's client are refusals |
//! | `http2` | no | HTTP/2 errors of h2 are classified, such as refused streams (without this feature, no reset is retried) |
//! | `reqwest` | no | module `reqwest`: reqwest as a tower service; errors of reqwest are classified. Implies `http2` and `hyper-util` |
//! | `reqwest-middleware` | no | `reqwest::RetryMiddleware` for reqwest-middleware. Implies `reqwest` |
//! | `tower-http` | no | `classify::ByTowerHttp` for classifiers of tower-http; recognizes [redirects](self#redirects) that its `FollowRedirect` follows below this layer |
//! | `grpc` | no | module `grpc`: gRPC's retries, `RetryLayer::grpc`, and service configs. Implies `http2` and `hyper-util` |
//! | `serde` | no | parses gRPC service configs from JSON. Implies `grpc` |
//! | `config` | no | module `config`: settings from a TOML, JSON or YAML file; serde's traits for settings and snapshots |
//! | `schemars` | no | the JSON schema of a config file. Implies `config` |
//! | `metrics` | no | counters and histograms through the `metrics` facade: module `metrics` |
//!
//! [tower]: https://docs.rs/tower

#![cfg_attr(docsrs, feature(doc_cfg))]
#![warn(missing_debug_implementations, missing_docs, unreachable_pub)]
#![deny(rustdoc::broken_intra_doc_links)]

// Modules are listed in the order in which a request passes through them. Each module imports only modules
// that are declared below it.
pub mod guide;
#[cfg(feature = "config")]
pub mod config;
#[cfg(feature = "grpc")]
pub mod grpc;
#[cfg(feature = "reqwest")]
pub mod reqwest;
pub mod resume;
pub mod verify;
pub mod commit;
pub mod hedge;

mod layer;
mod service;
mod future;
mod waiting;
mod exchange;
mod hold;
mod snapshot;
mod settings;
mod listeners;
#[cfg(feature = "metrics")]
pub mod metrics;
#[cfg(feature = "tracing")]
mod trace;
pub mod event;
mod hedge_event;
mod progress;
mod decide;
pub mod classify;
mod limits;
pub mod body;
mod attempt;
pub mod budget;
pub mod cooldown;
mod deadline_header;
mod authorities;
mod authority;
mod backoff;
mod broken_answer;
mod redirected;
mod class;
mod content;
mod kept_head;
mod read_ahead;
mod drain;
mod error;
mod head;
mod headers;
mod idempotency;
mod rate_limit;
mod reason;
mod retry_after;
mod striped;
mod switch;
mod sync;
mod timer;
#[cfg(feature = "config")]
mod notation;
mod verified;
mod whole_body;

pub use attempt::{Attempt, Attempts, AttemptsHandle};
pub use backoff::{Backoff, Jitter};
#[doc(inline)]
pub use body::ReplayBody;
#[doc(inline)]
pub use budget::Budget;
#[doc(inline)]
pub use classify::ByStatus;
#[doc(inline)]
pub use commit::CommitLayer;
#[doc(inline)]
pub use cooldown::Cooldown;
pub use deadline_header::DeadlineUnit;
pub use error::{BoxError, RetryError};
pub use future::ResponseFuture;
#[doc(inline)]
pub use hedge::HedgeLayer;
pub use idempotency::Idempotency;
pub use layer::RetryLayer;
pub use limits::RetryOverride;
#[doc(inline)]
pub use resume::ResumeLayer;
pub use retry_after::RetryAfter;
pub use service::Retry;
pub use switch::Switch;
#[doc(inline)]
pub use verify::VerifyLayer;

#[cfg(all(doctest, feature = "hyper-util", feature = "tower"))]
#[doc = include_str!("../README.md")]
struct Readme;
