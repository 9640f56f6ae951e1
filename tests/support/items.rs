//! A service of items on 127.0.0.1 that fails as planned, and counts what it received.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard};

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::routing::{post, put};
use bytes::Bytes;
use http::header::IF_NONE_MATCH;
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response};
use http_body_util::{BodyExt, Channel};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{self, Client};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tower::util::MapResponse;
use tower::{Service, ServiceExt};
use tower_http_retry::BoxError;

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Protocol {
    Http1,
    Http2,
}

/// What happens to an operation, which is a POST, PUT or DELETE.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Turn {
    Done,
    /// Done, but answered with this status.
    DoneBut(u16),
    /// Done, but not answered: over HTTP/1.1 the connection is closed, over HTTP/2 the stream is reset.
    DoneAndLost,
    /// Done, but not answered: the connection is closed.
    DoneAndClosed,
    /// Done, but the response breaks off in the middle of its body, when [`Items::cut`] is called.
    DoneAndCut,
    /// Not done, but answered with this status.
    Failed(u16),
    /// The same, before the body of the request is read.
    FailedUnread(u16),
    /// Not done until an operation with [`Turn::Overtakes`] arrives, even if the client has gone by then.
    Overtaken,
    /// Done after the operation with [`Turn::Overtaken`].
    Overtakes,
}

/// How a probe is answered, which is a GET or HEAD.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Answer {
    Truth,
    /// The truth, but the body is sent after the client has received the head.
    TruthLate,
    /// The truth, but the body of a 404 is longer than what is drained of a response that is dropped.
    TruthLong,
    Status(u16),
    /// Not answered, as with [`Turn::DoneAndLost`].
    Lost,
}

/// The numbers of items, and of requests received so far.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Counts {
    pub items: usize,
    pub operations: usize,
    pub probes: usize,
}

impl Counts {
    pub fn new(items: usize, operations: usize, probes: usize) -> Self {
        Self {
            items,
            operations,
            probes,
        }
    }
}

pub struct Items {
    address: SocketAddr,
    protocol: Protocol,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

#[derive(Default)]
struct Shared {
    kept: Mutex<Kept>,
    operated: Notify,
    probed: Notify,
    cut: Notify,
    overtake: Notify,
    overtaken: Notify,
    /// The client has received the head of a response with [`Answer::TruthLate`].
    has_head: Notify,
}

#[derive(Default)]
struct Kept {
    turns: VecDeque<Turn>,
    answers: VecDeque<Answer>,
    items: Vec<Item>,
    operations: usize,
    probes: usize,
    connections: usize,
}

struct Item {
    name: String,
    content: Bytes,
}

/// The header of a response with [`Answer::TruthLate`].
const LATE: &str = "late";

/// An extension of a response that is not sent.
#[derive(Clone, Copy)]
enum Lost {
    Stream,
    Connection,
}

/// The body of all responses that are not an item: 5 KiB.
pub const PAGE: [u8; 5 << 10] = [b'x'; 5 << 10];

impl Items {
    /// Starts the service. After the end of the plan, operations are done, and probes get the truth.
    pub async fn start(
        protocol: Protocol,
        turns: impl IntoIterator<Item = Turn>,
        answers: impl IntoIterator<Item = Answer>,
    ) -> Self {
        let shared = Arc::new(Shared::default());
        shared.kept().turns = turns.into_iter().collect();
        shared.kept().answers = answers.into_iter().collect();
        let router = Router::new()
            .route("/items", post(operate))
            .route("/items/{name}", put(operate).delete(operate).get(probe))
            .with_state(shared.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let counting = shared.clone();
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                counting.kept().connections += 1;
                tokio::spawn(serve(protocol, stream, router.clone()));
            }
        });
        Self {
            address,
            protocol,
            shared,
            accepting,
        }
    }

    /// Creates a client with a separate connection pool, which its clones share.
    pub fn client<B>(
        &self,
    ) -> impl Service<
        Request<B>,
        Response = Response<Incoming>,
        Error = legacy::Error,
        Future: Send + Unpin,
    > + Clone
    + Send
    + Sync
    + use<B>
    where
        B: http_body::Body<Data: Send, Error: Into<BoxError>> + Send + Unpin + 'static,
    {
        let shared = self.shared.clone();
        MapResponse::new(
            client(self.protocol),
            move |response: Response<Incoming>| {
                if response.headers().contains_key(LATE) {
                    shared.has_head.notify_one();
                }
                response
            },
        )
    }

    pub fn uri(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub fn insert(&self, name: &str) {
        self.shared.kept().insert(name, Bytes::new());
    }

    pub fn counts(&self) -> Counts {
        let kept = self.shared.kept();
        Counts {
            items: kept.items.len(),
            operations: kept.operations,
            probes: kept.probes,
        }
    }

    /// Returns the content of each item.
    pub fn contents(&self) -> Vec<Bytes> {
        let kept = self.shared.kept();
        kept.items.iter().map(|item| item.content.clone()).collect()
    }

    pub fn connections(&self) -> usize {
        self.shared.kept().connections
    }

    /// Waits until the head of an operation has been received.
    pub async fn operated(&self) {
        self.shared.operated.notified().await;
    }

    /// Waits until a probe has been received.
    pub async fn probed(&self) {
        self.shared.probed.notified().await;
    }

    /// Breaks off the response with [`Turn::DoneAndCut`].
    pub fn cut(&self) {
        self.shared.cut.notify_one();
    }
}

impl Drop for Items {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

pub fn client<B>(protocol: Protocol) -> Client<HttpConnector, B>
where
    B: http_body::Body<Data: Send> + Send,
{
    // Otherwise, a frame waits until the previous one is acknowledged.
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    Client::builder(TokioExecutor::new())
        .http2_only(protocol == Protocol::Http2)
        .build(connector)
}

/// Serves a connection until it ends, or until a response is lost with [`Lost::Connection`].
pub async fn serve(protocol: Protocol, stream: TcpStream, router: Router) {
    stream.set_nodelay(true).unwrap();
    let closed = Arc::new(Notify::new());
    let close = closed.clone();
    let service = service_fn(move |request| answer(router.clone(), request, close.clone()));
    let builder = auto::Builder::new(TokioExecutor::new());
    let builder = match protocol {
        Protocol::Http1 => builder.http1_only(),
        Protocol::Http2 => builder.http2_only(),
    };
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    tokio::select! {
        // The connection may end with or without an error.
        _ = connection.as_mut() => {}
        () = closed.notified() => {}
    }
}

async fn answer(
    router: Router,
    request: Request<Incoming>,
    close: Arc<Notify>,
) -> io::Result<Response<Body>> {
    let Ok(response) = router.oneshot(request.map(Body::new)).await;
    match response.extensions().get() {
        None => Ok(response),
        Some(Lost::Stream) => Err(ErrorKind::Other.into()),
        Some(Lost::Connection) => {
            close.notify_one();
            std::future::pending().await
        }
    }
}

async fn operate(State(shared): State<Arc<Shared>>, request: Request<Body>) -> Response<Body> {
    let turn = {
        let mut kept = shared.kept();
        kept.operations += 1;
        kept.turns.pop_front().unwrap_or(Turn::Done)
    };
    shared.operated.notify_one();
    if let Turn::FailedUnread(status) = turn {
        return page(status);
    }
    let (head, body) = request.into_parts();
    let content = body.collect().await.unwrap().to_bytes();
    let done = |shared: &Shared| shared.kept().operate(&head, content.clone());
    match turn {
        Turn::Done => done(&shared),
        Turn::DoneBut(status) => {
            done(&shared);
            page(status)
        }
        Turn::DoneAndLost => lost(done(&shared), Lost::Stream),
        Turn::DoneAndClosed => lost(done(&shared), Lost::Connection),
        Turn::DoneAndCut => cut(done(&shared), shared),
        Turn::Failed(status) | Turn::FailedUnread(status) => page(status),
        Turn::Overtaken => {
            // A separate task continues if the client closes the connection.
            let late = tokio::spawn(async move {
                shared.overtake.notified().await;
                let response = shared.kept().operate(&head, content);
                shared.overtaken.notify_one();
                response
            });
            late.await.unwrap()
        }
        Turn::Overtakes => {
            shared.overtake.notify_one();
            shared.overtaken.notified().await;
            done(&shared)
        }
    }
}

async fn probe(State(shared): State<Arc<Shared>>, request: Request<Body>) -> Response<Body> {
    let (answer, truth) = {
        let mut kept = shared.kept();
        kept.probes += 1;
        let answer = kept.answers.pop_front().unwrap_or(Answer::Truth);
        (answer, kept.probe(request.uri().path()))
    };
    shared.probed.notify_one();
    match answer {
        Answer::Truth => truth,
        Answer::TruthLate => late(truth, shared),
        Answer::TruthLong if truth.status() == 404 => truth.map(|_| Body::from(PAGE.repeat(40))),
        Answer::TruthLong => truth,
        Answer::Status(status) => page(status),
        Answer::Lost => lost(truth, Lost::Stream),
    }
}

impl Shared {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap()
    }
}

impl Kept {
    fn insert(&mut self, name: &str, content: Bytes) {
        let name = name.to_owned();
        self.items.push(Item { name, content });
    }

    fn position(&self, name: &str) -> Option<usize> {
        self.items.iter().position(|item| item.name == name)
    }

    /// Performs an operation. The name of a posted item is the first line of its content.
    fn operate(&mut self, head: &Parts, content: Bytes) -> Response<Body> {
        let name = item_of(head.uri.path());
        match (&head.method, self.position(name)) {
            (&Method::POST, _) => {
                let text = std::str::from_utf8(&content).unwrap();
                let name = text.lines().next().unwrap().to_owned();
                self.insert(&name, content);
                page(201)
            }
            (&Method::PUT, None) => {
                self.insert(name, content);
                page(201)
            }
            (&Method::PUT, Some(_)) => match head.headers.get(IF_NONE_MATCH) {
                Some(any) if any == "*" => page(412),
                _ => page(409),
            },
            (_, Some(position)) => {
                self.items.remove(position);
                let response = Response::builder().status(204);
                response.body(Body::empty()).unwrap()
            }
            (_, None) => page(404),
        }
    }

    fn probe(&self, path: &str) -> Response<Body> {
        match self.position(item_of(path)) {
            Some(position) => Response::new(Body::from(self.items[position].content.clone())),
            None => page(404),
        }
    }
}

fn item_of(path: &str) -> &str {
    path.rsplit('/').next().unwrap()
}

fn page(status: u16) -> Response<Body> {
    let response = Response::builder().status(status);
    response.body(Body::from(&PAGE[..])).unwrap()
}

fn lost(mut response: Response<Body>, lost: Lost) -> Response<Body> {
    response.extensions_mut().insert(lost);
    response
}

fn cut(response: Response<Body>, shared: Arc<Shared>) -> Response<Body> {
    let (mut sender, body) = Channel::<Bytes, io::Error>::new(1);
    tokio::spawn(async move {
        sender.send_data(Bytes::from_static(&PAGE)).await.unwrap();
        shared.cut.notified().await;
        sender.abort(ErrorKind::Other.into());
    });
    response.map(|_| Body::new(body))
}

fn late(response: Response<Body>, shared: Arc<Shared>) -> Response<Body> {
    let (mut head, whole) = response.into_parts();
    head.headers.insert(LATE, HeaderValue::from_static("true"));
    let (mut sender, body) = Channel::<Bytes, Infallible>::new(1);
    tokio::spawn(async move {
        let whole = whole.collect().await.unwrap().to_bytes();
        shared.has_head.notified().await;
        // The client may have dropped the body.
        let _ = sender.send_data(whole).await;
    });
    Response::from_parts(head, Body::new(body))
}
