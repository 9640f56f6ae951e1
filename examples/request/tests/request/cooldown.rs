//! Requests that are held while a quota is used up.

use axum::Router;
use axum::response::IntoResponse;
use http::StatusCode;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::program::{Run, quick_request, request};
use crate::server::Server;

const OPTIONS: [&str; 2] = ["--cooldown", "--rate-limit-headers"];

/// Nothing remains of a quota for so many seconds.
fn used_up(seconds: &'static str) -> [(&'static str, &'static str); 2] {
    [
        ("x-ratelimit-remaining", "0"),
        ("x-ratelimit-reset-after", seconds),
    ]
}

fn tells(run: &Run, all: &[&str]) {
    for told in all {
        assert!(run.stderr.contains(told), "{told}: {}", run.stderr);
    }
}

#[tokio::test]
async fn the_timeline_tells_when_requests_are_held_and_when_no_more() {
    let server = Server::start(|number| match number {
        1 => (StatusCode::TOO_MANY_REQUESTS, used_up("0.030")),
        _ => (StatusCode::OK, [("server", "quota"), ("via", "none")]),
    })
    .await;
    let run = quick_request(&[&OPTIONS[..], &[&server.url]].concat()).await;
    assert_eq!(run.status, 0);
    assert_eq!(server.seen().len(), 2);
    tells(
        &run,
        &[
            "attempt 1: 429 Too Many Requests; requests are held from now on, for 30.0ms\n",
            "attempt 1: 429 Too Many Requests; again in 30.0ms: requested by the server\n",
            "attempt 2: 200 OK; no request is held any more\n",
            "attempt 2: 200 OK; the end: success\n",
        ],
    );
}

#[tokio::test]
async fn refusals_in_a_row_hold_a_retry_without_any_header() {
    let server = Server::start(|number| match number {
        1..=8 => StatusCode::TOO_MANY_REQUESTS,
        _ => StatusCode::OK,
    })
    .await;
    let options = ["--cooldown", "--retries", "9", "--no-budget"];
    let run = quick_request(&[&options[..], &[&server.url]].concat()).await;
    assert_eq!(run.status, 0);
    let held = "attempt 8: 429 Too Many Requests; requests are held from now on, for 1.0s\n";
    tells(&run, &[held, "s: requests are held by a cooldown\n"]);
}

#[tokio::test]
async fn a_request_that_comes_while_a_quota_is_used_up_is_held() {
    let options = ["--count", "2", "--json"];
    // On a busy machine the second one can come when the quota is given anew.
    for _ in 0..5 {
        let server = Server::start(|number| match number {
            1 => (StatusCode::OK, used_up("0.5")),
            _ => (StatusCode::OK, [("server", "quota"), ("via", "none")]),
        })
        .await;
        let run = quick_request(&[&OPTIONS[..], &options, &[&server.url]].concat()).await;
        assert_eq!((run.status, server.seen().len()), (0, 2));
        assert_eq!(run.json()[1]["attempts"], 1);
        let started = "request 1, attempt 1: 200 OK; requests are held from now on, for 500.0ms\n";
        let ended = "request 2, attempt 1: 200 OK; no request is held any more\n";
        tells(&run, &[started, ended]);
        if run.stderr.contains(" s  request 2: held for another ") {
            assert!(run.json()[1]["waited_ms"].as_u64() > Some(0));
            return;
        }
    }
    panic!("it was held never");
}

#[tokio::test]
async fn after_a_hold_requests_go_one_after_the_other() {
    // Each answer comes when the next request is there. The first one uses the quota up for next to no
    // time.
    let arrived = watch::Sender::new(0);
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let router = Router::new().fallback(async move || {
        let mut number = 0;
        arrived.send_modify(|count| {
            *count += 1;
            number = *count;
        });
        if number < 4 {
            let next = |count: &u32| *count > number;
            arrived.subscribe().wait_for(next).await.unwrap();
        }
        match number {
            1 => used_up("0.001").into_response(),
            _ => StatusCode::OK.into_response(),
        }
    });
    tokio::spawn(async move { axum::serve(listener, router).await });
    let options = ["--count", "4", "--concurrency", "2"];
    let run = quick_request(&[&OPTIONS[..], &options, &[&url]].concat()).await;
    assert_eq!(run.status, 0);
    // One goes after the hold, and has no answer yet: the next one goes when it has waited for long.
    tells(&run, &[": held, until those before it are served\n"]);
    let summed_up = "attempts: 4 in all, at most 1 for a request; waited ";
    assert!(run.text().contains(summed_up), "{}", run.text());
}

#[tokio::test]
async fn a_request_that_would_be_held_for_too_long_is_an_error_of_its_own() {
    let server = Server::start(|_| used_up("3600")).await;
    let options = ["--count", "3", "--within", "1m", "--json", &server.url];
    let run = quick_request(&[&OPTIONS[..], &options].concat()).await;
    assert_eq!((run.status, server.seen().len()), (7, 1));
    let reports = run.json();
    assert_eq!(
        reports[0],
        json!({ "request": 1, "status": 200, "attempts": 1, "waited_ms": 0, "error": null })
    );
    let error = "not sent: requests are held for another ";
    for report in &reports[1..] {
        let [status, attempts] = ["status", "attempts"].map(|key| &report[key]);
        assert_eq!((status, attempts), (&Value::Null, &json!(0)));
        assert!(report["error"].as_str().unwrap().starts_with(error));
    }
    let end = |number| format!(" s  request {number}: the end: {error}");
    tells(&run, &[&end(2), &end(3)]);
    // What is left of the hold is never the same, but what became of the requests is.
    let summed_up = "\n         2  error: not sent: requests are held by a cooldown\n";
    tells(&run, &[summed_up]);
}

#[tokio::test]
async fn no_request_is_held_unless_that_is_asked_for() {
    let server = Server::start(|_| used_up("3600")).await;
    let run = request(&["--rate-limit-headers", "--count", "2", &server.url]).await;
    assert_eq!((run.status, server.seen().len()), (0, 2));
    assert_eq!(run.stderr, "");
}
