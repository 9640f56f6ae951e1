//! Sends a second attempt beside one that is slow, and returns the one that succeeds first.
//!
//! Where one request in twenty takes ten times as long as the others, because a replica collects garbage or
//! a packet is lost, a second attempt is nearly always faster than waiting. It is called a hedge. Hedges
//! take load to save time, so a client that sends too many makes an overload worse.
//! [`HedgeLayer`](crate::HedgeLayer) needs no setting: it learns from the requests when one is slow, sends
//! no more hedges than successes have earned, and measures whether they help.
//!
//! # Example
//!
//! ```
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), tower_http_retry::BoxError> {
//! use std::sync::atomic::{AtomicU32, Ordering};
//! use std::time::Duration;
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::Empty;
//! use tokio::time::{Instant, sleep};
//! use tower::{ServiceBuilder, ServiceExt};
//! use tower_http_retry::hedge::HedgeBody;
//! use tower_http_retry::{BoxError, HedgeLayer};
//!
//! type Body = Empty<Bytes>;
//!
//! // One attempt in 30 takes a second, the others take 10 ms.
//! let attempts = AtomicU32::new(0);
//! let layer = HedgeLayer::new().control_seed(1);
//! let client = ServiceBuilder::new()
//!     .layer(&layer)
//!     .service_fn(async |_: Request<HedgeBody<Body>>| {
//!         let is_slow = attempts.fetch_add(1, Ordering::Relaxed) % 30 == 29;
//!         sleep(Duration::from_millis(if is_slow { 1_000 } else { 10 })).await;
//!         Ok::<_, BoxError>(Response::new(Body::new()))
//!     });
//! let get = || Request::get("http://service.test/items/7").body(Body::new());
//!
//! // It learns from the first requests..
//! for _ in 0..300 {
//!     client.clone().oneshot(get()?).await?;
//! }
//! let delay = layer.delay(&"http://service.test/".parse()?).expect("it has learned");
//! assert!(delay > Duration::from_millis(19) && delay < Duration::from_millis(23));
//!
//! // .. and from then on, a request that takes longer is sent a second time.
//! attempts.store(29, Ordering::Relaxed);
//! let start = Instant::now();
//! client.clone().oneshot(get()?).await?;
//! assert!(start.elapsed() < Duration::from_millis(40));
//! # Ok(())
//! # }
//! ```
//!
//! # Which requests are hedged
//!
//! Requests with a safe method: GET, HEAD, OPTIONS, TRACE and QUERY. Two attempts of one request can arrive
//! in any order, and the slower one can be acted on after the faster one was answered. For a PUT that
//! means that it can undo a later one. [`HedgeLayer::idempotency`](crate::HedgeLayer::idempotency) allows
//! more where the service can take it.
//!
//! A request is never hedged if it
//!
//! - is a CONNECT, has an `Upgrade` header, or accepts `text/event-stream`;
//! - has a [`RetryOverride`](crate::RetryOverride) that allows no retry, or says that it is not repeatable;
//! - has a body that is not read to its end when the hedge is due, or is longer than 1 MiB. A body in memory
//!   is not limited.
//!
//! Such a request is sent once. All others may be sent twice at most: there is one hedge.
//!
//! Calls of gRPC are hedged by their service's config instead, with up to four hedges:
//! `HedgeLayer::service_config` (feature `serde`).
//!
//! # When a hedge is sent
//!
//! When there is no response after a delay, which is the longest of
//!
//! - the time that a share of the attempts exceeds, [`extra_load`](crate::HedgeLayer::extra_load): 5 %;
//! - twice the median ([`stragglers`](crate::HedgeLayer::stragglers)): where all requests take about the
//!   same time, the slowest are not worth a hedge;
//! - one millisecond.
//!
//! The delay is learned from first attempts that succeed, from the call to the response's head. An attempt
//! that was cut, because its hedge won or because a time-out or the caller dropped it, would have taken
//! longer than it did: it counts as such (the estimate is that of Kaplan and Meier). What only
//! looks at requests that came to their end learns too short a delay from its own hedges. Other failures are
//! not counted.
//!
//! The delay is worked out once a second. Nothing is hedged while fewer than five slow attempts are known of,
//! which takes 100 attempts with 5 %. What was learned counts for nine tenths after a second, or, as long as
//! there is hardly enough of it, after ten seconds: one request a second is enough to learn from. With fewer,
//! set the delay by [`after`](crate::HedgeLayer::after).
//!
//! A hedge that is due is not sent if
//!
//! - successes have not earned it: see [below](#what-hedges-add-to-the-load);
//! - the inner service is not ready at once;
//! - a [`Cooldown`](crate::HedgeLayer::cooldown) holds requests, or the
//!   [budget of the retry](crate::HedgeLayer::retry_budget) is not above its half;
//! - it is withheld for [comparison](#what-it-saves).
//!
//! # Which outcome is returned
//!
//! - The first success. The other attempt is dropped at that moment, unless
//!   [`keep_losers`](crate::HedgeLayer::keep_losers) is set. The body of the response is untouched.
//! - The first permanent failure, such as a 404.
//! - If one attempt fails transiently, the other is waited for. If both fail, the first attempt's outcome is
//!   returned; if that is a refusal, such as a 429, and the other is not, the other's, since the server may
//!   have acted on it.
//!
//! A failure before the hedge is sent is returned: to send the request again is the retry's task.
//!
//! # What hedges add to the load
//!
//! A first attempt that succeeds earns a part of a hedge: 0.05 by default. A hedge costs one. At most three
//! are kept, or as many as a second earns, if that is more. Nothing is earned by time, so a service that
//! fails or hangs gets no hedges after the first few.
//!
//! # What it saves
//!
//! One in 16 hedges that are due, by lot, is withheld for another delay. Within that time, the layer compares
//! how long these requests take with those whose hedge was sent when it was due. The difference of the means
//! of the last 64 to 128 of each is what a hedge saves, at least:
//! [`HedgeLayer::saved_seconds`](crate::HedgeLayer::saved_seconds), [`HedgeEvent::saved_seconds`], and the
//! metric `tower_http_retry_hedge_saved_seconds`.
//!
//! While it is known that hedges save time, one in 64 is withheld; while it is known that they do not, one in
//! eight is sent when it is due.
//!
//! # When it helps
//!
//! FIGURES
//!
//! # What it costs
//!
//! - **Over HTTP/1.1** an attempt that is dropped closes its connection, and the next request may have to
//!   open another. With [`keep_losers`](crate::HedgeLayer::keep_losers) it goes on instead, and gives its
//!   connection back. Over HTTP/2 only its stream is reset.
//! - **At the server** the work for an attempt that is dropped often goes on.
//! - **In the client** a copy of the request's head is kept, in one allocation if it has headers, and a
//!   timer is set. `benches/` has the figures.
//!
//! # Load balancers
//!
//! A hedge helps if it reaches another replica. With a random choice among ten it does in nine of ten cases.
//! A balancer that prefers the replica with the fewest requests in flight, as `tower::balance` with
//! `PendingRequests`, nearly always chooses another one, since the first attempt is still in flight. A
//! balancer that sends equal requests to the same replica (by a hash of the URI, or a session's cookie)
//! makes hedges useless: let it look at [`HedgeBody::is_hedge`], or at
//! [`Attempt::is_hedge`](crate::Attempt::is_hedge).
//!
//! If a layer sends to several upstreams that differ in speed, use
//! [`per_authority`](crate::HedgeLayer::per_authority).
//!
//! # Under a retry
//!
//! ```
//! use bytes::Bytes;
//! use http_body_util::Full;
//! use hyper_util::client::legacy::Client;
//! use hyper_util::rt::TokioExecutor;
//! use std::time::Duration;
//! use tower::ServiceBuilder;
//! use tower::timeout::TimeoutLayer;
//! use tower_http_retry::{Budget, HedgeLayer, RetryLayer};
//!
//! let budget = Budget::earning(5);
//! let client = ServiceBuilder::new()
//!     .layer(RetryLayer::new().budget(budget.clone()))
//!     .layer(HedgeLayer::new().retry_budget(budget))
//!     .layer(TimeoutLayer::new(Duration::from_secs(10))) // each attempt
//!     .service(Client::builder(TokioExecutor::new()).build_http());
//! # fn accepts<S: tower::Service<http::Request<Full<Bytes>>>>(_: S) {}
//! # accepts(client);
//! ```
//!
//! For the retry, an attempt and its hedge are one attempt. A [`VerifyLayer`](crate::VerifyLayer) and a
//! [`CommitLayer`](crate::CommitLayer) go between the two.

#[cfg(feature = "serde")]
mod policies;
mod layer;
mod service;
mod future;
mod watch;
mod next;
mod race;
mod losers;
mod settings;
#[cfg(feature = "tracing")]
mod trace;
mod learned;
mod survival;
mod buckets;
mod control;
mod purse;
mod body;

pub use crate::hedge_event::{HedgeEvent, HedgeEventKind, Hedged, NotSent};
pub use body::HedgeBody;
pub use future::HedgeFuture;
pub use layer::HedgeLayer;
pub use losers::{DropLosers, KeepLosers, KeptCall, Losers};
pub use service::Hedge;
#[cfg(feature = "serde")]
pub(crate) use settings::Policy;
