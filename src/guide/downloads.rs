//! Responses that arrive completely, and downloads that are resumed.
//!
//! A retry ends when the head of a response arrives. The connection can still break while the body is
//! transferred. The caller then has a response with status 200, whose body ends with an error. Two layers
//! handle such failures.
//!
//! | layer | place | what it does | use it for |
//! |---|---|---|---|
//! | [`CommitLayer::whole`] | below the retry | holds a response back until its body has arrived; a failure before that is retried | responses of an API |
//! | [`CommitLayer::first_bytes`] | below the retry | the same, until the first bytes have arrived | event streams, large responses |
//! | [`ResumeLayer`] | above the retry | requests the rest of a body that breaks off, with a range request | downloads |
//!
//! They can be combined: `first_bytes` retries a response that breaks before its first byte, and
//! `ResumeLayer` resumes one that breaks later.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), tower_http_retry::BoxError> {
//! use bytes::Bytes;
//! use http::{Request, Response, StatusCode, header};
//! use http_body_util::channel::Channel;
//! use http_body_util::{BodyExt, Empty};
//! use tower::{ServiceBuilder, ServiceExt};
//! use tower_http_retry::{BoxError, CommitLayer, ReplayBody, ResumeLayer, RetryLayer};
//!
//! // A server with the file `0123456789`. The body of its first response breaks off after four bytes.
//! let server = async |request: Request<ReplayBody<Empty<Bytes>>>| {
//!     let response = Response::builder().header(header::ETAG, "\"v1\"");
//!     let (mut sender, body) = Channel::<Bytes, BoxError>::new(1);
//!     let response = match request.headers().get(header::RANGE) {
//!         None => {
//!             sender.send_data("0123".into()).await?;
//!             sender.abort(std::io::Error::from(std::io::ErrorKind::ConnectionReset).into());
//!             response.header(header::CONTENT_LENGTH, 10)
//!         }
//!         Some(range) => {
//!             assert_eq!(range, "bytes=4-9");
//!             sender.send_data("456789".into()).await?;
//!             response
//!                 .status(StatusCode::PARTIAL_CONTENT)
//!                 .header(header::CONTENT_RANGE, "bytes 4-9/10")
//!                 .header(header::CONTENT_LENGTH, 6)
//!         }
//!     };
//!     Ok::<_, BoxError>(response.body(body)?)
//! };
//!
//! let client = ServiceBuilder::new()
//!     .layer(ResumeLayer::new())
//!     .layer(RetryLayer::new())
//!     .layer(CommitLayer::first_bytes())
//!     .service_fn(server);
//!
//! let response = client.oneshot(Request::get("/file").body(Empty::new())?).await?;
//! assert_eq!(response.into_body().collect().await?.to_bytes(), "0123456789");
//! # Ok(())
//! # }
//! ```
//!
//! # What is guaranteed
//!
//! - A body that can be resumed is complete, or ends with a [`ResumeError`](crate::resume::ResumeError). It
//!   is never silently truncated, and it never mixes two versions of a file: each resumption is a conditional
//!   request for the same version.
//! - A body that cannot be resumed passes through unchanged. It needs a `Content-Length`, and a strong `ETag`
//!   or an old enough `Last-Modified`: see [which responses can be
//!   resumed](crate::resume#which-responses-can-be-resumed).
//! - A POST whose response breaks is not repeated: the server has acted on it. The error of a `CommitLayer`,
//!   [`BrokenAnswer`](crate::commit::BrokenAnswer), has the head of the response.
//!
//! # Time-outs
//!
//! Each time-out limits a different part of a response:
//!
//! | what can stall | limited by |
//! |---|---|
//! | the head, and what a `CommitLayer` waits for | [`RetryLayer::attempt_timeout`](crate::RetryLayer::attempt_timeout), or [`CommitLayer::timeout`](crate::CommitLayer::timeout) for the latter alone |
//! | the rest of the body | [`ResumeLayer::idle_timeout`](crate::ResumeLayer::idle_timeout): a body that stalls is resumed |
//! | the whole request up to the head, with its retries | a time-out layer at the top |
//!
//! Redirects are followed above the `ResumeLayer`. From the outside in, a stack for downloads is:
//!
//! ```
//! use std::time::Duration;
//! use tower::ServiceBuilder;
//! use tower_http::follow_redirect::FollowRedirectLayer;
//! use tower_http_retry::{CommitLayer, ResumeLayer, RetryLayer};
//!
//! let layers = ServiceBuilder::new()
//!     .layer(FollowRedirectLayer::new())
//!     .layer(ResumeLayer::new().idle_timeout(Duration::from_secs(30)))
//!     .layer(RetryLayer::new().attempt_timeout(Duration::from_secs(10)))
//!     .layer(CommitLayer::first_bytes());
//! # let _ = layers;
//! ```
//!
//! # Where decompression goes
//!
//! Put a layer that decompresses bodies above the `ResumeLayer`: a decompressed body has no length, and
//! cannot be resumed. See [the stack](crate::guide::tower_http).
//!
//! [`CommitLayer::first_bytes`]: crate::CommitLayer::first_bytes
//! [`CommitLayer::whole`]: crate::CommitLayer::whole
//! [`ResumeLayer`]: crate::ResumeLayer
