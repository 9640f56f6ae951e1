//! What comes of one request: what is printed, told, and sent again.

use http::header::{LOCATION, RETRY_AFTER};
use http::{Method, StatusCode, Version};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::program::{pattern, quick_request, request};
use crate::server::{Server, closing_server};

#[tokio::test]
async fn a_body_is_printed_byte_for_byte() {
    let body = pattern(300_000);
    let copy = body.clone();
    let server = Server::start(move |_| copy.clone()).await;
    let run = request(&[&server.url]).await;
    assert_eq!(run.status, 0);
    assert!(run.stdout == body);
    assert_eq!(server.only().method, Method::GET);
    assert!(run.stderr.contains("attempt 1: 200 OK; the end: success"));
}

#[tokio::test]
async fn a_redirect_is_no_failure() {
    let server = Server::start(|_| (StatusCode::FOUND, [(LOCATION, "/other")], "moved")).await;
    let run = request(&[&server.url]).await;
    assert_eq!((run.status, run.text()), (0, "moved"));
    server.only();
}

#[tokio::test]
async fn a_client_error_is_printed_and_ends_with_22() {
    let server = Server::start(|_| (StatusCode::NOT_FOUND, "no such item")).await;
    let run = request(&[&server.url]).await;
    assert_eq!((run.status, run.text()), (22, "no such item"));
    server.only();
    let told = "attempt 1: 404 Not Found; the end: a retry would not help";
    assert!(run.stderr.contains(told), "{}", run.stderr);
}

#[tokio::test]
async fn a_failure_is_retried_until_it_passes() {
    let server = Server::failing(2).await;
    let run = quick_request(&[&server.url]).await;
    assert_eq!((run.status, run.text()), (0, "answer 3"));
    assert_eq!(server.seen().len(), 3);
    for told in [
        "attempt 1: GET 127.0.0.1:",
        "attempt 1: 503 Service Unavailable; again in 1.0ms: back-off",
        "attempt 2: 503 Service Unavailable; again in 2.0ms: back-off",
        "attempt 3: 200 OK; the end: success",
    ] {
        assert!(run.stderr.contains(told), "{told}: {}", run.stderr);
    }
}

#[tokio::test]
async fn the_last_answer_is_printed_when_the_retries_are_used_up() {
    let server = Server::failing(usize::MAX).await;
    let run = quick_request(&["--retries", "2", &server.url]).await;
    assert_eq!((run.status, run.text()), (22, "answer 3"));
    assert_eq!(server.seen().len(), 3);
    assert!(run.stderr.contains("the end: the retries are used up"));
}

#[tokio::test]
async fn an_error_ends_with_7_and_tells_its_attempts() {
    let url = closing_server("").await;
    let run = quick_request(&["--retries", "1", "--json", &url]).await;
    assert_eq!(run.status, 7);
    let [report] = &run.json()[..] else { panic!() };
    assert_eq!(report["status"], Value::Null);
    assert_eq!(
        (&report["attempts"], &report["waited_ms"]),
        (&json!(2), &json!(1))
    );
    let error = report["error"].as_str().unwrap();
    assert!(run.stderr.contains(&format!("error: {error}")));
}

#[tokio::test]
async fn a_response_that_breaks_off_ends_with_7() {
    let url = closing_server("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf").await;
    let run = request(&[&url]).await;
    assert_eq!((run.status, run.text()), (7, "half"));
    assert!(run.stderr.contains("\nerror: "), "{}", run.stderr);
}

#[tokio::test]
async fn an_attempt_that_takes_too_long_is_made_again() {
    // It accepts nothing: its answers never come.
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let options = ["--attempt-timeout", "1ms", "--retries", "1", "--json"];
    let run = quick_request(&[&options[..], &[&url]].concat()).await;
    assert_eq!(run.status, 7);
    assert_eq!(run.json()[0]["attempts"], 2);
    // After a time-out the wait is one step further up.
    assert_eq!(run.json()[0]["waited_ms"], 2);
    let error = run.json()[0]["error"].to_string();
    assert!(error.contains("no response within 1ms"), "{error}");
}

#[tokio::test]
async fn a_wait_that_ends_after_the_window_is_not_begun() {
    let server = Server::failing(usize::MAX).await;
    let options = ["--base", "1h", "--within", "30m"];
    let run = request(&[&options[..], &[&server.url]].concat()).await;
    assert_eq!((run.status, run.text()), (22, "answer 1"));
    assert!(run.stderr.contains("the end: the window ends"));
}

#[tokio::test]
async fn the_server_is_obeyed_unless_it_asks_for_too_much() {
    let server = Server::start(|number| match number {
        1 => (StatusCode::TOO_MANY_REQUESTS, [("retry-after-ms", "7")]),
        _ => (
            StatusCode::TOO_MANY_REQUESTS,
            [(RETRY_AFTER.as_str(), "60")],
        ),
    })
    .await;
    let run = quick_request(&["--max-server-wait", "1s", "--json", &server.url]).await;
    assert_eq!(run.status, 22);
    assert_eq!(
        run.json(),
        [json!({ "request": 1, "status": 429, "attempts": 2, "waited_ms": 7, "error": null })]
    );
    for told in [
        "again in 7.0ms: requested by the server",
        "the end: the server asks for a longer wait than allowed",
    ] {
        assert!(run.stderr.contains(told), "{told}: {}", run.stderr);
    }
}

#[tokio::test]
async fn rate_limit_headers_are_obeyed_where_that_is_asked_for() {
    for (options, told) in [
        (
            &["--rate-limit-headers"][..],
            "again in 7.0ms: requested by the server",
        ),
        (&[], "again in 1.0ms: back-off"),
    ] {
        let server = Server::start(|number| match number {
            1 => (
                StatusCode::TOO_MANY_REQUESTS,
                [("x-ratelimit-reset-after", "0.007")],
            ),
            _ => (StatusCode::OK, [("server", "quota")]),
        })
        .await;
        let arguments = [options, &["--jitter", "none", "--base", "1ms", &server.url]].concat();
        let run = request(&arguments).await;
        assert_eq!(run.status, 0);
        assert!(run.stderr.contains(told), "{told}: {}", run.stderr);
    }
}

#[tokio::test]
async fn a_post_is_sent_again_only_where_that_is_asked_for() {
    let server = Server::failing(1).await;
    let run = quick_request(&["-d", "a=1", &server.url]).await;
    assert_eq!((run.status, run.text()), (22, "answer 1"));
    assert!(run.stderr.contains("not safe to repeat"), "{}", run.stderr);

    let server = Server::failing(1).await;
    let run = quick_request(&["-d", "a=1", "--replay-any", &server.url]).await;
    assert_eq!((run.status, run.text()), (0, "answer 2"));
    assert!(server.seen().iter().all(|seen| seen.body == "a=1"));
}

#[tokio::test]
async fn http2_is_spoken_where_asked_for() {
    let server = Server::failing(1).await;
    let run = quick_request(&["--http2", &server.url]).await;
    assert_eq!((run.status, run.text()), (0, "answer 2"));
    let versions: Vec<_> = server.seen().iter().map(|seen| seen.version).collect();
    assert_eq!(versions, [Version::HTTP_2, Version::HTTP_2]);
}
