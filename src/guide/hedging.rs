//! Hedging: when a second attempt is sent beside a slow one, what it saves, and what it costs.
//!
//! If one request in twenty takes ten times as long as the others, because a replica collects garbage or a
//! packet is lost, a second attempt is nearly always faster than waiting. Such an attempt is called a hedge.
//! Hedges add load to save time, so a client that sends too many of them makes an overload worse.
//!
//! [`HedgeLayer`] needs no settings. It learns from the requests which ones are slow, sends no more hedges
//! than successes have earned, and measures whether they help. The module [`hedge`](crate::hedge#example)
//! has a complete example.
//!
//! Contents: [which requests](#which-requests-are-hedged) · [when](#when-a-hedge-is-sent) · [which
//! outcome](#which-outcome-is-returned) · [load](#what-hedges-add-to-the-load) · [savings](#what-it-saves) ·
//! [when it helps](#when-it-helps) · [costs](#what-it-costs) · [load balancers](#load-balancers) · [under a
//! retry](#under-a-retry) · [gRPC](#grpc)
//!
//! # Which requests are hedged
//!
//! Requests with a safe method are hedged: GET, HEAD, OPTIONS, TRACE and QUERY. Two attempts of one request
//! can arrive in any order, and the server can act on the slower one after it has answered the faster one. A
//! hedged PUT could therefore undo a later PUT. Use [`HedgeLayer::idempotency`] to allow further methods if
//! the service supports it.
//!
//! A request is never hedged if it
//!
//! - is a CONNECT, has an `Upgrade` header, or accepts `text/event-stream`;
//! - has a [`RetryOverride`](crate::RetryOverride) that allows no retry, or says that it is not repeatable;
//! - has a body that is not read to its end when the hedge is due, or is longer than 1 MiB. A body in memory
//!   is not limited.
//!
//! Such a request is sent once. In all other cases, at most one hedge is sent. Under a retry, this applies to
//! each attempt: with five retries, a request is sent up to twelve times.
//!
//! # When a hedge is sent
//!
//! A hedge is sent if there is no response after a delay, which is the longest of
//!
//! - the time that a share of the attempts exceeds, [`extra_load`]: 5 %;
//! - twice the median ([`stragglers`]), because hedges gain nothing if all requests take about the same time;
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
//! that two requests a second are sufficient. If there are fewer requests, set a fixed delay with
//! [`after`](crate::HedgeLayer::after).
//!
//! A hedge that is due is not sent if
//!
//! - successes have not earned it: see [below](#what-hedges-add-to-the-load);
//! - the inner service is not ready immediately;
//! - a [`Cooldown`](crate::HedgeLayer::cooldown) holds requests, or at most half of the [budget of the retry] is
//!   left;
//! - it is withheld for [comparison](#what-it-saves). It is then sent one delay later, if there is still no
//!   response.
//!
//! # Which outcome is returned
//!
//! - The first success. The other attempt is dropped at that moment, unless [`keep_losers`] is set. The body
//!   of the response is untouched.
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
//! Each first attempt that succeeds earns a fraction of a hedge, 0.05 by default. A request whose hedge wins
//! earns nothing. A new layer has one hedge to start with. At most three hedges are saved up, or the number
//! that is earned in one second, if that is more. Nothing is earned over time, so a service that fails or
//! hangs receives no more hedges once those are used up.
//!
//! # What it saves
//!
//! To measure this, one in 16 due hedges, chosen at random, is withheld and sent one delay later. The layer
//! compares how long both groups of requests take within this additional delay: those whose hedge was
//! withheld, and those whose hedge was sent when it was due. The difference of the means of the last 64 to
//! 128 requests of each group is a lower bound of the time that a hedge saves. It is available from
//! [`HedgeLayer::saved_seconds`], [`HedgeEvent::saved_seconds`](crate::hedge::HedgeEvent::saved_seconds), and
//! the metric `tower_http_retry_hedge_saved_seconds`.
//!
//! As long as this shows that hedges save time, one in 64 is withheld. As long as it shows that they do not,
//! only one in eight is sent when it is due.
//!
//! # When it helps
//!
//! `cargo run --release -p storm -- --hedge` simulates services, and compares this layer with the rules of
//! other libraries. `examples/storm/README.md` has all tables. This one shows the 99th percentile of the
//! latency in milliseconds, without hedges and with `HedgeLayer::new().extra_load(0.1)`, and the number of
//! hedges in percent of the requests:
//!
//! | scenario              | none: p99 | layer: p99 | layer: extra |
//! | --------------------- | --------- | ---------- | ------------ |
//! | stragglers            | 64        | 17         | 6.6          |
//! | small-clients         | 64        | 19         | 6.1          |
//! | steady                | 8         | 8          | 0.0          |
//! | queues                | 259       | 139        | 9.2          |
//! | bimodal               | 88        | 83         | 9.6          |
//! | one-slow-random       | 77        | 42         | 9.2          |
//! | one-slow-least-loaded | 46        | 17         | 6.7          |
//!
//! - `stragglers`: requests take 5 ± 2 ms, and one attempt in 20 takes ten times as long. `small-clients` is
//!   the same with 100 clients of 10 requests a second each. Each of them saves up three hedges, which are
//!   sometimes used up by chance.
//! - `steady`: requests take 5 ± 1 ms, and none takes longer. Hedges would gain nothing, so none are sent.
//! - `queues`: 20 replicas work on one request at a time, at half of their capacity. Requests wait for one
//!   another, which makes a hedge more expensive.
//! - `bimodal`: a fifth of the requests take ten times as long wherever they are sent. Hedges gain almost
//!   nothing, because the second attempt is as slow as the first.
//! - `one-slow-random`: one replica of ten is slow, behind a random balancer. All requests to it use up the
//!   share. `one-slow-least-loaded`: behind a balancer that prefers the least loaded replica, a hedge reaches
//!   another replica than its first attempt.
//!
//! The same simulation has faults. When all requests become slow, the layer sends no more hedges than its
//! share. A service that loses most of its servers for a time recovers as soon as it does without hedges. With
//! the rules of the other libraries it recovers later or, if they have no budget, never.
//!
//! # What it costs
//!
//! - **Over HTTP/1.1**, an attempt that is dropped closes its connection, and the next request may have to
//!   open another one. With [`keep_losers`], the attempt continues instead, and its connection is reused.
//!   Over HTTP/2, only the stream is reset.
//! - **On the server**, the work for an attempt that was dropped often continues.
//! - **In the client**, a copy of the request's head is kept, in one allocation if it has headers, and a
//!   timer is set. `benches/README.md` has the figures.
//!
//! # Load balancers
//!
//! A hedge helps if it reaches another replica:
//!
//! - A random choice among ten replicas reaches another one in nine of ten cases.
//! - A balancer that prefers the replica with the fewest requests in flight, such as `tower::balance` with
//!   `PendingRequests`, nearly always chooses another one, because the first attempt is still in flight.
//! - A balancer that sends equal requests to the same replica (by a hash of the URI, or a session cookie)
//!   makes hedges useless. Make it choose another replica if
//!   [`HedgeBody::is_hedge`](crate::hedge::HedgeBody::is_hedge) or
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
//! has a `hedgingPolicy` in the config. The policy sets the delay, and allows up to four hedges. The page
//! `grpc` has an example.
//!
//! [`HedgeLayer`]: crate::HedgeLayer
//! [`HedgeLayer::idempotency`]: crate::HedgeLayer::idempotency
//! [`HedgeLayer::saved_seconds`]: crate::HedgeLayer::saved_seconds
//! [`extra_load`]: crate::HedgeLayer::extra_load
//! [`keep_losers`]: crate::HedgeLayer::keep_losers
//! [`stragglers`]: crate::HedgeLayer::stragglers
//! [budget of the retry]: crate::HedgeLayer::retry_budget
