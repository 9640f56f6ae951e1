//! What real HTTP/1.1 connections come to when they fail, and what is done about it.

use std::collections::VecDeque;
use std::error::Error;
use std::future::{Ready, ready};
use std::io::{self, ErrorKind};
use std::sync::{Arc, Mutex};

use crate::support::step::Step;
use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::Full;
use http_body_util::channel::Channel;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{self, Client};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tower::{Layer, ServiceExt, service_fn};
use tower_http_retry::classify::Class;
use tower_http_retry::event::StopReason;
use tower_http_retry::{BoxError, ReplayBody};

use crate::support::server::{OK, Refusing, Server, Turn};
use crate::support::told::{
    Told, again, again_after_a_time_out, again_at_once, handed_over, success,
};

type Body = Full<Bytes>;

fn client<B>() -> Client<HttpConnector, ReplayBody<B>>
where
    B: http_body::Body<Error: Into<BoxError>> + Send,
{
    Client::builder(TokioExecutor::new()).build_http()
}

fn request(method: Method, uri: &str) -> Request<Body> {
    let request = Request::builder().method(method).uri(uri);
    request.body(Body::from("item")).unwrap()
}

/// Sends a request through two retries over hyper-util's client.
async fn send(method: Method, uri: &str) -> (Result<Response<Incoming>, BoxError>, Told) {
    let told = Told::default();
    let client = told.layer().layer(client());
    (client.oneshot(request(method, uri)).await, told)
}

/// Sends a request to a server that fails one connection in this way and would answer the next.
async fn fail(method: Method, turn: Turn) -> (Server, Told, Result<(), BoxError>) {
    let server = Server::start([turn, Turn::Answer(OK)]).await;
    let (result, told) = send(method, &server.uri()).await;
    (
        server,
        told,
        result.map(|response| assert_eq!(response.status(), 200)),
    )
}

fn chain<'a>(
    error: &'a (dyn Error + 'static),
) -> impl Iterator<Item = &'a (dyn Error + 'static)> + 'a {
    std::iter::successors(Some(error), |&error| error.source())
}

fn hyper_error(error: &BoxError) -> &hyper::Error {
    assert!(error.is::<legacy::Error>(), "{error:?}");
    chain(&**error)
        .find_map(|cause| cause.downcast_ref())
        .unwrap()
}

fn io_kind(error: &BoxError) -> Option<ErrorKind> {
    chain(&**error).find_map(|cause| Some(cause.downcast_ref::<io::Error>()?.kind()))
}

#[tokio::test]
async fn a_refused_connect_of_a_post_is_sent_again() {
    let closed = Arc::new(Refusing::new());
    let opened = Arc::new(Mutex::new(None));
    let told = Told::default();
    let layer = told.layer().on_event({
        let (closed, opened) = (closed.clone(), opened.clone());
        move |event| {
            if event.attempt() == 2 && Step::from(event.kind()) == Step::Sent {
                *opened.lock().unwrap() = Some(closed.open([Turn::Answer(OK)]));
            }
        }
    });

    let post = request(Method::POST, &closed.uri());
    let response = layer.layer(client()).oneshot(post).await.unwrap();

    assert_eq!(response.status(), 200);
    assert_eq!(told.outcomes(), [again(Class::Refused), success()]);
    let server = opened.lock().unwrap().take().unwrap();
    assert_eq!(server.received(), ["POST item"]);
}

#[tokio::test]
async fn a_connect_that_stays_refused_is_handed_over_as_the_client_s_own_error() {
    let closed = Refusing::new();
    let (result, told) = send(Method::POST, &closed.uri()).await;

    let error = result.unwrap_err();
    assert!(error.downcast_ref::<legacy::Error>().unwrap().is_connect());
    assert_eq!(io_kind(&error), Some(ErrorKind::ConnectionRefused));
    let refused = again(Class::Refused);
    let last = handed_over(Class::Refused, StopReason::Attempts);
    assert_eq!(told.outcomes(), [refused, refused, last]);
}

/// Sends a POST over a connector that fails in this way; says how many connects there were.
async fn fail_connect(kind: ErrorKind) -> (usize, Told, BoxError) {
    let connects = Arc::new(Mutex::new(0));
    let counted = connects.clone();
    let connector = service_fn(move |_| -> Ready<io::Result<TokioIo<TcpStream>>> {
        *counted.lock().unwrap() += 1;
        ready(Err(io::Error::new(kind, "the connector's own")))
    });
    let told = Told::default();
    let client = Client::builder(TokioExecutor::new()).build(connector);
    let post = request(Method::POST, "http://127.0.0.1/item");
    let error = told.layer().layer(client).oneshot(post).await.unwrap_err();
    assert!(error.downcast_ref::<legacy::Error>().unwrap().is_connect());
    assert_eq!(io_kind(&error), Some(kind));
    let connects = *connects.lock().unwrap();
    (connects, told, error)
}

#[tokio::test]
async fn a_bad_certificate_is_permanent() {
    // As rustls reports one, through `io::Error`.
    let (connects, told, _) = fail_connect(ErrorKind::InvalidData).await;
    assert_eq!(connects, 1);
    assert_eq!(
        told.outcomes(),
        [handed_over(Class::Permanent, StopReason::Permanent)]
    );
}

#[tokio::test]
async fn a_connect_that_times_out_is_refused_and_a_time_out() {
    let (connects, told, _) = fail_connect(ErrorKind::TimedOut).await;
    assert_eq!(connects, 3);
    let refused = again_after_a_time_out(Class::Refused);
    let last = handed_over(Class::Refused, StopReason::Attempts).timed_out();
    assert_eq!(told.outcomes(), [refused, refused, last]);
}

#[tokio::test]
async fn a_connect_that_fails_in_any_other_way_is_refused() {
    for kind in [
        ErrorKind::HostUnreachable,
        ErrorKind::ConnectionReset,
        ErrorKind::NotConnected,
        ErrorKind::Other,
    ] {
        let (connects, told, _) = fail_connect(kind).await;
        assert_eq!(connects, 3, "{kind}");
        let refused = again(Class::Refused);
        let last = handed_over(Class::Refused, StopReason::Attempts);
        assert_eq!(told.outcomes(), [refused, refused, last], "{kind}");
    }
}

#[tokio::test]
async fn a_connection_closed_before_its_response_is_transient() {
    let (server, told, result) = fail(Method::GET, Turn::Close).await;
    result.unwrap();
    assert_eq!(server.received(), ["GET item", "GET item"]);
    assert_eq!(told.outcomes(), [again(Class::Transient), success()]);

    let (server, told, result) = fail(Method::POST, Turn::Close).await;
    assert!(hyper_error(&result.unwrap_err()).is_incomplete_message());
    assert_eq!(server.received(), ["POST item"]);
    assert_eq!(
        told.outcomes(),
        [handed_over(Class::Transient, StopReason::NotIdempotent)]
    );
}

#[tokio::test]
async fn a_connection_closed_in_the_middle_of_a_response_s_head_is_transient() {
    let cut = Turn::Answer("HTTP/1.1 200 OK\r\ncontent-le");
    let (server, told, result) = fail(Method::GET, cut).await;
    result.unwrap();
    assert_eq!(server.received(), ["GET item", "GET item"]);
    assert_eq!(told.outcomes(), [again(Class::Transient), success()]);

    let (server, told, result) = fail(Method::POST, cut).await;
    assert!(hyper_error(&result.unwrap_err()).is_incomplete_message());
    assert_eq!(server.received(), ["POST item"]);
    assert_eq!(
        told.outcomes(),
        [handed_over(Class::Transient, StopReason::NotIdempotent)]
    );
}

#[tokio::test]
async fn a_connection_reset_before_its_response_is_transient() {
    let (server, told, result) = fail(Method::GET, Turn::Reset).await;
    result.unwrap();
    assert_eq!(server.received(), ["GET item", "GET item"]);
    assert_eq!(told.outcomes(), [again(Class::Transient), success()]);

    let (server, told, result) = fail(Method::POST, Turn::Reset).await;
    let error = result.unwrap_err();
    assert!(error.is::<legacy::Error>());
    assert_eq!(io_kind(&error), Some(ErrorKind::ConnectionReset));
    assert_eq!(server.received(), ["POST item"]);
    assert_eq!(
        told.outcomes(),
        [handed_over(Class::Transient, StopReason::NotIdempotent)]
    );
}

#[tokio::test]
async fn a_connection_closed_before_the_request_was_read_is_not_permanent() {
    let server = Server::start([Turn::Ignore, Turn::Answer(OK)]).await;
    let (result, told) = send(Method::GET, &server.uri()).await;
    assert_eq!(result.unwrap().status(), 200);
    assert_eq!(server.received(), ["GET item"]);
    // Transient or refused: how much was sent by then is for the kernel to say.
    assert_eq!(told.outcomes()[1..], [success()]);
}

/// An upload of `item` in two halves; the second comes once the server has received the first.
async fn upload(method: Method, turn: Turn) -> (Server, Told, Result<(), BoxError>) {
    let server = Server::start([turn, Turn::Answer(OK)]).await;
    let (mut sender, body) = Channel::<Bytes, BoxError>::new(1);
    let request = Request::builder().method(method).uri(server.uri());
    let request = request.header("content-length", 4).body(body).unwrap();
    let told = Told::default();
    let client = told.layer().layer(client());
    let halves = async {
        sender.send_data(Bytes::from("it")).await.unwrap();
        server.heard().await;
        // Nobody reads on where there is no further attempt.
        let _ = sender.send_data(Bytes::from("em")).await;
        drop(sender);
    };
    let (result, ()) = tokio::join!(client.oneshot(request), halves);
    let result = result.map(|response| assert_eq!(response.status(), 200));
    (server, told, result)
}

#[tokio::test]
async fn a_reset_in_the_middle_of_an_upload_is_transient() {
    let (server, told, result) = upload(Method::PUT, Turn::ResetAfter(2)).await;
    result.unwrap();
    assert_eq!(server.received(), ["PUT it", "PUT item"]);
    assert_eq!(told.outcomes(), [again(Class::Transient), success()]);

    let (server, told, result) = upload(Method::POST, Turn::ResetAfter(2)).await;
    let error = result.unwrap_err();
    assert!(error.is::<legacy::Error>());
    let kind = io_kind(&error);
    let kinds = [ErrorKind::ConnectionReset, ErrorKind::BrokenPipe];
    assert!(kind.is_some_and(|kind| kinds.contains(&kind)), "{error:?}");
    assert_eq!(server.received(), ["POST it"]);
    assert_eq!(
        told.outcomes(),
        [handed_over(Class::Transient, StopReason::NotIdempotent)]
    );
}

#[tokio::test]
async fn a_request_body_that_breaks_is_permanent() {
    let server = Server::start([Turn::HoldAfter(2), Turn::Answer(OK)]).await;
    let (mut sender, body) = Channel::<Bytes, io::Error>::new(1);
    let request = Request::put(server.uri()).header("content-length", 4);
    let told = Told::default();
    let client = told.layer().layer(client());
    let breaks = async {
        sender.send_data(Bytes::from("it")).await.unwrap();
        server.heard().await;
        // A proxy's own client breaks off: that says nothing of the connection here.
        sender.abort(ErrorKind::ConnectionReset.into());
    };
    let (result, ()) = tokio::join!(client.oneshot(request.body(body).unwrap()), breaks);

    let error = result.unwrap_err();
    assert!(hyper_error(&error).is_user());
    assert_eq!(io_kind(&error), Some(ErrorKind::ConnectionReset));
    assert_eq!(server.received(), ["PUT it"]);
    assert_eq!(
        told.outcomes(),
        [handed_over(Class::Permanent, StopReason::Permanent)]
    );
}

#[tokio::test]
async fn a_request_body_shorter_than_it_said_is_permanent() {
    let server = Server::start([Turn::HoldAfter(2), Turn::Answer(OK)]).await;
    let (mut sender, body) = Channel::<Bytes, io::Error>::new(1);
    let request = Request::put(server.uri()).header("content-length", 4);
    let told = Told::default();
    let client = told.layer().layer(client());
    let ends = async {
        sender.send_data(Bytes::from("it")).await.unwrap();
        server.heard().await;
        drop(sender);
    };
    let (result, ()) = tokio::join!(client.oneshot(request.body(body).unwrap()), ends);

    assert!(hyper_error(&result.unwrap_err()).is_body_write_aborted());
    assert_eq!(server.received(), ["PUT it"]);
    assert_eq!(
        told.outcomes(),
        [handed_over(Class::Permanent, StopReason::Permanent)]
    );
}

#[tokio::test]
async fn an_answer_that_is_not_http_is_permanent() {
    let answers = [
        "220 mail.test ESMTP\r\n\r\n",
        "HTTP/1.1 two hundred\r\n\r\n",
        "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
    ];
    for answer in answers {
        let (server, told, result) = fail(Method::GET, Turn::Answer(answer)).await;
        assert!(hyper_error(&result.unwrap_err()).is_parse(), "{answer}");
        assert_eq!(server.received(), ["GET item"], "{answer}");
        let stop = handed_over(Class::Permanent, StopReason::Permanent);
        assert_eq!(told.outcomes(), [stop], "{answer}");
    }
}

#[tokio::test]
async fn a_bad_uri_is_permanent() {
    for uri in ["/item", "127.0.0.1:80"] {
        let (result, told) = send(Method::GET, uri).await;
        assert!(result.unwrap_err().is::<legacy::Error>(), "{uri}");
        let stop = handed_over(Class::Permanent, StopReason::Permanent);
        assert_eq!(told.outcomes(), [stop], "{uri}");
    }
}

#[tokio::test]
async fn a_scheme_that_the_connector_does_not_speak_is_permanent() {
    let server = Server::start([Turn::Answer(OK)]).await;
    let uri = format!("https://{}/item", server.address());
    let (result, told) = send(Method::GET, &uri).await;
    assert!(result.unwrap_err().is::<legacy::Error>());
    assert!(server.received().is_empty());
    assert_eq!(
        told.outcomes(),
        [handed_over(Class::Permanent, StopReason::Permanent)]
    );
}

type Sender = http1::SendRequest<ReplayBody<Body>>;
type Connection = http1::Connection<TokioIo<TcpStream>, ReplayBody<Body>>;

async fn connect(server: &Server) -> (Sender, Connection) {
    let stream = TcpStream::connect(server.address()).await.unwrap();
    http1::handshake(TokioIo::new(stream)).await.unwrap()
}

#[tokio::test]
async fn a_post_on_a_connection_that_is_closed_already_is_sent_again_at_once() {
    let server = Server::start([Turn::Ignore, Turn::Answer(OK)]).await;
    let (closed, connection) = connect(&server).await;
    drop(connection);
    let (open, connection) = connect(&server).await;
    tokio::spawn(connection);

    let senders = Mutex::new(VecDeque::from([closed, open]));
    let told = Told::default();
    let client = told.layer().layer(service_fn(|request| {
        let mut sender = senders.lock().unwrap().pop_front().unwrap();
        async move { sender.send_request(request).await }
    }));
    let response = client.oneshot(request(Method::POST, &server.uri())).await;

    assert_eq!(response.unwrap().status(), 200);
    assert_eq!(server.received(), ["POST item"]);
    assert_eq!(told.outcomes(), [again_at_once(Class::Refused), success()]);
}

#[tokio::test]
async fn a_post_that_was_queued_when_its_connection_ended_is_sent_again() {
    let server = Server::start([Turn::Ignore, Turn::Ignore, Turn::Ignore]).await;
    let told = Told::default();
    let client = told.layer().layer(service_fn(async |request| {
        let (mut sender, connection) = connect(&server).await;
        let response = sender.send_request(request);
        drop(connection);
        response.await
    }));
    let error = client.oneshot(request(Method::POST, &server.uri())).await;

    let error = error.unwrap_err();
    assert!(error.downcast_ref::<hyper::Error>().unwrap().is_canceled());
    let outcomes = [
        again_at_once(Class::Refused),
        again(Class::Refused),
        handed_over(Class::Refused, StopReason::Attempts),
    ];
    assert_eq!(told.outcomes(), outcomes);
}

/// Sends a request over connections of which the first is closed and said not to be ready.
async fn wait_for_a_closed_connection(method: Method) -> (Server, Told, Result<(), BoxError>) {
    let server = Server::start([Turn::Ignore, Turn::Answer(OK)]).await;
    let (closed, connection) = connect(&server).await;
    drop(connection);
    let (open, connection) = connect(&server).await;
    tokio::spawn(connection);

    let senders = Mutex::new(VecDeque::from([closed, open]));
    let told = Told::default();
    let client = told.layer().layer(service_fn(|request| {
        let mut sender = senders.lock().unwrap().pop_front().unwrap();
        async move {
            sender.ready().await?;
            sender.send_request(request).await
        }
    }));
    let result = client.oneshot(request(method, &server.uri())).await;
    drop(senders);
    (
        server,
        told,
        result.map(|response| assert_eq!(response.status(), 200)),
    )
}

#[tokio::test]
async fn a_connection_that_closed_while_it_was_waited_for_is_transient() {
    let (server, told, result) = wait_for_a_closed_connection(Method::GET).await;
    result.unwrap();
    assert_eq!(server.received(), ["GET item"]);
    assert_eq!(told.outcomes(), [again(Class::Transient), success()]);

    let (server, told, result) = wait_for_a_closed_connection(Method::POST).await;
    let error = result.unwrap_err();
    assert!(error.downcast_ref::<hyper::Error>().unwrap().is_closed());
    assert!(server.received().is_empty());
    assert_eq!(
        told.outcomes(),
        [handed_over(Class::Transient, StopReason::NotIdempotent)]
    );
}
