use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::routing::get;
use bytes::Bytes;
use http::header::RETRY_AFTER;
use http::{HeaderMap, HeaderValue, Request, StatusCode, Uri};
use http_body_util::Full;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use tokio::net::TcpListener;
use tower::{ServiceBuilder, ServiceExt};
use tower_http_retry::config::RetryConfig;
use tower_http_retry::event::{Event, EventKind};
use tower_http_retry::{BoxError, RetryLayer};

use crate::say;

/// Sends one request with a client that has these settings, and prints its attempts and its outcome.
pub(crate) async fn run(config: RetryConfig) -> Result<(), BoxError> {
    let uri = listen().await?;
    let client = ServiceBuilder::new()
        .layer(RetryLayer::from(config).on_event(tell))
        .service(Client::builder(TokioExecutor::new()).build_http());
    say(&format!("GET {uri}"));
    let request = Request::get(uri).body(Full::<Bytes>::default())?;
    let response = client.oneshot(request).await?;
    say(&format!("{}", response.status()));
    Ok(())
}

/// Prints a line for the outcome of each attempt, and what follows.
fn tell(event: &Event<'_>) {
    let outcome = match (event.status(), event.error()) {
        (Some(status), _) => status.to_string(),
        (None, Some(error)) => error.to_string(),
        (None, None) => "no outcome".to_owned(),
    };
    let next = match event.kind() {
        EventKind::RetryScheduled { after, reason, .. } => {
            format!("waits {:.3} s: {reason}", after.as_secs_f64())
        }
        EventKind::Stopped(stop) => format!("stops: {stop}"),
        // The start of an attempt needs no line: its outcome has one.
        _ => return,
    };
    let at = event.elapsed().as_secs_f64();
    let attempt = event.attempt();
    say(&format!(
        "  {at:>6.3} s  attempt {attempt}  {outcome:<24}  {next}"
    ));
}

/// Serves on a free port until the program ends. Answers 503 twice, then 429, then 200.
async fn listen() -> Result<Uri, BoxError> {
    let requests = Arc::new(AtomicUsize::new(0));
    let answer = async move || {
        let mut headers = HeaderMap::new();
        let status = match requests.fetch_add(1, Ordering::Relaxed) {
            0 | 1 => StatusCode::SERVICE_UNAVAILABLE,
            2 => {
                headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
                StatusCode::TOO_MANY_REQUESTS
            }
            _ => StatusCode::OK,
        };
        (status, headers)
    };
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let uri = format!("http://{}/items/7", listener.local_addr()?).parse()?;
    let router = Router::new().route("/items/7", get(answer));
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(uri)
}
