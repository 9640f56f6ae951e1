//! A real client and a real server that has a quota. Their connections are in memory and the clock is
//! paused, so that what takes seconds is exact.

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::response::IntoResponse;
use axum::routing::get;
use bytes::Bytes;
use http::{Request, StatusCode, Uri};
use http_body_util::Empty;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::service::TowerToHyperService;
use tokio::io::{DuplexStream, duplex};
use tokio::time::{Instant, sleep};
use tower::ServiceBuilder;
use tower::limit::ConcurrencyLimitLayer;
use tower_http_retry::{Cooldown, RetryLayer};

/// So many requests are let through in each second.
const LIMIT: u32 = 100;

/// How long a request takes.
const WORK: Duration = Duration::from_millis(5);

/// A fixed window, and what came of it.
#[derive(Clone)]
struct Quota {
    start: Instant,
    counts: Arc<Mutex<Counts>>,
}

#[derive(Default)]
struct Counts {
    window: u64,
    used: u32,
    served: u32,
    refused: u32,
}

async fn handle(State(quota): State<Quota>) -> impl IntoResponse {
    sleep(WORK).await;
    let now = quota.start.elapsed();
    let mut counts = quota.counts.lock().unwrap();
    if counts.window != now.as_secs() {
        (counts.window, counts.used) = (now.as_secs(), 0);
    }
    let is_let_through = counts.used < LIMIT;
    match is_let_through {
        true => (counts.used, counts.served) = (counts.used + 1, counts.served + 1),
        false => counts.refused += 1,
    }
    let remaining = LIMIT - counts.used;
    // Rounded up, as it is told in seconds.
    let status = match is_let_through {
        true => StatusCode::OK,
        false => StatusCode::TOO_MANY_REQUESTS,
    };
    (
        status,
        [("ratelimit", format!(r#""second";r={remaining};t=1"#))],
    )
}

/// One end of a connection in memory.
struct Pipe(TokioIo<DuplexStream>);

impl Connection for Pipe {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl hyper::rt::Read for Pipe {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: hyper::rt::ReadBufCursor<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl hyper::rt::Write for Pipe {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

/// Sends a thousand requests at once through this layer, and says what came of them and in what time.
async fn thousand(layer: RetryLayer, connections: usize) -> (Counts, u32, Duration) {
    let quota = Quota {
        start: Instant::now(),
        counts: Arc::default(),
    };
    let router = Router::new()
        .route("/", get(handle))
        .with_state(quota.clone());
    let connector = tower::service_fn(move |_: Uri| {
        let (client, server) = duplex(16 * 1024);
        let service = TowerToHyperService::new(router.clone());
        tokio::spawn(
            hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(server), service),
        );
        std::future::ready(Ok::<_, std::io::Error>(Pipe(TokioIo::new(client))))
    });
    let client = Client::builder(TokioExecutor::new()).build(connector);
    let client = ServiceBuilder::new()
        .layer(layer)
        .layer(ConcurrencyLimitLayer::new(connections))
        .service(client);
    let requests: Vec<_> = (0..1_000)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move {
                let request = Request::get("http://quota.test/").body(Empty::<Bytes>::new());
                client.send(request.unwrap()).await
            })
        })
        .collect();
    let mut served = 0;
    for request in requests {
        let response = request.await.unwrap();
        served += u32::from(response.is_ok_and(|response| response.status().is_success()));
    }
    let took = quota.start.elapsed();
    let counts = std::mem::take(&mut *quota.counts.lock().unwrap());
    (counts, served, took)
}

/// Without a budget, which does not cover the retries of all that are refused at first.
fn layer(cooldown: &Cooldown) -> RetryLayer {
    RetryLayer::new()
        .without_budget()
        .rate_limit_headers(true)
        .jitter_seed(1)
        .cooldown(cooldown.clone())
}

/// Ten windows of a second: nine have to be over.
const ALLOWED: Duration = Duration::from_secs(9);

#[tokio::test(start_paused = true)]
async fn a_thousand_requests_on_forty_connections_are_served_as_the_quota_allows() {
    let (counts, served, took) = thousand(layer(&Cooldown::new()), 40).await;
    assert_eq!((served, counts.served), (1_000, 1_000));
    // Only those that were under way when the first window was used up.
    assert!(counts.refused <= 39, "{}", counts.refused);
    assert!(took <= ALLOWED.mul_f64(1.2), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_thousand_requests_on_any_number_of_connections_are_served_after_a_slow_start() {
    let cooldown = Cooldown::new();
    cooldown.hold(&Uri::from_static("http://quota.test/"), Duration::ZERO);
    let (counts, served, took) = thousand(layer(&cooldown), 1_000).await;
    assert_eq!((served, counts.served, counts.refused), (1_000, 1_000, 0));
    assert!(took <= ALLOWED.mul_f64(1.2), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn without_a_cooldown_most_are_refused_again_and_again() {
    let layer = RetryLayer::new().without_budget().jitter_seed(1);
    let (counts, served, _) = thousand(layer.rate_limit_headers(true), 40).await;
    assert_eq!(served, 1_000);
    assert!(counts.refused > 1_000, "{}", counts.refused);
}
