//! What servers that shut their HTTP/2 connections down, one after the other, make of requests that
//! callers go on to send.
//!
//! `GOAWAY_REQUESTS` says how many requests each test sends.
//!
//! A binary of its own: each test has all of the machine's threads, and an attempt a second of real time.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::env;
use std::error::Error;
use std::net::Ipv4Addr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex, Notify};
use tokio::task::JoinSet;
use tower::{Layer, ServiceExt};
use tower_http_retry::classify::{Class, Classify};
use tower_http_retry::event::{Event, EventKind};
use tower_http_retry::grpc::ByGrpcStatus;
use tower_http_retry::{Backoff, Jitter, RetryLayer};

/// How many requests are sent if nothing else is said.
const REQUESTS: usize = 4_000;
/// How many are under way at once.
const CALLERS: usize = 32;

/// Each of these tests has the machine's threads for itself: they meet in all orders.
static ALONE: Mutex<()> = Mutex::const_new(());

/// What became of a request.
#[derive(Default)]
struct Fate {
    /// How often the server began to act on it.
    acted: AtomicU32,
    /// Whether a GOAWAY left it out, so that its first attempt was refused.
    left_out: AtomicBool,
    /// Whether it was called refused although its body was unread, or the other way round.
    misjudged: AtomicBool,
    /// Whether it waited for a stream when its connection ended.
    waited: AtomicBool,
    /// Whether its caller had a 200.
    answered: AtomicBool,
    /// Whether its caller was handed a refusal by a GOAWAY.
    turned_away: AtomicBool,
}

struct Journal(Vec<Fate>);

/// What is sent, to what servers.
#[derive(Clone)]
struct Case {
    method: Method,
    /// The pieces of a body; none, if there are none.
    pieces: Vec<Bytes>,
    is_sized: bool,
    /// How many requests may be under way at once on a connection.
    streams: u32,
    /// A connection is shut down by the request with this number on it.
    lifetime: usize,
}

/// The request's number and whether its first attempt's body has begun to be read, as an extension.
#[derive(Clone)]
struct Mark {
    id: usize,
    is_begun: Arc<AtomicBool>,
}

struct Upload {
    pieces: VecDeque<Bytes>,
    is_sized: bool,
    is_begun: Arc<AtomicBool>,
}

impl Body for Upload {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.is_begun.store(true, SeqCst);
        Poll::Ready(self.pieces.pop_front().map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.is_sized && self.pieces.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        let len = self.pieces.iter().map(|piece| piece.len() as u64).sum();
        if self.is_sized {
            SizeHint::with_exact(len)
        } else {
            SizeHint::default()
        }
    }
}

impl Journal {
    fn of(requests: usize) -> Arc<Self> {
        Arc::new(Self((0..requests).map(|_| Fate::default()).collect()))
    }

    fn hear(&self, event: &Event<'_>) {
        let Some(error) = event.error() else {
            return;
        };
        let mark = event.request().extensions().get::<Mark>().expect("a mark");
        let (fate, is_refused) = (&self.0[mark.id], event.class() == Some(Class::Refused));
        if chain(error).any(|cause| cause.to_string() == "dispatch task is gone") {
            fate.waited.store(true, SeqCst);
        }
        if !chain(error).any(|cause| cause.downcast_ref().is_some_and(h2::Error::is_go_away)) {
            return;
        }
        if event.attempt() == 1 {
            let is_begun = mark.is_begun.load(SeqCst);
            fate.misjudged.store(is_refused != is_begun, SeqCst);
            fate.left_out.store(is_refused, SeqCst);
        }
        let is_handed_up = matches!(event.kind(), EventKind::Stopped(_));
        fate.turned_away.store(is_refused && is_handed_up, SeqCst);
    }

    fn count(&self, is: impl Fn(&Fate) -> bool) -> usize {
        self.0.iter().filter(|fate| is(fate)).count()
    }

    /// What holds of all requests, whatever their bodies.
    fn check(&self) {
        let acted_twice = self.count(|fate| fate.acted.load(SeqCst) > 1);
        let made_up = |fate: &Fate| fate.answered.load(SeqCst) && fate.acted.load(SeqCst) != 1;
        let turned_away = self.count(|fate| fate.turned_away.load(SeqCst));
        let answered = self.count(|fate| fate.answered.load(SeqCst));
        let left_out = self.left_out();
        println!("{left_out} were left out, {answered} answered, {acted_twice} acted on twice");
        assert_eq!((acted_twice, self.count(made_up)), (0, 0));
        assert_eq!(self.count(|fate| fate.misjudged.load(SeqCst)), 0);
        assert_eq!(turned_away, 0);
        assert!(answered > self.0.len() / 2, "{answered} were answered");
    }

    /// How many were left out by a GOAWAY and answered by a retry.
    fn left_out(&self) -> usize {
        self.count(|fate| fate.left_out.load(SeqCst) && fate.answered.load(SeqCst))
    }
}

fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}

/// Accepts connections for ever.
async fn serve(listener: TcpListener, case: Case, journal: Arc<Journal>) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        tokio::spawn(converse(stream, case.clone(), journal.clone()));
    }
}

async fn converse(stream: TcpStream, case: Case, journal: Arc<Journal>) {
    let (count, is_over) = (AtomicUsize::new(0), Notify::new());
    let (count, is_over) = (Arc::new(count), Arc::new(is_over));
    let ends = is_over.clone();
    let service = service_fn(move |request: Request<Incoming>| {
        if count.fetch_add(1, SeqCst) + 1 == case.lifetime {
            is_over.notify_one();
        }
        let journal = journal.clone();
        async move {
            let id = request.headers()["x-id"].to_str().unwrap();
            journal.0[id.parse::<usize>().unwrap()]
                .acted
                .fetch_add(1, SeqCst);
            request.into_body().collect().await?;
            let response = Response::builder().header("grpc-status", 0);
            Ok::<_, hyper::Error>(response.body(Empty::<Bytes>::new()).unwrap())
        }
    });
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder.max_concurrent_streams(case.streams);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    tokio::select! {
        _ = connection.as_mut() => return,
        () = ends.notified() => connection.as_mut().graceful_shutdown(),
    }
    // However the client leaves.
    let _ = connection.await;
}

/// Sends the requests, and returns what became of them.
async fn send<C>(layer: RetryLayer<C>, case: Case) -> Arc<Journal>
where
    C: Classify + Clone + Send + Sync + 'static,
{
    let _alone = ALONE.lock().await;
    let journal = Journal::of(requests());
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let uri = format!("http://{}/item", listener.local_addr().unwrap());
    let mut server = JoinSet::new();
    server.spawn(serve(listener, case.clone(), journal.clone()));

    let told = journal.clone();
    let client = Client::builder(TokioExecutor::new())
        .http2_only(true)
        .build_http();
    let client = layer
        .max_retries(50)
        .without_budget()
        .backoff(Backoff::fixed(Duration::from_millis(1)).jitter(Jitter::None))
        // A connection that ends can leave a request of hyper's waiting for ever.
        .attempt_timeout(Duration::from_secs(1))
        .on_event(move |event| told.hear(event))
        .layer(client);
    let next = Arc::new(AtomicUsize::new(0));
    let mut callers = JoinSet::new();
    for _ in 0..CALLERS {
        let (client, case, uri) = (client.clone(), case.clone(), uri.clone());
        let (next, journal) = (next.clone(), journal.clone());
        callers.spawn(async move {
            loop {
                let id = next.fetch_add(1, SeqCst);
                let Some(fate) = journal.0.get(id) else {
                    return;
                };
                if let Ok(response) = client.clone().oneshot(case.request(&uri, id)).await {
                    assert_eq!(response.status(), 200);
                    fate.answered.store(true, SeqCst);
                }
            }
        });
    }
    while let Some(ended) = callers.join_next().await {
        ended.unwrap();
    }
    journal
}

impl Case {
    /// POSTs to servers that limit streams by nothing that is met here.
    fn post(pieces: impl Into<Vec<Bytes>>) -> Self {
        Self {
            method: Method::POST,
            pieces: pieces.into(),
            is_sized: true,
            streams: 200,
            lifetime: 16,
        }
    }

    fn request(&self, uri: &str, id: usize) -> Request<Upload> {
        let is_begun = Arc::<AtomicBool>::default();
        let mark = Mark {
            id,
            is_begun: is_begun.clone(),
        };
        let request = Request::builder().method(&self.method).uri(uri);
        let request = request.header("x-id", id).extension(mark);
        let body = Upload {
            pieces: self.pieces.clone().into(),
            is_sized: self.is_sized,
            is_begun,
        };
        request.body(body).unwrap()
    }
}

fn requests() -> usize {
    let number = env::var("GOAWAY_REQUESTS").ok();
    number.map_or(REQUESTS, |number| number.parse().expect("a number"))
}

/// Each call is sent again only by the transparent retry.
fn transparently() -> RetryLayer<ByGrpcStatus> {
    const UNAVAILABLE: i32 = 14;
    RetryLayer::grpc().classify(ByGrpcStatus::new().except(UNAVAILABLE))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_post_without_a_body_is_acted_on_once_by_servers_that_shut_down() {
    send(RetryLayer::new(), Case::post([])).await.check();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_post_that_a_go_away_left_out_is_sent_again_and_acted_on_once() {
    let case = Case::post([Bytes::from(vec![7; 1_024])]);
    let journal = send(RetryLayer::new(), case).await;
    journal.check();
    assert_ne!(journal.left_out(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_streamed_post_that_a_go_away_left_out_is_sent_again_and_acted_on_once() {
    let case = Case {
        is_sized: false,
        ..Case::post(vec![Bytes::from(vec![7; 256]); 4])
    };
    let journal = send(RetryLayer::new(), case).await;
    journal.check();
    assert_ne!(journal.left_out(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_grpc_call_that_a_go_away_left_out_is_sent_again_and_acted_on_once() {
    let case = Case::post([Bytes::from_static(b"\0\0\0\0\x05hello")]);
    let journal = send(transparently(), case).await;
    journal.check();
    assert_ne!(journal.left_out(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_grpc_call_without_a_body_is_acted_on_once_by_servers_that_shut_down() {
    send(transparently(), Case::post([])).await.check();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_get_is_lost_that_waits_for_a_stream_of_a_server_that_shuts_down() {
    let case = Case {
        method: Method::GET,
        streams: 8,
        lifetime: 100,
        ..Case::post([])
    };
    let journal = send(RetryLayer::new(), case).await;
    let lost = journal.count(|fate| !fate.answered.load(SeqCst));
    let waited = journal.count(|fate| fate.waited.load(SeqCst));
    println!("{waited} waited, {lost} lost");
    assert_eq!(lost, 0);
    assert_ne!(waited, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_post_that_waits_for_a_stream_of_a_server_that_shuts_down_is_acted_on_once() {
    let case = Case {
        streams: 8,
        lifetime: 100,
        ..Case::post([Bytes::from(vec![7; 1_024])])
    };
    let journal = send(RetryLayer::new(), case).await;
    let waited = journal.count(|fate| fate.waited.load(SeqCst));
    println!("{waited} waited");
    journal.check();
    assert_ne!(waited, 0);
}
