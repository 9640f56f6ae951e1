//! Why retries have a budget, which budget to choose, and how it behaves during an overload.
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
//! During an overload, a retry does harm. Attempts time out because the servers are behind. The clients have
//! given up on these attempts, but the servers still process them, and then the retries as well. So more
//! attempts time out, and more retries are sent. Such a retry storm sustains itself, even after the load that
//! caused it is gone.
//!
//! A client cannot distinguish these two cases, but it can see whether its retries help. The default budget,
//! [`Budget::earning`], is based on this. Requests that succeed earn tokens, retries cost tokens, and a retry
//! that succeeds earns its cost back. While retries help, the budget covers nearly all of them. If nothing
//! succeeds, the tokens are soon spent, and each request is sent once.
//!
//! # Which one
//!
//! Use [`Budget::earning`] unless you have a reason to choose another one. It is the budget of
//! [`RetryLayer::new`], and starts with enough tokens for `max_retries` retries, even if each of them follows
//! a time-out.
//!
//! - For a layer with many upstreams, use [`Budget::per_authority`], so that a failing upstream does not use
//!   up the retries of the others.
//! - For gRPC, use [`Budget::throttle`], which all gRPC clients use. It allows few retries if a third of the
//!   replicas fails.
//! - For a fixed bound, such as "retries add at most a fifth to the load", use [`Budget::ratio`]. Failed
//!   requests earn tokens, too, so the load has to stay below 1 / (1 + `ratio`) of the capacity.
//! - To share a budget with other stacks of `tower`, use `Budget::tower`.
//! - If a program sends one request at a time, or a layer above limits the load, use
//!   [`RetryLayer::without_budget`].
//!
//! # The simulation
//!
//! `cargo run --release -p storm` simulates 11 faults of 20 seconds with the real layers, prints tables,
//! and writes a page with charts. `examples/storm/README.md` has the tables.
//!
//! There are 20 servers, which take 20 ms for each attempt, so that together they answer 1,000 requests per
//! second. A queue holds up to 1,000 more attempts. Attempts time out after 500 ms. There are 100 clients,
//! each with its own budget. Their load is 80 % of the capacity. They retry twice, with full jitter on
//! 100 ms. The figures are those for seed 1. With another `--seed`, a few of them change by seconds, but the
//! conclusions are the same.
//!
//! - After most of the faults, retries without a budget sustain the overload forever. So do retries with a
//!   budget that is refilled over time, such as that of `tower::retry`: ten retries per second for each
//!   client.
//! - With budgets that earn only from successes, the servers recover as quickly as without retries. These
//!   budgets differ in the number of retries that they allow where retries help: with bad replicas, `earning`
//!   allows nearly as many as are sent without a budget, and `throttle` hardly any. (With bad replicas and
//!   with black holes, the other replicas have the whole capacity.)
//! - If each 503 costs the server as much as a success, and half of the responses are 503s, retries gain
//!   little. Two retries for each request bring some successes, and five hardly any.
//! - The bucket of AWS's SDKs starts with tokens for 35 retries per client. All of them are sent in the first
//!   storm.
//!
//! # How much may be earned
//!
//! If retries do not help, each costs the servers as much as a first attempt. Successful requests earn the
//! tokens for these retries. The servers recover from an overload only if the retries that the tokens pay for
//! take less than the spare capacity:
//!
//! ```text
//! earned by a success / cost of a retry after a time-out < 1 / load - 1
//! ```
//!
//! With `Budget::earning`, a success earns 0.1, and a retry after a time-out costs 2: the ratio is 0.05. The
//! servers therefore recover up to a load of at least 95 % of the capacity, once the initial tokens are
//! spent. With `Budget::ratio(0.2)`, the retry costs 1, and they recover up to 83 %. The last table of storms
//! in `examples/storm/README.md` shows the recovery of each variant by the number of clients and the load.
//! There, "never" means not within the 50 seconds after the fault that are evaluated.
//!
//! # Many clients
//!
//! Each client, that is, each process, has the initial tokens of its budget. They are spent when a fault
//! begins, before the budget can see whether retries help. Many clients with few requests each therefore send
//! a burst of retries, which no budget of a single client can prevent. For this reason, `Budget::earning`
//! starts with only as many tokens as a new client needs for the retries of one request.
//!
//! - With 10 to 1,000 clients that share a service of 1,000 requests per second, the burst is over when
//!   the fault ends, in most faults.
//! - With 10,000 clients, each of which sends a request about every 12 seconds, it is not. After a brown-out
//!   at a load of 80 %, the service takes 33.5 seconds to recover, compared with 3 seconds without retries.
//!   With the five retries of `RetryLayer::new()`, it takes 46 seconds. Most other faults are similar. A
//!   limit at the servers can prevent this.
//!
//! With up to 1,000 clients, only two faults took more than two seconds longer to recover from with `earning`
//! or `defaults` than without retries. The delay comes from retries that are still waiting when the fault
//! ends:
//!
//! - `rate-limit` with 1,000 clients: `earning` from a load of 90 %, `defaults` from 80 %.
//! - `black-holes` with `defaults`: with 10 clients from a load of 90 %, with 100 and 1,000 at 95 %.
//!
//! Fewer retries and a smaller budget shorten both. With [`max_retries(2)`], which the `earning` variant
//! uses, the budget also starts with 6 tokens instead of 10.
//!
//! # Clients that send little
//!
//! A client that sends one request an hour earns hardly any tokens. Those that it spends in one bad hour
//! would be missing forever. Therefore, after five minutes in which no attempt ended, `Budget::earning` holds
//! at least its initial tokens. Five minutes is the window of Microsoft's guideline, which asks for five
//! retries within it. Such a client can make its five retries in each hour, even if every attempt times out.
//!
//! - If the requests of a client are always more than five minutes apart, it retries as if there were no
//!   budget. During a fault, a service that is called only by such clients gets up to 1 + `max_retries` times
//!   as many attempts, which only the back-off spreads.
//! - If a client sends a request about every minute, its budget is not refilled over time. It depends on
//!   successes, which earn 0.1 for each request, and 1.5 for each retry that helped.
//! - For these five minutes, an attempt counts when it ends. An attempt that is still running does not count,
//!   and neither does a request that was dropped.
//!
//! The other kinds of budget are not refilled in this way.
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
//! If many requests of a new client fail at the same time, their first retries could take all tokens, and no
//! request would get a second retry. Therefore, `Budget::earning` reserves half of its initial tokens for
//! second and further retries. For example, if 20 concurrent requests are each answered 503 twice, five of
//! them succeed, and the others return their 503 immediately.
//!
//! Tokens are reserved only while nothing succeeds, and only for a client that had fewer than about 20
//! successes in the last 10 seconds: for other clients, a first retry is worth as much as a second one. In a
//! burst of time-outs, whose retries cost two tokens each, first retries can take all tokens.
//!
//! # At one layer only
//!
//! Retries multiply. If three services call one another and each retries twice, one request can become
//! 3 × 3 × 3 = 27 attempts at the last of them. A budget limits the retries of one service, but not how the
//! retries of several services multiply.
//!
//! Retry directly above the service that fails, where the failure is seen first and can be judged. If the
//! retries do not help, return the failure: the layers above should not retry it again. If a caller has its
//! own retries, send its requests only once, with [`RetryOverride::once`] or
//! [`max_retries(0)`][`max_retries(2)`]. If a client acts for a person, leave the retry to the person.
//!
//! [`Budget::earning`]: crate::Budget::earning
//! [`Budget::per_authority`]: crate::Budget::per_authority
//! [`Budget::ratio`]: crate::Budget::ratio
//! [`Budget::throttle`]: crate::Budget::throttle
//! [`RetryLayer::new`]: crate::RetryLayer::new
//! [`RetryLayer::without_budget`]: crate::RetryLayer::without_budget
//! [`RetryOverride::once`]: crate::RetryOverride::once
//! [`max_retries(2)`]: crate::RetryLayer::max_retries
