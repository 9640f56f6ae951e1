//! Pages that explain how to use this crate with others. They contain no code of the crate.
//!
//! | page | what it is about |
//! |---|---|
//! | [`idempotency`] | which requests are retried, idempotency keys, and verification |
//! | [`waiting`] | back-off, jitter, `Retry-After`, and cooldown |
//! | [`downloads`] | whole responses, and downloads that are resumed |
//! | [`hedge`](crate::hedge) | a second attempt beside one that is slow |
//! | `grpc` (feature `grpc`) | gRPC's retries and hedges: the documentation of that module |
//! | [`recipes`] | short pieces of code to copy: OAuth 2.0 tokens, reqwest, replicas, axum, rate limits, errors |
//! | [`tower_http`] | a whole client with the layers of tower-http, and why each stands where it stands |
//! | `migrating` (feature `reqwest-middleware`) | code before and after, for users of reqwest-retry, reqwest, `tower::retry` and backon |
//!
//! Every example is compiled, run and checked by the tests of this crate.

pub mod downloads;
pub mod idempotency;
#[cfg(feature = "reqwest-middleware")]
pub mod migrating;
pub mod recipes;
pub mod tower_http;
pub mod waiting;
