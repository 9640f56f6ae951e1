//! Layers of tower-http around a retry.

use std::time::Duration;

use bytes::Bytes;
use http::header::LOCATION;
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use tower::{ServiceBuilder, ServiceExt, service_fn};
use tower_http::decompression::DecompressionLayer;
use tower_http::follow_redirect::FollowRedirectLayer;
use tower_http::follow_redirect::policy::{FilterCredentials, Limited, Policy, PolicyExt};
use tower_http::timeout::TimeoutLayer;
use tower_http_retry::resume::ResumeError;
use tower_http_retry::{BoxError, ReplayBody, RetryLayer, RetryOverride};

use crate::support::download::{self, Piece, Server, answer, exact, reset};
use crate::support::upstream::Answer::{Never, Status};
use crate::support::upstream::{Body, Upstream, get, post};

/// `12 orders today`.
const GZIP: &[u8; 35] =
    b"\x1f\x8b\x08\0\0\0\0\0\x02\x0334R\xc8/JI-*V(\xc9OI\xac\x04\0-\xc2\x96(\x0f\0\0\0";

/// Breaks off in the middle, and has the rest.
fn breaking() -> Server {
    let (start, rest) = GZIP.split_at(20);
    let lines = [("etag", "\"v1\""), ("content-encoding", "gzip")];
    let whole = [&lines[..], &[("content-length", "35")]].concat();
    let range = [
        ("content-range", "bytes 20-34/35"),
        ("content-length", "15"),
    ];
    Server::new([
        answer(
            200,
            &whole,
            [Piece::Data(Bytes::from_static(start)), reset()],
        ),
        answer(
            206,
            &[&lines[..], &range].concat(),
            [Piece::Data(Bytes::from_static(rest))],
        ),
    ])
}

#[tokio::test(start_paused = true)]
async fn a_compressed_download_is_resumed_below_what_decompresses_it() {
    let server = breaking();
    let client = ServiceBuilder::new()
        .layer(DecompressionLayer::new())
        .layer(exact())
        .layer(RetryLayer::new())
        .service(server.clone());
    let response = client.oneshot(download::get()).await.unwrap();
    let body = response.into_body().collect().await.unwrap();
    assert_eq!(body.to_bytes(), "12 orders today");
    assert_eq!(server.ranges(), ["-", "bytes=20-34"]);
    assert_eq!(server.header("accept-encoding"), ["gzip", "gzip"]);
}

#[tokio::test(start_paused = true)]
async fn a_decompressed_download_is_not_resumed() {
    let server = breaking();
    let client = ServiceBuilder::new()
        .layer(exact())
        .layer(DecompressionLayer::new())
        .service(server.clone());
    let response = client.oneshot(download::get()).await.unwrap();
    assert!(!response.body().is_resumable());
    let error = response.into_body().collect().await.unwrap_err();
    assert!(!error.is::<ResumeError>(), "{error:?}");
    assert_eq!(server.ranges(), ["-"]);
}

/// A POST that may be repeated, which another host fails after a redirect: how often that gets it.
async fn sent_after_redirect<P>(policy: P) -> usize
where
    P: Policy<Body, BoxError> + Clone,
{
    let target = Upstream::new([503, 200].map(Status));
    let servers =
        service_fn(
            async |request: Request<ReplayBody<Body>>| match request.uri().host() {
                Some("other.test") => target.clone().oneshot(request).await,
                _ => {
                    let response = Response::builder().status(StatusCode::TEMPORARY_REDIRECT);
                    let response = response.header(LOCATION, "http://other.test/");
                    Ok(response.body(Body::default())?)
                }
            },
        );
    let client = ServiceBuilder::new()
        .layer(FollowRedirectLayer::with_policy(policy))
        .layer(RetryLayer::new())
        .service(servers);
    let mut request = post();
    let repeatable = RetryOverride::new().repeatable(true);
    request.extensions_mut().insert(repeatable);
    client.oneshot(request).await.unwrap();
    target.count()
}

#[tokio::test(start_paused = true)]
async fn an_override_crosses_to_another_origin_only_where_the_policy_of_redirects_lets_it() {
    let standard = || Limited::default().and::<_, Body, BoxError>(FilterCredentials::new());
    assert_eq!(sent_after_redirect(standard()).await, 1);
    let filter = FilterCredentials::new().allow_extension::<RetryOverride>();
    let allowed = Limited::default().and::<_, Body, BoxError>(filter);
    assert_eq!(sent_after_redirect(allowed).await, 2);
}

#[tokio::test(start_paused = true)]
async fn a_time_out_of_tower_http_is_retried_as_the_status_that_it_answers() {
    for (status, attempts) in [
        (StatusCode::GATEWAY_TIMEOUT, 2),
        (StatusCode::REQUEST_TIMEOUT, 1),
    ] {
        let upstream = Upstream::new([Never, Status(200)]);
        let client = ServiceBuilder::new()
            .layer(RetryLayer::new())
            .layer(TimeoutLayer::with_status_code(
                status,
                Duration::from_secs(1),
            ))
            .service(upstream.clone());
        client.oneshot(get()).await.unwrap();
        assert_eq!(upstream.count(), attempts, "{status}");
    }
}
