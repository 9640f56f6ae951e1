//! Deciding which outcomes are retried.
//!
//! A [`Classify`] looks at the [`Outcome`] of an attempt and returns a [`Verdict`]: a [`Class`], and
//! what else bears on the next attempt. [`ByStatus`] is the default of a
//! [`RetryLayer`](crate::RetryLayer). A closure is a classifier through
//! [`RetryLayer::classify_fn`](crate::RetryLayer::classify_fn).

mod by_status;
mod classifier;
mod errors;
#[cfg(feature = "http2")]
mod http2;
mod hyper;
#[cfg(feature = "hyper-util")]
mod hyper_util;
mod io;
mod outcome;
#[cfg(feature = "reqwest")]
mod reqwest;
#[cfg(feature = "tower")]
mod tower;
mod verdict;

pub use by_status::ByStatus;
pub use classifier::{Classify, ClassifyFn};
pub use outcome::Outcome;
pub(crate) use outcome::{Attempted, Elapsed, RequestBody};
pub use verdict::Verdict;

pub use crate::body::BodyProgress;
pub use crate::class::Class;
pub use crate::head::{RequestHead, ResponseHead};
