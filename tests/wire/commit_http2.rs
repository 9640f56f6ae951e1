//! Answers that break off over real connections of HTTP/2, and are asked for again.

use std::error::Error;

use bytes::Bytes;
use h2::Reason;
use http::{Method, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use tower::{Layer, ServiceExt};
use tower_http_retry::classify::Class;
use tower_http_retry::commit::{BrokenAnswer, CommittedBody};
use tower_http_retry::event::StopReason;
use tower_http_retry::{BoxError, CommitLayer};

use crate::support::http2::{Connection, Server, Turn};
use crate::support::told::{Told, again, handed_over, success};

const WHOLE: Turn = Turn::Item("the item", None);

type Outcome = Result<Response<CommittedBody<Incoming>>, BoxError>;

/// Sends a request through two retries over hyper-util's client, to a server that treats its streams
/// so.
async fn send(layer: CommitLayer, method: Method, turns: &[Turn]) -> (Outcome, Server, Told) {
    let server = Server::start([Connection::Streams(turns.to_vec())]).await;
    let told = Told::default();
    let client = Client::builder(TokioExecutor::new())
        .http2_only(true)
        .build_http();
    let service = told.layer().layer(layer.layer(client));
    let request = Request::builder().method(method).uri(server.uri());
    let request = request.body(Full::<Bytes>::from("item")).unwrap();
    (service.oneshot(request).await, server, told)
}

async fn read(outcome: Outcome) -> Bytes {
    let body = outcome.unwrap().into_body();
    body.collect().await.unwrap().to_bytes()
}

/// What h2 says of it.
fn cause(error: &BrokenAnswer) -> Option<&h2::Error> {
    let mut chain = std::iter::successors(error.source(), |&error| error.source());
    chain.find_map(|error| error.downcast_ref())
}

/// The last of them looks like an end to hyper.
const REASONS: [Reason; 4] = [
    Reason::INTERNAL_ERROR,
    Reason::CANCEL,
    Reason::REFUSED_STREAM,
    Reason::NO_ERROR,
];

#[tokio::test]
async fn a_get_whose_answer_is_reset_is_sent_again_after_the_back_off() {
    for reason in REASONS {
        let turns = [Turn::Item("the ", Some(reason)), WHOLE];
        let (outcome, server, told) = send(CommitLayer::whole(1024), Method::GET, &turns).await;
        assert_eq!(read(outcome).await, "the item", "{reason}");
        assert_eq!(server.received(), [["GET item"; 2]], "{reason}");
        let outcomes = [again(Class::Transient), success()];
        assert_eq!(told.outcomes(), outcomes, "{reason}");
    }
}

#[tokio::test]
async fn a_stream_that_is_refused_after_its_answers_head_was_acted_on_and_a_post_is_not_sent_again()
{
    for reason in REASONS {
        let turns = [Turn::Item("the ", Some(reason)), WHOLE];
        let (outcome, server, told) = send(CommitLayer::whole(1024), Method::POST, &turns).await;
        let error = outcome.unwrap_err().downcast::<BrokenAnswer>().unwrap();
        assert_eq!(error.response().status(), 200, "{reason}");
        assert_eq!(server.received(), [["POST item"]], "{reason}");
        let stop = handed_over(Class::Transient, StopReason::NotIdempotent);
        assert_eq!(told.outcomes(), [stop], "{reason}");
        let expected = (reason != Reason::NO_ERROR).then_some(reason);
        assert_eq!(cause(&error).and_then(h2::Error::reason), expected);
    }
}

#[tokio::test]
async fn an_answer_that_is_reset_before_its_first_bytes_is_asked_for_again_and_not_after_them() {
    let turns = [
        Turn::Item("", Some(Reason::INTERNAL_ERROR)),
        Turn::Item("the ", Some(Reason::INTERNAL_ERROR)),
        WHOLE,
    ];
    let (outcome, server, told) = send(CommitLayer::first_bytes(), Method::GET, &turns).await;
    let mut body = outcome.unwrap().into_body();
    let first = body.frame().await.unwrap().unwrap();
    assert_eq!(first.into_data().unwrap(), "the ");
    body.frame().await.unwrap().unwrap_err();
    assert_eq!(server.received(), [["GET item"; 2]]);
    assert_eq!(told.outcomes(), [again(Class::Transient), success()]);
}

#[tokio::test]
async fn a_stream_that_ends_before_its_announced_length_is_asked_for_again() {
    let turns = [Turn::Item("the ", None), WHOLE];
    let (outcome, server, told) = send(CommitLayer::whole(1024), Method::GET, &turns).await;
    assert_eq!(outcome.unwrap().status(), 200);
    assert_eq!(server.received(), [["GET item", "GET item"]]);
    assert_eq!(told.outcomes(), [again(Class::Transient), success()]);
    // h2 finds it itself.
    let turns = [Turn::Item("the ", None), WHOLE];
    let (outcome, ..) = send(CommitLayer::whole(1024), Method::POST, &turns).await;
    let error = outcome.unwrap_err().downcast::<BrokenAnswer>().unwrap();
    assert_eq!(error.response().header("content-length"), Some("8"));
    let h2 = cause(&error).unwrap();
    assert!(h2.is_library());
    assert_eq!(h2.reason(), Some(Reason::PROTOCOL_ERROR));
}
