use std::time::Duration;

use http::HeaderName;

use super::by_grpc_status::ByGrpcStatus;
use crate::backoff::{Backoff, Jitter};
use crate::budget::Budget;
use crate::layer::RetryLayer;

pub(super) const PREVIOUS_ATTEMPTS: HeaderName =
    HeaderName::from_static("grpc-previous-rpc-attempts");

impl RetryLayer {
    /// Creates a layer with gRPC's retries, as [gRFC A6] defines them, for tonic and other gRPC clients.
    ///
    /// | setting | value |
    /// |---|---|
    /// | [`classify`](Self::classify) | [`ByGrpcStatus::new`]: `UNAVAILABLE` |
    /// | [`max_retries`](Self::max_retries) | 4: five attempts |
    /// | [`backoff`](Self::backoff) | 0.1 s, 0.2 s, 0.4 s, 0.8 s, at most 1 s, each times U(0.8, 1.2) |
    /// | [`budget`](Self::budget) | [`Budget::throttle(10, 0.1)`](Budget::throttle) |
    /// | [`retry_count_header`](Self::retry_count_header) | `grpc-previous-rpc-attempts` |
    ///
    /// All other settings are those of [`RetryLayer::new`]. No retry starts after five minutes
    /// ([`window`](Self::window)), or after the deadline of the call. A pushback above five minutes ends the
    /// call immediately.
    ///
    /// Put a [`PeekTrailersLayer`](super::PeekTrailersLayer) below it if the server, or a proxy in front of
    /// it, sends the head before it fails. Without that layer, a call that fails after its head is not
    /// retried. It also counts as a success for the throttle, so that a server that fails all calls in this
    /// way does not stop the retries. A call that fails after its first message is never retried.
    ///
    /// For a time-out of each attempt, use [`attempt_timeout`](Self::attempt_timeout): a call that tonic's
    /// `Endpoint::timeout` ends is not retried. A generated client reports
    /// [`RetryError::AttemptTimedOut`](crate::RetryError::AttemptTimedOut) as `UNKNOWN`. The time-out covers
    /// the time until the head of the response arrives, which many servers send with their first message.
    /// For streams whose first message takes long, set a longer time-out with
    /// [`RetryOverride::attempt_timeout`](crate::RetryOverride::attempt_timeout).
    ///
    /// # Example
    ///
    /// ```
    /// use tonic::body::Body;
    /// use tonic::transport::Endpoint;
    /// use tower::ServiceBuilder;
    /// use tower_http::map_request_body::MapRequestBodyLayer;
    /// use tower_http_retry::RetryLayer;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let channel = Endpoint::from_static("http://127.0.0.1:50051").connect_lazy();
    /// let channel = ServiceBuilder::new()
    ///     .layer(RetryLayer::grpc())
    ///     .layer(MapRequestBodyLayer::new(Body::new))
    ///     .service(channel);
    /// // let greeter = GreeterClient::new(channel);
    /// # fn is_client<T: tonic::client::GrpcService<Body>>(_: T) {}
    /// # is_client(channel);
    /// # }
    /// ```
    ///
    /// The guide's page on [gRPC](crate::guide::grpc) has complete examples.
    ///
    /// [gRFC A6]: https://github.com/grpc/proposal/blob/master/A6-client-retries.md
    pub fn grpc() -> RetryLayer<ByGrpcStatus> {
        let backoff = Backoff::exponential(Duration::from_millis(100))
            .max_wait(Duration::from_secs(1))
            .jitter(Jitter::Between(0.8, 1.2));
        RetryLayer::new()
            .classify(ByGrpcStatus::new())
            .max_retries(4)
            .backoff(backoff)
            .budget(Budget::throttle(10, 0.1))
            .retry_count_header(PREVIOUS_ATTEMPTS)
    }
}
