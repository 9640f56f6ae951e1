//! Tracing events: which there are, at which level, and what they say.

#![cfg(feature = "tracing")]

mod support;

use std::cell::RefCell;
use std::fmt::Write;
use std::io::ErrorKind;
use std::sync::Once;
use std::time::Duration;

use http::Request;
use support::upstream::Answer::{Error, Status};
use support::upstream::{Answer, Body, Upstream, get, post};
use tower::{Layer, ServiceExt};
use tower_http_retry::{Backoff, Jitter, RetryLayer};
use tracing_subscriber::filter::LevelFilter;

thread_local! {
    /// What was written on this thread, which is that of one test.
    static WRITTEN: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

struct ToThread;

impl std::io::Write for ToThread {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        WRITTEN.with_borrow_mut(|written| written.extend_from_slice(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// What is told of one request.
async fn traced(plan: &[Answer], request: Request<Body>) -> String {
    // One subscriber for all threads: whether anybody listens is kept for each event, for all.
    static SUBSCRIBER: Once = Once::new();
    SUBSCRIBER.call_once(|| {
        tracing_subscriber::fmt()
            .with_max_level(LevelFilter::TRACE)
            .with_writer(|| ToThread)
            .without_time()
            .with_ansi(false)
            .init();
    });
    WRITTEN.take();
    let backoff = Backoff::exponential(Duration::from_secs(1)).jitter(Jitter::None);
    let layer = RetryLayer::new().backoff(backoff);
    let _ = layer.layer(Upstream::new(plan)).oneshot(request).await;
    String::from_utf8(WRITTEN.take()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_success_is_not_told() {
    assert_eq!(traced(&[Status(200)], get()).await, "");
}

#[tokio::test(start_paused = true)]
async fn a_failure_that_is_no_concern_of_retries_is_not_told() {
    assert_eq!(traced(&[Status(404)], get()).await, "");
    assert_ne!(traced(&[Status(503)], post()).await, "");
}

#[tokio::test(start_paused = true)]
async fn a_retry_is_debug_and_a_stop_with_failure_is_warn() {
    let plan = [Status(503), Error(ErrorKind::TimedOut), Status(404)];
    let request = Request::get("http://user:pass@upstream.test:8080/item?token=secret");
    let request = request.body(Body::default()).unwrap();
    let method = "http.request.method=\"GET\"";
    let server = "server.address=\"upstream.test\" server.port=8080";
    let mut expected = String::new();
    for line in [
        format!(
            "DEBUG tower_http_retry: retrying {method} http.request.resend_count=1 http.response.status_code=503 {server} error.type=\"503\" wait_ms=1000 reason=backoff"
        ),
        format!(
            "DEBUG tower_http_retry: retrying {method} http.request.resend_count=2 {server} error.type=\"timeout\" wait_ms=4000 reason=backoff, one step up after a time-out"
        ),
        format!(
            " WARN tower_http_retry: gave up {method} http.request.resend_count=2 http.response.status_code=404 {server} error.type=\"404\" waited_ms=5000 reason=sending again will not help"
        ),
    ] {
        writeln!(expected, "{line}").unwrap();
    }
    assert_eq!(traced(&plan, request).await, expected);
}

#[tokio::test(start_paused = true)]
async fn what_kind_of_error_it_was_is_told_in_few_words() {
    let word = async |kind, request| {
        let told = traced(&[Error(kind), Status(200)], request).await;
        let word = told.split("error.type=\"").nth(1).unwrap();
        word.split('"').next().unwrap().to_owned()
    };
    assert_eq!(word(ErrorKind::ConnectionRefused, post()).await, "refused");
    assert_eq!(word(ErrorKind::ConnectionReset, get()).await, "_OTHER");
    assert_eq!(word(ErrorKind::TimedOut, post()).await, "timeout");
}
