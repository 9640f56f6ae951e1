//! Pages that explain one topic each.
//!
//! | page | what it is about |
//! |---|---|
//! | [`getting_started`] | a first client, what is retried by default, and the settings that are changed most |
//! | [`stacking`] | which layer goes where in a client, and why |
//! | [`idempotency`] | which requests are retried, idempotency keys, and verification |
//! | [`waiting`] | back-off, jitter, `Retry-After`, and cooldown |
//! | [`budgets`] | why retries have a budget, which one to choose, and what it does in an overload |
//! | [`downloads`] | whole responses, and downloads that are resumed |
//! | [`hedging`] | a second attempt beside a slow one: when it is sent, what it saves, and what it costs |
//! | [`grpc`][grpc] (feature `grpc`) | retries and hedges for tonic, by status code or by a service config |
//! | [`observability`] | tracing, spans, events, and metrics, with queries and alerts for Prometheus |
//! | [`testing`] | tests of code that retries: the paused clock, scripted failures, classifiers, budgets |
//! | [`compile_errors`] | what the compiler says if a stack does not fit, and how to fix it |
//! | [`recipes`] | short pieces of code to copy: OAuth 2.0 tokens, reqwest, replicas, axum, rate limits, errors |
//! | [`tower_http`] | a whole client with the layers of tower-http, and the place of each |
//! | [`migrating`][migrating] (feature `reqwest-middleware`) | code before and after, for users of reqwest-retry, reqwest, `tower::retry`, backon and tonic |
//!
//! Every example is compiled, run and checked by the tests of this crate.
//!
#![cfg_attr(feature = "grpc", doc = "[grpc]: self::grpc")]
#![cfg_attr(not(feature = "grpc"), doc = "[grpc]: crate#features")]
#![cfg_attr(feature = "reqwest-middleware", doc = "[migrating]: self::migrating")]
#![cfg_attr(
    not(feature = "reqwest-middleware"),
    doc = "[migrating]: crate#features"
)]

pub mod budgets;
pub mod compile_errors;
pub mod downloads;
pub mod getting_started;
#[cfg(feature = "grpc")]
pub mod grpc;
pub mod hedging;
pub mod idempotency;
#[cfg(feature = "reqwest-middleware")]
pub mod migrating;
pub mod observability;
pub mod recipes;
pub mod stacking;
pub mod testing;
pub mod tower_http;
pub mod waiting;
