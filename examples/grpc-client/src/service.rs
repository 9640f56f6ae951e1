//! The greeter, with its faults.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use http::Uri;
use tokio::net::TcpListener;
use tonic::metadata::MetadataMap;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};
use tower_http_retry::BoxError;

use crate::greeter::greeter_server::{Greeter, GreeterServer};
use crate::greeter::{HelloReply, HelloRequest};
use crate::timeline::{Seen, Timeline};

/// The header with the server's wait before the next attempt, in milliseconds. A negative number means
/// that there should be no retry.
const PUSHBACK: &str = "grpc-retry-pushback-ms";

/// The message of an `UNAVAILABLE` status.
pub(crate) const RESTARTING: &str = "the greeter is restarting";

/// The message of an `INVALID_ARGUMENT` status.
pub(crate) const NAMELESS: &str = "there is no name to greet";

/// How an attempt fails.
#[derive(Clone, Copy)]
pub(crate) enum Fault {
    /// `UNAVAILABLE` without a pushback.
    Unavailable,
    /// `UNAVAILABLE` with this pushback.
    PushedBack(i32),
}

#[derive(Clone)]
pub(crate) struct GreeterService {
    started: Instant,
    timeline: Timeline,
    /// The faults of the next attempts, in order.
    faults: Arc<Mutex<VecDeque<Fault>>>,
}

impl GreeterService {
    /// Creates a service that adds each attempt to the timeline.
    pub(crate) fn new(timeline: Timeline) -> Self {
        Self {
            started: Instant::now(),
            timeline,
            faults: Arc::default(),
        }
    }

    /// Serves on a free port until the program ends.
    pub(crate) async fn listen(&self) -> Result<Uri, BoxError> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let uri = format!("http://{}", listener.local_addr()?).parse()?;
        let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
        let server = Server::builder().add_service(GreeterServer::new(self.clone()));
        tokio::spawn(server.serve_with_incoming(incoming));
        Ok(uri)
    }

    /// Sets the faults of the next attempts, in order.
    pub(crate) fn plan(&self, faults: &[Fault]) {
        *self.faults() = faults.iter().copied().collect();
    }

    fn faults(&self) -> MutexGuard<'_, VecDeque<Fault>> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[tonic::async_trait]
impl Greeter for GreeterService {
    async fn say_hello(
        &self,
        request: Request<HelloRequest>,
    ) -> Result<Response<HelloReply>, Status> {
        let at = self.started.elapsed();
        let (metadata, _, HelloRequest { name }) = request.into_parts();
        let fault = self.faults().pop_front();
        let answer = match fault {
            Some(fault) => Err(fault.status()),
            None if name.is_empty() => Err(Status::invalid_argument(NAMELESS)),
            None => Ok(Response::new(HelloReply {
                message: format!("Hello, {name}!"),
            })),
        };
        self.timeline.seen(Seen {
            at,
            previous_attempts: text(&metadata, "grpc-previous-rpc-attempts"),
            time_left: text(&metadata, "grpc-timeout").and_then(|text| duration(&text)),
            code: answer
                .as_ref()
                .map_or_else(Status::code, |_| tonic::Code::Ok),
            pushback: fault.and_then(Fault::pushback),
        });
        answer
    }
}

impl Fault {
    fn status(self) -> Status {
        let mut status = Status::unavailable(RESTARTING);
        if let Some(millis) = self.pushback() {
            status.metadata_mut().insert(PUSHBACK, millis.into());
        }
        status
    }

    fn pushback(self) -> Option<i32> {
        match self {
            Self::Unavailable => None,
            Self::PushedBack(millis) => Some(millis),
        }
    }
}

fn text(metadata: &MetadataMap, key: &str) -> Option<String> {
    let text = metadata.get(key)?.to_str().ok()?;
    Some(text.to_owned())
}

/// Parses a number and a unit, as in `grpc-timeout`.
fn duration(text: &str) -> Option<Duration> {
    let (count, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let count: u64 = count.parse().ok()?;
    match unit {
        "n" => Some(Duration::from_nanos(count)),
        "u" => Some(Duration::from_micros(count)),
        "m" => Some(Duration::from_millis(count)),
        "S" => Some(Duration::from_secs(count)),
        // This example has no deadline of minutes or hours.
        _ => None,
    }
}
