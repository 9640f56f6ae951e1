//! What a layer that reads bodies could do wrong to a request or to a caller.

use std::error::Error;
use std::fmt;
use std::io::ErrorKind;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{Method, Request};
use http_body_util::BodyExt;
use tower::{Layer, ServiceBuilder, ServiceExt};
use tower_http_retry::{BoxError, CommitLayer, Cooldown, RetryLayer};

use crate::support::download::{Nothing, Piece, Server, answer, data, get, reset};

fn post() -> Request<Nothing> {
    let mut request = get();
    *request.method_mut() = Method::POST;
    request
}

/// gRFC A6: a call whose head has come is committed. The server has acted on it.
#[cfg(feature = "grpc")]
#[tokio::test(start_paused = true)]
async fn a_grpc_call_whose_head_has_come_is_not_made_again() {
    let lines = [("content-type", "application/grpc")];
    let server = Server::new([
        answer(200, &lines, [reset()]),
        answer(200, &lines, [data("message")]),
    ]);
    let service = ServiceBuilder::new()
        .layer(RetryLayer::grpc())
        .layer(CommitLayer::first_bytes())
        .service(server.clone());
    let _ = service.oneshot(post()).await;
    assert_eq!(server.asked().len(), 1);
}

/// An error that is shared, as those of layers that answer several callers are.
#[derive(Debug)]
struct Shared(Arc<dyn Error + Send + Sync>);

impl fmt::Display for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("shared")
    }
}

impl Error for Shared {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        // As `thiserror` derives it.
        Some(&self.0)
    }
}

#[tokio::test(start_paused = true)]
async fn a_post_whose_answer_broke_is_not_sent_again_by_whatever_wrapper() {
    let refused = || Piece::Break(ErrorKind::ConnectionRefused);
    let server = || Server::new([answer(201, &[], [refused()]), answer(201, &[], [])]);
    let wrappers: [fn(BoxError) -> BoxError; 4] = [
        |error| error,
        |error| std::io::Error::other(error).into(),
        |error| std::io::Error::other(std::io::Error::other(error)).into(),
        |error| Shared(error.into()).into(),
    ];
    for (number, wrap) in wrappers.into_iter().enumerate() {
        let server = server();
        let service = ServiceBuilder::new()
            .layer(RetryLayer::new())
            .map_err(wrap)
            .layer(CommitLayer::first_bytes())
            .service(server.clone());
        let _ = service.oneshot(post()).await;
        assert_eq!(server.asked().len(), 1, "wrapper {number}");
    }
}

/// A body that ends before its length is not "all of it".
#[tokio::test(start_paused = true)]
async fn a_classifier_is_not_shown_half_of_a_failures_body() {
    let seen = Arc::new(Mutex::new(vec![]));
    let notes = seen.clone();
    let server = Server::new([answer(503, &[("content-length", "10")], [data("01234")])]);
    let service = ServiceBuilder::new()
        .layer(
            RetryLayer::new()
                .max_retries(0)
                .classify_fn(move |outcome| {
                    notes.lock().unwrap().push(outcome.body().cloned());
                    outcome.by_status()
                }),
        )
        .layer(CommitLayer::whole(1024).read_failures(true))
        .service(server);
    service.oneshot(get()).await.unwrap();
    assert_eq!(*seen.lock().unwrap(), [None]);
}

#[tokio::test(start_paused = true)]
async fn extreme_settings_are_harmless() {
    for layer in [
        CommitLayer::whole(0),
        CommitLayer::whole(usize::MAX),
        CommitLayer::whole(10).timeout(Duration::from_secs(u64::MAX)),
        CommitLayer::first_bytes().timeout(Duration::ZERO),
        CommitLayer::first_bytes(),
    ] {
        for lines in [&[][..], &[("content-length", "10")][..]] {
            let server = Server::new([answer(200, lines, [data("01234"), data("56789")])]);
            let response = layer.layer(server).oneshot(get()).await.unwrap();
            let body = response.into_body().collect().await.unwrap();
            assert_eq!(body.to_bytes(), "0123456789");
        }
    }
}

/// "Its status still counts."
#[tokio::test(start_paused = true)]
async fn a_429_whose_body_stalls_is_a_429_still() {
    let lines = [("retry-after", "7")];
    let server = Server::new([
        answer(429, &lines, [data("slow"), Piece::Stall]),
        answer(200, &[], [data("done")]),
    ]);
    let service = ServiceBuilder::new()
        .layer(RetryLayer::new().attempt_timeout(Duration::from_secs(5)))
        .layer(CommitLayer::whole(1024).read_failures(true))
        .service(server.clone());
    // A 429 to a POST is a refusal, and is retried.
    let response = service.oneshot(post()).await.unwrap();
    assert_eq!(response.status(), 200);
}

#[tokio::test(start_paused = true)]
async fn two_layers_and_one_above_the_retry_are_harmless() {
    let server = Server::new([
        answer(200, &[("content-length", "10")], [data("01234"), reset()]),
        answer(
            200,
            &[("content-length", "10")],
            [data("01234"), data("56789")],
        ),
    ]);
    let service = ServiceBuilder::new()
        .layer(CommitLayer::whole(1024))
        .layer(RetryLayer::new())
        .layer(CommitLayer::whole(1024))
        .layer(CommitLayer::first_bytes())
        .service(server.clone());
    let response = service.oneshot(get()).await.unwrap();
    let body = response.into_body().collect().await.unwrap();
    assert_eq!(body.to_bytes(), "0123456789");
    assert_eq!(server.asked().len(), 2);
}

/// "The response's headers count."
#[tokio::test(start_paused = true)]
async fn a_cooldown_hears_of_the_quota_in_the_head_of_a_broken_answer() {
    let lines = [
        ("ratelimit-remaining", "0"),
        ("ratelimit-reset", "30"),
        ("content-length", "10"),
    ];
    let mut held = vec![];
    for last in [data("56789"), reset()] {
        let server = Server::new([
            answer(200, &lines, [data("01234"), last]),
            answer(200, &[], [data("0123456789")]),
        ]);
        let retry = RetryLayer::new()
            .rate_limit_headers(true)
            .cooldown(Cooldown::new())
            .max_retries(0);
        let service = ServiceBuilder::new()
            .layer(retry)
            .layer(CommitLayer::whole(1024))
            .service(server);
        let _ = service.clone().oneshot(get()).await;
        // More than a cooldown lets a request wait.
        held.push(service.oneshot(get()).await.is_err());
    }
    assert_eq!(held, [true, true]);
}
