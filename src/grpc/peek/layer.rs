use tower_layer::Layer;

use super::service::PeekTrailers;

/// Layer that reads a gRPC call's status from the trailers of its response: for the retry above, if
/// nothing comes before them, and for its [throttle](crate::Budget::throttle) always.
///
/// A failed call that may be retried has its status in the response's head (Trailers-Only). Some
/// servers and proxies send the head first, and the status in trailers right after it. Stacked
/// under the retry, this layer waits for the first frame of a response that says
/// `content-type: application/grpc` and has no `grpc-status` yet. Where it is trailers, they are
/// put on the response as [`PeekedTrailers`](crate::grpc::PeekedTrailers), and a [`ByGrpcStatus`](crate::grpc::ByGrpcStatus) above
/// reads the status there as it would in the head. Data frames without any data are left out
/// before the first frame; apart from that, the caller's body is the same.
///
/// # Throttling
///
/// A call whose status comes later, after data, is committed: it is not retried. Without this layer
/// a [`Budget::throttle`](crate::Budget::throttle) counts such a call as a success when its head
/// comes. With it, the budget of the retry above counts the call when its status is seen:
///
/// | what the body comes to | a throttle |
/// |---|---|
/// | trailers with the status `OK` | adds `token_ratio` |
/// | trailers with one of the [codes](crate::grpc::ByGrpcStatus::also) that are retried, or with a `grpc-retry-pushback-ms` that says no | takes a token |
/// | trailers with any other code | is left as it is |
/// | an error | as for `UNAVAILABLE` |
/// | an end without a status | as for `UNKNOWN` |
/// | dropped before its end | is left as it is |
///
/// Where there are two retries above the layer, the lower one that has a throttle counts the call
/// when its status is seen, and the other one when the head comes.
///
/// # Streams
///
/// The head of a stream is handed over when its first frame comes: a server that sends its headers
/// early, and its first message only after the client has sent more, may then wait for a client
/// that waits for it. An attempt's time-out then ends with the first frame, too. For such methods
/// use [`wait_for_first_frame(false)`](Self::wait_for_first_frame).
///
/// The response's body must be `Unpin`; one that is not can be boxed.
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
    /// Creates a layer that waits for the first frame.
    pub fn new() -> Self {
        Self { waits: true }
    }

    /// Sets whether the head of a response is held back until its first frame has come, so that the
    /// retry sees a status that comes right after it. Defaults to true.
    ///
    /// If false, each head is handed over at once, and a call whose head has no status is not
    /// retried; the layer then only serves a [throttle](crate::Budget::throttle).
    ///
    /// ```
    /// use tower_http_retry::grpc::PeekTrailersLayer;
    ///
    /// // For a method whose server says nothing before the client has sent more.
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
