//! Classifiers, which decide which outcomes are retried.
//!
//! A [`Classify`] receives the [`Outcome`] of an attempt and returns a [`Verdict`]: a [`Class`], and
//! settings for the next attempt, such as the wait. [`ByStatus`] is the default of a
//! [`RetryLayer`](crate::RetryLayer). To use a closure as a classifier, call
//! [`RetryLayer::classify_fn`](crate::RetryLayer::classify_fn).
//!
//! # Rate-limit headers of one provider
//!
//! [`RetryLayer::rate_limit_headers`](crate::RetryLayer::rate_limit_headers) reads the common headers. For
//! other headers, use a classifier. Anthropic sends the time of a reset in the format of RFC 3339, which
//! [`Verdict::retry_at`] measures against the local clock:
//!
//! ```
//! use http::{Request, Response};
//! use tower_http_retry::RetryLayer;
//! use tower_http_retry::classify::{Outcome, Verdict};
//!
//! fn anthropic(outcome: &Outcome<'_>) -> Verdict {
//!     let verdict = outcome.by_status();
//!     let Ok(head) = outcome.result() else {
//!         return verdict;
//!     };
//!     let resets = ["requests", "input-tokens", "output-tokens"].iter().filter_map(|quota| {
//!         let remaining = head.header(&format!("anthropic-ratelimit-{quota}-remaining"))?;
//!         let reset = head.header(&format!("anthropic-ratelimit-{quota}-reset"))?;
//!         (remaining == "0").then(|| humantime::parse_rfc3339(reset).ok())?
//!     });
//!     match resets.max() {
//!         // `Retry-After` takes precedence.
//!         Some(reset) if !head.headers().contains_key("retry-after") => verdict.retry_at(reset),
//!         _ => verdict,
//!     }
//! }
//!
//! let layer = RetryLayer::new().classify_fn(anthropic);
//! # let _ = layer;
//! let response = Response::builder()
//!     .status(429)
//!     .header("anthropic-ratelimit-requests-remaining", "0")
//!     .header("anthropic-ratelimit-requests-reset", "2099-01-01T00:00:00Z")
//!     .body(())
//!     .unwrap();
//! let request = Request::new(());
//! let outcome = Outcome::response(&request, &response);
//! assert_ne!(anthropic(&outcome), outcome.by_status());
//! ```
//!
//! OpenAI sends the time until a quota is fully renewed, in the format of Go's durations:
//!
//! ```
//! use std::time::Duration;
//! use http::{Request, Response};
//! use tower_http_retry::RetryLayer;
//! use tower_http_retry::classify::{Outcome, Verdict};
//!
//! /// `6m0s`, `1.5s`, `12ms`.
//! fn go_duration(mut text: &str) -> Option<Duration> {
//!     let mut sum = Duration::ZERO;
//!     while !text.is_empty() {
//!         let (number, rest) = text.split_at(text.find(|c: char| c.is_ascii_alphabetic())?);
//!         let end = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
//!         let (unit, rest) = rest.split_at(end);
//!         let seconds = match unit {
//!             "h" => 3_600.0,
//!             "m" => 60.0,
//!             "s" => 1.0,
//!             "ms" => 0.001,
//!             _ => return None,
//!         };
//!         let part = Duration::try_from_secs_f64(number.parse::<f64>().ok()? * seconds).ok()?;
//!         sum = sum.checked_add(part)?;
//!         text = rest;
//!     }
//!     Some(sum)
//! }
//!
//! fn openai(outcome: &Outcome<'_>) -> Verdict {
//!     let verdict = outcome.by_status();
//!     let Ok(head) = outcome.result() else {
//!         return verdict;
//!     };
//!     let waits = ["requests", "tokens"].iter().filter_map(|quota| {
//!         let remaining = head.header(&format!("x-ratelimit-remaining-{quota}"))?;
//!         let reset = head.header(&format!("x-ratelimit-reset-{quota}"))?;
//!         (remaining == "0").then(|| go_duration(reset))?
//!     });
//!     let says_when = ["retry-after", "retry-after-ms"];
//!     match waits.max() {
//!         Some(wait) if !says_when.iter().any(|name| head.headers().contains_key(*name)) => {
//!             verdict.retry_after(wait)
//!         }
//!         _ => verdict,
//!     }
//! }
//!
//! let layer = RetryLayer::new().classify_fn(openai);
//! # let _ = layer;
//! let response = Response::builder()
//!     .status(429)
//!     .header("x-ratelimit-remaining-tokens", "0")
//!     .header("x-ratelimit-reset-tokens", "6m0s")
//!     .body(())
//!     .unwrap();
//! let request = Request::new(());
//! let outcome = Outcome::response(&request, &response);
//! let six_minutes = Duration::from_secs(6 * 60);
//! assert_eq!(openai(&outcome), outcome.by_status().retry_after(six_minutes));
//! ```

mod by_status;
#[cfg(feature = "tower-http")]
mod by_tower_http;
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
#[cfg(feature = "tower-http")]
pub use by_tower_http::ByTowerHttp;
pub use classifier::{Classify, ClassifyFn};
pub use outcome::Outcome;
pub(crate) use outcome::{Attempted, Elapsed, RequestBody};
pub use verdict::Verdict;

pub use crate::body::BodyProgress;
pub use crate::class::Class;
pub use crate::head::{RequestHead, ResponseHead};
