//! Resuming downloads that break off.
//!
//! If a connection breaks while a response's body is on its way, the caller has a part of it and an
//! error. A [`ResumeLayer`] above a retry asks for the rest by a range request (RFC 9110, section 14) and
//! continues the body with it. The body of a response that can be resumed is whole,
//! or ends with a [`ResumeError`]: it is never silently short, and never made of two versions. Any other
//! response passes through unchanged, with its own error.
//!
//! # What is resumed
//!
//! A response can be resumed if all of this holds:
//!
//! - The request is a GET without a body and without `Upgrade`.
//! - The status is 200 with a `Content-Length`, or 206 with a `Content-Range` of one range and a
//!   `Content-Length`.
//! - The response has a strong validator: an `ETag` that is not weak, or a `Last-Modified` that is at
//!   least a second older than its `Date` (RFC 9110, section 8.8.2.2). Without one, it can be resumed
//!   only with [`verify_prefix`](crate::ResumeLayer::verify_prefix).
//! - It is neither a stream of events (`text/event-stream`) nor `multipart/byteranges`.
//!
//! A layer below that decompresses bodies removes their `Content-Length`, so that such responses pass
//! through. Put decompression above this layer.
//!
//! [`ResumeBody::is_resumable`] says whether a response can be resumed.
//!
//! # When it is resumed
//!
//! A body breaks off if it ends with an error that [may pass](crate::ResumeLayer::classify), if it ends
//! before its length, or if it gives nothing for [too long](crate::ResumeLayer::idle_timeout). If the
//! connection breaks after the last byte, the body has ended.
//!
//! Each resumption is a request of its own to the inner service: the caller's, with `Range` set to what is
//! left and `If-Match` (or `If-Unmodified-Since`) to the validator. The caller's own conditions are left out.
//! The retry below retries it, and counts it for its budget and its cooldown, as any request. Its body is
//! empty: `B::default()`. An [`AttemptsHandle`](crate::AttemptsHandle) of the caller reports the last of
//! them.
//!
//! | answer | what happens |
//! |---|---|
//! | 206 that starts at the byte that was asked for | the body goes on |
//! | 206 that starts earlier | the bytes that were delivered are skipped, up to [`skip_limit`](crate::ResumeLayer::skip_limit) |
//! | 206 that ends earlier | the body goes on, and then breaks off again |
//! | 206 that starts later, ends later, or has no `Content-Range` | [`Unresumable::WrongRange`] |
//! | 206 with another validator or none, another length or content encoding | [`Unresumable::Changed`] |
//! | 200 with the same strong validator and length | what was delivered is skipped, up to the limit |
//! | 200 with another validator, length or content encoding | [`Unresumable::Changed`] |
//! | any other 200 | [`Unresumable::RangeIgnored`] |
//! | any 200 of the same length and content encoding, with [`verify_prefix`](crate::ResumeLayer::verify_prefix) | what was delivered is compared, and skipped |
//! | 412; 416 that says that there is less than was promised | [`Unresumable::Changed`] |
//! | any other status | [`Unresumable::Status`] |
//! | an error | [`ResumeError`] with that error as its source |
//!
//! A 206 has to repeat the validator (RFC 9110, sections 15.3.7 and 15.3.7.3). The condition alone does not
//! show that it is of the same version: a cache does not look at it.
//!
//! # The stack
//!
//! The layer goes above the retry, and under what follows redirects. Without a retry below, a resumption
//! that is answered 503 is the end. Where the retry has a [`CommitLayer`](crate::CommitLayer) below it,
//! a body that breaks before its first byte is retried before this layer sees it: that counts as a retry,
//! not as a resumption.
//!
//! Layers that add credentials which expire go below this layer. It can also stand under a retry; its
//! resumptions are then neither retried nor budgeted.
//!
//! [`idle_timeout`](crate::ResumeLayer::idle_timeout) bounds the time between two frames. The time to the
//! head of a response is bounded by the retry's
//! [`attempt_timeout`](crate::RetryLayer::attempt_timeout): a download from a server that falls silent
//! needs both.
//!
//! The request's body must implement [`Default`], for an empty body. The response's body is a
//! [`ResumeBody`].
//!
//! # Example
//!
//! ```
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() {
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::{BodyExt, Full};
//! use tower::{ServiceBuilder, ServiceExt};
//! use tower_http_retry::{BoxError, ReplayBody, ResumeLayer, RetryLayer};
//!
//! // A server that promises ten bytes, and whose connection breaks after four of them.
//! type Body = Full<Bytes>;
//! let server = |request: Request<ReplayBody<Body>>| {
//!     let response = Response::builder().header("etag", "\"v1\"");
//!     let response = match request.headers().get("range") {
//!         None => response.header("content-length", 10).body(Body::from("0123")),
//!         Some(range) => {
//!             assert_eq!(range, "bytes=4-9");
//!             assert_eq!(request.headers()["if-match"], "\"v1\"");
//!             let response = response.status(206).header("content-range", "bytes 4-9/10");
//!             response.body(Body::from("456789"))
//!         }
//!     };
//!     async move { response.map_err(BoxError::from) }
//! };
//!
//! let client = ServiceBuilder::new()
//!     .layer(ResumeLayer::new())
//!     .layer(RetryLayer::new())
//!     .service_fn(server);
//!
//! let request = Request::get("http://files.test/file").body(Body::default()).unwrap();
//! let response = client.oneshot(request).await.unwrap();
//! let body = response.into_body().collect().await.unwrap();
//! assert_eq!(body.to_bytes(), "0123456789");
//! # }
//! ```

mod asked;
mod body;
mod download;
mod error;
mod future;
mod layer;
mod prefix;
mod range;
mod resuming;
mod resumption;
mod service;
mod settings;
#[cfg(feature = "tracing")]
mod trace;
mod tries;
mod unresumable;
mod version;

pub use body::ResumeBody;
pub use error::ResumeError;
pub use future::ResumeFuture;
pub use layer::ResumeLayer;
pub use resumption::Resumption;
pub use service::Resume;
pub use unresumable::Unresumable;
