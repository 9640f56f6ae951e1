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
    /// it, sends the head before it fails. Calls that fail after their head are not retried in any case. But
    /// without that layer, the throttle counts them as successes, so that a server which fails all calls does
    /// not stop the retries.
    ///
    /// For a time-out of each attempt, use [`attempt_timeout`](Self::attempt_timeout): a call that tonic's
    /// `Endpoint::timeout` ends is not retried. A generated client reports
    /// [`RetryError::AttemptTimedOut`](crate::RetryError::AttemptTimedOut) as `UNKNOWN`. The time ends when the
    /// head of the response arrives, which many servers send with their first message. For streams whose
    /// first message takes long, set a longer time-out with
    /// [`RetryOverride::attempt_timeout`](crate::RetryOverride::attempt_timeout).
    ///
    /// # Example
    ///
    /// ```
    /// use http::{Request, Response};
    /// use tonic::body::Body;
    /// use tonic::transport::Channel;
    /// use tower::{Service, ServiceBuilder};
    /// use tower_http::map_request_body::MapRequestBodyLayer;
    /// use tower_http_retry::{BoxError, RetryLayer};
    ///
    /// /// What a generated client takes: `GreeterClient::new(client(channel))`, or
    /// /// `GreeterClient::with_interceptor(client(channel), interceptor)`.
    /// fn client(
    ///     channel: Channel,
    /// ) -> impl Service<Request<Body>, Response = Response<Body>, Error = BoxError, Future: Send> + Clone {
    ///     ServiceBuilder::new()
    ///         .layer(RetryLayer::grpc())
    ///         .layer(MapRequestBodyLayer::new(Body::new))
    ///         .service(channel)
    /// }
    /// # use tonic::client::{Grpc, GrpcService};
    /// # use tonic::codegen::{Bytes, StdError};
    /// # use tonic::service::interceptor::InterceptedService;
    /// # struct GreeterClient<T>(Grpc<T>);
    /// # impl<T> GreeterClient<T>
    /// # where
    /// #     T: GrpcService<Body, Error: Into<StdError>>,
    /// #     T::ResponseBody:
    /// #         tonic::codegen::Body<Data = Bytes, Error: Into<StdError> + Send> + Send + 'static,
    /// # {
    /// #     fn new(inner: T) -> Self {
    /// #         Self(Grpc::new(inner))
    /// #     }
    /// #     fn with_interceptor<F>(inner: T, interceptor: F) -> GreeterClient<InterceptedService<T, F>>
    /// #     where
    /// #         F: tonic::service::Interceptor,
    /// #         T::ResponseBody: Default,
    /// #         T: Service<
    /// #             Request<Body>,
    /// #             Response = Response<<T as GrpcService<Body>>::ResponseBody>,
    /// #             Error: Into<StdError> + Send + Sync,
    /// #         >,
    /// #     {
    /// #         GreeterClient::new(InterceptedService::new(inner, interceptor))
    /// #     }
    /// # }
    /// # let _ = |channel: Channel| GreeterClient::new(client(channel));
    /// # let _ = |channel| GreeterClient::with_interceptor(client(channel), |call: tonic::Request<()>| Ok(call));
    /// ```
    ///
    /// More layers, and interceptors above and below the retry, are shown in the
    /// [module's documentation](crate::grpc#generated-clients).
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
