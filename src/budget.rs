//! Choosing a budget: what all requests together may add to the load.
//!
//! A retry helps against a fault of one request. Against an overload it is more of the same: the
//! servers work for attempts whose callers have gone, so that more attempts time out, so that more
//! are sent. Such a storm goes on when what caused it is long over. A budget ends it: it makes
//! retries few while they do not help, and leaves them where they do. Every layer has one unless
//! told otherwise.
//!
//! # Which one
//!
//! | kind | take it |
//! |---|---|
//! | [`Budget::earning`] | unless there is a reason for another; each layer has one of these |
//! | [`Budget::per_authority`] | where one layer's requests go to many upstreams |
//! | [`Budget::throttle`] | for gRPC, whose clients all have it; its retries end early, and they are few where a third of the replicas is bad |
//! | [`Budget::ratio`] | where the added load must have a bound that a sentence can state, and the load stays below 1 / (1 + `ratio`) |
//! | `Budget::tower` (feature `tower`) | where a budget of `tower`'s is shared with other stacks |
//! | none: [`RetryLayer::without_budget`](crate::RetryLayer::without_budget) | for a program that sends one request at a time, or under a layer that bounds the load |
//!
//! # What each does on a bad day
//!
//! `cargo run --release -p storm` simulates 11 faults of 20 seconds with the real layers: 20
//! servers of 20 ms, which answer 1,000 requests a second together; 1,000 more wait in a queue;
//! attempts time out after 500 ms. 100 clients, each with a budget of its own, ask for 80 % of what
//! the servers can do, and retry twice after full jitter on 100 ms. It prints these tables, and
//! draws them. The columns are clients without retries, with `Budget::earning`, with
//! `RetryLayer::new()` as it is (five retries after 1 s, 2 s, ..), without a budget, with
//! `Budget::ratio(0.2)`, and with `Budget::throttle(10, 0.1)`; and `tower::retry` with the defaults
//! of its `TpsBudget`, and with the token bucket of AWS's SDKs. These are the figures for seed 1,
//! which `--seed` changes: a few cells move by seconds then, none of the conclusions.
//!
//! How long after the fault until 95 % of the requests succeed again, and how many attempts there
//! are for each request in the fault:
//!
//! | scenario     | no-retry     | earning      | defaults     | without-budget | ratio        | tps         | throttle     | aws          |
//! | ------------ | ------------ | ------------ | ------------ | -------------- | ------------ | ----------- | ------------ | ------------ |
//! | brown-out    | 3.0 s, 1.00  | 3.0 s, 1.02  | 3.0 s, 1.03  | never, 2.95    | 9.0 s, 1.27  | never, 2.75 | 3.0 s, 1.02  | 3.0 s, 1.22  |
//! | outage       | 0.0 s, 1.00  | 0.0 s, 1.04  | 0.0 s, 1.06  | 0.0 s, 2.99    | 0.0 s, 1.28  | 0.0 s, 2.80 | 0.0 s, 1.02  | 0.0 s, 1.22  |
//! | cold-start   | 11.5 s, 1.00 | 11.5 s, 1.04 | 11.5 s, 1.06 | never, 2.99    | 24.0 s, 1.28 | never, 2.80 | 11.5 s, 1.02 | 11.5 s, 1.22 |
//! | background   | -, 1.00      | -, 1.05      | -, 1.05      | -, 1.05        | -, 1.05      | -, 1.05     | -, 1.05      | -, 1.05      |
//! | spike        | 3.0 s, 1.00  | 3.0 s, 1.01  | 3.0 s, 1.02  | never, 2.89    | 14.0 s, 1.23 | never, 1.96 | 3.0 s, 1.01  | 3.0 s, 1.11  |
//! | costly-503   | 0.0 s, 1.00  | 0.0 s, 1.23  | 0.0 s, 1.20  | never, 2.82    | 0.0 s, 1.28  | never, 2.67 | 0.0 s, 1.03  | 0.0 s, 1.29  |
//! | rate-limit   | 0.0 s, 1.00  | 0.0 s, 1.28  | 0.0 s, 1.37  | never, 1.51    | 0.0 s, 1.24  | never, 1.50 | 0.0 s, 1.05  | 7.0 s, 1.50  |
//! | slow-down    | 3.0 s, 1.00  | 3.0 s, 1.02  | 3.0 s, 1.03  | never, 2.98    | 8.5 s, 1.28  | never, 2.77 | 3.0 s, 1.02  | 3.0 s, 1.22  |
//! | bad-replicas | 0.0 s, 1.00  | 0.0 s, 1.37  | 0.0 s, 1.38  | 0.0 s, 1.38    | 0.0 s, 1.27  | 0.0 s, 1.38 | 0.0 s, 1.03  | 0.0 s, 1.38  |
//! | black-holes  | 0.0 s, 1.00  | 0.0 s, 1.28  | 0.0 s, 1.27  | 0.0 s, 1.37    | 0.0 s, 1.27  | 0.0 s, 1.37 | 0.0 s, 1.04  | 0.0 s, 1.37  |
//! | marginal     | 3.0 s, 1.00  | 3.0 s, 1.02  | 3.0 s, 1.03  | never, 2.41    | 9.5 s, 1.22  | never, 2.29 | 3.0 s, 1.03  | 3.0 s, 1.22  |
//!
//! Requests that succeed, of those in the fault, and of all from 20 seconds before it to 50 after:
//!
//! | scenario     | no-retry      | earning         | defaults        | without-budget  | ratio           | tps             | throttle      | aws             |
//! | ------------ | ------------- | --------------- | --------------- | --------------- | --------------- | --------------- | ------------- | --------------- |
//! | brown-out    | 1.5 / 75.2 %  | 1.5 / 75.2 %    | 1.5 / 75.2 %    | 1.5 / 22.4 %    | 1.5 / 68.6 %    | 1.5 / 22.4 %    | 1.5 / 75.2 %  | 1.5 / 75.2 %    |
//! | outage       | 0.0 / 77.8 %  | 0.0 / 77.8 %    | 0.0 / 77.8 %    | 0.8 / 78.0 %    | 0.1 / 77.8 %    | 0.7 / 77.9 %    | 0.0 / 77.8 %  | 0.0 / 77.8 %    |
//! | cold-start   | 0.0 / 65.2 %  | 0.0 / 65.2 %    | 0.0 / 65.2 %    | 0.2 / 22.1 %    | 0.1 / 51.9 %    | 0.2 / 22.1 %    | 0.0 / 65.2 %  | 0.0 / 65.2 %    |
//! | background   | 94.9 / 95.0 % | 100.0 / 100.0 % | 100.0 / 100.0 % | 100.0 / 100.0 % | 100.0 / 100.0 % | 100.0 / 100.0 % | 99.9 / 99.9 % | 100.0 / 100.0 % |
//! | spike        | 3.9 / 62.7 %  | 3.9 / 62.7 %    | 3.9 / 62.7 %    | 3.9 / 19.4 %    | 3.9 / 52.7 %    | 3.9 / 19.4 %    | 3.9 / 62.7 %  | 3.9 / 62.7 %    |
//! | costly-503   | 50.9 / 89.1 % | 59.0 / 90.9 %   | 49.3 / 88.7 %   | 7.9 / 23.8 %    | 15.8 / 81.3 %   | 7.8 / 23.8 %    | 52.3 / 89.4 % | 39.6 / 86.6 %   |
//! | rate-limit   | 90.0 / 97.8 % | 92.6 / 98.4 %   | 94.2 / 98.7 %   | 94.6 / 44.4 %   | 91.6 / 98.1 %   | 94.6 / 44.4 %   | 90.2 / 97.8 % | 94.6 / 92.8 %   |
//! | slow-down    | 0.3 / 74.9 %  | 0.3 / 74.9 %    | 0.3 / 74.9 %    | 0.3 / 22.1 %    | 0.3 / 68.9 %    | 0.3 / 22.1 %    | 0.3 / 74.9 %  | 0.3 / 74.9 %    |
//! | bad-replicas | 70.5 / 93.4 % | 96.8 / 99.3 %   | 99.2 / 99.8 %   | 97.3 / 99.4 %   | 89.6 / 97.7 %   | 97.4 / 99.4 %   | 72.8 / 94.0 % | 97.4 / 99.4 %   |
//! | black-holes  | 70.5 / 93.4 % | 91.0 / 98.0 %   | 93.7 / 98.6 %   | 97.4 / 99.4 %   | 89.8 / 97.7 %   | 97.6 / 99.5 %   | 72.9 / 94.0 % | 97.6 / 99.5 %   |
//! | marginal     | 27.4 / 80.9 % | 27.4 / 80.9 %   | 27.4 / 80.9 %   | 27.4 / 28.2 %   | 27.4 / 74.1 %   | 27.4 / 28.2 %   | 27.4 / 80.9 % | 27.4 / 80.9 %   |
//!
//! - Without a budget, and with one that is refilled by time as tower's is (ten retries a second for
//!   each client), the retries keep up an overload when what caused it is over, wherever the table
//!   says never.
//! - Budgets that earn only from success recover here as clients without retries do. What tells them
//!   apart is how many retries they make where these help: against bad replicas `earning` makes
//!   nearly as many as without a budget, `throttle` hardly any. (There, and with black holes, the
//!   replicas that are well have the whole capacity.)
//! - Where each 503 costs the server as much as an answer, and half of the answers are such, retries
//!   are worth little: two for each request bring some successes, five next to none.
//! - AWS's bucket starts with 35 retries for each client, all of which a first storm gets.
//!
//! # How much may be earned
//!
//! While retries do not help, each costs the servers as much as a first attempt, and what pays for
//! it is earned by requests that succeed. The servers get out of an overload only if all that is
//! earned buys less than the capacity that is spare:
//!
//! ```text
//! earned by a success / cost of a retry after a time-out < 1 / load - 1
//! ```
//!
//! `Budget::earning` earns 0.1 and takes 2, which is 0.05: it recovers up to a load of 95 % of the
//! capacity at least, once its first tokens are spent. `Budget::ratio(0.2)` takes 1, and recovers up
//! to 83 %. The same brown-out, over how many clients there are and what part of the capacity they
//! ask for; "never" is not within the 50 seconds that are simulated after the fault:
//!
//! | scenario     | variant        | 10, 0.7 | 10, 0.8 | 10, 0.9 | 10, 0.95 | 100, 0.7 | 100, 0.8 | 100, 0.9 | 100, 0.95 | 1000, 0.7 | 1000, 0.8 | 1000, 0.9 | 1000, 0.95 | 10000, 0.7 | 10000, 0.8 | 10000, 0.9 | 10000, 0.95 |
//! | ------------ | -------------- | ------- | ------- | ------- | -------- | -------- | -------- | -------- | --------- | --------- | --------- | --------- | ---------- | ---------- | ---------- | ---------- | ----------- |
//! | brown-out    | no-retry       | 2.0 s   | 3.0 s   | 4.5 s   | 11.5 s   | 2.0 s    | 3.0 s    | 4.5 s    | 11.5 s    | 2.0 s     | 3.0 s     | 4.5 s     | 11.5 s     | 2.0 s      | 3.0 s      | 4.5 s      | 11.5 s      |
//! | brown-out    | earning        | 2.0 s   | 3.0 s   | 4.5 s   | 11.5 s   | 2.0 s    | 3.0 s    | 4.5 s    | 11.5 s    | 2.0 s     | 3.0 s     | 4.5 s     | 11.5 s     | 28.0 s     | 33.5 s     | 43.5 s     | never       |
//! | brown-out    | defaults       | 2.0 s   | 3.0 s   | 4.5 s   | 11.5 s   | 2.0 s    | 3.0 s    | 4.5 s    | 11.5 s    | 2.0 s     | 3.0 s     | 4.5 s     | 11.5 s     | 42.0 s     | 46.0 s     | never      | never       |
//! | brown-out    | without-budget | never   | never   | never   | never    | never    | never    | never    | never     | never     | never     | never     | never      | never      | never      | never      | never       |
//! | brown-out    | ratio          | 2.5 s   | 9.0 s   | never   | never    | 2.5 s    | 9.0 s    | never    | never     | 2.5 s     | 9.0 s     | never     | never      | never      | never      | never      | never       |
//! | brown-out    | tps            | 3.0 s   | 3.5 s   | never   | never    | never    | never    | never    | never     | never     | never     | never     | never      | never      | never      | never      | never       |
//! | brown-out    | throttle       | 2.0 s   | 3.0 s   | 4.5 s   | 11.5 s   | 2.0 s    | 3.0 s    | 4.5 s    | 11.5 s    | 2.0 s     | 3.0 s     | 4.5 s     | 11.5 s     | 22.5 s     | 29.0 s     | 41.0 s     | 48.5 s      |
//! | brown-out    | aws            | 2.0 s   | 3.0 s   | 4.5 s   | 12.0 s   | 2.0 s    | 3.0 s    | 4.5 s    | 13.0 s    | 15.5 s    | 14.5 s    | 16.5 s    | 23.0 s     | never      | never      | never      | never       |
//!
//! # Many clients
//!
//! Each client, that is each process, has the tokens that its budget starts with. They are spent when
//! a fault begins, before anything is known of it, so that many clients of few requests each send a
//! burst of retries that no budget of one client can prevent. `Budget::earning` therefore starts with
//! no more than a fresh client needs for the retries of one request.
//!
//! - With 10 to 1,000 clients that share a service of 1,000 requests a second, the burst is over when
//!   the fault ends, in most faults.
//! - With 10,000 clients of one request in about 12 seconds each, it is not: after a brown-out at a
//!   load of 80 % the service takes 33.5 seconds to recover where clients without retries take 3, and
//!   46 seconds with the five retries of `RetryLayer::new()`. Most other faults are alike. A limit at
//!   the servers can prevent that.
//!
//! Up to 1,000 clients, `earning` and `defaults` recovered more than two seconds later than without
//! retries only here, where the retries that still wait when the fault ends take time to pass:
//!
//! | scenario     | variant        | 10, 0.7 | 10, 0.8 | 10, 0.9 | 10, 0.95 | 100, 0.7 | 100, 0.8 | 100, 0.9 | 100, 0.95 | 1000, 0.7 | 1000, 0.8 | 1000, 0.9 | 1000, 0.95 | 10000, 0.7 | 10000, 0.8 | 10000, 0.9 | 10000, 0.95 |
//! | ------------ | -------------- | ------- | ------- | ------- | -------- | -------- | -------- | -------- | --------- | --------- | --------- | --------- | ---------- | ---------- | ---------- | ---------- | ----------- |
//! | rate-limit   | earning        | 0.0 s   | 0.0 s   | 0.0 s   | 0.0 s    | 0.0 s    | 0.0 s    | 0.0 s    | 0.0 s     | 0.0 s     | 0.0 s     | 12.5 s    | 19.5 s     | 0.0 s      | 49.5 s     | never      | never       |
//! | rate-limit   | defaults       | 0.0 s   | 0.0 s   | 0.0 s   | 0.0 s    | 0.0 s    | 0.0 s    | 0.0 s    | 0.0 s     | 0.0 s     | 13.0 s    | 17.0 s    | 25.0 s     | 0.0 s      | never      | never      | never       |
//! | black-holes  | defaults       | 0.0 s   | 0.0 s   | 6.0 s   | 16.5 s   | 0.0 s    | 0.0 s    | 0.0 s    | 16.5 s    | 0.0 s     | 0.0 s     | 0.0 s     | 26.5 s     | 0.0 s      | 0.0 s      | never      | never       |
//!
//! Fewer retries and a smaller budget make both shorter: `max_retries(2)`, as `earning` has it, which
//! also starts the budget with 6 tokens instead of 10.
//!
//! # Clients that send little
//!
//! A client that sends one request an hour earns next to nothing: what one bad hour takes would be
//! missing for ever. After five minutes in which no attempt ended, `Budget::earning` holds the tokens
//! again that it started with. Five minutes are the window of Microsoft's guideline, which asks for
//! five retries in it. So this client makes its five retries in each hour, also if every attempt
//! times out.
//!
//! - Clients whose requests are always further apart than that retry as if there were no budget. In a
//!   fault, a service that only such clients call gets up to 1 + `max_retries` times the attempts;
//!   their back-off is what spreads them.
//! - A client that sends a request every minute or so gets nothing back by time. It lives on what is
//!   served: 0.1 for each request, and 1.5 for each retry that helped.
//! - An attempt is seen when it ends. One that is still running, and a request whose caller went away,
//!   are not seen, and do not count as use.
//!
//! The other kinds of budget do not do this.
//!
//! # Bursts
//!
//! When many requests of a fresh client fail at once, the first retries of all of them would take all
//! tokens, and no request would get a second one. `Budget::earning` keeps half of the tokens that it
//! started with for second and further retries: of 20 requests at once that are each answered 503
//! twice, five succeed, and the others get their 503 at once. Tokens are kept only while nothing is
//! served, and only for a client that was served fewer than about 20 requests in the last 10 seconds:
//! for others a first retry is worth as much as a second. A burst of time-outs, whose retries cost two
//! tokens each, can take all of them for first retries.
//!
//! # At one layer only
//!
//! Retries multiply: where three services call one another and each retries twice, one request can
//! become 3 × 3 × 3 = 27 attempts at the last of them. A budget bounds what one of them adds, not
//! what they add on top of each other. Retry where the failure is seen first and can be
//! judged, which is directly above what fails; hand the failure up from there; and send what comes
//! from a layer that retries by itself once only, with
//! [`RetryOverride::once`](crate::RetryOverride::once) or `max_retries(0)`. A client at the edge
//! that acts for a person should leave it to the person.

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
