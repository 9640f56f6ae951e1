//! Many requests by one program.

use std::sync::Arc;

use axum::Router;
use http::StatusCode;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::Barrier;

use crate::program::{quick_request, request};
use crate::server::{Server, closing_server};

#[tokio::test]
async fn a_line_of_json_tells_of_each_request() {
    let server = Server::failing(2).await;
    let run = quick_request(&["--json", "--count", "2", &server.url]).await;
    assert_eq!(run.status, 0);
    assert_eq!(
        run.json(),
        [
            json!({ "request": 1, "status": 200, "attempts": 3, "waited_ms": 3, "error": null }),
            json!({ "request": 2, "status": 200, "attempts": 1, "waited_ms": 0, "error": null }),
        ]
    );
    assert!(run.stderr.contains("2 requests in "), "{}", run.stderr);
}

#[tokio::test]
async fn many_requests_run_side_by_side_and_are_summed_up() {
    // An answer comes only when four requests wait for one.
    let barrier = Arc::new(Barrier::new(4));
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let router = Router::new().fallback(async move || {
        barrier.wait().await;
        "not printed"
    });
    tokio::spawn(async move { axum::serve(listener, router).await });
    let run = request(&["--count", "20", "--concurrency", "4", &url]).await;
    assert_eq!((run.status, &run.stderr[..]), (0, ""));
    let lines: Vec<_> = run.text().lines().collect();
    assert_eq!(lines.len(), 4, "{}", run.text());
    assert!(lines[0].starts_with("20 requests in "));
    assert_eq!(lines[1].trim(), "20  200 OK");
    assert!(lines[2].starts_with("attempts: 20 in all, at most 1 for a request"));
    for figure in ["min ", "median ", "p99 ", "max "] {
        assert!(lines[3].contains(figure), "{}", lines[3]);
    }
}

#[tokio::test]
async fn of_many_requests_the_worst_decides_the_exit_status() {
    let server = Server::start(|number| match number {
        2 => StatusCode::NOT_FOUND,
        _ => StatusCode::OK,
    })
    .await;
    let run = request(&["--count", "3", &server.url]).await;
    assert_eq!(run.status, 22);
    assert!(run.text().contains("2  200 OK") && run.text().contains("1  404 Not Found"));
    let told = "request 2, attempt 1: 404 Not Found; the end: ";
    assert!(run.stderr.contains(told), "{}", run.stderr);

    let url = closing_server("").await;
    let run = request(&["--count", "3", "--retries", "0", &url]).await;
    assert_eq!(run.status, 7);
    assert!(run.text().contains("3  error: "), "{}", run.text());
}

#[tokio::test]
async fn requests_share_one_budget_unless_there_is_none() {
    let options = ["--count", "10", "--retries", "3"];
    let server = Server::failing(usize::MAX).await;
    let run = quick_request(&[&options[..], &[&server.url]].concat()).await;
    assert_eq!(run.status, 22);
    // A fresh budget of three retries a request covers six in all.
    assert_eq!(server.seen().len(), 10 + 6);

    let server = Server::failing(usize::MAX).await;
    let run = quick_request(&[&options[..], &["--no-budget", &server.url]].concat()).await;
    assert_eq!(run.status, 22);
    assert_eq!(server.seen().len(), 10 + 30);
}
