//! Calls of gRPC: over services in memory, and by tonic at both ends.

mod grpc;
mod grpc_config_built;
#[cfg(feature = "serde")]
mod grpc_config_forms;
mod grpc_deadline;
mod grpc_generated;
#[cfg(feature = "serde")]
mod grpc_hedging;
#[cfg(feature = "serde")]
mod grpc_hedging_body;
#[cfg(feature = "serde")]
mod grpc_hedging_pushback;
#[cfg(feature = "serde")]
mod grpc_hedging_stack;
mod grpc_hedging_wire;
#[cfg(all(feature = "serde", feature = "metrics"))]
mod grpc_metrics;
mod grpc_peek;
mod grpc_peek_wire;
#[cfg(feature = "serde")]
mod grpc_service_config;
mod grpc_stack;
mod grpc_streams;
mod grpc_throttle;
mod grpc_throttle_stack;
mod grpc_time;
mod grpc_transport;

#[path = "../support"]
mod support {
    pub mod body;
    pub mod errors;
    pub mod calls;
    pub mod greeter;
    #[cfg(feature = "serde")]
    pub mod hedged;
    pub mod http2;
    pub mod level;
    pub mod scripted;
    pub mod step;
    pub mod upstream;
}
