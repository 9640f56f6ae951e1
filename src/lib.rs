//! HTTP-aware retries for any [tower] `Service`.
//!
//! A [`RetryLayer`] keeps a copy of each request, looks at the status of each response or at the
//! error, and sends the copy again after a back-off. It goes into hyper, axum, tonic and reqwest
//! client stacks, above time-out, buffer and rate-limit layers.
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
//! // A client as hyper's, of a server that is overloaded for a moment.
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
//! 1. [`Retry`] takes the handle that was readied, keeps a snapshot of the request, and makes the
//!    first attempt. The inner service gets a [`ReplayBody`]: the caller's body, recorded as it
//!    passes.
//! 2. A classifier ([`classify`]) says what the outcome means: success, permanent, transient (the
//!    server may have acted on the request), or refused (the server did not process it).
//!    [`ByStatus`] is the default.
//! 3. The rules decide, from top to bottom: stop and why, or retry after how long. They ask for the
//!    number of retries, the body, [`Idempotency`], what the server asks for ([`RetryAfter`]), the
//!    [`Backoff`], the window, and last the [`Budget`].
//! 4. [`ResponseFuture`] waits, reads what is left of the discarded response so that its
//!    connection can be used again, waits for the inner service to be ready, and sends the next
//!    attempt. Dropping it stops everything.
//! 5. Each step is passed to listeners as an [`event`].
//!
//! Stopping returns the last outcome itself: the last response, whole, or the last error, unwrapped.
//!
//! Waiting takes a tokio runtime with time enabled, as hyper-util's client and the like do.
//!
//! # Layers around the retry
//!
//! Each can be used alone. From the outside in, a whole stack is: a total time-out, what follows
//! redirects, [`ResumeLayer`], [`RetryLayer`], [`VerifyLayer`], [`CommitLayer`], [`HedgeLayer`], an
//! attempt's time-out, what signs requests, what converts their bodies, and the client.
//!
//! | layer | what it adds |
//! |---|---|
//! | [`ResumeLayer`] | a download that breaks off goes on where it was, or ends with an error: module [`resume`] |
//! | [`VerifyLayer`] | checks whether a create or a delete took effect before it is sent again: module [`verify`] |
//! | [`CommitLayer`] | a failure in the body of a response is retried, as long as nothing of it was returned: module [`commit`] |
//! | [`HedgeLayer`] | a request that is slower than nearly all is sent a second time, and the faster attempt counts: module [`hedge`] |
//!
//! # Redirects
//!
//! A layer that follows redirects goes above this one, never under it. Under it, a 429 or a refused
//! connection may come from the target of a redirect, after the request itself was acted on, and the
//! request would be repeated whatever its method. Above it, only the request that failed is repeated.
//! Clients that follow redirects by default are told not to: for reqwest,
//! `ClientBuilder::redirect(reqwest::redirect::Policy::none())`, and `retry(reqwest::retry::never())`
//! for its own retries.
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
//! Retry at one layer only; the module [`budget`](budget#at-one-layer-only) says why. Where two
//! are stacked, a response tells the upper layer that the server may have acted on an earlier attempt
//! of the lower one. An error does not: it is the inner service's own, which has no place for that.
//! If the last attempt of the lower layer ends with an error that is a refusal, or would be one of a
//! first attempt (a `GOAWAY`: whether the attempt's body was begun to be read cannot be known from
//! above), the upper layer takes it for a request that the server never processed, and repeats it,
//! whatever its method. Let the upper layer take no error for a refusal:
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
//! | `tracing` | yes | events through `tracing`: a retry is `DEBUG`, a stop with a failure is `WARN`; see [`Event`](event::Event) |
//! | `tower` | yes | `Budget::tower`, for a budget of tower's; the error of tower's `Timeout` is a time-out, which is permanent without it |
//! | `hyper-util` | yes | connect errors of hyper-util's client are refusals |
//! | `http2` | no | h2's errors are told apart: a refused stream is a refusal, and so is a `GOAWAY` if the attempt's body was begun to be read; without it, any reset is permanent |
//! | `reqwest` | no | reqwest's errors are told apart; implies `http2` and `hyper-util`. Its client must not follow redirects: see [redirects](self#redirects) |
//! | `metrics` | no | counters and histograms through the facade `metrics`, with `grpc` also gRPC's own: see the module of that name |
//! | `grpc` | no | gRPC's retries: `RetryLayer::grpc`, `ByGrpcStatus`, `PeekTrailersLayer`; implies `http2` and `hyper-util` |
//! | `tower-http` | no | a response that tower-http's `FollowRedirect` got from another URI is known for one: it is no refusal of the request, and no proof for a [`VerifyLayer`] |
//! | `config` | no | the settings of a layer from a TOML, JSON or YAML file: `RetryConfig`; serde's traits for `Backoff`, `Jitter`, `ByStatus`, `Idempotency`, `RetryAfter`, and for snapshots of budgets, cooldowns and hedges |
//! | `schemars` | no | the JSON schema of `RetryConfig`; implies `config` |
//! | `serde` | no | gRPC service configs, from JSON: `ServiceConfig`, for retries and for hedges; implies `grpc` |
//!
//! [tower]: https://docs.rs/tower

#![cfg_attr(docsrs, feature(doc_cfg))]
#![warn(missing_debug_implementations, missing_docs, unreachable_pub)]
#![deny(rustdoc::broken_intra_doc_links)]

// In the order in which a request travels: each module imports only what stands below it.
#[cfg(feature = "config")]
pub mod config;
#[cfg(feature = "grpc")]
pub mod grpc;
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
mod authorities;
mod authority;
mod backoff;
mod broken_answer;
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
mod redirected;
mod retry_after;
mod striped;
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
#[doc(inline)]
pub use verify::VerifyLayer;

#[cfg(all(doctest, feature = "grpc"))]
#[doc = include_str!("../README.md")]
struct Readme;
