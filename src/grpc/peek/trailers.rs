use std::fmt;

use http::HeaderMap;

/// The trailers of a response that has no data.
///
/// A [`PeekTrailersLayer`](crate::grpc::PeekTrailersLayer) adds them to the extensions of the response, for
/// the classifiers above it.
///
/// # Example
///
/// This classifier retries calls that the server rejected because of its load, as indicated by a trailer:
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() {
/// use std::convert::Infallible;
/// use bytes::Bytes;
/// use http::{HeaderMap, Request, Response};
/// use http_body_util::{BodyExt, Empty};
/// use tower::{ServiceBuilder, ServiceExt};
/// use tower_http_retry::classify::{Class, Classify};
/// use tower_http_retry::grpc::{ByGrpcStatus, PeekTrailersLayer, PeekedTrailers};
/// use tower_http_retry::{Attempts, BoxError, ReplayBody, RetryLayer};
///
/// let layer = RetryLayer::grpc().max_retries(2).mark_responses().classify_fn(|outcome| {
///     let head = outcome.result().ok();
///     let peeked = head.and_then(|head| head.extensions().get::<PeekedTrailers>());
///     match peeked.and_then(|peeked| peeked.trailers().get("x-shed")) {
///         Some(_) => Class::Refused.into(),
///         None => ByGrpcStatus::new().classify(outcome),
///     }
/// });
/// let client = ServiceBuilder::new()
///     .layer(layer)
///     .layer(PeekTrailersLayer::new())
///     .service_fn(async |_: Request<ReplayBody<Empty<Bytes>>>| {
///         // 8 is RESOURCE_EXHAUSTED, which is not retried by default.
///         let lines = [("grpc-status", "8"), ("x-shed", "queue")];
///         let line = |(name, value): (&'static str, &str)| {
///             (name.parse().unwrap(), value.parse().unwrap())
///         };
///         let trailers: HeaderMap = lines.into_iter().map(line).collect();
///         let body = Empty::<Bytes>::new().with_trailers(async { Some(Ok::<_, Infallible>(trailers)) });
///         let response = Response::builder().header("content-type", "application/grpc");
///         Ok::<_, BoxError>(response.body(Box::pin(body)).unwrap())
///     });
///
/// let response = client.oneshot(Request::new(Empty::new())).await.unwrap();
/// assert_eq!(response.extensions().get::<Attempts>().unwrap().count, 3);
/// # }
/// ```
#[derive(Clone)]
pub struct PeekedTrailers {
    pub(super) trailers: HeaderMap,
}

impl PeekedTrailers {
    /// Returns the trailers.
    pub fn trailers(&self) -> &HeaderMap {
        &self.trailers
    }
}

/// Omits the trailers, which may contain credentials.
impl fmt::Debug for PeekedTrailers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PeekedTrailers").finish_non_exhaustive()
    }
}
