//! Resuming downloads whose connection breaks.
//!
//! If a connection breaks while a response body is being received, the caller has a part of the body and
//! an error. A [`ResumeLayer`] above a retry requests the rest with a range request (RFC 9110, section 14)
//! and continues the body with it.
//!
//! The body of a response that can be resumed is either complete or ends with a [`ResumeError`]. It is
//! never silently truncated, and never mixes two versions of a representation. All other responses pass
//! through unchanged, with their own errors.
//!
//! # Which responses can be resumed
//!
//! A response can be resumed if all of these conditions are met:
//!
//! - The request is a GET without a body and without an `Upgrade` header.
//! - The status is 200 with a `Content-Length`, or 206 with a `Content-Length` and a `Content-Range` of
//!   one range.
//! - The response has a strong validator: an `ETag` that is not weak, or a `Last-Modified` that is at
//!   least one second earlier than its `Date` (RFC 9110, section 8.8.2.2). A response without one can be
//!   resumed only with [`verify_prefix`](crate::ResumeLayer::verify_prefix).
//! - The content type is neither `text/event-stream` nor `multipart/byteranges`.
//!
//! [`ResumeBody::is_resumable`] returns whether a response can be resumed.
//!
//! A layer that decompresses bodies removes their `Content-Length`. If it is below this layer, such
//! responses pass through, so put decompression above this layer.
//!
//! # When a body is resumed
//!
//! A body is resumed in three cases:
//!
//! - It ends with a [transient error](crate::ResumeLayer::classify).
//! - It ends before the promised length.
//! - It yields no data for longer than the [idle time-out](crate::ResumeLayer::idle_timeout).
//!
//! If the connection breaks after the last byte, the body is complete.
//!
//! Each resumption is a separate request to the inner service. It is a copy of the caller's request with
//! an empty body (`B::default()`). `Range` is set to the missing bytes, and `If-Match` or
//! `If-Unmodified-Since` to the validator. The caller's own conditions are removed. Without a strong
//! validator, the request is for the same bytes as the first one (see
//! [`verify_prefix`](crate::ResumeLayer::verify_prefix)), and only the caller's `If-None-Match` and
//! `If-Modified-Since` are removed.
//!
//! A retry below handles a resumption like any other request, including its budget and its cooldown. If
//! the caller's request has an [`AttemptsHandle`](crate::AttemptsHandle), it reports the last of these
//! requests.
//!
//! The response to this request decides what happens:
//!
//! | response | result |
//! |---|---|
//! | 206 that starts at the requested byte | the body continues |
//! | 206 that starts earlier | the bytes that were already delivered are skipped, up to [`skip_limit`](crate::ResumeLayer::skip_limit) |
//! | 206 that ends earlier | the body continues, and is resumed again at the end of this response |
//! | 206 that starts later, ends later, or has no `Content-Range` | [`Unresumable::WrongRange`] |
//! | 206 without the validator, or with another validator, length or content encoding | [`Unresumable::Changed`] |
//! | 200 with the same strong validator and length | the bytes that were already delivered are skipped, up to `skip_limit` |
//! | 200 with another validator, length or content encoding | [`Unresumable::Changed`] |
//! | any other 200 | [`Unresumable::RangeIgnored`] |
//! | other 200 with the same length and content encoding, with [`verify_prefix`](crate::ResumeLayer::verify_prefix) | the bytes that were already delivered are compared and skipped |
//! | 412, or 416 with a length below the promised one | [`Unresumable::Changed`] |
//! | any other status | [`Unresumable::Status`] |
//! | an error | [`ResumeError`] with that error as its source |
//!
//! A 206 must repeat the validator (RFC 9110, sections 15.3.7 and 15.3.7.3). The condition of the request
//! alone does not prove that the version is the same, because caches do not evaluate it.
//!
//! # Stacking
//!
//! Put the layer above the retry and below a layer that follows redirects. Without a retry below, a
//! resumption that fails or is answered with, for example, 503 ends the body. The layer can also be put
//! below a retry, but then its resumptions are neither retried nor budgeted.
//!
//! If there is a [`CommitLayer`](crate::CommitLayer) below the retry, a body that breaks before its first
//! byte is retried there. This counts as a retry and not as a resumption.
//!
//! Put layers that add credentials below this layer if the credentials can expire.
//!
//! The [idle time-out](crate::ResumeLayer::idle_timeout) limits the time between two frames of a body. The
//! time until the head of a response is limited by
//! [`RetryLayer::attempt_timeout`](crate::RetryLayer::attempt_timeout). To protect a download from a server
//! that stops responding, set both.
//!
//! The request body must implement [`Default`], which has to return an empty body. The response body is a
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
//! // The server promises ten bytes, but the connection breaks after four.
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
