//! gRPC's retries and hedges, as [gRFC A6] defines them, for tonic and other gRPC clients.
//!
//! - [`RetryLayer::grpc`](crate::RetryLayer::grpc) is a retry layer with gRPC's settings. Its classifier,
//!   [`ByGrpcStatus`], reads the status of a call, and its deadline.
//! - [`PeekTrailersLayer`], below it, reads statuses that come in trailers.
//! - [`ServiceConfig`] sets for each method how calls are retried or hedged. It is built in code or, with
//!   the feature `serde`, parsed from JSON.
//!
//! The guide's page on [gRPC](crate::guide::grpc) shows how to stack them under a generated client, with
//! interceptors, deadlines, streams and hedges.
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

/// The header or trailer that contains the status of a call.
const STATUS: &str = "grpc-status";
