//! gRPC's retries and hedges, as [gRFC A6] defines them, for tonic and other gRPC clients.
//!
//! - [`RetryLayer::grpc`](crate::RetryLayer::grpc) is a retry layer with gRPC's settings. Its classifier,
//!   [`ByGrpcStatus`], reads the status of a call, and its deadline.
//! - [`PeekTrailersLayer`], stacked under it, reads the statuses that come in trailers.
//! - [`ServiceConfig`] says how the calls of each method are retried or hedged. It makes a layer of either
//!   kind, and is built in code or, with feature `serde`, parsed from JSON.
//!
//! # Generated clients
//!
//! A generated client takes a stack of these layers in `new` and in `with_interceptor`. A function that
//! returns such a stack need not name its type: this one converts all bodies into tonic's.
//!
//! An interceptor above the retry runs once for each call; `with_interceptor` puts it there. One below the
//! retry runs once for each attempt, and can add what must be new each time, such as a token. Both run for
//! streaming calls as for unary ones.
//!
//! ```
//! use http::{Request, Response};
//! use tonic::body::Body;
//! use tonic::service::interceptor::InterceptorLayer;
//! use tonic::transport::{Channel, Endpoint};
//! use tower::{Service, ServiceBuilder};
//! use tower_http::map_request_body::MapRequestBodyLayer;
//! use tower_http_retry::grpc::PeekTrailersLayer;
//! use tower_http_retry::{BoxError, RetryLayer};
//!
//! fn client(
//!     channel: Channel,
//! ) -> impl Service<Request<Body>, Response = Response<Body>, Error = BoxError, Future: Send> + Clone {
//!     ServiceBuilder::new()
//!         .map_response(|response: Response<_>| response.map(Body::new))
//!         .layer(RetryLayer::grpc())
//!         .layer(PeekTrailersLayer::new())
//!         .layer(InterceptorLayer::new(each_attempt))
//!         .layer(MapRequestBodyLayer::new(Body::new))
//!         .service(channel)
//! }
//!
//! type Call = tonic::Request<()>;
//!
//! fn each_call(mut call: Call) -> Result<Call, tonic::Status> {
//!     call.metadata_mut().insert("x-tenant", "blue".parse().unwrap());
//!     Ok(call)
//! }
//!
//! fn each_attempt(mut call: Call) -> Result<Call, tonic::Status> {
//!     call.metadata_mut().insert("authorization", "Bearer 7f3a".parse().unwrap());
//!     Ok(call)
//! }
//!
//! # use tonic::client::{Grpc, GrpcService};
//! # use tonic::codegen::{Bytes, StdError};
//! # use tonic::service::interceptor::InterceptedService;
//! # struct GreeterClient<T>(Grpc<T>);
//! # impl<T> GreeterClient<T>
//! # where
//! #     T: GrpcService<Body, Error: Into<StdError>>,
//! #     T::ResponseBody:
//! #         tonic::codegen::Body<Data = Bytes, Error: Into<StdError> + Send> + Send + 'static,
//! # {
//! #     fn new(inner: T) -> Self {
//! #         Self(Grpc::new(inner))
//! #     }
//! #     fn with_interceptor<F>(inner: T, interceptor: F) -> GreeterClient<InterceptedService<T, F>>
//! #     where
//! #         F: tonic::service::Interceptor,
//! #         T::ResponseBody: Default,
//! #         T: Service<
//! #             Request<Body>,
//! #             Response = Response<<T as GrpcService<Body>>::ResponseBody>,
//! #             Error: Into<StdError> + Send + Sync,
//! #         >,
//! #     {
//! #         GreeterClient::new(InterceptedService::new(inner, interceptor))
//! #     }
//! # }
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let channel = Endpoint::from_static("http://127.0.0.1:50051").connect_lazy();
//! let greeter = GreeterClient::new(client(channel.clone()));
//! let intercepted = GreeterClient::with_interceptor(client(channel), each_call);
//! # let _ = (greeter, intercepted);
//! # }
//! ```
//!
//! [gRFC A6]: https://github.com/grpc/proposal/blob/master/A6-client-retries.md

mod by_grpc_status;
mod code;
mod deadline;
mod layer;
mod peek;
mod pushback;
mod service_config;

pub use by_grpc_status::ByGrpcStatus;
pub use peek::{PeekFuture, PeekTrailers, PeekTrailersLayer, PeekedBody, PeekedTrailers};
pub use service_config::{
    HedgedCalls, HedgingPolicy, MethodPolicy, RetryPolicy, ServiceConfig, ServiceConfigBuilder,
    ServiceConfigError,
};

/// The header, or trailer, of a call's status.
const STATUS: &str = "grpc-status";
