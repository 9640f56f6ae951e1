//! An upstream that fails in different ways, depending on the path of a request.

use std::collections::HashSet;
use std::convert::Infallible;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::sleep;

/// The most requests whose ids are kept.
const MOST_REQUESTS: usize = 10_000;

/// The delay of a silent response, which is longer than an attempt may take.
const SILENCE: Duration = Duration::from_secs(3);

/// How long the quota stays used up, unless a request sets another time; in seconds.
const USED_UP: u16 = 3;

type Answer = Response<Full<Bytes>>;

/// What the upstream does with a request.
#[derive(Clone, Copy)]
enum Plan {
    Serve,
    /// Answers with the request headers as text, and adds hop-by-hop headers, which must not be forwarded.
    Echo,
    Missing,
    Down,
    /// Fails when the request arrives for the first time.
    Once(Fault),
    /// Uses up the quota, which all requests share, when the request arrives for the first time.
    UseUp,
}

#[derive(Clone, Copy)]
enum Fault {
    Unavailable,
    Throttled,
    Silent,
    Cut,
}

/// The paths of the upstream, with the behaviour and a description of each.
const PLANS: [(&str, Plan, &str); 8] = [
    ("/ok", Plan::Serve, "200"),
    (
        "/flaky",
        Plan::Once(Fault::Unavailable),
        "503 once, then 200",
    ),
    (
        "/throttled",
        Plan::Once(Fault::Throttled),
        "429 with Retry-After: 1 once, then 200",
    ),
    (
        "/slow",
        Plan::Once(Fault::Silent),
        "no answer in time once, then 200",
    ),
    (
        "/cut",
        Plan::Once(Fault::Cut),
        "the connection is cut once, then 200",
    ),
    (
        "/quota",
        Plan::UseUp,
        "429 with RateLimit, on all paths for 3 seconds (or ?t=SECONDS), then 200",
    ),
    ("/down", Plan::Down, "503"),
    ("/headers", Plan::Echo, "200, with the headers that arrived"),
];

/// The paths that can be requested, each with its description.
pub(crate) fn paths() -> impl Iterator<Item = (&'static str, &'static str)> {
    let planned = PLANS.iter().map(|(path, _, what)| (*path, *what));
    planned.chain([("/missing", "404, as for any other path")])
}

/// Serves on a free port until it is dropped.
pub(crate) struct Upstream {
    address: SocketAddr,
    serving: AbortHandle,
}

impl Upstream {
    pub(crate) async fn listen() -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let serving = tokio::spawn(serve(listener)).abort_handle();
        Ok(Self { address, serving })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(listener: TcpListener) -> io::Result<Infallible> {
    let known = Arc::new(Known::default());
    // Dropping it ends the connections.
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await?;
        connections.spawn(connection(stream, known.clone()));
        while connections.try_join_next().is_some() {}
    }
}

async fn connection(stream: TcpStream, known: Arc<Known>) {
    let answer = service_fn(async |mut request: Request<Incoming>| {
        // If a response is sent before the request body is read, hyper closes the connection.
        while let Some(Ok(_)) = request.body_mut().frame().await {}
        answer(&known, &request).await
    });
    // An error is expected if the connection is cut.
    let _ = http1::Builder::new()
        .serve_connection(TokioIo::new(stream), answer)
        .await;
}

async fn answer(known: &Known, request: &Request<Incoming>) -> Result<Answer, Cut> {
    if let Some(left) = known.quota_left() {
        return Ok(refusal(left));
    }
    let path = request.uri().path();
    let plan = PLANS.iter().find(|(planned, _, _)| *planned == path);
    match plan.map_or(Plan::Missing, |(_, plan, _)| *plan) {
        Plan::Serve => Ok(text(StatusCode::OK, "served\n")),
        Plan::Echo => Ok(echo(request.headers())),
        Plan::Missing => Ok(text(StatusCode::NOT_FOUND, "there is nothing here\n")),
        Plan::Down => Ok(text(StatusCode::SERVICE_UNAVAILABLE, "down\n")),
        Plan::Once(fault) if known.is_first(request) => fail(fault).await,
        Plan::UseUp if known.is_first(request) => {
            let time = asked_time(request.uri());
            known.use_up(time);
            Ok(refusal(time))
        }
        Plan::Once(_) | Plan::UseUp => Ok(text(StatusCode::OK, "served when it came again\n")),
    }
}

async fn fail(fault: Fault) -> Result<Answer, Cut> {
    match fault {
        Fault::Unavailable => Ok(text(StatusCode::SERVICE_UNAVAILABLE, "not now\n")),
        Fault::Throttled => {
            let mut answer = text(StatusCode::TOO_MANY_REQUESTS, "not so fast\n");
            answer.headers_mut().insert(RETRY_AFTER, 1.into());
            Ok(answer)
        }
        Fault::Silent => {
            sleep(SILENCE).await;
            Ok(text(StatusCode::OK, "too late\n"))
        }
        Fault::Cut => Err(Cut),
    }
}

/// The time that a request sets for the used-up quota.
fn asked_time(uri: &Uri) -> Duration {
    let asked = uri.query().and_then(|query| query.strip_prefix("t="));
    let seconds = asked.and_then(|seconds| seconds.parse().ok());
    Duration::from_secs(u64::from(seconds.unwrap_or(USED_UP)))
}

/// A 429 with the time until the quota is renewed.
fn refusal(left: Duration) -> Answer {
    let seconds = left.as_secs() + u64::from(left.subsec_nanos() > 0);
    let quota = format!(r#""default";r=0;t={seconds}"#).parse();
    let mut answer = text(StatusCode::TOO_MANY_REQUESTS, "the quota is used up\n");
    let headers = answer.headers_mut();
    headers.insert("ratelimit", quota.expect("it is plain text"));
    answer
}

fn echo(headers: &HeaderMap) -> Answer {
    let mut lines = String::new();
    for (name, value) in headers {
        lines += &format!("{name}: {}\n", value.to_str().unwrap_or_default());
    }
    let mut answer = text(StatusCode::OK, lines);
    let headers = answer.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("x-hop"));
    headers.insert("keep-alive", HeaderValue::from_static("timeout=60"));
    headers.insert("x-hop", HeaderValue::from_static("upstream"));
    answer
}

fn text(status: StatusCode, text: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Full::new(text.into()));
    *answer.status_mut() = status;
    let plain = HeaderValue::from_static("text/plain");
    answer.headers_mut().insert(CONTENT_TYPE, plain);
    answer
}

/// The state of the upstream.
#[derive(Default)]
struct Known {
    /// The ids of requests whose first attempt has failed. All attempts of a request have the same id.
    ids: Mutex<HashSet<Vec<u8>>>,
    /// The time at which the quota is renewed.
    used_up_until: Mutex<Option<Instant>>,
}

impl Known {
    fn is_first(&self, request: &Request<Incoming>) -> bool {
        let Some(id) = request.headers().get("x-request-id") else {
            return true;
        };
        let mut ids = self.ids.lock().unwrap_or_else(PoisonError::into_inner);
        if ids.remove(id.as_bytes()) {
            return false;
        }
        // These requests were never repeated.
        if ids.len() >= MOST_REQUESTS {
            ids.clear();
        }
        ids.insert(id.as_bytes().to_vec())
    }

    fn use_up(&self, time: Duration) {
        *self.used_up_until() = Some(Instant::now() + time);
    }

    /// The time until the quota is renewed, if it is used up.
    fn quota_left(&self) -> Option<Duration> {
        let until = (*self.used_up_until())?;
        let left = until.saturating_duration_since(Instant::now());
        (!left.is_zero()).then_some(left)
    }

    fn used_up_until(&self) -> MutexGuard<'_, Option<Instant>> {
        self.used_up_until
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// The error that ends a connection without a response.
#[derive(Debug)]
struct Cut;

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the connection is cut")
    }
}

impl std::error::Error for Cut {}
