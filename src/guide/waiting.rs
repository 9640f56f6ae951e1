//! How long a request waits before it is retried: back-off, jitter, `Retry-After`, and cooldown.
//!
//! # Back-off
//!
//! The wait grows with each retry of a request. By default, a step is 1 s, 2 s, 4 s, 8 s and 16 s, and
//! [jitter](#jitter) draws the wait from the upper half of the step. [`Backoff`] sets the first step, the
//! factor and the longest step:
//!
//! ```
//! use std::time::Duration;
//! use tower_http_retry::{Backoff, RetryLayer};
//!
//! // 100 ms, 200 ms, 400 ms, .. up to 5 s.
//! let backoff = Backoff::exponential(Duration::from_millis(100)).max_wait(Duration::from_secs(5));
//! let layer = RetryLayer::new().backoff(backoff);
//! # let _ = layer;
//! ```
//!
//! - After a time-out, the wait is one step longer, because such failures take longer to pass. 408 and 504
//!   count as time-outs, too.
//! - Some failures happen before the server has done any work, such as an HTTP/2 stream that was refused
//!   when a server shut down. The first retry of a request after such a failure is sent immediately.
//! - [`RetryLayer::backoff_after_refusal`] sets another back-off after 429 and 503.
//! - If the wait would end after the [`window`](crate::RetryLayer::window), the layer does not wait: it
//!   returns the outcome immediately.
//!
//! # Jitter
//!
//! When a server fails, all its clients fail at the same time. Without jitter they come back at the same
//! time, too. [`Jitter`] spreads their waits; each request draws its own:
//!
//! | | the wait after a step of 4 s | use it |
//! |---|---|---|
//! | [`Jitter::Equal`] (the default) | 2 to 4 s | if waits should grow from retry to retry |
//! | [`Jitter::Full`] | 0 to 4 s | if many clients fail at the same time |
//! | [`Jitter::Decorrelated`] | from the first step to three times the wait before | as an alternative to `Full`, as in AWS's SDKs |
//! | [`Jitter::Between`]`(0.8, 1.2)` | 3.2 to 4.8 s | to wait as gRPC does |
//! | [`Jitter::None`] | 4 s | in tests |
//!
//! # `Retry-After`
//!
//! If the server says how long to wait, the client waits at least that long ([`RetryAfter::Minimum`]).
//! The headers `Retry-After`, `retry-after-ms` and `x-ms-retry-after-ms` are read. They only affect the
//! wait of an outcome that is retried anyway: `Retry-After` on a 404 does not make it retryable.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), tower_http_retry::BoxError> {
//! use std::time::Duration;
//! use http::{Request, Response};
//! use http_body_util::Empty;
//! use tokio::time::Instant;
//! use tower::ServiceBuilder;
//! use tower_http_retry::{BoxError, ReplayBody, RetryLayer};
//!
//! type Body = Empty<bytes::Bytes>;
//! let client = ServiceBuilder::new()
//!     .layer(RetryLayer::new().max_retry_after(Duration::from_secs(60)))
//!     .service_fn(async |request: Request<ReplayBody<Body>>| {
//!         let response = match request.body().attempt().number() {
//!             1 => Response::builder().status(503).header("retry-after", "20"),
//!             2 => Response::builder().status(503).header("retry-after", "3600"),
//!             _ => Response::builder().status(200),
//!         };
//!         Ok::<_, BoxError>(response.body(Body::new())?)
//!     });
//!
//! // It waits for 20 s, and up to half as long again. It does not wait for an hour.
//! let start = Instant::now();
//! let response = client.send(Request::new(Body::new())).await?;
//! assert_eq!(response.headers()["retry-after"], "3600");
//! assert!((20..=30).contains(&start.elapsed().as_secs()));
//! # Ok(())
//! # }
//! ```
//!
//! - With jitter, up to half of the time is added, so that clients do not all come back at the same
//!   instant. [`RetryAfter::Exact`] waits exactly as long as the server asks.
//! - If the server asks for more than [`max_retry_after`](crate::RetryLayer::max_retry_after), 5 minutes by
//!   default, the response is returned immediately.
//! - `RateLimit` headers are read with [`rate_limit_headers`](crate::RetryLayer::rate_limit_headers).
//! - Headers of a single provider are read by a classifier: see
//!   [two examples](crate::classify#rate-limit-headers-of-one-provider).
//!
//! # Cooldown
//!
//! A 429 often concerns all requests of a client: its quota is used up. Without a cooldown, each request
//! finds this out by itself, and some servers block clients that go on. A [`Cooldown`] holds all requests
//! of a layer until the quota is renewed, and then sends them in a slow start:
//!
//! ```
//! use tower_http_retry::{Cooldown, RetryLayer};
//!
//! let layer = RetryLayer::new().rate_limit_headers(true).cooldown(Cooldown::new());
//! # let _ = layer;
//! ```
//!
//! A held request waits for at most 5 seconds by default; if the hold is longer, it fails immediately with
//! [`RetryError::CoolingDown`](crate::RetryError::CoolingDown). The module
//! [`cooldown`](crate::cooldown) explains when requests are held, and when not to use it.
//!
//! # One request
//!
//! [`RetryOverride`](crate::RetryOverride) sets the number of retries, the window, the back-off and the
//! time-out of an attempt for a single request. With [`AttemptsHandle`](crate::AttemptsHandle), a caller can
//! ask how long a request has waited so far.
//!
//! [`Backoff`]: crate::Backoff
//! [`Cooldown`]: crate::Cooldown
//! [`Jitter`]: crate::Jitter
//! [`Jitter::Between`]: crate::Jitter::Between
//! [`Jitter::Decorrelated`]: crate::Jitter::Decorrelated
//! [`Jitter::Equal`]: crate::Jitter::Equal
//! [`Jitter::Full`]: crate::Jitter::Full
//! [`Jitter::None`]: crate::Jitter::None
//! [`RetryAfter::Exact`]: crate::RetryAfter::Exact
//! [`RetryAfter::Minimum`]: crate::RetryAfter::Minimum
//! [`RetryLayer::backoff_after_refusal`]: crate::RetryLayer::backoff_after_refusal
