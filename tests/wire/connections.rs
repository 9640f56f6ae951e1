//! Real connections: how many there are, and what a hostile body costs.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Channel, Empty, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;
use tower::{Layer, ServiceExt};
use tower_http_retry::{Attempts, Backoff, Jitter, ReplayBody, Retry, RetryLayer};

type ClientBody = Empty<Bytes>;
type HyperClient = Client<HttpConnector, ReplayBody<ClientBody>>;
type ServerBody = http_body_util::Either<Full<Bytes>, Channel<Bytes, Infallible>>;

/// An HTTP/1.1 server that answers each third request with 200 and the others as told, until the
/// test's runtime ends. Counts its connections.
async fn serve(failure: fn() -> ServerBody) -> (SocketAddr, Arc<AtomicUsize>) {
    serve_after(Duration::ZERO, failure).await
}

/// The same, which takes so long for each answer's head.
async fn serve_after(
    delay: Duration,
    failure: fn() -> ServerBody,
) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let connections = Arc::new(AtomicUsize::new(0));
    let counted = connections.clone();
    let requests = Arc::new(AtomicUsize::new(0));
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            counted.fetch_add(1, Ordering::Relaxed);
            let requests = requests.clone();
            let service = service_fn(move |_: Request<Incoming>| {
                let number = requests.fetch_add(1, Ordering::Relaxed);
                async move {
                    if !delay.is_zero() {
                        tokio::time::sleep(delay).await;
                    }
                    let mut response = Response::new(ServerBody::Left(Full::from("done")));
                    if number % 3 != 2 {
                        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
                        *response.body_mut() = failure();
                    }
                    Ok::<_, Infallible>(response)
                }
            });
            let http1 = hyper::server::conn::http1::Builder::new();
            tokio::spawn(http1.serve_connection(TokioIo::new(stream), service));
        }
    });
    (address, connections)
}

fn client(wait: Duration) -> Retry<HyperClient> {
    let backoff = Backoff::fixed(wait).jitter(Jitter::None);
    let client = Client::builder(TokioExecutor::new()).build_http();
    let layer = RetryLayer::new()
        .backoff(backoff)
        .without_budget()
        .mark_responses();
    layer.layer(client)
}

async fn get(client: &Retry<HyperClient>, address: SocketAddr) {
    let request = Request::get(format!("http://{address}/")).body(ClientBody::new());
    let response = client.clone().oneshot(request.unwrap()).await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.extensions().get::<Attempts>().unwrap().count, 3);
    assert_eq!(
        response.into_body().collect().await.unwrap().to_bytes(),
        "done"
    );
}

#[tokio::test(start_paused = true)]
async fn a_thousand_requests_with_two_503s_each_share_their_connections() {
    let (address, connections) = serve(|| {
        let body = Bytes::from_static(&[b'x'; 32 * 1024]);
        ServerBody::Left(Full::from(body))
    })
    .await;
    let client = client(Duration::from_secs(1));
    for _ in 0..1_000 {
        get(&client, address).await;
    }
    let connections = connections.load(Ordering::Relaxed);
    assert!(connections <= 3, "{connections} connections");
}

/// In real time: on the paused clock a wait of a millisecond is over before the body is there.
#[tokio::test]
async fn a_body_that_comes_after_a_short_wait_does_not_cost_its_connection() {
    let (address, connections) = serve_after(Duration::from_millis(60), || {
        let (mut sender, body) = Channel::new(1);
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(5)).await;
            sender.send_data(Bytes::from("late")).await
        });
        ServerBody::Right(body)
    })
    .await;
    let client = client(Duration::from_millis(1));
    for _ in 0..10 {
        get(&client, address).await;
    }
    // Beside one that is read on, the next attempt takes another.
    let connections = connections.load(Ordering::Relaxed);
    assert!(connections <= 6, "{connections} connections");
}

#[tokio::test(start_paused = true)]
async fn a_503_that_is_larger_than_what_is_drained_costs_its_connection() {
    let (address, connections) = serve(|| {
        let body = Bytes::from_static(&[b'x'; 200 * 1024]);
        ServerBody::Left(Full::from(body))
    })
    .await;
    let client = client(Duration::from_secs(1));
    for _ in 0..3 {
        get(&client, address).await;
    }
    assert!(connections.load(Ordering::Relaxed) >= 6);
}

#[tokio::test(start_paused = true)]
async fn a_503_whose_body_never_ends_delays_nothing() {
    let (address, _) = serve(|| {
        let (sender, body) = Channel::new(1);
        // The sender is never dropped: the body has no end.
        std::mem::forget(sender);
        ServerBody::Right(body)
    })
    .await;
    for wait in [100, 1_000, 5_000] {
        let client = client(Duration::from_millis(wait));
        let start = tokio::time::Instant::now();
        get(&client, address).await;
        assert_eq!(start.elapsed(), Duration::from_millis(2 * wait));
    }
}
