//! Budgets, which limit how much load retries add.
//!
//! A retry helps if a single request failed. During an overload it does harm: the servers work on
//! attempts whose callers have given up, so that more attempts time out, and more retries are sent. Such a
//! retry storm can go on long after its cause is over. A [`Budget`] prevents this: it covers few retries
//! while retries do not help, and nearly all of them while they do. Each
//! [`RetryLayer`](crate::RetryLayer) has a budget unless
//! [`without_budget`](crate::RetryLayer::without_budget) is set.
//!
//! These are the conclusions of a simulation of 100 clients that retry twice. Each client has its own
//! budget.
//!
//! - Without a budget, and with one that is refilled by time (`tps`, the default of `tower::retry`), a
//!   service that lacks servers for 20 seconds never recovers.
//! - With a budget that earns only from success (`earning`, which is the default, and `throttle`), it
//!   recovers as quickly as without retries.
//! - If 30 % of the attempts fail, `earning` covers nearly as many retries as are made without a budget,
//!   and `throttle` hardly any.
//!
//! | variant        | brown-out: recovery | brown-out: attempts | bad-replicas: successes | bad-replicas: attempts |
//! | -------------- | ------------------- | ------------------- | ----------------------- | ---------------------- |
//! | no-retry       | 3.0 s               | 1.00                | 70.5 %                  | 1.00                   |
//! | earning        | 3.0 s               | 1.02                | 96.8 %                  | 1.37                   |
//! | defaults       | 3.0 s               | 1.03                | 99.2 %                  | 1.38                   |
//! | without-budget | never               | 2.95                | 97.3 %                  | 1.38                   |
//! | ratio          | 9.0 s               | 1.27                | 89.6 %                  | 1.27                   |
//! | tps            | never               | 2.75                | 97.4 %                  | 1.38                   |
//! | throttle       | 3.0 s               | 1.02                | 72.8 %                  | 1.03                   |
//! | aws            | 3.0 s               | 1.22                | 97.4 %                  | 1.38                   |
//!
//! In `brown-out`, 6 of 20 servers are left; in `bad-replicas`, 30 % of the attempts are immediately
//! answered 503. Both last for 20 seconds, at a load of 80 %. Recovery is the time from the end of the fault
//! until 95 % of the requests succeed again. Successes are the share of the requests sent during the fault
//! that succeed, and attempts are the mean number of attempts for each request sent during the fault.
//! `defaults` is `RetryLayer::new()`, with its five retries after 1 s, 2 s and so on; `ratio` is
//! `Budget::ratio(0.2)`; `throttle` is `Budget::throttle(10, 0.1)`; `aws` is the token bucket of AWS's SDKs.
//! The [guide] explains the simulation and its results. `cargo run --release -p storm` runs it, and
//! `examples/storm/README.md` has all of its tables.
//!
//! # Which one
//!
//! | kind | when to use it |
//! |---|---|
//! | [`Budget::earning`] | unless there is a reason for another kind; it is the default |
//! | [`Budget::per_authority`] | if the requests of one layer go to many upstreams |
//! | [`Budget::throttle`] | for gRPC, whose clients all use it; it stops retries early, and allows few if a third of the replicas fails |
//! | [`Budget::ratio`] | if the added load needs a bound that can be stated, and the load stays below 1 / (1 + `ratio`) of the capacity |
//! | `Budget::tower` (feature `tower`) | if a budget of `tower` is shared with other stacks |
//! | none: [`RetryLayer::without_budget`](crate::RetryLayer::without_budget) | for a program that sends one request at a time, or under a layer that limits the load |
//!
//! # Rules
//!
//! - A budget belongs to one layer; the layer's clones share it. Clones of a [`Budget`] share its tokens,
//!   so that several layers can use one.
//! - A budget never queues. A retry that it does not cover is not made, and the request's last outcome is
//!   returned immediately.
//! - Servers recover from an overload only if the budget earns less than the spare capacity:
//!   [how much may be earned](crate::guide::budgets#how-much-may-be-earned).
//! - The budget of each client starts with some tokens. More than about 1,000 clients that each send little
//!   can therefore overload a service together. Only a limit at the servers prevents this:
//!   [many clients](crate::guide::budgets#many-clients).
//!
//! # Clients that send little
//!
//! A client that sends one request an hour earns next to nothing. After five minutes in which no attempt
//! ended, `Budget::earning` holds at least the tokens that it started with, so that such a client can make
//! its five retries every hour. Shorter pauses add nothing. The other kinds of budget do not do this. See
//! [the guide](crate::guide::budgets#clients-that-send-little).
//!
//! # Bursts
//!
//! If many requests of a new client fail at the same time, their first retries would take all tokens.
//! `Budget::earning` therefore keeps half of the tokens that it started with for second and further
//! retries, so that some of these requests succeed. See [the guide](crate::guide::budgets#bursts).
//!
//! # At one layer only
//!
//! Retries of several layers multiply, and a budget limits only those of its own layer. Retry at one layer
//! only, directly above the service that fails, and return its failure to the layers above. See
//! [the guide](crate::guide::budgets#at-one-layer-only).
//!
//! [guide]: crate::guide::budgets

mod bucket;
#[cfg_attr(
    not(feature = "grpc"),
    expect(dead_code, reason = "the calls are gRPC's")
)]
mod committed;
mod ending;
mod handle;
mod recent;
mod rule;
mod snapshot;
mod throttle;
#[cfg(feature = "tower")]
mod tower;

pub(crate) use committed::AwaitedCodes;
#[cfg(feature = "grpc")]
pub(crate) use committed::{CallStatus, CommittedCall};
pub(crate) use ending::{Ending, Failure};
pub use handle::Budget;
pub(crate) use rule::Rule;
pub use snapshot::{BudgetKind, BudgetSnapshot, BudgetState};
