//! A client as a tower service.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use reqwest::Client;
use tokio::net::TcpListener;
use tower::{Layer, ServiceExt};
use tower_http_retry::classify::Class;
use tower_http_retry::event::StopReason;
use tower_http_retry::reqwest::{MaybeRedirected, SendThrough, Service};
use tower_http_retry::verify::Unverified;
use tower_http_retry::{AttemptsHandle, BoxError, Idempotency, RetryLayer, VerifyLayer};

use crate::support::http2;
use crate::support::server::{Refusing, Server, Turn};
use crate::support::told::{Told, again, handed_over, success};
use crate::{answer, builder, see_other, status};

/// Over a client that follows redirects.
fn following() -> Service {
    Service::from(builder().build().unwrap())
}

fn not_following() -> Service {
    Service::new(builder()).unwrap()
}

fn post(uri: &str) -> Request<Full<Bytes>> {
    Request::post(uri).body(Full::from("item")).unwrap()
}

fn get(uri: &str) -> Request<Full<Bytes>> {
    Request::get(uri).body(Full::default()).unwrap()
}

/// Sends a request without a layer.
async fn direct(service: Service, request: Request<Full<Bytes>>) -> Response<reqwest::Body> {
    let request = request.map(reqwest::Body::wrap);
    service.oneshot(request).await.unwrap()
}

/// Sends a request through two retries.
async fn send(
    service: Service,
    request: Request<Full<Bytes>>,
) -> (Result<Response<reqwest::Body>, BoxError>, Told) {
    let told = Told::default();
    let service = told.layer().layer(service);
    (service.oneshot(request).await, told)
}

#[tokio::test]
async fn a_new_one_repeats_nothing_itself() {
    let turns = vec![
        http2::Turn::Reset(h2::Reason::REFUSED_STREAM),
        http2::Turn::Answer,
    ];
    let server = http2::Server::start([http2::Connection::Streams(turns)]).await;
    let service = Service::new(builder().http2_prior_knowledge()).unwrap();
    let request = Request::post(server.uri())
        .body(reqwest::Body::from("item"))
        .unwrap();
    service.oneshot(request).await.unwrap_err();
    assert_eq!(server.received(), [["POST item"]]);
}

#[tokio::test]
async fn a_new_one_follows_no_redirect_whatever_the_builder_says() {
    let server = Server::start([see_other("/other")]).await;
    let limited = builder().redirect(reqwest::redirect::Policy::limited(5));
    let service = Service::new(limited).unwrap();
    let response = direct(service, post(&server.uri())).await;
    assert_eq!(response.status(), StatusCode::SEE_OTHER);
    assert_eq!(response.headers()["location"], "/other");
    assert_eq!(server.received(), ["POST item"]);
}

#[tokio::test]
async fn a_new_one_says_what_is_wrong_with_its_builder() {
    let builder = builder().user_agent("no\nname");
    assert!(Service::new(builder).unwrap_err().is_builder());
}

#[tokio::test]
async fn a_refused_post_is_repeated_with_its_body() {
    let server = Server::start([status(429), status(200)]).await;
    let (result, told) = send(not_following(), post(&server.uri())).await;
    assert_eq!(result.unwrap().status(), 200);
    assert_eq!(server.received(), ["POST item", "POST item"]);
    assert_eq!(told.outcomes(), [again(Class::Refused).of(429), success()]);

    let (result, told) = send(not_following(), post(&Refusing::new().uri())).await;
    assert!(
        result
            .unwrap_err()
            .downcast::<reqwest::Error>()
            .unwrap()
            .is_connect()
    );
    assert_eq!(told.sent(), 3);
}

#[tokio::test]
async fn a_post_that_was_redirected_is_not_repeated_when_its_target_is_throttled() {
    for location in ["/item", "/other"] {
        let server = Server::start([see_other(location), status(429), status(200)]).await;
        let (result, told) = send(following(), post(&server.uri())).await;
        assert_eq!(result.unwrap().status(), 429);
        assert_eq!(server.received(), ["POST item", "GET "], "{location}");
        let stop = handed_over(Class::Transient, StopReason::NotIdempotent);
        assert_eq!(told.outcomes(), [stop.of(429)]);
    }
}

#[tokio::test]
async fn a_post_that_was_redirected_is_not_repeated_when_its_target_refuses_the_connection() {
    let server = Server::start([see_other(&Refusing::new().uri()), status(200)]).await;
    let (result, told) = send(following(), post(&server.uri())).await;
    let error = result.unwrap_err().downcast::<MaybeRedirected>().unwrap();
    let sentence = "the request failed, maybe after a redirect";
    assert_eq!(error.to_string(), sentence);
    let source = std::error::Error::source(&*error).unwrap();
    assert!(
        source
            .downcast_ref::<reqwest::Error>()
            .unwrap()
            .is_connect()
    );
    assert!(
        error
            .into_inner()
            .downcast::<reqwest::Error>()
            .unwrap()
            .is_connect()
    );
    assert_eq!(server.received(), ["POST item"]);
    let stop = handed_over(Class::Transient, StopReason::NotIdempotent);
    assert_eq!(told.outcomes(), [stop]);
}

#[tokio::test]
async fn of_a_client_that_may_follow_redirects_no_post_is_refused_until_it_is_said_that_it_does_not()
 {
    let server = Server::start([status(429), status(200)]).await;
    let (result, _) = send(following(), post(&server.uri())).await;
    assert_eq!(result.unwrap().status(), 429);
    assert_eq!(server.received(), ["POST item"]);

    let server = Server::start([status(429), status(200)]).await;
    let (result, _) = send(following().redirects_are_off(), post(&server.uri())).await;
    assert_eq!(result.unwrap().status(), 200);
    assert_eq!(server.received(), ["POST item", "POST item"]);
}

#[tokio::test]
async fn a_get_is_retried_whatever_becomes_of_its_redirects() {
    let server = Server::start([status(429), see_other("/other"), status(503), status(200)]).await;
    let (result, told) = send(following(), get(&server.uri())).await;
    let response = reqwest::Response::from(result.unwrap());
    assert_eq!(
        (response.status(), response.url().path()),
        (StatusCode::OK, "/item")
    );
    // A redirect to the same URL would not be seen.
    let outcomes = [
        again(Class::Transient).of(429),
        again(Class::Transient).of(503),
        success(),
    ];
    assert_eq!(told.outcomes(), outcomes);
    let (result, told) = send(following(), get(&Refusing::new().uri())).await;
    assert!(result.unwrap_err().is::<MaybeRedirected>());
    assert_eq!(told.sent(), 3);
}

#[tokio::test]
async fn a_get_that_may_not_be_repeated_is_not_when_the_target_of_its_redirect_refuses() {
    let targets = |refusing: &str| {
        [
            vec![see_other(refusing)],
            vec![see_other("/item"), status(429)],
            vec![see_other("/other"), status(429)],
        ]
    };
    for plan in targets(&Refusing::new().uri()) {
        let count = plan.len();
        let server = Server::start(plan).await;
        let layer = Told::default().layer();
        let layer = layer.idempotency(Idempotency::new().except(http::Method::GET));
        let service = layer.layer(following());
        let _ = service.oneshot(get(&server.uri())).await;
        assert_eq!(server.received().len(), count);
    }
}

#[tokio::test]
async fn a_429_of_a_redirects_target_is_no_refusal_of_a_get_either() {
    let server = Server::start([see_other("/other"), status(429), status(200)]).await;
    let (result, told) = send(following(), get(&server.uri())).await;
    assert_eq!(result.unwrap().status(), 200);
    let transient = again(Class::Transient).of(429);
    assert_eq!(told.outcomes(), [transient, success()]);
}

#[tokio::test]
async fn an_error_that_is_no_refusal_is_the_clients_own() {
    let server = Server::start([Turn::Close]).await;
    let (result, told) = send(following(), post(&server.uri())).await;
    assert!(
        result
            .unwrap_err()
            .downcast::<reqwest::Error>()
            .unwrap()
            .is_request()
    );
    let stop = handed_over(Class::Transient, StopReason::NotIdempotent);
    assert_eq!(told.outcomes(), [stop]);
}

#[tokio::test]
async fn a_probe_that_was_redirected_proves_nothing() {
    // The item is said to be elsewhere, where something is.
    let redirect = answer("307 -", &[("location", "/other")]);
    let server = Server::start([status(503), redirect, status(200), status(201)]).await;
    let mut request = post(&server.uri());
    *request.method_mut() = http::Method::PUT;
    let verify = VerifyLayer::new().put_creates();
    let service = Told::default().layer().layer(verify.layer(following()));
    let error = service.oneshot(request).await.unwrap_err();
    assert!(error.is::<Unverified>(), "{error:?}");
    assert_eq!(server.received(), ["PUT item", "GET ", "GET "]);
}

#[tokio::test]
async fn the_response_has_the_url_that_it_came_from() {
    let server = Server::start([see_other("/other?a=b"), status(200)]).await;
    let response = direct(following(), get(&server.uri())).await;
    let response = reqwest::Response::from(response);
    assert_eq!(
        (response.url().path(), response.url().query()),
        ("/other", Some("a=b"))
    );

    let server = Server::start([status(200)]).await;
    let response = direct(not_following(), get(&server.uri())).await;
    assert_eq!(
        reqwest::Response::from(response).url().as_str(),
        server.uri()
    );
}

#[tokio::test]
async fn what_reqwest_cannot_send_is_an_error_that_is_not_retried() {
    for uri in ["/item", "ftp://upstream.test/item"] {
        let (result, told) = send(not_following(), get(uri)).await;
        assert!(
            result
                .unwrap_err()
                .downcast::<reqwest::Error>()
                .unwrap()
                .is_builder()
        );
        let stop = handed_over(Class::Permanent, StopReason::Permanent);
        assert_eq!(told.outcomes(), [stop], "{uri}");
    }
}

#[tokio::test]
async fn what_a_request_builder_has_built_is_sent_through_the_stack() {
    let server = Server::start([status(503), status(200)]).await;
    let service = Service::new(builder()).unwrap();
    let client = service.client().clone();
    let told = Told::default();
    let retrying = told.layer().layer(service);
    let request = client.put(server.uri()).body("item");
    let response: reqwest::Response = request.send_through(&retrying).await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.url().as_str(), server.uri());
    assert_eq!(server.received(), ["PUT item", "PUT item"]);
}

#[tokio::test]
async fn so_are_a_request_of_reqwests_and_one_with_extensions() {
    let server = Server::start([status(200), status(503), status(200)]).await;
    let service = not_following();
    let client = service.client().clone();
    let retrying = Told::default().layer().layer(service);
    let request = || client.put(server.uri()).body("item").build().unwrap();
    let response = request().send_through(&retrying).await.unwrap();
    assert_eq!(response.status(), 200);
    let attempts = AttemptsHandle::new();
    let mut request = Request::<reqwest::Body>::try_from(request()).unwrap();
    request.extensions_mut().insert(attempts.clone());
    let response = request.send_through(&retrying).await.unwrap();
    assert_eq!((response.status().as_u16(), attempts.get().count), (200, 2));
}

#[tokio::test]
async fn a_request_that_could_not_be_built_is_not_sent() {
    let service = not_following();
    let client = service.client().clone();
    let told = Told::default();
    let retrying = told.layer().layer(service);
    let request = client.get("http://upstream.test/").header("no name", "a");
    let error = request.send_through(&retrying).await.unwrap_err();
    assert!(error.downcast::<reqwest::Error>().unwrap().is_builder());
    assert_eq!(told.sent(), 0);
}

#[tokio::test]
async fn an_error_of_the_stack_is_handed_up() {
    let service = not_following();
    let client = service.client().clone();
    let retrying = Told::default().layer().layer(service);
    let request = client.get(Refusing::new().uri());
    let error = request.send_through(&retrying).await.unwrap_err();
    assert!(error.downcast::<reqwest::Error>().unwrap().is_connect());
}

#[tokio::test(start_paused = true)]
async fn a_time_out_of_the_request_is_that_of_each_attempt() {
    // Connections are made, but nobody takes them.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri = format!("http://{}/item", silent.local_addr().unwrap());
    let service = not_following();
    let client = service.client().clone();
    let retrying = RetryLayer::new().max_retries(2).layer(service);
    let start = tokio::time::Instant::now();
    let request = client.get(uri).timeout(Duration::from_secs(10));
    let attempts = AttemptsHandle::new();
    let mut request = Request::<reqwest::Body>::try_from(request.build().unwrap()).unwrap();
    request.extensions_mut().insert(attempts.clone());
    let error = request.send_through(&retrying).await.unwrap_err();
    assert!(error.downcast::<reqwest::Error>().unwrap().is_timeout());
    assert_eq!(attempts.get().count, 3);
    let spent = start.elapsed() - attempts.get().waited;
    assert_eq!(spent.as_secs(), 3 * 10);
}

#[tokio::test]
async fn default_headers_are_those_of_the_client_below() {
    let named = |name: &'static str| {
        let headers = [(http::header::USER_AGENT, name.parse().unwrap())];
        builder().default_headers(headers.into_iter().collect())
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri = format!("http://{}/", listener.local_addr().unwrap());
    let agent = async |headers: http::HeaderMap| headers["user-agent"].to_str().unwrap().to_owned();
    let app = axum::Router::new().route("/", axum::routing::get(agent));
    tokio::spawn(async { axum::serve(listener, app).await });
    let above: Client = named("above").build().unwrap();
    let service = Service::new(named("below")).unwrap();
    let response = above.get(&uri).send_through(&service).await.unwrap();
    assert_eq!(response.text().await.unwrap(), "below");
    // The client that it returns is that one, too.
    let response = service.client().get(&uri).send().await.unwrap();
    assert_eq!(response.text().await.unwrap(), "below");
}

#[test]
fn futures_are_printed_by_their_names() {
    let mut service = not_following();
    let request = service.client().get("http://upstream.test/");
    let sending = request.send_through(&service);
    assert_eq!(format!("{sending:?}"), "Sending { .. }");
    let request = get("http://upstream.test/").map(reqwest::Body::wrap);
    let future = tower::Service::call(&mut service, request);
    assert_eq!(format!("{future:?}"), "ResponseFuture { .. }");
}
