//! A server on 127.0.0.1 that writes arbitrary bytes and records when each connection begins and ends;
//! one that treats HTTP/2 streams in unusual ways; requests to them; and a load on a service in memory.

// Not all of it is used without feature `http2`.
#![allow(dead_code)]

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use allocation_counter::{AllocationInfo, measure};
use bytes::Bytes;
use h2::server::SendResponse;
use http::{Request, Response};
use http_body::Frame;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::io::{AsyncReadExt, AsyncWriteExt, sink};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Handle};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_http_retry::{Backoff, BoxError, Jitter, ReplayBody, RetryLayer};

use super::server::OK;
use super::stops;
use super::told::Told;
use super::upstream::{self, Body};

/// What is written to a connection after the head of a request has been read from it.
#[derive(Clone, Debug)]
pub struct Answer {
    first: Vec<u8>,
    again: Vec<u8>,
    every: Duration,
}

/// When a request arrived, and when the client closed the connection if that was before the end of the
/// response. Both are times since the start of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Visit {
    pub at: Duration,
    pub left: Option<Duration>,
}

pub struct Server {
    address: SocketAddr,
    log: Log,
}

#[derive(Clone)]
struct Log {
    start: Instant,
    visits: Arc<Mutex<Vec<Visit>>>,
}

impl Answer {
    /// Writes these bytes, and closes the connection.
    pub fn whole(bytes: impl Into<Vec<u8>>) -> Self {
        Self::endless(bytes, [], Duration::ZERO)
    }

    /// Writes `first`, and then `again` repeatedly, each time after a wait of `every`, until the client
    /// closes the connection.
    pub fn endless(first: impl Into<Vec<u8>>, again: impl Into<Vec<u8>>, every: Duration) -> Self {
        Self {
            first: first.into(),
            again: again.into(),
            every,
        }
    }

    /// Writes the response. It ends after 64 MiB, so that a client that never closes the connection fails its
    /// test instead of blocking it.
    async fn write(&self, mut stream: impl AsyncWriteExt + Unpin) -> std::io::Result<()> {
        const MOST: usize = 64 * 1024 * 1024;
        stream.write_all(&self.first).await?;
        let times = MOST.checked_div(self.again.len()).unwrap_or(0);
        for _ in 0..times {
            if !self.every.is_zero() {
                sleep(self.every).await;
            }
            stream.write_all(&self.again).await?;
        }
        Ok(())
    }
}

impl Server {
    /// Starts a server that answers one request on each connection as planned. Further connections use the
    /// last entry of the plan.
    pub async fn start(plan: impl Into<Vec<Answer>>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let log = Log {
            start: Instant::now(),
            visits: Arc::default(),
        };
        tokio::spawn(serve(listener, plan.into(), log.clone()));
        Self { address, log }
    }

    pub fn uri(&self) -> String {
        format!("http://{}/item", self.address)
    }

    /// Returns when each request arrived.
    pub fn times(&self) -> Vec<Duration> {
        let visits = self.log.visits.lock().unwrap();
        visits.iter().map(|visit| visit.at).collect()
    }

    /// Returns all visits. It waits first until the server has noticed closed connections, which takes no
    /// real time on the paused clock.
    pub async fn visited(&self) -> Vec<Visit> {
        sleep(Duration::from_millis(100)).await;
        self.log.visits.lock().unwrap().clone()
    }
}

async fn serve(listener: TcpListener, plan: Vec<Answer>, log: Log) {
    for turn in 0.. {
        let (stream, _) = listener.accept().await.unwrap();
        let answer = plan[turn.min(plan.len() - 1)].clone();
        tokio::spawn(take(stream, answer, log.clone()));
    }
}

async fn take(mut stream: TcpStream, answer: Answer, log: Log) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        // The connection may end with or without an error.
        if !matches!(stream.read_buf(&mut head).await, Ok(1..)) {
            return;
        }
    }
    let visit = log.come();
    let (mut reader, writer) = stream.split();
    let mut ignored = sink();
    let is_written = tokio::select! {
        _ = tokio::io::copy(&mut reader, &mut ignored) => false,
        written = answer.write(writer) => written.is_ok(),
    };
    if !is_written {
        log.leave(visit);
    }
}

impl Log {
    fn come(&self) -> usize {
        let mut visits = self.visits.lock().unwrap();
        let at = self.start.elapsed();
        visits.push(Visit { at, left: None });
        visits.len() - 1
    }

    fn leave(&self, visit: usize) {
        self.visits.lock().unwrap()[visit].left = Some(self.start.elapsed());
    }
}

pub type HyperClient = Client<HttpConnector, ReplayBody<Body>>;

pub fn client() -> HyperClient {
    Client::builder(TokioExecutor::new()).build_http()
}

/// Returns a layer with the default settings except for the jitter. It waits 1 s, 2 s, 4 s, ..
pub fn layer(told: &Told) -> RetryLayer {
    let told = told.clone();
    stops::layer().on_event(move |event| told.hear(event))
}

pub async fn get(
    layer: RetryLayer,
    client: HyperClient,
    uri: &str,
) -> Result<Response<Incoming>, BoxError> {
    let request = Request::get(uri).body(Body::default()).unwrap();
    layer.layer(client).oneshot(request).await
}

/// Sends a request that waits for `wait` after its first response, and whose second response is a success.
/// Returns the visits, and the size of each frame that was read from the first body.
pub async fn drain(wait: Duration, first: Answer) -> (Vec<Visit>, Vec<usize>) {
    let server = Server::start([first, Answer::whole(OK)]).await;
    let frames = Arc::new(Mutex::new(Vec::new()));
    let seen = frames.clone();
    let client = client().map_response(move |response| {
        let seen = seen.clone();
        response.map(|body| {
            body.inspect_frame(move |frame| {
                let size = frame.data_ref().map_or(0, Bytes::len);
                seen.lock().unwrap().push(size);
            })
        })
    });
    let layer = RetryLayer::new().backoff(Backoff::fixed(wait).jitter(Jitter::None));
    let request = Request::get(server.uri()).body(Body::default()).unwrap();
    let response = layer.layer(client).oneshot(request).await.unwrap();
    assert_eq!(response.status(), 200);
    let frames = frames.lock().unwrap().clone();
    (server.visited().await, frames)
}

/// Starts an HTTP/2 server that calls `treat` for each stream. Returns its URI.
pub async fn start_streams<F>(
    treat: impl Fn(SendResponse<Bytes>) -> F + Copy + Send + 'static,
) -> String
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let mut connection = h2::server::handshake(stream).await.unwrap();
                while let Some(Ok((_, respond))) = connection.accept().await {
                    tokio::spawn(treat(respond));
                }
            });
        }
    });
    format!("http://{address}/item")
}

/// Responds with a 503 that has a thousand headers with values of this length.
pub async fn many_headers(mut respond: SendResponse<Bytes>, length: usize) {
    let mut response = Response::builder().status(503);
    for line in 0..1_000 {
        response = response.header(format!("x-{line}"), "y".repeat(length));
    }
    let response = response.body(()).unwrap();
    respond.send_response(response, true).unwrap();
}

/// Responds with this informational status repeatedly, until the client resets the stream. It ends after
/// a hundred seconds, so that a client that never resets it fails its test.
pub async fn interim(mut respond: SendResponse<Bytes>, status: u16) {
    for _ in 0..10_000 {
        let response = Response::builder().status(status).body(()).unwrap();
        if respond.send_informational(response).is_err() {
            return;
        }
        sleep(Duration::from_millis(10)).await;
    }
}

/// A body that never ends. Every second poll returns a frame of 16 KiB. It panics if more than 64 KiB are
/// read.
#[derive(Default)]
pub struct Endless {
    polls: usize,
}

impl http_body::Body for Endless {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.polls += 1;
        assert!(self.polls <= 2 * 4, "read on and on");
        if self.polls % 2 == 1 {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(Some(Ok(Frame::data(vec![0; 16 * 1024].into()))))
    }
}

const REQUESTS: usize = 10_000;

/// Sends many requests at the same time to a service with these answers, with a time-out of 3 s and two
/// retries. Returns the maximum number of bytes per request. Asserts that everything is freed at the end.
pub fn held<F, R>(answer: impl Fn() -> F + Clone + Send + 'static) -> u64
where
    F: Future<Output = Result<Response<R>, Infallible>> + Send + 'static,
    R: http_body::Body + Send + 'static,
{
    let layer = stops::layer().max_retries(2).without_budget();
    let layer = layer.attempt_timeout(Duration::from_secs(3));
    let attempts = Arc::new(AtomicUsize::new(0));
    let counted = attempts.clone();
    let service = layer.layer(service_fn(move |_: Request<ReplayBody<Body>>| {
        counted.fetch_add(1, Ordering::Relaxed);
        answer()
    }));
    // Warm-up: allocates what is only allocated once.
    load(&service, 1);
    let info = load(&service, REQUESTS);
    assert_eq!(attempts.load(Ordering::Relaxed), 3 * (1 + REQUESTS));
    assert_eq!((info.bytes_current, info.count_current), (0, 0));
    info.bytes_max / REQUESTS as u64
}

/// Measures the allocations of this thread for this number of requests, all in flight at the same time.
fn load<S, R>(service: &S, requests: usize) -> AllocationInfo
where
    S: Service<Request<Body>, Response = Response<R>, Error = BoxError>,
    S: Clone + Send + 'static,
    S::Future: Send,
    R: Send + 'static,
{
    measure(|| {
        let mut runtime = Builder::new_current_thread();
        let runtime = runtime.enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let mut tasks = JoinSet::new();
            for _ in 0..requests {
                tasks.spawn(service.clone().oneshot(upstream::get()));
            }
            // The clock only advances when all of them wait.
            sleep(Duration::from_millis(1)).await;
            let in_flight = Handle::current().metrics().num_alive_tasks();
            assert_eq!(in_flight, requests);
            while let Some(ended) = tasks.join_next().await {
                drop(ended.unwrap());
            }
        });
    })
}
