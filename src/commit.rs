//! Retrying failures in the body of a response.
//!
//! A retry ends when the head of a response arrives. If the connection breaks while the body is being
//! received, the caller gets the error. A [`CommitLayer`] below the retry holds each response back until its
//! *commit point*: the first bytes of its body, or the end of its body.
//!
//! - A failure before the commit point is an error of the attempt ([`BrokenAnswer`]). The retry above handles
//!   it like any other error.
//! - A failure after the commit point is returned to the caller, as without the layer.
//!
//! | constructor | commit point | kept in memory | use it for |
//! |---|---|---|---|
//! | [`CommitLayer::first_bytes`](crate::CommitLayer::first_bytes) | the first data frame that is not empty, or the end | one frame | event streams, large responses |
//! | [`CommitLayer::whole`](crate::CommitLayer::whole) | the end, or more bytes than a limit | the body, up to the limit | API responses |
//!
//! # Which responses are read
//!
//! Each response is read up to the commit point, except for these, which are returned when their heads
//! arrive:
//!
//! - responses to HEAD and CONNECT, 1xx, 204 and 304, which have no body;
//! - 5xx and 429, unless [`read_failures`](crate::CommitLayer::read_failures) is set;
//! - with `whole`, event streams (`text/event-stream`), and responses whose `Content-Length` is above the
//!   limit.
//!
//! If a body turns out to be longer than the limit, the response is returned with the bytes that were read,
//! followed by the rest. No data is lost.
//!
//! Frames without data do not count as first bytes. If a server sends more than 64 of them before any data
//! (with `whole`, more than 1,024 in total), the response is returned, so that such a server does not block
//! it.
//!
//! # Errors
//!
//! The error is [`BrokenAnswer`] in three cases:
//!
//! - The body ended with an error.
//! - The body is shorter than the response's `Content-Length`.
//! - The commit point was not reached within the layer's [`timeout`](crate::CommitLayer::timeout).
//!
//! It contains the head of the response, the number of bytes that arrived, and the body's own error. It is
//! classified as transient if that error, or an error in its source chain, is transient or refused;
//! otherwise it is permanent. It is never refused, because the server acted on the request. Therefore the
//! request is retried only if it is safe to repeat, which a POST is not unless it has an idempotency key or
//! is [declared repeatable](crate::RetryOverride::repeatable).
//!
//! The caller gets the error instead of the response, whatever its status. If, for example, the body of a 404
//! or a 201 breaks, the status is still available from
//! [`BrokenAnswer::response`](crate::commit::BrokenAnswer::response). Only a 5xx or 429 that is
//! [read](crate::CommitLayer::read_failures) is returned as a response even if its body breaks.
//!
//! # Stacking
//!
//! Put the layer below the retry, below a [`VerifyLayer`](crate::VerifyLayer), and above a layer that
//! converts request bodies. [`RetryLayer::attempt_timeout`](crate::RetryLayer::attempt_timeout) covers the
//! time until the commit point. The body of a response that was read completely is a single data frame.
//!
//! # Rate limits that are reported in the body
//!
//! GitHub answers requests above its secondary rate limit with 403 or 429, and reports the reason only in
//! the body. A [recipe](crate::guide::recipes#githubs-rate-limits) has a classifier that reads it.
//!
//! # Failures that are reported with 200
//!
//! Some S3 operations send a head with the status 200 while they are still in progress, and report a failure
//! in the body. A classifier can read the body if it was read completely:
//!
//! ```
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() {
//! use std::sync::atomic::{AtomicU32, Ordering};
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::{BodyExt, Full};
//! use tower::{ServiceBuilder, ServiceExt};
//! use tower_http_retry::classify::Class;
//! use tower_http_retry::{BoxError, CommitLayer, ReplayBody, RetryLayer};
//!
//! type Body = Full<Bytes>;
//! let requests = AtomicU32::new(0);
//! let storage = |_: Request<ReplayBody<Body>>| {
//!     let text = match requests.fetch_add(1, Ordering::Relaxed) {
//!         0 => "<Error><Code>InternalError</Code></Error>",
//!         _ => "<CopyObjectResult/>",
//!     };
//!     async move { Ok::<_, BoxError>(Response::new(Body::from(text))) }
//! };
//!
//! let failed = |body: &Bytes| body.starts_with(b"<Error><Code>InternalError<");
//! let client = ServiceBuilder::new()
//!     .layer(RetryLayer::new().classify_fn(move |outcome| match outcome.body() {
//!         Some(body) if failed(body) => Class::Transient.into(),
//!         _ => outcome.by_status(),
//!     }))
//!     .layer(CommitLayer::whole(64 * 1024))
//!     .service_fn(storage);
//!
//! let request = Request::put("http://storage.test/copy").body(Body::default()).unwrap();
//! let response = client.oneshot(request).await.unwrap();
//! assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "<CopyObjectResult/>");
//! # }
//! ```
//!
//! # Event streams that break before the first event
//!
//! With [`CommitLayer::first_bytes`](crate::CommitLayer::first_bytes), an event stream that breaks before its
//! first bytes is retried. A comment that the server sends to keep the stream open counts as first bytes. A
//! stream that breaks later is not retried, because the caller would receive the same events twice.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() {
//! use std::collections::VecDeque;
//! use std::io::{Error, ErrorKind};
//! use std::sync::Mutex;
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::channel::Channel;
//! use http_body_util::{BodyExt, Empty};
//! use tower::{ServiceBuilder, ServiceExt};
//! use tower_http_retry::{BoxError, CommitLayer, ReplayBody, RetryLayer};
//!
//! type Body = Empty<Bytes>;
//! let streams = Mutex::new(VecDeque::from([vec![], vec!["data: 1\n\n"]]));
//! let events = |_: Request<ReplayBody<Body>>| {
//!     let events = streams.lock().unwrap().pop_front().expect("a stream");
//!     let (mut sender, body) = Channel::<Bytes, Error>::new(2);
//!     for event in events {
//!         sender.try_send(http_body::Frame::data(event.into())).unwrap();
//!     }
//!     sender.abort(ErrorKind::ConnectionReset.into());
//!     let response = Response::builder().header("content-type", "text/event-stream").body(body);
//!     async move { response.map_err(BoxError::from) }
//! };
//!
//! let client = ServiceBuilder::new()
//!     .layer(RetryLayer::new())
//!     .layer(CommitLayer::first_bytes())
//!     .service_fn(events);
//!
//! let request = Request::get("http://events.test/").body(Body::new()).unwrap();
//! let mut stream = client.oneshot(request).await.unwrap().into_body();
//! let event = stream.frame().await.unwrap().unwrap();
//! assert_eq!(event.into_data().unwrap(), "data: 1\n\n");
//! assert!(stream.frame().await.unwrap().is_err());
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
