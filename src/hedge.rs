//! Hedging: sending a second attempt beside one that is slow, and returning the first success.
//!
//! If one request in twenty takes ten times as long as the others, because a replica collects garbage or a
//! packet is lost, a second attempt is nearly always faster than waiting. Such an attempt is called a hedge.
//! Hedges add load to save time, so a client that sends too many of them makes an overload worse.
//!
//! [`HedgeLayer`] needs no settings. It learns from the requests which ones are slow, sends no more hedges
//! than successes have earned, and measures whether they help.
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
//! // The layer learns from the first requests.
//! for _ in 0..300 {
//!     client.clone().oneshot(get()?).await?;
//! }
//! let delay = layer.delay(&"http://service.test/".parse()?).expect("it has learned");
//! assert!(delay > Duration::from_millis(19) && delay < Duration::from_millis(23));
//!
//! // Now a request that takes longer than this delay is hedged.
//! attempts.store(29, Ordering::Relaxed);
//! let start = Instant::now();
//! client.clone().oneshot(get()?).await?;
//! assert!(start.elapsed() < Duration::from_millis(40));
//! # Ok(())
//! # }
//! ```
//!
//! # Rules
//!
//! - Requests with a safe method are hedged, at most once for each attempt of a retry above.
//! - A hedge is sent if there is no response after a delay, which is learned from the requests that succeed.
//! - Each first attempt that succeeds earns 0.05 hedges, so that they add at most 5 % to the load. Nothing is
//!   earned over time, so a failing service receives no more hedges after the first few.
//! - The first success or permanent failure is returned, and the other attempt is dropped.
//! - At first, one in 16 hedges is sent one delay later than it is due, to measure how much time hedges save.
//!   After that, it is one in 64, or seven in eight if they save none.
//!
//! The guide's page on [hedging](crate::guide::hedging) explains each rule, when hedges help, and what they
//! cost.

#[cfg(feature = "grpc")]
mod policies;
mod layer;
mod service;
mod future;
mod watch;
mod next;
mod race;
mod losers;
mod shared;
mod settings;
#[cfg(feature = "tracing")]
mod trace;
mod learned;
mod survival;
mod buckets;
mod control;
mod purse;
mod snapshot;
mod kept_body;
mod body;

pub use crate::hedge_event::{HedgeEvent, HedgeEventKind, Hedged, NotSent};
pub use body::HedgeBody;
pub use future::HedgeFuture;
pub use layer::HedgeLayer;
pub use losers::{DropLosers, KeepLosers, KeptCall, Losers};
pub use service::Hedge;
#[cfg(feature = "grpc")]
pub(crate) use settings::Policy;
pub use snapshot::{HedgeSnapshot, HedgeState};
