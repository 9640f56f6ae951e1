//! Retrying failures in the body of a response.
//!
//! A retry sees the head of a response, not its body. If the connection breaks while the body is on
//! its way, the retry has ended, and the error is the caller's. A [`CommitLayer`](crate::CommitLayer)
//! under the retry holds a response back until its *commit point*: the first bytes of its body, or the
//! end of it. A failure before that point is an error of the attempt ([`BrokenAnswer`]), which the retry
//! above treats as any other. A failure after it is the caller's, as without the layer.
//!
//! | | commit point | kept in memory | use it for |
//! |---|---|---|---|
//! | [`CommitLayer::first_bytes`](crate::CommitLayer::first_bytes) | the first data frame that is not empty, or the end | one frame | streams of events, large responses |
//! | [`CommitLayer::whole`](crate::CommitLayer::whole) | the end, or more than a limit | the body, up to the limit | responses of an API |
//!
//! # What is read
//!
//! Every response is read up to the commit point, except for these, which are returned with their
//! heads:
//!
//! - responses to HEAD and CONNECT, 1xx, 204 and 304, which have no body;
//! - 5xx and 429, unless [`read_failures`](crate::CommitLayer::read_failures) is set;
//! - for `whole`, a stream of events (`text/event-stream`), and a response whose `Content-Length` is
//!   above the limit.
//!
//! A body that turns out to be longer than the limit is returned with what was read. Nothing of it is
//! lost.
//!
//! # What is an error
//!
//! A [`BrokenAnswer`] is a body that ended with an error; a body shorter than the response's
//! `Content-Length`; and one that was not there within the layer's
//! [`timeout`](crate::CommitLayer::timeout). It holds the response's head, how many bytes came, and the
//! body's own error. It is transient if that error, or one that it was made of, is transient or a
//! refusal; else it is permanent. The server has acted on the request, so it is never a refusal: a POST
//! is repeated only if it is declared repeatable.
//!
//! # The stack
//!
//! The layer goes under the retry, and under a [`VerifyLayer`](crate::VerifyLayer); above time-outs of
//! attempts that end with the head, above redirects' targets and the client. A
//! [`RetryLayer::attempt_timeout`](crate::RetryLayer::attempt_timeout) covers the time up to the commit
//! point. The body of a response that was read whole is one frame of data.
//!
//! # Example
//!
//! GitHub answers requests above its secondary rate limit with 403 (or 429) and says so in the body
//! only:
//!
//! ```
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() {
//! use std::sync::atomic::{AtomicU32, Ordering};
//! use bytes::Bytes;
//! use http::{Request, Response, StatusCode};
//! use http_body_util::{BodyExt, Full};
//! use tower::{ServiceBuilder, ServiceExt};
//! use tower_http_retry::classify::Class;
//! use tower_http_retry::{BoxError, CommitLayer, ReplayBody, RetryLayer};
//!
//! type Body = Full<Bytes>;
//! let requests = AtomicU32::new(0);
//! let github = |_: Request<ReplayBody<Body>>| {
//!     let (status, text) = match requests.fetch_add(1, Ordering::Relaxed) {
//!         0 => (StatusCode::FORBIDDEN, "You have exceeded a secondary rate limit."),
//!         _ => (StatusCode::OK, "[]"),
//!     };
//!     let response = Response::builder().status(status).header("retry-after", "60").body(Body::from(text));
//!     async move { response.map_err(BoxError::from) }
//! };
//!
//! let is_limited = |body: &Bytes| body.windows(20).any(|text| text == b"secondary rate limit");
//! let client = ServiceBuilder::new()
//!     .layer(RetryLayer::new().classify_fn(move |outcome| match outcome.body() {
//!         Some(body) if outcome.status() == Some(StatusCode::FORBIDDEN) && is_limited(body) => {
//!             Class::Refused.into()
//!         }
//!         _ => outcome.by_status(),
//!     }))
//!     .layer(CommitLayer::whole(64 * 1024).read_failures(true))
//!     .service_fn(github);
//!
//! let start = tokio::time::Instant::now();
//! let request = Request::get("https://api.github.com/events").body(Body::default()).unwrap();
//! let response = client.oneshot(request).await.unwrap();
//! assert!(start.elapsed().as_secs() >= 60);
//! assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "[]");
//! # }
//! ```

mod body;
mod future;
mod layer;
mod point;
mod service;

pub use body::CommittedBody;
pub use future::CommitFuture;
pub use layer::CommitLayer;
pub use service::Commit;

pub use crate::broken_answer::BrokenAnswer;
