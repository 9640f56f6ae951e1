//! Why retries have a budget, which budget to choose, and what it does on a bad day.
//!
//! Contents: [why](#why-there-is-a-budget) · [which one](#which-one) · [the
//! simulation](#the-simulation) · [how much may be earned](#how-much-may-be-earned) · [many
//! clients](#many-clients) · [clients that send little](#clients-that-send-little) ·
//! [bursts](#bursts) · [at one layer only](#at-one-layer-only)
//!
//! # Why there is a budget
//!
//! A retry helps if a single request failed: a replica was restarted, or a connection broke. The next
//! attempt probably succeeds, and costs the servers little.
//!
//! During an overload, a retry does harm. Attempts time out because the servers are behind. Their callers
//! have given up, but the servers still work on them, and on the retries too. So more attempts time out,
//! and more retries are sent. This is a retry storm. It keeps itself going: the load that brought it about
//! can be long gone.
//!
//! A client cannot see which of the two it meets, but it can see whether its retries help. The default
//! budget, [`Budget::earning`], is built on that. Requests that succeed earn tokens, retries cost tokens,
//! and a retry that helped earns its cost back. While retries help, nearly all of them are covered. While
//! nothing succeeds, the tokens are soon spent, and each request is sent once.
//!
//! # Which one
//!
//! Keep [`Budget::earning`] unless there is a reason for another. [`RetryLayer::new`] uses it, and it starts
//! with the tokens that `max_retries` need, even through time-outs.
//!
//! - One layer, many upstreams: [`Budget::per_authority`], so that a bad upstream does not take the retries
//!   of the others.
//! - gRPC: [`Budget::throttle`], which all gRPC clients use. It makes few retries if a third of the replicas
//!   fails.
//! - A bound that can be stated, such as "retries add at most a fifth to the load": [`Budget::ratio`]. It
//!   earns from failures too, so the load has to stay below 1 / (1 + `ratio`) of the capacity.
//! - A budget that is shared with other stacks of `tower`: `Budget::tower`.
//! - A program that sends one request at a time, or a layer that limits the load above:
//!   [`RetryLayer::without_budget`].
//!
//! # The simulation
//!
//! `cargo run --release -p storm` simulates 11 faults of 20 seconds with the real layers, prints tables,
//! and writes a page with charts. `examples/storm/README.md` has the tables.
//!
//! 20 servers take 20 ms for each attempt, so that together they answer 1,000 requests per second. 1,000
//! more attempts wait in a queue. Attempts time out after 500 ms. 100 clients, each with a budget of its
//! own, request 80 % of what the servers can do. They retry twice, with full jitter on 100 ms. The figures
//! are those for seed 1. With another `--seed` a few of them change by seconds; the conclusions stay.
//!
//! - Without a budget, retries prolong an overload forever after most of the faults. So does a budget that
//!   is refilled by time, as that of `tower::retry` is: ten retries per second for each client.
//! - Budgets that earn only from success recover as soon as clients without retries. They differ in how
//!   many retries they make where these help: with bad replicas, `earning` makes nearly as many as
//!   without a budget, and `throttle` hardly any. (With bad replicas and with black holes, the other
//!   replicas have the whole capacity.)
//! - If each 503 costs the server as much as a success, and half of the responses are 503s, retries are
//!   worth little. Two for each request bring some successes, five next to none.
//! - The bucket of AWS's SDKs starts with 35 retries for each client. The first storm gets all of them.
//!
//! # How much may be earned
//!
//! While retries do not help, each costs the servers as much as a first attempt, and it is paid for by
//! what successful requests earn. The servers recover from an overload only if all that is earned buys less
//! than the spare capacity:
//!
//! ```text
//! earned by a success / cost of a retry after a time-out < 1 / load - 1
//! ```
//!
//! `Budget::earning` earns 0.1 and takes 2, which is 0.05. So it recovers up to a load of 95 % of the
//! capacity at least, once its first tokens are spent. `Budget::ratio(0.2)` takes 1, and recovers up to
//! 83 %. The last table of storms in `examples/storm/README.md` has the recovery of each variant by the
//! number of clients and the load. "Never" in it means not within the 50 seconds after the fault that are
//! evaluated.
//!
//! # Many clients
//!
//! Each client, that is, each process, has the tokens that its budget starts with. They are spent when a
//! fault begins, before anything is known about it. So many clients of few requests each send a burst of
//! retries that no budget of a single client can prevent. For this reason, `Budget::earning` starts with
//! no more tokens than a fresh client needs for the retries of one request.
//!
//! - With 10 to 1,000 clients that share a service of 1,000 requests per second, the burst is over when
//!   the fault ends, in most faults.
//! - With 10,000 clients, each of which sends a request about every 12 seconds, it is not. After a brown-out
//!   at a load of 80 %, the service takes 33.5 seconds to recover where clients without retries take 3, and
//!   46 seconds with the five retries of `RetryLayer::new()`. Most other faults are alike. A limit at the
//!   servers can prevent this.
//!
//! Up to 1,000 clients, `earning` and `defaults` recovered more than two seconds later than without
//! retries in two faults only. The retries that are still waiting when the fault ends take time to
//! pass:
//!
//! - `rate-limit` with 1,000 clients: `earning` from a load of 90 %, `defaults` from 80 %.
//! - `black-holes` with `defaults`: with 10 clients from a load of 90 %, with 100 and 1,000 at 95 %.
//!
//! Fewer retries and a smaller budget make both shorter. [`max_retries(2)`] also starts the budget with 6
//! tokens instead of 10; the `earning` variant uses it.
//!
//! # Clients that send little
//!
//! A client that sends one request an hour earns next to nothing. The tokens that one bad hour takes would
//! be missing forever. So after five minutes in which no attempt ended, `Budget::earning` holds at least
//! the tokens that it started with. Five minutes are the window of Microsoft's guideline, which asks for
//! five retries within it. Such a client makes its five retries in each hour, even if every attempt times
//! out.
//!
//! - Clients whose requests are always further apart than five minutes retry as if there were no budget. In
//!   a fault, a service that only such clients call gets up to 1 + `max_retries` times the attempts. Only
//!   their back-off spreads these.
//! - A client that sends a request about every minute gets nothing back by time. It depends on what
//!   succeeds: 0.1 for each request, and 1.5 for each retry that helped.
//! - An attempt counts as use when it ends. An attempt that is still running does not count, nor does a
//!   request whose caller went away.
//!
//! The other kinds of budget do not do this.
//!
//! ```
//! # use http::{Request, Response, StatusCode};
//! # use http_body_util::Empty;
//! # use bytes::Bytes;
//! # use tower::{ServiceBuilder, ServiceExt};
//! # use tower_http_retry::{BoxError, Budget, ReplayBody, RetryLayer};
//! # use std::time::Duration;
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), BoxError> {
//! let budget = Budget::earning(5);
//! let client = ServiceBuilder::new()
//!     .layer(RetryLayer::new().budget(budget.clone()))
//!     .service_fn(async |_: Request<ReplayBody<Empty<Bytes>>>| {
//!         let mut response = Response::new(String::new());
//!         *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
//!         Ok::<_, BoxError>(response)
//!     });
//! client.clone().oneshot(Request::new(Empty::new())).await?;
//! assert_eq!(budget.tokens(), Some(5.0));
//!
//! // An hour later, the next request can make its five retries again.
//! tokio::time::sleep(Duration::from_secs(60 * 60)).await;
//! client.oneshot(Request::new(Empty::new())).await?;
//! assert_eq!(budget.tokens(), Some(5.0));
//! # Ok(())
//! # }
//! ```
//!
//! # Bursts
//!
//! If many requests of a fresh client fail at once, the first retries of all of them would take all
//! tokens, and no request would get a second retry. `Budget::earning` keeps half of the tokens that it
//! started with for second and further retries. Of 20 requests at once that are each answered 503 twice,
//! five succeed, and the others return their 503 at once.
//!
//! Tokens are kept only while nothing succeeds, and only for a client that had fewer than about 20
//! successes in the last 10 seconds: for other clients, a first retry is worth as much as a second. A
//! burst of time-outs, whose retries cost two tokens each, can take all tokens for first retries.
//!
//! # At one layer only
//!
//! Retries multiply. If three services call one another and each retries twice, one request can become
//! 3 × 3 × 3 = 27 attempts at the last of them. A budget limits what one service adds, not what they add
//! on top of each other.
//!
//! Retry where the failure is seen first and can be judged, which is directly above what fails, and return
//! the failure from there. Requests of a layer that retries by itself should be sent only once, with
//! [`RetryOverride::once`] or [`max_retries(0)`][`max_retries(2)`]. A client at the edge that acts for a
//! person should leave the retry to the person.
//!
//! [`Budget::earning`]: crate::Budget::earning
//! [`Budget::per_authority`]: crate::Budget::per_authority
//! [`Budget::ratio`]: crate::Budget::ratio
//! [`Budget::throttle`]: crate::Budget::throttle
//! [`RetryLayer::new`]: crate::RetryLayer::new
//! [`RetryLayer::without_budget`]: crate::RetryLayer::without_budget
//! [`RetryOverride::once`]: crate::RetryOverride::once
//! [`max_retries(2)`]: crate::RetryLayer::max_retries
