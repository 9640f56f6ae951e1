//! Answers that break off over real connections of HTTP/1, and are asked for again.

use std::error::Error;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::routing::get;
use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use tokio::net::TcpListener;
use tower::{Layer, ServiceExt};
use tower_http_retry::classify::Class;
use tower_http_retry::commit::{BrokenAnswer, CommittedBody};
use tower_http_retry::event::StopReason;
use tower_http_retry::{BoxError, CommitLayer};

use crate::support::server::{Server, Turn};
use crate::support::told::{Told, again, handed_over, success};

const WHOLE: Turn =
    Turn::Answer("HTTP/1.1 200 OK\r\ncontent-length: 8\r\nconnection: close\r\n\r\nthe item");
const CUT: Turn = Turn::Answer("HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\nthe ");
const CUT_CHUNKED: Turn =
    Turn::Answer("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nthe \r\n");
const CUT_CHUNK: Turn =
    Turn::Answer("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n8\r\nthe ");

const NO_EVENT: Turn = Turn::Answer(
    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n",
);
const ONE_EVENT: Turn = Turn::Answer(
    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n\
     9\r\ndata: 1\n\n\r\n",
);

type Outcome = Result<Response<CommittedBody<Incoming>>, BoxError>;

/// Sends a request through two retries over hyper-util's client.
async fn send(layer: CommitLayer, method: Method, server: &Server) -> (Outcome, Told) {
    let told = Told::default();
    let client = Client::builder(TokioExecutor::new()).build_http();
    let service = told.layer().layer(layer.layer(client));
    let request = Request::builder().method(method).uri(server.uri());
    let request = request.body(Full::<Bytes>::from("item")).unwrap();
    (service.oneshot(request).await, told)
}

async fn read(outcome: Outcome) -> Bytes {
    let body = outcome.unwrap().into_body();
    body.collect().await.unwrap().to_bytes()
}

#[tokio::test]
async fn a_get_whose_answer_is_cut_is_sent_again_and_the_caller_gets_the_whole() {
    for cut in [CUT, CUT_CHUNKED, CUT_CHUNK] {
        let server = Server::start([cut, WHOLE]).await;
        let (outcome, told) = send(CommitLayer::whole(1024), Method::GET, &server).await;
        assert_eq!(read(outcome).await, "the item", "{cut:?}");
        assert_eq!(server.received(), ["GET item", "GET item"]);
        let outcomes = [again(Class::Transient), success()];
        assert_eq!(told.outcomes(), outcomes, "{cut:?}");
    }
}

#[tokio::test]
async fn a_post_whose_answer_is_cut_is_not_sent_again_and_the_caller_gets_the_error() {
    for cut in [CUT, CUT_CHUNKED] {
        let server = Server::start([cut, WHOLE]).await;
        let (outcome, told) = send(CommitLayer::whole(1024), Method::POST, &server).await;
        let error = outcome.unwrap_err().downcast::<BrokenAnswer>().unwrap();
        assert_eq!(
            (error.response().status().as_u16(), error.delivered()),
            (200, 4)
        );
        let hyper: &hyper::Error = error.source().unwrap().downcast_ref().unwrap();
        let cause: &io::Error = hyper.source().unwrap().downcast_ref().unwrap();
        assert_eq!(cause.kind(), ErrorKind::UnexpectedEof);
        assert_eq!(server.received(), ["POST item"]);
        let stop = handed_over(Class::Transient, StopReason::NotIdempotent);
        assert_eq!(told.outcomes(), [stop]);
    }
}

#[tokio::test]
async fn without_the_layer_the_cut_is_the_callers() {
    let server = Server::start([CUT, WHOLE]).await;
    let told = Told::default();
    let client = Client::builder(TokioExecutor::new()).build_http();
    let request = Request::get(server.uri())
        .body(Full::<Bytes>::default())
        .unwrap();
    let response = told.layer().layer(client).oneshot(request).await.unwrap();
    response.into_body().collect().await.unwrap_err();
    assert_eq!(server.received(), ["GET "]);
    assert_eq!(told.outcomes(), [success()]);
}

#[tokio::test]
async fn an_answer_that_is_cut_after_its_first_bytes_is_the_callers() {
    let server = Server::start([CUT, WHOLE]).await;
    let (outcome, told) = send(CommitLayer::first_bytes(), Method::GET, &server).await;
    let mut body = outcome.unwrap().into_body();
    let first = body.frame().await.unwrap().unwrap();
    assert_eq!(first.into_data().unwrap(), "the ");
    body.frame().await.unwrap().unwrap_err();
    assert_eq!(server.received(), ["GET item"]);
    assert_eq!(told.outcomes(), [success()]);
}

#[tokio::test]
async fn a_stream_of_events_that_dies_before_its_first_event_is_asked_for_again_and_not_after_it() {
    let server = Server::start([NO_EVENT, NO_EVENT, ONE_EVENT]).await;
    let (outcome, told) = send(CommitLayer::first_bytes(), Method::GET, &server).await;
    let mut body = outcome.unwrap().into_body();
    let first = body.frame().await.unwrap().unwrap();
    assert_eq!(first.into_data().unwrap(), "data: 1\n\n");
    let error = body.frame().await.unwrap().unwrap_err();
    assert!(error.source().is_some(), "{error:?}");
    assert_eq!(server.received(), ["GET item"; 3]);
    let dead = again(Class::Transient);
    assert_eq!(told.outcomes(), [dead, dead, success()]);
}

#[tokio::test]
async fn a_stream_of_events_is_not_waited_for_whole() {
    let server = Server::start([ONE_EVENT]).await;
    let (outcome, told) = send(CommitLayer::whole(1024), Method::GET, &server).await;
    let first = outcome.unwrap().into_body().frame().await.unwrap().unwrap();
    assert_eq!(first.into_data().unwrap(), "data: 1\n\n");
    assert_eq!(told.outcomes(), [success()]);
}

#[tokio::test]
async fn a_length_beside_a_transfer_encoding_is_not_the_answers() {
    // hyper goes by the encoding, and hands both headers up.
    let both = Turn::Answer(
        "HTTP/1.1 200 OK\r\ncontent-length: 100\r\ntransfer-encoding: chunked\r\n\
         connection: close\r\n\r\n8\r\nthe item\r\n0\r\n\r\n",
    );
    let server = Server::start([both]).await;
    let (outcome, told) = send(CommitLayer::whole(1024), Method::GET, &server).await;
    assert_eq!(outcome.as_ref().unwrap().headers()["content-length"], "100");
    assert_eq!(read(outcome).await, "the item");
    assert_eq!(told.outcomes(), [success()]);
}

#[tokio::test]
async fn a_head_whose_answer_announces_bytes_is_not_broken() {
    let head = Turn::Answer("HTTP/1.1 200 OK\r\ncontent-length: 8\r\nconnection: close\r\n\r\n");
    let server = Server::start([head]).await;
    let (outcome, told) = send(CommitLayer::whole(1024), Method::HEAD, &server).await;
    assert_eq!(outcome.unwrap().headers()["content-length"], "8");
    assert_eq!(told.outcomes(), [success()]);
}

#[tokio::test]
async fn a_connection_whose_answer_was_read_whole_is_used_again_before_the_caller_reads_it() {
    let peer = get(async |ConnectInfo(peer): ConnectInfo<SocketAddr>| peer.to_string());
    let router = Router::new().route("/item", peer);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri = format!("http://{}/item", listener.local_addr().unwrap());
    let server = router.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, server).await });

    let client = Client::builder(TokioExecutor::new()).build_http();
    let retry = Told::default().layer();
    let service = retry.layer(CommitLayer::whole(1024).layer(client));
    let answer = async || {
        let request = Request::get(&uri).body(Full::<Bytes>::default()).unwrap();
        service.clone().oneshot(request).await
    };
    let (first, second) = (answer().await, answer().await);
    assert_eq!(read(first).await, read(second).await);
}

#[tokio::test]
async fn a_failure_whose_body_broke_is_not_forwarded_as_a_whole_one() {
    let broken = Turn::Answer(
        "HTTP/1.1 500 Internal Server Error\r\ntransfer-encoding: chunked\r\n\r\n4\r\nthe \r\n",
    );
    let upstream = Server::start([broken]).await;
    let client = Client::builder(TokioExecutor::new()).build_http();
    let layer = CommitLayer::whole(1024).read_failures(true);
    let service = layer.layer(client.clone());
    let uri = upstream.uri();
    let proxy = Router::new().fallback(async move || {
        let request = Request::get(uri).body(Full::<Bytes>::default()).unwrap();
        let mut response = service.oneshot(request).await.unwrap();
        response.headers_mut().remove("transfer-encoding");
        response.map(axum::body::Body::new)
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri = format!("http://{}/item", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, proxy).await });

    let request = Request::get(uri).body(Full::<Bytes>::default()).unwrap();
    let whole = async {
        let response = client.request(request).await?;
        Ok::<_, BoxError>(response.into_body().collect().await?.to_bytes())
    };
    whole.await.unwrap_err();
}
