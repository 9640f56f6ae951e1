//! Bodies, on their way to reqwest and back.

use std::error::Error;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::channel::Channel;
use http_body_util::{BodyExt, Full};
use tower::{Layer, ServiceExt, service_fn};
use tower_http_retry::reqwest::{SendThrough, Service};
use tower_http_retry::{BoxError, CommitLayer, HedgeLayer, ReplayBody, RetryLayer};

use crate::support::server::{Server, Turn};
use crate::support::told::Told;
use crate::{builder, status};

/// Whether a body is in memory when it comes to reqwest.
async fn kept<B>(body: B) -> Option<Vec<u8>>
where
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + Sync + 'static,
{
    let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
    let inner = service_fn(move |request: Request<ReplayBody<B>>| {
        let body = reqwest::Body::from(request.into_body());
        sender.send(body.as_bytes().map(<[u8]>::to_vec)).unwrap();
        async { Ok::<_, BoxError>(Response::new(Full::<Bytes>::default())) }
    });
    let service = RetryLayer::new().layer(inner);
    service.oneshot(Request::new(body)).await.unwrap();
    receiver.recv().await.unwrap()
}

#[tokio::test]
async fn a_body_in_memory_stays_bytes_and_a_stream_does_not_become_them() {
    assert_eq!(kept(Full::from("item")).await.unwrap(), b"item");
    assert_eq!(kept(Full::<Bytes>::default()).await.unwrap(), b"");
    assert_eq!(kept(reqwest::Body::from("item")).await.unwrap(), b"item");
    let (_sender, stream) = Channel::<Bytes, BoxError>::new(1);
    assert_eq!(kept(stream).await, None);
}

#[tokio::test]
async fn so_does_that_of_a_hedge() {
    let inner = service_fn(async |request: Request<_>| {
        let body: tower_http_retry::hedge::HedgeBody<Full<Bytes>> = request.into_body();
        let bytes = reqwest::Body::from(body).as_bytes().map(<[u8]>::to_vec);
        Ok::<_, BoxError>(Response::new(Full::<Bytes>::from(bytes.unwrap())))
    });
    let service = HedgeLayer::new().layer(inner);
    for request in [Request::get("/"), Request::post("/")] {
        let request = request.body(Full::from("item")).unwrap();
        let response = service.clone().oneshot(request).await.unwrap();
        assert_eq!(
            response.into_body().collect().await.unwrap().to_bytes(),
            "item"
        );
    }
}

#[tokio::test]
async fn a_stream_is_recorded_and_sent_again() {
    let server = Server::start([status(503), status(200)]).await;
    let service = Service::new(builder()).unwrap();
    let client = service.client().clone();
    let retrying = Told::default().layer().layer(service);
    let (mut sender, stream) = Channel::<Bytes, BoxError>::new(2);
    for data in ["it", "em"] {
        sender.send_data(data.into()).await.unwrap();
    }
    drop(sender);
    let request = client.put(server.uri()).header("content-length", "4");
    let request = request.body(reqwest::Body::wrap(stream));
    let response = request.send_through(&retrying).await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(server.received(), ["PUT item", "PUT item"]);
}

const CUT: &str = "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n0123";

/// What is said of an error: its kind, and the sentences of its chain.
fn said(error: reqwest::Error) -> (bool, bool, bool, Vec<String>) {
    let chain = std::iter::successors(error.source(), |&error| error.source());
    let sentences = chain.map(ToString::to_string).collect();
    (
        error.is_body(),
        error.is_decode(),
        error.is_timeout(),
        sentences,
    )
}

#[tokio::test]
async fn a_response_body_that_breaks_off_ends_with_an_error_as_without_a_stack() {
    let server = Server::start([Turn::Answer(CUT); 3]).await;
    let plain = builder().build().unwrap();
    let plain = plain.get(server.uri()).send().await.unwrap();
    let (_, is_decode, _, sentences) = said(plain.bytes().await.unwrap_err());
    let service = Service::new(builder()).unwrap();
    let client = service.client().clone();
    let retrying = Told::default().layer().layer(service.clone());
    let through = client
        .get(server.uri())
        .send_through(&retrying)
        .await
        .unwrap();
    assert_eq!(through.content_length(), Some(10));
    let own = said(through.bytes().await.unwrap_err());
    assert_eq!(own.1, is_decode);
    assert_eq!(own.3.last(), sentences.last());
    // A layer that has read ahead gives the response a body of its own.
    let committing = CommitLayer::first_bytes().layer(service);
    let through = client
        .get(server.uri())
        .send_through(&committing)
        .await
        .unwrap();
    assert_eq!(through.content_length(), Some(10));
    assert_eq!(
        said(through.bytes().await.unwrap_err()).3.last(),
        sentences.last()
    );
}
