//! Two attempts beside one another over real connections: one wins, the other is cancelled.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Channel, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::TcpListener;
use tokio::sync::{Notify, Semaphore};
use tower::{Layer, ServiceExt};
use tower_http_retry::hedge::{HedgeBody, Hedged};
use tower_http_retry::{HedgeLayer, Idempotency};

/// What is sent as one body, in pieces.
const LENGTH: usize = 65_536;
const PIECES: usize = 16;

/// Which of the two requests is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answered {
    First,
    Hedge,
}

/// Answers one of two requests, when both are there; the other is not answered before it is told to.
struct Server {
    answered: Answered,
    requests: AtomicUsize,
    connections: AtomicUsize,
    /// Both requests have been received.
    both: Semaphore,
    /// A request was given up while it was not answered.
    cancelled: Notify,
    /// The other one may be answered.
    released: Semaphore,
    /// Bodies that were sent to their end.
    finished: Semaphore,
}

struct Unanswered(Option<Arc<Server>>);

impl Drop for Unanswered {
    fn drop(&mut self) {
        if let Some(server) = &self.0 {
            server.cancelled.notify_one();
        }
    }
}

impl Server {
    async fn start(answered: Answered) -> (Arc<Self>, SocketAddr) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = Arc::new(Self {
            answered,
            requests: AtomicUsize::new(0),
            connections: AtomicUsize::new(0),
            both: Semaphore::new(0),
            cancelled: Notify::new(),
            released: Semaphore::new(0),
            finished: Semaphore::new(0),
        });
        let shared = server.clone();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                shared.connections.fetch_add(1, Ordering::Relaxed);
                let server = shared.clone();
                let service = service_fn(move |request| server.clone().answer(request));
                let connection = async move {
                    let http = auto::Builder::new(TokioExecutor::new());
                    // A client that gives a request up closes the connection.
                    let _ = http.serve_connection(TokioIo::new(stream), service).await;
                };
                tokio::spawn(connection);
            }
        });
        (server, address)
    }

    async fn answer(
        self: Arc<Self>,
        request: Request<Incoming>,
    ) -> Result<Response<Channel<Bytes, Infallible>>, Infallible> {
        let is_first = self.requests.fetch_add(1, Ordering::Relaxed) == 0;
        let sent = request.into_body().collect().await;
        assert_eq!(sent.unwrap().to_bytes().len(), LENGTH);
        if is_first != (self.answered == Answered::First) {
            self.both.add_permits(1);
            let mut unanswered = Unanswered(Some(self.clone()));
            self.released.acquire().await.unwrap().forget();
            unanswered.0 = None;
        } else {
            self.both.acquire().await.unwrap().forget();
        }
        let (mut pieces, body) = Channel::new(1);
        let server = self.clone();
        tokio::spawn(async move {
            for number in 0..PIECES {
                let piece = vec![number as u8; LENGTH / PIECES];
                // Whoever gave the request up reads no more.
                if pieces.send_data(piece.into()).await.is_err() {
                    return;
                }
            }
            server.finished.add_permits(1);
        });
        Ok(Response::new(body))
    }
}

type HyperClient =
    Client<hyper_util::client::legacy::connect::HttpConnector, HedgeBody<Full<Bytes>>>;

fn client(is_http2: bool) -> HyperClient {
    Client::builder(TokioExecutor::new())
        .http2_only(is_http2)
        .build_http()
}

fn layer() -> HedgeLayer {
    HedgeLayer::new()
        .after(Duration::from_millis(10))
        .control(0.0)
        .idempotency(Idempotency::new())
        .mark_responses()
}

/// With a body, which both attempts send whole.
fn request(address: SocketAddr) -> Request<Full<Bytes>> {
    let uri = format!("http://{address}/");
    Request::put(uri).body(Full::from(vec![1; LENGTH])).unwrap()
}

async fn assert_whole(response: Response<Incoming>, won: bool) {
    let hedged = *response.extensions().get::<Hedged>().unwrap();
    assert_eq!((hedged.sent, hedged.won), (1, won));
    let body = response.into_body().collect().await.unwrap().to_bytes();
    let expected = (0..PIECES).flat_map(|number| [number as u8; LENGTH / PIECES]);
    assert!(body.iter().copied().eq(expected));
}

#[tokio::test]
async fn the_winners_body_is_whole_and_the_loser_is_cancelled_at_the_server() {
    for is_http2 in [false, true] {
        for answered in [Answered::First, Answered::Hedge] {
            let (server, address) = Server::start(answered).await;
            let service = layer().layer(client(is_http2));
            let response = service.oneshot(request(address)).await.unwrap();
            // Before anything of the body is read.
            server.cancelled.notified().await;
            assert_whole(response, answered == Answered::Hedge).await;
            assert_eq!(server.requests.load(Ordering::Relaxed), 2);
        }
    }
}

/// The first attempt and its hedge take a connection each. The winner's can be used again; the loser's
/// only if it was not dropped.
#[tokio::test]
async fn over_http1_a_loser_that_is_dropped_costs_its_connection_and_one_that_is_kept_does_not() {
    for (keeps, connections) in [(false, 3), (true, 2)] {
        let (server, address) = Server::start(Answered::Hedge).await;
        let client = client(false);
        let kept = layer().keep_losers(Duration::from_secs(60));
        let response = match keeps {
            false => {
                layer()
                    .layer(client.clone())
                    .oneshot(request(address))
                    .await
            }
            true => kept.layer(client.clone()).oneshot(request(address)).await,
        };
        assert_whole(response.unwrap(), true).await;
        match keeps {
            false => server.cancelled.notified().await,
            // It is answered now, and read to its end.
            true => {
                server.released.add_permits(1);
                server.finished.acquire_many(2).await.unwrap().forget();
            }
        }
        // Two at once, so that they need two connections. What is read gives its connection back soon
        // after, in a task of the client's.
        settle().await;
        server.both.add_permits(2);
        server.released.add_permits(2);
        let once = HedgeLayer::new().extra_load(0.0).layer(client);
        let (one, other) = tokio::join!(
            once.clone().oneshot(request(address)),
            once.oneshot(request(address)),
        );
        drop((one.unwrap(), other.unwrap()));
        assert_eq!(server.connections.load(Ordering::Relaxed), connections);
    }
}

/// Lets all tasks run that can.
async fn settle() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}
