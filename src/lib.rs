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
//!     .layer(RetryLayer::new())
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
//! 2. A [`Classify`] says what the outcome means: success, permanent, transient (the server may
//!    have acted on the request), or refused (nobody did). [`ByStatus`] is the default.
//! 3. The rules decide, from top to bottom: stop and why ([`Stop`]), or retry after how long. They
//!    ask for the number of retries, the body, [`Idempotency`], what the server asks for
//!    ([`ServerHints`]), the [`Backoff`], the window, and last the [`Budget`].
//! 4. [`ResponseFuture`] waits, reads what is left of the discarded response so that its
//!    connection can be used again, waits for the inner service to be ready, and sends the next
//!    attempt. Dropping it stops everything.
//! 5. Each step is told as an [`Event`].
//!
//! A [`VerifyLayer`] under the retry asks whether a create or a delete was done, before it is done
//! again.
//!
//! Stopping hands over the last outcome itself: the last response, whole, or the last error,
//! unwrapped.
//!
//! Waiting takes a tokio runtime with time enabled, as hyper-util's client and the like do.
//!
//! # Features
//!
//! | feature | default | what it adds |
//! |---|---|---|
//! | `tracing` | yes | events through `tracing`: a retry is `DEBUG`, a stop with a failure is `WARN`; see [`Event`] |
//! | `hyper-util` | yes | connect errors of hyper-util's client are refusals |
//! | `http2` | no | h2's errors are told apart: a refused stream or a `GOAWAY` is a refusal; without it, any reset is permanent |
//! | `reqwest` | no | reqwest's errors are told apart; implies `http2` and `hyper-util`. Its client must not follow redirects: see [`RetryLayer`](RetryLayer#redirects) |
//! | `metrics` | no | counters and histograms through the facade `metrics`: see the module of that name |
//! | `grpc` | no | gRPC's retries: `RetryLayer::grpc`, `ByGrpcStatus`, `PeekTrailersLayer`; implies `http2` and `hyper-util` |
//! | `tower-http` | no | a response that tower-http's `FollowRedirect` got from another URI is known for one: it is no refusal of the request, and no proof for a [`VerifyLayer`] |
//! | `serde` | no | gRPC service configs, from JSON: `ServiceConfig`; implies `grpc` |
//!
//! [tower]: https://docs.rs/tower

#![cfg_attr(docsrs, feature(doc_cfg))]
#![warn(unreachable_pub)]

mod attempt;
mod authority;
mod backoff;
mod body;
pub mod budget;
mod classify;
mod decide;
mod error;
mod event;
mod exchange;
mod future;
#[cfg(feature = "grpc")]
mod grpc;
mod hint;
mod idempotency;
mod layer;
mod leftover;
#[cfg(feature = "metrics")]
pub mod metrics;
mod policy;
mod progress;
mod redirected;
mod retry_override;
mod service;
mod snapshot;
mod striped;
mod sync;
#[cfg(feature = "tracing")]
mod trace;
mod verify;

pub use attempt::{Attempt, Attempts, AttemptsHandle};
pub use backoff::{Backoff, Jitter};
pub use body::{ReplayBody, Superseded};
#[doc(inline)]
pub use budget::Budget;
pub use classify::{
    BodyProgress, ByStatus, Class, Classify, ClassifyFn, Outcome, RequestHead, ResponseHead,
    Verdict,
};
pub use error::{Abandoned, AttemptTimedOut, BoxError};
pub use event::{Event, Reason, Step, Stop};
pub use future::ResponseFuture;
#[cfg(feature = "grpc")]
pub use grpc::{
    ByGrpcStatus, PeekFuture, PeekTrailers, PeekTrailersLayer, PeekedBody, PeekedTrailers,
};
#[cfg(feature = "serde")]
pub use grpc::{ServiceConfig, ServiceConfigError};
pub use hint::ServerHints;
pub use idempotency::Idempotency;
pub use layer::RetryLayer;
pub use retry_override::RetryOverride;
pub use service::Retry;
pub use verify::{Unverified, Verified, Verify, VerifyBody, VerifyFuture, VerifyLayer};

#[cfg(all(doctest, feature = "grpc"))]
#[doc = include_str!("../README.md")]
struct Readme;
