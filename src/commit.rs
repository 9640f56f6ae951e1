//! Retrying failures in the body of a response.
//!
//! A retry sees the head of a response, not its body. If the connection breaks while the body is on
//! its way, the retry has ended, and the error is the caller's. A [`CommitLayer`] under the
//! retry holds a response back until its *commit point*: the first bytes of its body, or the end of it. A
//! failure before that point is an error of the attempt ([`BrokenAnswer`]), which the retry
//! above treats as any other. A failure after it is the caller's, as without the layer.
//!
//! | | commit point | kept in memory | use it for |
//! |---|---|---|---|
//! | [`CommitLayer::first_bytes`](crate::CommitLayer::first_bytes) | the first data frame that is not empty, or the end | one frame | streams of events, large responses |
//! | [`CommitLayer::whole`](crate::CommitLayer::whole) | the end, or more than a limit | the body, up to the limit | responses of an API |
//!
//! # What is read
//!
//! Every response is read up to the commit point, except for these, which are returned as soon as their
//! heads arrive:
//!
//! - responses to HEAD and CONNECT, 1xx, 204 and 304, which have no body;
//! - 5xx and 429, unless [`read_failures`](crate::CommitLayer::read_failures) is set;
//! - for `whole`, a stream of events (`text/event-stream`), and a response whose `Content-Length` is
//!   above the limit.
//!
//! A body that turns out to be longer than the limit is returned with what was read. Nothing of it is
//! lost. Frames without data do not count as first bytes; but 64 of them in a row (1,024 for `whole`) are
//! the commit point, so that a server that sends nothing else is not waited for.
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
//! The caller then gets the error and not the response, whatever its status: a 404 or a 201 whose body
//! breaks is a `BrokenAnswer`, whose head still says so. Only 5xx and 429 that are
//! [read](crate::CommitLayer::read_failures) are returned all the same.
//!
//! # The stack
//!
//! The layer goes under the retry, and under a [`VerifyLayer`](crate::VerifyLayer), and above a layer that
//! converts the bodies of requests. A
//! [`RetryLayer::attempt_timeout`](crate::RetryLayer::attempt_timeout) covers the time up to the commit
//! point. The body of a response that was read whole is one frame of data.
//!
//! # A limit that is told in the body
//!
//! GitHub answers requests above its secondary rate limit with 403 (or 429), and says so in the body only.
//! [A recipe](crate::guide::recipes#githubs-rate-limits) has a classifier that reads it.
//!
//! # A failure that is answered 200
//!
//! Some operations of S3 send the head, 200, while they are still at work, and say in the body that they
//! failed:
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
//! # A stream that ends before its first event
//!
//! Under [`CommitLayer::first_bytes`](crate::CommitLayer::first_bytes), a stream of events that breaks
//! before its first bytes is asked for again; a comment that the server sends to keep the stream open
//! counts as such. One that breaks after them is not: what the caller has seen of it would come twice.
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
