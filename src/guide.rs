//! Pages that explain how to use this crate with others. They contain no code of the crate.
//!
//! | page | what it is about |
//! |---|---|
//! | [`recipes`] | short pieces of code to copy: OAuth 2.0 tokens, reqwest, replicas, axum, rate limits, errors |
//! | [`budgets`] | why retries have a budget, which one to choose, and what it does in an overload |
//! | [`tower_http`] | a whole client with the layers of tower-http, and why each stands where it stands |
//! | `migrating` (feature `reqwest-middleware`) | code before and after, for users of reqwest-retry, reqwest, `tower::retry` and backon |
//!
//! Every example is compiled, run and checked by the tests of this crate.

pub mod budgets;
#[cfg(feature = "reqwest-middleware")]
pub mod migrating;
pub mod recipes;
pub mod tower_http;
