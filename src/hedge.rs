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
//! # Which requests are hedged
//!
//! Requests with a safe method are hedged: GET, HEAD, OPTIONS, TRACE and QUERY. Two attempts of one request
//! can arrive in any order, and the server can act on the slower one after it has answered the faster one. A
//! hedged PUT could therefore undo a later PUT. Use
//! [`HedgeLayer::idempotency`](crate::HedgeLayer::idempotency) to allow further methods if the service
//! supports it.
//!
//! A request is never hedged if it
//!
//! - is a CONNECT, has an `Upgrade` header, or accepts `text/event-stream`;
//! - has a [`RetryOverride`](crate::RetryOverride) that allows no retry, or says that it is not repeatable;
//! - has a body that is not read to its end when the hedge is due, or is longer than 1 MiB. A body in memory
//!   is not limited.
//!
//! Such a request is sent once. All other requests have at most one hedge.
//!
//! # When a hedge is sent
//!
//! A hedge is sent if there is no response after a delay, which is the longest of
//!
//! - the time that a share of the attempts exceeds, [`extra_load`](crate::HedgeLayer::extra_load): 5 %;
//! - twice the median ([`stragglers`](crate::HedgeLayer::stragglers)), because hedges gain nothing if all
//!   requests take about the same time;
//! - one millisecond.
//!
//! The delay is learned from first attempts that succeed. Their time is measured from the call to the head of
//! the response. An attempt that was dropped before its outcome, because its hedge won, or because of a
//! time-out or the caller, counts as one that would have taken longer (this is the Kaplan-Meier estimate).
//! An estimate from completed attempts alone would be too short, because hedges cut the slow ones. Other
//! failures are not counted.
//!
//! The delay is computed once a second. Hedging starts after 5 / `extra_load` attempts, which are 100 by
//! default. Samples lose a tenth of their weight each second, or every ten seconds while there are few, so
//! that one request a second is sufficient. If there are fewer requests, set a fixed delay with
//! [`after`](crate::HedgeLayer::after).
//!
//! A hedge that is due is not sent if
//!
//! - successes have not earned it: see [below](#what-hedges-add-to-the-load);
//! - the inner service is not ready immediately;
//! - a [`Cooldown`](crate::HedgeLayer::cooldown) holds requests, or at most half of the
//!   [budget of the retry](crate::HedgeLayer::retry_budget) is left;
//! - it is withheld for [comparison](#what-it-saves): it is sent one delay later, if it is still due then.
//!
//! # Which outcome is returned
//!
//! - The first success. The other attempt is dropped at that moment, unless
//!   [`keep_losers`](crate::HedgeLayer::keep_losers) is set. The body of the response is untouched.
//! - The first permanent failure, such as a 404. A permanent *error* of the hedge is not returned while the
//!   first attempt is in flight, because it can concern the hedge only, for example if a layer below sheds
//!   load.
//! - If one attempt fails transiently, the layer waits for the other. If both fail, the outcome of the first
//!   attempt is returned. However, if the first attempt was refused (for example with a 429) and the hedge
//!   was not, the outcome of the hedge is returned, because the server may have acted on it.
//!
//! A failure before the hedge is sent is returned immediately. A retry above can retry it.
//!
//! # What hedges add to the load
//!
//! Each first attempt that succeeds earns a fraction of a hedge, 0.05 by default. At most three hedges are
//! saved up, or the number that is earned in one second, if that is more. Nothing is earned over time, so a
//! service that fails or hangs receives no more hedges after the first few.
//!
//! # What it saves
//!
//! To measure this, one in 16 due hedges, chosen at random, is withheld and sent one delay later. The layer
//! compares how long both groups of requests take within this additional delay: those whose hedge was
//! withheld, and those whose hedge was sent when it was due. The difference of the means of the last 64 to
//! 128 requests of each group is the time that a hedge saves at least. It is available from
//! [`HedgeLayer::saved_seconds`](crate::HedgeLayer::saved_seconds), [`HedgeEvent::saved_seconds`], and the
//! metric `tower_http_retry_hedge_saved_seconds`.
//!
//! As long as this shows that hedges save time, one in 64 is withheld. As long as it shows that they do not,
//! only one in eight is sent when it is due.
//!
//! # When it helps
//!
//! `cargo run --release -p storm -- --hedge` simulates services and the rules of other libraries beside those
//! of this layer. All are set to a share of 10 %: `layer` is `HedgeLayer::new().extra_load(0.1)`, and `tower`
//! is `tower::hedge::Hedge`. `fixed` uses the p95 of normal operation as a fixed delay, without a budget.
//! Latencies are in milliseconds. `extra` is the number of hedges in percent of the requests, and
//! `worst 10 s` the same in the ten seconds with the most.
//!
//! In `stragglers`, requests take 5 ± 2 ms, and one attempt in 20 takes ten times as long. In
//! `small-clients`, 100 clients of 10 requests a second each call it. `steady` takes 5 ± 1 ms and has no
//! stragglers. In `queues`, 20 replicas of 20 ± 8 ms with stragglers work on one request at a time, at a load
//! of 0.5. In `bimodal`, a fifth of the requests take ten times as long wherever they are sent. In
//! `one-slow-*`, one replica of ten does, behind a random and behind a least-loaded balancer.
//!
//! | scenario              | hedges         | p50 | p99 | p99.9 | extra | worst 10 s |
//! | --------------------- | -------------- | --- | --- | ----- | ----- | ---------- |
//! | stragglers            | none           | 5   | 64  | 101   | 0.0   | 0.0        |
//! | stragglers            | fixed          | 5   | 22  | 46    | 5.0   | 5.5        |
//! | stragglers            | tower          | 5   | 15  | 45    | 11.0  | 15.5       |
//! | stragglers            | finagle        | 5   | 16  | 46    | 8.7   | 11.2       |
//! | stragglers            | failsafe-go    | 5   | 16  | 48    | 8.1   | 10.0       |
//! | stragglers            | bhope          | 5   | 16  | 45    | 8.0   | 8.7        |
//! | stragglers            | layer          | 5   | 17  | 44    | 6.6   | 7.3        |
//! | small-clients         | none           | 5   | 64  | 101   | 0.0   | 0.0        |
//! | small-clients         | tower          | 5   | 15  | 44    | 12.6  | 13.3       |
//! | small-clients         | finagle        | 5   | 15  | 44    | 9.9   | 92.1       |
//! | small-clients         | layer          | 5   | 19  | 63    | 6.1   | 6.6        |
//! | steady                | none           | 5   | 8   | 9     | 0.0   | 0.0        |
//! | steady                | tower          | 5   | 8   | 9     | 7.8   | 8.5        |
//! | steady                | finagle        | 5   | 8   | 9     | 7.8   | 11.0       |
//! | steady                | layer          | 5   | 8   | 9     | 0.0   | 0.0        |
//! | queues                | none           | 19  | 259 | 412   | 0.0   | 0.0        |
//! | queues                | tower          | 21  | 135 | 255   | 20.6  | 25.5       |
//! | queues                | finagle        | 20  | 105 | 238   | 10.4  | 18.3       |
//! | queues                | layer          | 20  | 139 | 295   | 9.2   | 10.0       |
//! | bimodal               | none           | 5   | 88  | 126   | 0.0   | 0.0        |
//! | bimodal               | tower          | 5   | 82  | 105   | 10.6  | 11.2       |
//! | bimodal               | finagle        | 5   | 81  | 104   | 10.4  | 11.1       |
//! | bimodal               | layer          | 5   | 83  | 105   | 9.6   | 10.2       |
//! | one-slow-random       | none           | 5   | 77  | 116   | 0.0   | 0.0        |
//! | one-slow-random       | tower          | 5   | 21  | 60    | 15.3  | 16.7       |
//! | one-slow-random       | finagle        | 5   | 26  | 63    | 10.3  | 11.2       |
//! | one-slow-random       | layer          | 5   | 42  | 74    | 9.2   | 9.4        |
//! | one-slow-least-loaded | none           | 5   | 46  | 86    | 0.0   | 0.0        |
//! | one-slow-least-loaded | tower          | 5   | 15  | 19    | 11.6  | 16.3       |
//! | one-slow-least-loaded | finagle        | 5   | 16  | 20    | 8.9   | 11.3       |
//! | one-slow-least-loaded | layer          | 5   | 17  | 23    | 6.7   | 7.0        |
//!
//! In `slow-down`, all requests take ten times as long for 20 s; in `tenfold`, they come to take that long
//! within 10 s. In a brown-out, 6 of 20 servers are left for 20 s, at a load of 0.7 and 0.8, and attempts
//! time out after 500 ms. The latencies, `extra` and `success` are those of the fault.
//!
//! | scenario     | hedges         | recovery | p50 | p99 | extra | worst 10 s | success | of all |
//! | ------------ | -------------- | -------- | --- | --- | ----- | ---------- | ------- | ------ |
//! | slow-down    | none           | 0.0 s    | 48  | 642 | 0.0   | 0.0        | 100.0   | 100.0  |
//! | slow-down    | fixed          | 0.0 s    | 45  | 96  | 99.7  | 99.9       | 100.0   | 100.0  |
//! | slow-down    | tower          | 0.0 s    | 44  | 121 | 64.7  | 99.9       | 100.0   | 100.0  |
//! | slow-down    | finagle        | 0.0 s    | 47  | 599 | 11.3  | 11.7       | 100.0   | 100.0  |
//! | slow-down    | failsafe-go    | 0.0 s    | 48  | 150 | 22.0  | 33.1       | 100.0   | 100.0  |
//! | slow-down    | bhope          | 0.0 s    | 48  | 576 | 10.9  | 11.9       | 100.0   | 100.0  |
//! | slow-down    | layer          | 0.0 s    | 48  | 433 | 10.1  | 10.6       | 100.0   | 100.0  |
//! | tenfold      | none           | 0.0 s    | 34  | 547 | 0.0   | 0.0        | 100.0   | 100.0  |
//! | tenfold      | tower          | 0.0 s    | 31  | 97  | 77.5  | 90.3       | 100.0   | 100.0  |
//! | tenfold      | finagle        | 0.0 s    | 34  | 507 | 11.3  | 11.7       | 100.0   | 100.0  |
//! | tenfold      | layer          | 0.0 s    | 34  | 386 | 10.1  | 10.7       | 100.0   | 100.0  |
//! | brown-out-70 | none           | 2.0 s    | 277 | 498 | 0.0   | 0.0        | 1.7     | 77.2   |
//! | brown-out-70 | fixed          | never    | 0   | 0   | 28.0  | 85.0       | 0.0     | 1.5    |
//! | brown-out-70 | tower          | never    | 0   | 0   | 30.6  | 81.0       | 0.0     | 11.9   |
//! | brown-out-70 | finagle        | 52.0 s   | 275 | 495 | 0.0   | 74.3       | 1.7     | 57.2   |
//! | brown-out-70 | failsafe-go    | 42.5 s   | 0   | 0   | 1.6   | 84.0       | 0.0     | 36.7   |
//! | brown-out-70 | bhope          | 2.5 s    | 266 | 496 | 9.7   | 9.8        | 0.9     | 76.5   |
//! | brown-out-70 | layer          | 2.0 s    | 209 | 490 | 2.1   | 4.3        | 0.8     | 77.1   |
//! | brown-out-80 | none           | 3.0 s    | 261 | 495 | 0.0   | 0.0        | 1.5     | 76.2   |
//! | brown-out-80 | tower          | never    | 0   | 0   | 29.9  | 77.7       | 0.0     | 11.5   |
//! | brown-out-80 | finagle        | 53.0 s   | 259 | 493 | 0.0   | 72.5       | 1.5     | 53.0   |
//! | brown-out-80 | layer          | 3.0 s    | 174 | 495 | 1.9   | 3.7        | 0.8     | 76.1   |
//!
//! - With stragglers, the p99 decreases from 64 to 17 ms for 7 % more load. In `steady`, where hedges gain
//!   nothing, the layer sends none; rules that hedge a fixed share of the requests do.
//! - When all requests become slow, the layer sends no more hedges than its share, and a brown-out ends as
//!   soon as without hedges. Without a budget, it never ends. With a budget that is refilled over time, it
//!   takes longer.
//! - If certain requests are always slow, as in `bimodal`, hedging gains almost nothing, because the second
//!   attempt is as slow as the first.
//! - Each client saves up three hedges. In `small-clients`, they are sometimes used up by chance.
//! - Behind a balancer that prefers the least loaded replica, a hedge reaches another replica than its first
//!   attempt. Behind a random balancer, requests to the slow replica use up the share.
//!
//! # What it costs
//!
//! - **Over HTTP/1.1**, an attempt that is dropped closes its connection, and the next request may have to
//!   open another one. With [`keep_losers`](crate::HedgeLayer::keep_losers), the attempt continues instead,
//!   and its connection is reused. Over HTTP/2, only the stream is reset.
//! - **On the server**, the work for an attempt that was dropped often continues.
//! - **In the client**, a copy of the request's head is kept, in one allocation if it has headers, and a
//!   timer is set. `benches/` has the figures.
//!
//! # Load balancers
//!
//! A hedge helps if it reaches another replica:
//!
//! - A random choice among ten replicas reaches another one in nine of ten cases.
//! - A balancer that prefers the replica with the fewest requests in flight, such as `tower::balance` with
//!   `PendingRequests`, nearly always chooses another one, because the first attempt is still in flight.
//! - A balancer that sends equal requests to the same replica (by a hash of the URI, or a session cookie)
//!   makes hedges useless. Make it choose another replica if [`HedgeBody::is_hedge`] or
//!   [`Attempt::is_hedge`](crate::Attempt::is_hedge) returns `true`.
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
//! The retry counts an attempt and its hedge as one attempt. Put a [`VerifyLayer`](crate::VerifyLayer) and a
//! [`CommitLayer`](crate::CommitLayer) between the two layers.
//!
//! # gRPC
//!
//! All gRPC calls are POSTs, and the client cannot know which of them may be sent twice. A gRPC service
//! config declares this. With the feature `grpc`, `HedgeLayer::service_config` hedges the calls whose method
//! has a `hedgingPolicy` in the config. The rules are those of gRPC: the policy sets the delay, and allows up
//! to four hedges.

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
