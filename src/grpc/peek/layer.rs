use tower_layer::Layer;

use super::service::PeekTrailers;

/// Layer that reads the status of gRPC calls from the trailers of their responses.
///
/// A retry above uses a status that arrives directly after the head to decide whether to retry. Its
/// [throttle](crate::Budget::throttle) also counts statuses that arrive later.
///
/// A failed call that may be retried usually has its status in the head of the response (Trailers-Only). Some
/// servers and proxies, however, send the head first, and then the status in trailers. This layer waits for
/// the first frame of a response with `content-type: application/grpc` and without `grpc-status`. If the
/// first frame is trailers, they become the extension [`PeekedTrailers`](crate::grpc::PeekedTrailers) of the
/// response, and a [`ByGrpcStatus`](crate::grpc::ByGrpcStatus) above reads the status from there. Empty data
/// frames at the beginning are removed; otherwise, the body is unchanged.
///
/// # Throttling
///
/// A call whose status arrives later, after data, is committed and not retried. Without this layer, a
/// [`Budget::throttle`](crate::Budget::throttle) counts it as a success when its head arrives. With it, the
/// budget of the retry above counts the call when its status arrives:
///
/// | end of the body | throttle |
/// |---|---|
/// | trailers with the status `OK` | adds `token_ratio` |
/// | trailers with one of the [codes](crate::grpc::ByGrpcStatus::also) that are retried, or with a `grpc-retry-pushback-ms` that forbids a retry | takes a token |
/// | trailers with any other code | unchanged |
/// | an error | as for `UNAVAILABLE` |
/// | the end without a status | as for `UNKNOWN` |
/// | the body is dropped before its end | unchanged |
///
/// If there are two retries above the layer, the lower one with a throttle counts the call when its status
/// arrives, and the other one when its head arrives.
///
/// # Streams
///
/// The head of a stream is returned when its first frame arrives. Some servers send the head early, but the
/// first message only after further messages of the client. Client and server can then wait for each other.
/// The time-out of an attempt also covers the time until the first frame. For such methods, use
/// [`wait_for_first_frame(false)`](Self::wait_for_first_frame).
///
/// The response body must be `Unpin`. Box it if it is not.
///
/// # Example
///
/// ```
/// use http::{Request, Response};
/// use tonic::body::Body;
/// use tonic::transport::Channel;
/// use tower::{Service, ServiceBuilder};
/// use tower_http::map_request_body::MapRequestBodyLayer;
/// use tower_http_retry::grpc::{PeekTrailersLayer, PeekedBody};
/// use tower_http_retry::{BoxError, RetryLayer};
///
/// type Peeked = Response<PeekedBody<Body>>;
///
/// fn with_retries(
///     channel: Channel,
/// ) -> impl Service<Request<Body>, Response = Peeked, Error = BoxError, Future: Send> + Clone {
///     ServiceBuilder::new()
///         .layer(RetryLayer::grpc())
///         .layer(PeekTrailersLayer::new())
///         .layer(MapRequestBodyLayer::new(Body::new))
///         .service(channel)
/// }
/// # let _ = with_retries;
/// ```
#[derive(Clone, Copy, Debug)]
#[must_use = "a layer does nothing until it wraps a service"]
pub struct PeekTrailersLayer {
    waits: bool,
}

impl PeekTrailersLayer {
    /// Creates a layer that waits for the first frame of each response.
    pub fn new() -> Self {
        Self { waits: true }
    }

    /// Sets whether the head of a response is held until its first frame arrives, so that the retry sees a
    /// status that arrives directly after it. Defaults to `true`.
    ///
    /// With `false`, each head is returned immediately, and a call whose head has no status is not retried.
    /// The layer is then useful only for a [throttle](crate::Budget::throttle).
    ///
    /// See [streams](crate::guide::grpc#streams) in the guide.
    ///
    /// ```
    /// use tower_http_retry::grpc::PeekTrailersLayer;
    ///
    /// // For a method whose server waits for more messages before it sends its first one.
    /// let layer = PeekTrailersLayer::new().wait_for_first_frame(false);
    /// # let _ = layer;
    /// ```
    pub fn wait_for_first_frame(mut self, waits: bool) -> Self {
        self.waits = waits;
        self
    }
}

impl Default for PeekTrailersLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl<S> Layer<S> for PeekTrailersLayer {
    type Service = PeekTrailers<S>;

    fn layer(&self, inner: S) -> PeekTrailers<S> {
        let waits = self.waits;
        PeekTrailers { inner, waits }
    }
}
