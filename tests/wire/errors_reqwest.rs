//! What reqwest's client comes to when it fails, and what is done about it.

use std::error::Error;
use std::future::pending;
use std::io::ErrorKind;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::channel::Channel;
use http_body_util::{BodyExt, Full};
use reqwest::dns::{Name, Resolve, Resolving};
use reqwest::redirect::Policy;
use reqwest::{Client, ClientBuilder};
use tokio::net::TcpListener;
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_http_retry::classify::{Class, Classify, Outcome};
use tower_http_retry::event::StopReason;
use tower_http_retry::{BoxError, ByStatus, ReplayBody};

use crate::support::server::{OK, Refusing, Server, Turn, UNAVAILABLE};
use crate::support::told::{Told, again, again_after_a_time_out, handed_over, success};

/// Its own retries, of what HTTP/2 refuses, are off: only the layer sends again.
fn builder() -> ClientBuilder {
    Client::builder().no_proxy().retry(reqwest::retry::never())
}

/// Two retries over reqwest's client.
fn service<B>(
    builder: ClientBuilder,
) -> (
    Told,
    impl Service<Request<B>, Response = Response<reqwest::Body>, Error = BoxError>,
)
where
    B: http_body::Body<Error: Into<BoxError>> + Send + 'static,
{
    let client = builder.build().unwrap();
    let told = Told::default();
    let service = told
        .layer()
        .layer(service_fn(move |request: Request<ReplayBody<B>>| {
            let client = client.clone();
            async move {
                let request = reqwest::Request::try_from(request.map(reqwest::Body::wrap))?;
                let response = client.execute(request).await?;
                Ok::<_, reqwest::Error>(Response::<reqwest::Body>::from(response))
            }
        }));
    (told, service)
}

/// Sends a request with the body `item`.
async fn send(
    builder: ClientBuilder,
    method: Method,
    uri: &str,
) -> (Result<Response<reqwest::Body>, BoxError>, Told) {
    let (told, service) = service(builder);
    let request = Request::builder().method(method).uri(uri);
    let request = request.body(Full::<Bytes>::from("item")).unwrap();
    (service.oneshot(request).await, told)
}

fn own(result: Result<Response<reqwest::Body>, BoxError>) -> reqwest::Error {
    *result.unwrap_err().downcast().unwrap()
}

#[tokio::test]
async fn a_refused_connect_of_a_post_is_refused() {
    let (result, told) = send(builder(), Method::POST, &Refusing::new().uri()).await;
    assert!(own(result).is_connect());
    let refused = again(Class::Refused);
    let last = handed_over(Class::Refused, StopReason::Attempts);
    assert_eq!(told.outcomes(), [refused, refused, last]);
}

#[tokio::test]
async fn a_connection_closed_before_its_response_is_transient() {
    let server = Server::start([Turn::Close, Turn::Answer(OK)]).await;
    let (result, told) = send(builder(), Method::GET, &server.uri()).await;
    assert_eq!(result.unwrap().status(), 200);
    assert_eq!(server.received(), ["GET item", "GET item"]);
    assert_eq!(told.outcomes(), [again(Class::Transient), success()]);

    let server = Server::start([Turn::Close, Turn::Answer(OK)]).await;
    let (result, told) = send(builder(), Method::POST, &server.uri()).await;
    assert!(own(result).is_request());
    assert_eq!(server.received(), ["POST item"]);
    assert_eq!(
        told.outcomes(),
        [handed_over(Class::Transient, StopReason::NotIdempotent)]
    );
}

#[tokio::test]
async fn a_503_is_sent_again_with_its_body() {
    let server = Server::start([Turn::Answer(UNAVAILABLE), Turn::Answer(OK)]).await;
    let (result, told) = send(builder(), Method::PUT, &server.uri()).await;
    assert_eq!(result.unwrap().status(), 200);
    assert_eq!(server.received(), ["PUT item", "PUT item"]);
    assert_eq!(
        told.outcomes(),
        [again(Class::Transient).of(503), success()]
    );
}

#[tokio::test(start_paused = true)]
async fn a_time_out_of_the_client_is_transient_and_a_time_out() {
    // Connections are made, but nobody takes them.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri = format!("http://{}/item", silent.local_addr().unwrap());
    let builder = || builder().timeout(Duration::from_secs(10));

    let (result, told) = send(builder(), Method::GET, &uri).await;
    assert!(own(result).is_timeout());
    let timed_out = again_after_a_time_out(Class::Transient);
    let last = handed_over(Class::Transient, StopReason::Attempts).timed_out();
    assert_eq!(told.outcomes(), [timed_out, timed_out, last]);

    let (result, told) = send(builder(), Method::POST, &uri).await;
    assert!(own(result).is_timeout());
    let stop = handed_over(Class::Transient, StopReason::NotIdempotent).timed_out();
    assert_eq!(told.outcomes(), [stop]);
}

struct NoAnswer;

impl Resolve for NoAnswer {
    fn resolve(&self, _: Name) -> Resolving {
        Box::pin(pending())
    }
}

#[tokio::test(start_paused = true)]
async fn a_connect_that_times_out_is_refused_and_a_time_out() {
    let builder = builder().connect_timeout(Duration::from_secs(10));
    let builder = builder.dns_resolver(NoAnswer);
    let (result, told) = send(builder, Method::POST, "http://upstream.test/item").await;
    let error = own(result);
    assert!(error.is_connect() && error.is_timeout());
    let refused = again_after_a_time_out(Class::Refused);
    let last = handed_over(Class::Refused, StopReason::Attempts).timed_out();
    assert_eq!(told.outcomes(), [refused, refused, last]);
}

#[tokio::test]
async fn an_answer_that_is_not_http_is_permanent() {
    let smtp = Turn::Answer("220 mail.test ESMTP\r\n\r\n");
    let server = Server::start([smtp, Turn::Answer(OK)]).await;
    let (result, told) = send(builder(), Method::GET, &server.uri()).await;
    assert!(own(result).is_request());
    assert_eq!(server.received(), ["GET item"]);
    assert_eq!(
        told.outcomes(),
        [handed_over(Class::Permanent, StopReason::Permanent)]
    );
}

#[tokio::test]
async fn a_request_that_cannot_be_built_is_permanent() {
    for uri in ["/item", "mail://upstream.test/item"] {
        let (result, told) = send(builder(), Method::GET, uri).await;
        assert!(own(result).is_builder(), "{uri}");
        let stop = handed_over(Class::Permanent, StopReason::Permanent);
        assert_eq!(told.outcomes(), [stop], "{uri}");
    }
}

#[tokio::test]
async fn a_scheme_that_the_client_does_not_speak_is_permanent() {
    // This reqwest is built without TLS.
    let server = Server::start([Turn::Answer(OK)]).await;
    let uri = format!("https://{}/item", server.address());
    let (result, told) = send(builder(), Method::GET, &uri).await;
    assert!(own(result).is_connect());
    assert!(server.received().is_empty());
    assert_eq!(
        told.outcomes(),
        [handed_over(Class::Permanent, StopReason::Permanent)]
    );
}

#[tokio::test]
async fn a_redirect_that_the_client_will_not_follow_is_permanent() {
    let elsewhere = Turn::Answer(
        "HTTP/1.1 303 See Other\r\nlocation: /\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
    );
    let server = Server::start([elsewhere, Turn::Answer(OK)]).await;
    // Whatever its reason is.
    let reset = || std::io::Error::from(ErrorKind::ConnectionReset);
    let refuse = Policy::custom(move |attempt| attempt.error(reset()));
    let (result, told) = send(builder().redirect(refuse), Method::GET, &server.uri()).await;
    assert!(own(result).is_redirect());
    assert_eq!(server.received(), ["GET item"]);
    assert_eq!(
        told.outcomes(),
        [handed_over(Class::Permanent, StopReason::Permanent)]
    );
}

#[tokio::test]
async fn a_request_body_that_breaks_is_permanent() {
    let server = Server::start([Turn::HoldAfter(2), Turn::Answer(OK)]).await;
    let (mut sender, body) = Channel::<Bytes, BoxError>::new(1);
    let breaks = async {
        sender.send_data(Bytes::from("it")).await.unwrap();
        server.heard().await;
        sender.abort("the file cannot be read on".into());
    };
    let request = Request::put(server.uri()).header("content-length", 4);
    let request = request.body(body).unwrap();
    let (told, service) = service(builder());
    let (result, ()) = tokio::join!(service.oneshot(request), breaks);

    let error = own(result);
    let mut chain = std::iter::successors(Some(&error as &dyn Error), |&error| error.source());
    assert!(chain.any(|cause| cause.to_string() == "the file cannot be read on"));
    assert_eq!(server.received(), ["PUT it"]);
    assert_eq!(
        told.outcomes(),
        [handed_over(Class::Permanent, StopReason::Permanent)]
    );
}

#[tokio::test]
async fn an_error_of_a_body_is_permanent_whatever_its_reason_is() {
    let (sender, body) = Channel::<Bytes, std::io::Error>::new(1);
    sender.abort(ErrorKind::ConnectionReset.into());
    let error = reqwest::Body::wrap(body).collect().await.unwrap_err();
    assert!(error.is_body());
    let request = Request::new(());
    let outcome = Outcome::error(&request, &error);
    assert_eq!(ByStatus::new().classify(&outcome), Class::Permanent.into());
}
