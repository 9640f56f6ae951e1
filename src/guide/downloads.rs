//! Whole responses, and downloads that are resumed.
//!
//! A retry ends when the head of a response arrives. The body comes later, and a connection can break while
//! it is on its way: the caller then has a response with status 200 and an error in its body. Two layers
//! cover this part.
//!
//! | layer | place | what it does | use it for |
//! |---|---|---|---|
//! | [`CommitLayer::whole`] | below the retry | holds a response back until its body has arrived; a failure before that is retried | responses of an API |
//! | [`CommitLayer::first_bytes`] | below the retry | the same until the first bytes | streams of events, large responses |
//! | [`ResumeLayer`] | above the retry | requests the rest of a body that breaks off, by a range request | downloads |
//!
//! They can be combined: `first_bytes` retries a response that breaks before its first byte, and `ResumeLayer`
//! resumes one that breaks later.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), tower_http_retry::BoxError> {
//! use bytes::Bytes;
//! use http::{Request, Response, StatusCode, header};
//! use http_body_util::{BodyExt, Empty, StreamBody};
//! use http_body::Frame;
//! use tower::{ServiceBuilder, ServiceExt};
//! use tower_http_retry::{BoxError, CommitLayer, ReplayBody, ResumeLayer, RetryLayer};
//!
//! // A server of `0123456789`. The body of its first response breaks off after four bytes.
//! let server = async |request: Request<ReplayBody<Empty<Bytes>>>| {
//!     let response = Response::builder().header(header::ETAG, "\"v1\"");
//!     let (response, data, end) = match request.headers().get(header::RANGE) {
//!         None => {
//!             let broken = std::io::ErrorKind::ConnectionReset;
//!             (response.header(header::CONTENT_LENGTH, 10), "0123", Some(Err(broken)))
//!         }
//!         Some(range) => {
//!             assert_eq!(range, "bytes=4-9");
//!             let response = response
//!                 .status(StatusCode::PARTIAL_CONTENT)
//!                 .header(header::CONTENT_RANGE, "bytes 4-9/10")
//!                 .header(header::CONTENT_LENGTH, 6);
//!             (response, "456789", None)
//!         }
//!     };
//!     let data = Ok(Frame::data(Bytes::from(data)));
//!     let frames = std::iter::once(data).chain(end.map(|end| end.map_err(std::io::Error::from)));
//!     let body = StreamBody::new(tonic::codegen::tokio_stream::iter(frames));
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
//! - A body that can be resumed is whole, or ends with a [`ResumeError`](crate::resume::ResumeError). It is
//!   never silently short, and never made of two versions of a file: each resumption is on condition that
//!   the version is the same.
//! - A body that cannot be resumed passes through unchanged. It needs a `Content-Length`, and a strong `ETag`
//!   or an old enough `Last-Modified`: see [which responses can be resumed](crate::resume#which-responses-can-be-resumed).
//! - A POST whose response breaks is not repeated: the server has acted on it. The error of a `CommitLayer`,
//!   [`BrokenAnswer`](crate::commit::BrokenAnswer), has the head of the response.
//!
//! # Where decompression goes
//!
//! Put a layer that decompresses bodies above the `ResumeLayer`: a decompressed body has no length, and cannot
//! be resumed. See [the stack](crate::guide::tower_http).
//!
//! [`CommitLayer::first_bytes`]: crate::CommitLayer::first_bytes
//! [`CommitLayer::whole`]: crate::CommitLayer::whole
//! [`ResumeLayer`]: crate::ResumeLayer
