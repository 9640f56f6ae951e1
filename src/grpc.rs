//! gRPC's retries: the status of a call, its deadline, and what its service's config says of it.
//!
//! [`RetryLayer::grpc`](crate::RetryLayer::grpc) is a layer with all of [gRFC A6]. A
//! [`PeekTrailersLayer`] under it sees the statuses that come in trailers.
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
