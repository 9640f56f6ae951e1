//! The management service, with its faults and the requests that it received.

use std::collections::VecDeque;
use std::fmt;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::response::Response;
use http::{Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tower::ServiceExt;
use tower_http_retry::BoxError;

use crate::collection::{Collection, Names, refuse};

pub(crate) const RELYING_PARTIES: &str = "/relying-parties";
pub(crate) const RULES: &str = "/rules";

/// A limit far above the size of an item, so that a faulty client cannot fill the memory.
const LARGEST_REQUEST: usize = 64 * 1024;

/// How an operation fails. A GET never fails.
#[derive(Clone, Copy)]
pub(crate) enum Fault {
    /// The operation is not done, and answered 503.
    NotDone,
    /// The operation is done, and answered 500.
    DoneThenFailed,
    /// The operation is done, and then the connection is closed without a response.
    DoneThenKilled,
}

/// One request, as the service received it.
pub(crate) struct Seen {
    /// When it arrived, on the service's clock.
    at: Duration,
    method: Method,
    path: String,
    /// Whether the operation was done, or whether a GET found the item.
    is_done: bool,
    /// `None` if the connection was killed.
    answer: Option<StatusCode>,
}

#[derive(Clone)]
pub(crate) struct ManagementService {
    started: Instant,
    collections: [Collection; 2],
    router: Router,
    /// The faults of the next operations, in order.
    faults: Arc<Mutex<VecDeque<Fault>>>,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl ManagementService {
    pub(crate) fn new() -> Self {
        let relying_parties = Collection::new(RELYING_PARTIES, Names::Unique);
        let rules = Collection::new(RULES, Names::Shared);
        Self {
            started: Instant::now(),
            router: relying_parties.router().merge(rules.router()),
            collections: [relying_parties, rules],
            faults: Arc::default(),
            seen: Arc::default(),
        }
    }

    /// Serves on a free port until the program ends.
    ///
    /// This uses hyper directly, because hyper closes the connection if the service fails. axum's
    /// server takes only services that cannot fail.
    pub(crate) async fn listen(&self) -> Result<Uri, BoxError> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let uri = format!("http://{}/", listener.local_addr()?).parse()?;
        let service = self.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let service = service.clone();
                let answer = service_fn(move |request| service.clone().answer(request));
                let stream = TokioIo::new(stream);
                tokio::spawn(http1::Builder::new().serve_connection(stream, answer));
            }
        });
        Ok(uri)
    }

    /// Sets the faults of the next operations, in order.
    pub(crate) fn plan(&self, faults: &[Fault]) {
        *lock(&self.faults) = faults.iter().copied().collect();
    }

    /// Returns the requests since the last call.
    pub(crate) fn take_seen(&self) -> Vec<Seen> {
        mem::take(&mut lock(&self.seen))
    }

    /// Returns the names of all items of a collection, sorted.
    pub(crate) fn names(&self, path: &str) -> Vec<String> {
        let collections = self.collections.iter();
        collections
            .filter(|collection| collection.path() == path)
            .flat_map(Collection::sorted_names)
            .collect()
    }

    /// Answers a request. An error closes the connection.
    async fn answer(self, request: Request<Incoming>) -> Result<Response, BoxError> {
        let at = self.started.elapsed();
        let (head, body) = request.into_parts();
        let (method, path) = (head.method.clone(), head.uri.path().to_owned());
        // The body is always read to its end. If a part is left unread, closing the connection can
        // discard a response.
        let body = Limited::new(body, LARGEST_REQUEST).collect().await?;
        let request = Request::from_parts(head, Full::new(body.to_bytes()));

        let fault = match method {
            Method::GET => None,
            _ => lock(&self.faults).pop_front(),
        };
        let response = match fault {
            Some(Fault::NotDone) => refuse(StatusCode::SERVICE_UNAVAILABLE, "try again later"),
            _ => self.router.oneshot(request).await?,
        };
        let is_done = response.status().is_success();
        let answer = match fault {
            Some(Fault::DoneThenKilled) => Err("the connection is killed".into()),
            Some(Fault::DoneThenFailed) => {
                Ok(refuse(StatusCode::INTERNAL_SERVER_ERROR, "it went wrong"))
            }
            Some(Fault::NotDone) | None => Ok(response),
        };
        lock(&self.seen).push(Seen {
            at,
            method,
            path,
            is_done,
            answer: answer.as_ref().ok().map(Response::status),
        });
        answer
    }
}

/// One line of the timeline.
impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.at.as_secs_f64();
        write!(
            f,
            "{at:.3} s  {:<6} {:<33} ",
            self.method.as_str(),
            self.path
        )?;
        match self.method {
            Method::GET => {}
            _ if self.is_done => f.write_str("done, ")?,
            _ => f.write_str("not done, ")?,
        }
        match self.answer {
            Some(status) => write!(f, "{status}"),
            None => f.write_str("connection killed"),
        }
    }
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
