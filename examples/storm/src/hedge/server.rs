//! The service that the clients call.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use fastrand::Rng;
use http::{Request, Response};
use http_body_util::Empty;
use tower::Service;

use super::log::Log;
use super::replicas::Replicas;
use super::{Course, Workload};
use crate::scenario::Fault;
use crate::simulation;
use crate::upstream::Upstream;

/// The path of a request that takes longer, whichever replica answers it.
pub const MISS: &str = "/miss";

/// The fault of a brown-out: the share of the servers that are left.
const LEFT: Fault = Fault::Capacity(0.3);

#[derive(Clone)]
pub struct Server {
    log: Log,
    kind: Kind,
}

#[derive(Clone)]
enum Kind {
    Replicas(Replicas),
    Upstream(Upstream),
}

impl Server {
    /// Starts the service on the current runtime.
    pub fn start(workload: &'static Workload, log: Log, rng: Rng) -> Self {
        let kind = match workload.course {
            Course::BrownOut => {
                Kind::Upstream(Upstream::start(LEFT, simulation::Record::new(), rng))
            }
            _ => Kind::Replicas(Replicas::start(workload, rng)),
        };
        Self { log, kind }
    }
}

impl<B> Service<Request<B>> for Server {
    type Response = Response<Empty<Bytes>>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        self.log.attempt_sent();
        match &mut self.kind {
            Kind::Upstream(upstream) => upstream.call(request),
            Kind::Replicas(replicas) => {
                let replicas = replicas.clone();
                let is_miss = request.uri().path() == MISS;
                Box::pin(async move {
                    replicas.answer(is_miss).await;
                    Ok(Response::new(Empty::new()))
                })
            }
        }
    }
}
