//! HTTP/2 bodies that are shorter than their length.

use std::convert::Infallible;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::duplex;
use tower::{Layer, ServiceExt, service_fn};
use tower_http_retry::classify::Class;
use tower_http_retry::commit::BrokenAnswer;
use tower_http_retry::{BoxError, CommitLayer, ResumeLayer};

use crate::cut_short::class;

type Body = Full<Bytes>;

const FILE: &str = "0123456789";

/// Promises ten bytes, and ends after four of them. Has the others if it is asked for them.
async fn answer(request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
    let response = Response::builder().header("etag", "\"v1\"");
    let response = match request.headers().get("range") {
        None => response
            .header("content-length", 10)
            .body(Body::from(&FILE[..4])),
        Some(range) => {
            let range = range.to_str().unwrap().strip_prefix("bytes=").unwrap();
            let (first, _) = range.split_once('-').unwrap();
            let rest = &FILE[first.parse().unwrap()..];
            let response = response.header("content-range", format!("bytes {range}/10"));
            response.status(206).body(Body::from(rest))
        }
    };
    Ok(response.unwrap())
}

/// Over an HTTP/2 connection of its own, in memory.
async fn send_over_http2(request: Request<Body>) -> Result<Response<Incoming>, BoxError> {
    let (near, far) = duplex(4_096);
    let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
    let service = hyper::service::service_fn(answer);
    tokio::spawn(server.serve_connection(TokioIo::new(far), service));
    let (mut sender, connection) =
        http2::handshake(TokioExecutor::new(), TokioIo::new(near)).await?;
    tokio::spawn(connection);
    Ok(sender.send_request(request).await?)
}

fn get() -> Request<Body> {
    let request = Request::get("http://files.test/file");
    request.body(Body::default()).unwrap()
}

#[tokio::test]
async fn an_end_before_the_length_is_a_break_in_http2_too() {
    let client = ResumeLayer::new().layer(service_fn(send_over_http2));
    let response = client.oneshot(get()).await.unwrap();
    let body = response.into_body().collect().await.unwrap();
    assert_eq!(body.to_bytes(), FILE);
}

#[tokio::test]
async fn a_response_that_is_shorter_than_its_length_is_transient_in_http2_too() {
    let client = CommitLayer::whole(100).layer(service_fn(send_over_http2));
    let error = client.oneshot(get()).await.expect_err("a short answer");
    assert!(error.is::<BrokenAnswer>(), "{error:?}");
    assert_eq!(class(&error), Class::Transient);
}
