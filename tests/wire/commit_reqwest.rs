//! Answers of reqwest's client that break off, and are asked for again.

use std::error::Error;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, request};
use http_body_util::{BodyExt, Full};
use reqwest::redirect::Policy;
use reqwest::{Client, ClientBuilder};
use tower::{Layer, ServiceExt, service_fn};
use tower_http_retry::classify::{Class, Classify, Outcome};
use tower_http_retry::commit::{BrokenAnswer, CommittedBody};
use tower_http_retry::event::StopReason;
use tower_http_retry::{BoxError, ByStatus, CommitLayer, ReplayBody, RetryLayer};

use crate::support::server::{Server, Turn};
use crate::support::told::{Told, again, handed_over, success};

const WHOLE: Turn =
    Turn::Answer("HTTP/1.1 200 OK\r\ncontent-length: 8\r\nconnection: close\r\n\r\nthe item");
const CUT: Turn = Turn::Answer("HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\nthe ");
const CUT_CHUNKED: Turn =
    Turn::Answer("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nthe \r\n");

type Answer = Result<Response<CommittedBody<reqwest::Body>>, BoxError>;

/// Its own retries and redirects are off.
fn builder() -> ClientBuilder {
    let builder = Client::builder().no_proxy().redirect(Policy::none());
    builder.retry(reqwest::retry::never())
}

/// Sends a request with the body `item` through this retry; something is done at each head.
async fn send(
    retry: RetryLayer,
    layer: CommitLayer,
    builder: ClientBuilder,
    at_head: fn(),
    request: request::Builder,
) -> Answer {
    let client = builder.build().unwrap();
    let service = service_fn(move |request: Request<ReplayBody<Full<Bytes>>>| {
        let client = client.clone();
        async move {
            let request = reqwest::Request::try_from(request.map(reqwest::Body::wrap))?;
            let response = client.execute(request).await?;
            at_head();
            Ok::<_, reqwest::Error>(Response::<reqwest::Body>::from(response))
        }
    });
    let request = request.body(Full::from("item")).unwrap();
    retry.layer(layer.layer(service)).oneshot(request).await
}

/// Through two retries.
async fn answer(layer: CommitLayer, method: Method, server: &Server) -> (Answer, Told) {
    let told = Told::default();
    let request = Request::builder().method(method).uri(server.uri());
    let outcome = send(told.layer(), layer, builder(), || {}, request).await;
    (outcome, told)
}

#[tokio::test]
async fn a_get_whose_answer_is_cut_is_sent_again_and_the_caller_gets_the_whole() {
    for cut in [CUT, CUT_CHUNKED] {
        let server = Server::start([cut, WHOLE]).await;
        let (outcome, told) = answer(CommitLayer::whole(1024), Method::GET, &server).await;
        let body = outcome.unwrap().into_body().collect().await.unwrap();
        assert_eq!(body.to_bytes(), "the item", "{cut:?}");
        assert_eq!(server.received(), ["GET item", "GET item"]);
        assert_eq!(told.outcomes(), [again(Class::Transient), success()]);
    }
}

#[tokio::test]
async fn the_error_of_a_cut_is_one_of_a_body_which_is_permanent_but_for_its_cause() {
    let server = Server::start([CUT, WHOLE]).await;
    let (outcome, told) = answer(CommitLayer::whole(1024), Method::POST, &server).await;
    let error = outcome.unwrap_err().downcast::<BrokenAnswer>().unwrap();
    assert_eq!(error.delivered(), 4);
    let client: &reqwest::Error = error.source().unwrap().downcast_ref().unwrap();
    assert!(client.is_body(), "{client:?}");
    let request = Request::new(());
    let by_itself = ByStatus::new().classify(&Outcome::error(&request, client));
    assert_eq!(by_itself, Class::Permanent.into());
    assert!(client.source().unwrap().is::<hyper::Error>());

    assert_eq!(server.received(), ["POST item"]);
    let stop = handed_over(Class::Transient, StopReason::NotIdempotent);
    assert_eq!(told.outcomes(), [stop]);
}

#[tokio::test]
async fn an_answer_that_is_cut_after_its_first_bytes_is_the_callers() {
    let server = Server::start([CUT, WHOLE]).await;
    let (outcome, told) = answer(CommitLayer::first_bytes(), Method::GET, &server).await;
    let mut body = outcome.unwrap().into_body();
    let first = body.frame().await.unwrap().unwrap();
    assert_eq!(first.into_data().unwrap(), "the ");
    assert!(body.frame().await.unwrap().unwrap_err().is_body());
    assert_eq!(server.received(), ["GET item"]);
    assert_eq!(told.outcomes(), [success()]);
}

#[tokio::test]
async fn a_body_that_the_client_waited_for_too_long_timed_out() {
    let stalled = "HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\nthe ";
    let server = Server::start([Turn::AnswerAndHold(stalled)]).await;
    let told = Told::default();
    let layer = CommitLayer::whole(1024);
    let builder = builder().timeout(Duration::from_secs(10));
    let request = Request::get(server.uri());
    // From the head on, the clock jumps.
    let retry = told.layer().max_retries(0);
    let outcome = send(retry, layer, builder, tokio::time::pause, request).await;
    let error = outcome.unwrap_err().downcast::<BrokenAnswer>().unwrap();
    let client: &reqwest::Error = error.source().unwrap().downcast_ref().unwrap();
    assert!(client.is_body() && client.is_timeout(), "{client:?}");
    let stop = handed_over(Class::Transient, StopReason::Attempts);
    assert_eq!(told.outcomes(), [stop.timed_out()]);
}
