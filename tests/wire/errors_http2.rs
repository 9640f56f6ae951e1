//! What real HTTP/2 connections come to when they fail, and what is done about it.

use std::collections::VecDeque;
use std::error::Error;
use std::io::{self, ErrorKind};
use std::sync::Mutex;
use std::time::Duration;

use bytes::Bytes;
use h2::Reason;
use http::{Method, Request, Response};
use http_body_util::Full;
use http_body_util::channel::Channel;
use hyper::body::Incoming;
use hyper::client::conn::http2;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{self, Client};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tower::{Layer, ServiceExt, service_fn};
use tower_http_retry::classify::{Class, Classify, Outcome, Verdict};
use tower_http_retry::event::StopReason;
use tower_http_retry::{BoxError, ByStatus, ReplayBody};

use crate::support::http2::{Connection, Server, Turn, go_away, head, settings};
use crate::support::server::Refusing;
use crate::support::told::{
    Told, again, again_after_a_time_out, again_at_once, handed_over, success,
};

type Body = Full<Bytes>;

fn client<B>() -> Client<HttpConnector, ReplayBody<B>>
where
    B: http_body::Body<Error: Into<BoxError>> + Send,
{
    let mut builder = Client::builder(TokioExecutor::new());
    builder.http2_only(true).build_http()
}

fn request(method: Method, uri: &str) -> Request<Body> {
    let request = Request::builder().method(method).uri(uri);
    request.body(Body::from("item")).unwrap()
}

/// Sends a request with the body `item` through two retries over hyper-util's client.
async fn send(method: Method, uri: &str) -> (Result<Response<Incoming>, BoxError>, Told) {
    send_body(method, uri, "item").await
}

async fn send_body(
    method: Method,
    uri: &str,
    body: &'static str,
) -> (Result<Response<Incoming>, BoxError>, Told) {
    let told = Told::default();
    let client = told.layer().layer(client());
    let request = request(method, uri).map(|_| Body::from(body));
    (client.oneshot(request).await, told)
}

/// Sends a request with the body `item` to a server with this plan.
async fn attempt(
    method: Method,
    plan: impl Into<Vec<Connection>>,
) -> (Server, Told, Result<(), BoxError>) {
    attempt_body(method, "item", plan).await
}

async fn attempt_body(
    method: Method,
    body: &'static str,
    plan: impl Into<Vec<Connection>>,
) -> (Server, Told, Result<(), BoxError>) {
    let server = Server::start(plan).await;
    let (result, told) = send_body(method, &server.uri(), body).await;
    (
        server,
        told,
        result.map(|response| assert_eq!(response.status(), 200)),
    )
}

fn answers() -> Connection {
    Connection::Streams(vec![Turn::Answer])
}

fn cause<E: Error + 'static>(error: &BoxError) -> Option<&E> {
    assert!(error.is::<legacy::Error>(), "{error:?}");
    let mut chain = std::iter::successors(Some(&**error as &dyn Error), |&error| error.source());
    chain.find_map(|cause| cause.downcast_ref())
}

#[tokio::test]
async fn a_refused_connect_of_a_post_is_refused() {
    let (result, told) = send(Method::POST, &Refusing::new().uri()).await;
    let error = result.unwrap_err();
    assert!(error.downcast_ref::<legacy::Error>().unwrap().is_connect());
    let kind = cause(&error).map(io::Error::kind);
    assert_eq!(kind, Some(ErrorKind::ConnectionRefused));
    let refused = again(Class::Refused);
    let last = handed_over(Class::Refused, StopReason::Attempts);
    assert_eq!(told.outcomes(), [refused, refused, last]);
}

#[tokio::test]
async fn a_refused_stream_is_sent_again_at_once_the_first_time() {
    let refuse = Turn::Reset(Reason::REFUSED_STREAM);
    let plan = [Connection::Streams(vec![refuse, refuse, Turn::Answer])];
    let (server, told, result) = attempt(Method::POST, plan).await;
    result.unwrap();
    assert_eq!(server.received(), [["POST item"; 3]]);
    let refused = Class::Refused;
    assert_eq!(
        told.outcomes(),
        [again_at_once(refused), again(refused), success()]
    );
}

#[tokio::test]
async fn a_stream_that_stays_refused_is_handed_over() {
    let refuse = Turn::Reset(Reason::REFUSED_STREAM);
    let plan = [Connection::Streams(vec![
        refuse,
        refuse,
        refuse,
        Turn::Answer,
    ])];
    let (server, told, result) = attempt(Method::POST, plan).await;
    let error = result.unwrap_err();
    assert_eq!(
        cause::<h2::Error>(&error).unwrap().reason(),
        Some(Reason::REFUSED_STREAM)
    );
    assert_eq!(server.received(), [["POST item"; 3]]);
    let last = handed_over(Class::Refused, StopReason::Attempts);
    assert_eq!(told.outcomes()[2], last);
}

#[tokio::test]
async fn any_other_reset_of_a_stream_is_transient() {
    let reasons = [
        Reason::INTERNAL_ERROR,
        Reason::CANCEL,
        Reason::ENHANCE_YOUR_CALM,
        Reason::PROTOCOL_ERROR,
        Reason::NO_ERROR,
    ];
    for reason in reasons {
        let plan = || [Connection::Streams(vec![Turn::Reset(reason), Turn::Answer])];
        let (server, told, result) = attempt(Method::GET, plan()).await;
        result.unwrap();
        assert_eq!(server.received(), [["GET item"; 2]], "{reason}");
        assert_eq!(
            told.outcomes(),
            [again(Class::Transient), success()],
            "{reason}"
        );

        let (server, told, result) = attempt(Method::POST, plan()).await;
        let error = result.unwrap_err();
        assert_eq!(cause::<h2::Error>(&error).unwrap().reason(), Some(reason));
        assert_eq!(server.received(), [["POST item"]], "{reason}");
        let stop = handed_over(Class::Transient, StopReason::NotIdempotent);
        assert_eq!(told.outcomes(), [stop], "{reason}");
    }
}

const GO_AWAY_REASONS: [Reason; 3] = [
    Reason::NO_ERROR,
    Reason::ENHANCE_YOUR_CALM,
    Reason::INTERNAL_ERROR,
];

#[tokio::test]
async fn a_go_away_that_leaves_the_stream_out_is_refused_and_sent_again_on_a_new_connection() {
    for reason in GO_AWAY_REASONS {
        let goes_away = Connection::Wire([settings(), go_away(0, reason)].concat());
        let (server, told, result) = attempt(Method::POST, [goes_away, answers()]).await;
        result.unwrap();
        assert_eq!(server.received(), [["POST"], ["POST item"]], "{reason}");
        assert_eq!(
            told.outcomes(),
            [again_at_once(Class::Refused), success()],
            "{reason}"
        );
    }
}

#[tokio::test]
async fn a_go_away_to_a_request_without_a_body_is_no_refusal_and_a_get_is_sent_again_at_once() {
    for reason in GO_AWAY_REASONS {
        let goes_away = Connection::Wire([settings(), go_away(0, reason)].concat());
        let plan = [goes_away.clone(), answers()];
        let (server, told, result) = attempt_body(Method::GET, "", plan).await;
        result.unwrap();
        assert_eq!(server.received(), [["GET"], ["GET "]], "{reason}");
        let transient = again_at_once(Class::Transient);
        assert_eq!(told.outcomes(), [transient, success()], "{reason}");

        let plan = [goes_away, answers()];
        let (server, told, result) = attempt_body(Method::POST, "", plan).await;
        let error = result.unwrap_err();
        assert!(cause::<h2::Error>(&error).unwrap().is_go_away(), "{reason}");
        assert_eq!(server.received(), [["POST"]], "{reason}");
        let stop = handed_over(Class::Transient, StopReason::NotIdempotent);
        assert_eq!(told.outcomes(), [stop], "{reason}");
    }
}

#[tokio::test]
async fn a_second_go_away_waits_for_the_back_off() {
    let goes_away = Connection::Wire([settings(), go_away(0, Reason::NO_ERROR)].concat());
    let plan = [goes_away.clone(), goes_away.clone(), goes_away];
    let (server, told, result) = attempt(Method::POST, plan).await;
    assert!(
        cause::<h2::Error>(&result.unwrap_err())
            .unwrap()
            .is_go_away()
    );
    assert_eq!(server.received(), [["POST"]; 3]);
    let refused = Class::Refused;
    let last = handed_over(refused, StopReason::Attempts);
    assert_eq!(
        told.outcomes(),
        [again_at_once(refused), again(refused), last]
    );
}

#[tokio::test]
async fn a_go_away_that_may_include_the_stream_is_no_refusal() {
    for (last_stream, reason) in [
        (1, Reason::NO_ERROR),
        (1, Reason::INTERNAL_ERROR),
        (i32::MAX as u32, Reason::NO_ERROR),
    ] {
        let wire = [settings(), go_away(last_stream, reason)].concat();
        let goes_away = Connection::WireAndClose(wire);

        let (server, told, result) = attempt(Method::GET, [goes_away.clone(), answers()]).await;
        result.unwrap();
        assert_eq!(server.received(), [["GET"], ["GET item"]], "{reason}");
        assert_eq!(
            told.outcomes(),
            [again(Class::Transient), success()],
            "{reason}"
        );

        let (server, told, result) = attempt(Method::POST, [goes_away, answers()]).await;
        assert!(
            cause::<io::Error>(&result.unwrap_err()).is_some(),
            "{reason}"
        );
        assert_eq!(server.received(), [["POST"]], "{reason}");
        let stop = handed_over(Class::Transient, StopReason::NotIdempotent);
        assert_eq!(told.outcomes(), [stop], "{reason}");
    }
}

#[tokio::test]
async fn a_stream_that_a_go_away_includes_is_answered() {
    let wire = [settings(), go_away(1, Reason::NO_ERROR), head(STATUS_200)].concat();
    let (server, told, result) = attempt(Method::POST, [Connection::Wire(wire)]).await;
    result.unwrap();
    assert_eq!(server.received(), [["POST"]]);
    assert_eq!(told.outcomes(), [success()]);
}

/// An entry of HPACK's static table.
const STATUS_200: &[u8] = &[0x88];

#[tokio::test]
async fn a_connection_closed_before_its_response_is_transient() {
    let closes = || Connection::Streams(vec![Turn::Close]);
    let (server, told, result) = attempt(Method::GET, [closes(), answers()]).await;
    result.unwrap();
    assert_eq!(server.received(), [["GET item"], ["GET item"]]);
    assert_eq!(told.outcomes(), [again(Class::Transient), success()]);

    let (server, told, result) = attempt(Method::POST, [closes(), answers()]).await;
    let error = result.unwrap_err();
    let kind = cause(&error).map(io::Error::kind).unwrap();
    let kinds = [ErrorKind::BrokenPipe, ErrorKind::ConnectionReset];
    assert!(kinds.contains(&kind), "{error:?}");
    assert_eq!(server.received(), [["POST item"]]);
    assert_eq!(
        told.outcomes(),
        [handed_over(Class::Transient, StopReason::NotIdempotent)]
    );
}

#[tokio::test]
async fn a_connection_closed_before_the_request_was_read_is_not_permanent() {
    let (server, told, result) = attempt(Method::GET, [Connection::Ignore, answers()]).await;
    result.unwrap();
    assert_eq!(server.received(), [vec![], vec!["GET item"]]);
    // Transient or refused: how much was sent by then is for the kernel to say.
    assert_eq!(told.outcomes()[1..], [success()]);
}

#[tokio::test]
async fn an_answer_that_is_not_http2_is_permanent() {
    let answers_http1 = b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec();
    let plan = [Connection::Wire(answers_http1), answers()];
    let (server, told, result) = attempt(Method::GET, plan).await;
    assert!(
        cause::<h2::Error>(&result.unwrap_err())
            .unwrap()
            .is_library()
    );
    assert_eq!(server.received(), [["GET"]]);
    assert_eq!(
        told.outcomes(),
        [handed_over(Class::Permanent, StopReason::Permanent)]
    );
}

#[tokio::test]
async fn a_response_without_a_status_is_permanent() {
    let wire = [settings(), head(&[])].concat();
    let (server, told, result) = attempt(Method::GET, [Connection::Wire(wire), answers()]).await;
    assert!(
        cause::<h2::Error>(&result.unwrap_err())
            .unwrap()
            .is_library()
    );
    assert_eq!(server.received(), [["GET"]]);
    assert_eq!(
        told.outcomes(),
        [handed_over(Class::Permanent, StopReason::Permanent)]
    );
}

#[tokio::test]
async fn a_request_body_that_breaks_is_permanent() {
    let server = Server::start([Connection::Wire(settings()), answers()]).await;
    let (mut sender, body) = Channel::<Bytes, io::Error>::new(1);
    let told = Told::default();
    let client = told.layer().layer(client());
    let breaks = async {
        sender.send_data(Bytes::from("it")).await.unwrap();
        server.heard().await;
        sender.abort(io::Error::other("the file cannot be read on"));
    };
    let request = Request::post(server.uri()).body(body).unwrap();
    let (result, ()) = tokio::join!(client.oneshot(request), breaks);

    // hyper tells the stream's reset, not its cause.
    let error = result.unwrap_err();
    let reset = cause::<h2::Error>(&error).unwrap();
    assert!(reset.is_reset() && !reset.is_remote());
    assert_eq!(server.received(), [["POST"]]);
    assert_eq!(
        told.outcomes(),
        [handed_over(Class::Permanent, StopReason::Permanent)]
    );
}

/// Speaks HTTP/2 with one stream at a time: answers the first, says GOAWAY to the second. Answers
/// all of the next connection; says how many there were on the first.
async fn answer_one_and_go_away(listener: TcpListener) -> usize {
    let (stream, _) = listener.accept().await.unwrap();
    let mut builder = h2::server::Builder::new();
    let handshake = builder
        .max_concurrent_streams(1)
        .handshake::<_, Bytes>(stream);
    let mut connection = handshake.await.unwrap();
    let (_, mut first) = connection.accept().await.unwrap().unwrap();
    first.send_response(Response::new(()), true).unwrap();
    let _second = connection.accept().await.unwrap().unwrap();
    connection.abrupt_shutdown(Reason::NO_ERROR);
    let mut count = 2;
    while let Some(Ok(_)) = connection.accept().await {
        count += 1;
    }
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut connection = h2::server::handshake(stream).await.unwrap();
        while let Some(Ok((_, mut respond))) = connection.accept().await {
            respond.send_response(Response::new(()), true).unwrap();
        }
    });
    count
}

/// Sends a request that waits for a stream when the server goes away.
async fn wait_for_a_stream(
    method: Method,
    body: &'static str,
) -> (Result<Response<Incoming>, BoxError>, Told) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri = format!("http://{}/item", listener.local_addr().unwrap());
    let server = tokio::spawn(answer_one_and_go_away(listener));
    let client = client::<Body>();
    let get = || {
        let request = Request::get(&uri).body(ReplayBody::default());
        client.request(request.unwrap())
    };
    assert_eq!(get().await.unwrap().status(), 200);

    let told = Told::default();
    let waits = told.layer().layer(client.clone());
    let waits = waits.oneshot(request(method, &uri).map(|_| Body::from(body)));
    let (sent, waited) = tokio::join!(get(), waits);
    assert!(sent.is_err());
    assert_eq!(server.await.unwrap(), 2);
    (waited, told)
}

#[tokio::test]
async fn a_get_that_waits_for_a_stream_when_the_server_goes_away_is_sent_again_at_once() {
    let (result, told) = wait_for_a_stream(Method::GET, "").await;
    assert_eq!(result.unwrap().status(), 200);
    assert_eq!(
        told.outcomes(),
        [again_at_once(Class::Transient), success()]
    );
}

#[tokio::test]
async fn a_post_that_waits_for_a_stream_when_the_server_goes_away_is_handed_up() {
    for body in ["", "item"] {
        let (result, told) = wait_for_a_stream(Method::POST, body).await;
        let error = result.unwrap_err();
        let hyper = cause::<hyper::Error>(&error).unwrap();
        // hyper counts this among the user's errors; its text alone tells it from them.
        assert!(hyper.is_user());
        assert_eq!(hyper.to_string(), "dispatch task is gone");
        let stop = handed_over(Class::Transient, StopReason::NotIdempotent);
        assert_eq!(told.outcomes(), [stop], "{body}");
    }
}

#[tokio::test]
async fn a_post_whose_stream_opens_as_the_server_shuts_down_is_sent_once() {
    let goes_away = go_away(i32::MAX as u32, Reason::NO_ERROR);
    let wire = [settings(), head(STATUS_200), goes_away].concat();
    let server = Server::start([Connection::Wire(wire), answers()]).await;
    let stream = TcpStream::connect(server.address()).await.unwrap();
    let mut builder = http2::Builder::new(TokioExecutor::new());
    let builder = builder.initial_max_send_streams(1);
    let handshake = builder.handshake(TokioIo::new(stream)).await;
    let (sender, connection) = handshake.unwrap();
    tokio::spawn(connection);
    let send = |request: Request<ReplayBody<Body>>| sender.clone().send_request(request);

    let get = send(
        Request::get(server.uri())
            .body(ReplayBody::default())
            .unwrap(),
    );
    let told = Told::default();
    let post = told.layer().layer(service_fn(send));
    let post = post.oneshot(request(Method::POST, &server.uri()));
    let (answered, posted) = tokio::join!(get, post);
    assert_eq!(answered.unwrap().status(), 200);
    let error = posted.unwrap_err();
    let hyper = error.downcast_ref::<hyper::Error>().unwrap();
    assert_eq!(hyper.to_string(), "dispatch task is gone");
    // Its head comes to the server, although nobody began to read its body.
    while server.received() != [["GET", "POST"]] {
        server.heard().await;
    }
    let stop = handed_over(Class::Transient, StopReason::NotIdempotent);
    assert_eq!(told.outcomes(), [stop]);
}

#[tokio::test]
async fn a_post_on_a_connection_that_is_closed_already_is_sent_again_at_once() {
    let server = Server::start([Connection::Ignore, answers()]).await;
    let mut senders = VecDeque::new();
    for is_open in [false, true] {
        let stream = TcpStream::connect(server.address()).await.unwrap();
        let handshake = http2::handshake(TokioExecutor::new(), TokioIo::new(stream));
        let (sender, connection) = handshake.await.unwrap();
        senders.push_back(sender);
        match is_open {
            true => drop(tokio::spawn(connection)),
            false => drop(connection),
        }
    }
    let senders = Mutex::new(senders);
    let told = Told::default();
    let client = told.layer().layer(service_fn(|request| {
        let mut sender = senders.lock().unwrap().pop_front().unwrap();
        async move { sender.send_request(request).await }
    }));
    let response = client.oneshot(request(Method::POST, &server.uri())).await;

    assert_eq!(response.unwrap().status(), 200);
    assert_eq!(server.received(), [vec![], vec!["POST item"]]);
    assert_eq!(told.outcomes(), [again_at_once(Class::Refused), success()]);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_does_not_answer_pings_is_a_time_out() {
    let told = Told::default();
    let client = told.layer().layer(service_fn(async |request| {
        let (near, mut far) = tokio::io::duplex(1024);
        tokio::spawn(async move { tokio::io::copy(&mut far, &mut tokio::io::sink()).await });
        let mut builder = http2::Builder::new(TokioExecutor::new());
        let builder = builder
            .timer(TokioTimer::new())
            .keep_alive_interval(Duration::from_secs(10))
            .keep_alive_timeout(Duration::from_secs(5));
        let (mut sender, connection) = builder.handshake(TokioIo::new(near)).await?;
        tokio::spawn(connection);
        sender.send_request(request).await
    }));
    let error = client
        .oneshot(request(Method::GET, "http://upstream.test/item"))
        .await;

    let error = error.unwrap_err();
    assert!(error.downcast_ref::<hyper::Error>().unwrap().is_timeout());
    let timed_out = again_after_a_time_out(Class::Transient);
    let last = handed_over(Class::Transient, StopReason::Attempts).timed_out();
    assert_eq!(told.outcomes(), [timed_out, timed_out, last]);
}

#[tokio::test]
async fn an_io_error_in_one_of_h2_decides() {
    let transient = Verdict::from(Class::Transient);
    for (kind, expected) in [
        (ErrorKind::ConnectionReset, transient),
        (ErrorKind::TimedOut, transient.timed_out()),
        (ErrorKind::PermissionDenied, Class::Permanent.into()),
    ] {
        let io = tokio_test::io::Builder::new()
            .write_error(kind.into())
            .build();
        let error = h2::client::handshake(io).await.err().unwrap();
        let request = Request::new(());
        let outcome = Outcome::error(&request, &error);
        assert_eq!(ByStatus::new().classify(&outcome), expected, "{kind}");
    }
}
