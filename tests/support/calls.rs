//! Calls of [`Greeter`](super::greeter::Greeter), and their outcomes.

use std::time::Duration;

use tonic::{Code, Response, Status};
use tower_http_retry::grpc::ByGrpcStatus;
use tower_http_retry::{Backoff, Jitter, RetryLayer};

use super::greeter::{Greeter, HelloReply, Turn, hello};

pub type Layer = RetryLayer<ByGrpcStatus>;

/// The outcome of a call: the message, or the code and message of its status.
pub type Got = Result<String, (Code, String)>;

pub const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Returns gRPC's retries without jitter.
pub fn exact() -> Layer {
    let backoff = Backoff::exponential(millis(100)).max_wait(millis(1_000));
    RetryLayer::grpc().backoff(backoff.jitter(Jitter::None))
}

pub fn got(outcome: Result<Response<HelloReply>, Status>) -> Got {
    match outcome {
        Ok(reply) => Ok(reply.into_inner().message),
        Err(status) => Err((status.code(), status.message().to_owned())),
    }
}

pub fn greeted() -> Got {
    Ok("Hello, Ada!".to_owned())
}

pub fn failed(code: Code) -> Got {
    Err((code, "by the plan".to_owned()))
}

/// Makes one call to a server with this plan.
pub async fn call(layer: &Layer, plan: impl Into<Vec<Turn>>) -> (Got, Greeter) {
    let server = Greeter::start(plan).await;
    let outcome = server.client(layer).say_hello(hello("Ada")).await;
    (got(outcome), server)
}
