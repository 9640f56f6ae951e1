//! A layer as a middleware of reqwest-middleware.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::Extensions;
use http_body_util::channel::Channel;
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware, Error, Middleware, Next, Result};
use tokio::net::TcpListener;
use tower_http_retry::classify::Class;
use tower_http_retry::event::StopReason;
use tower_http_retry::reqwest::RetryMiddleware;
use tower_http_retry::{Attempt, AttemptsHandle, BoxError, RetryError, RetryOverride};

use crate::support::server::{Refusing, Server, Turn};
use crate::support::told::{Told, again, handed_over, success};
use crate::{builder, see_other, status};

/// Two retries over a client that follows redirects.
fn client(told: &Told) -> ClientWithMiddleware {
    ClientBuilder::new(builder().build().unwrap())
        .with(RetryMiddleware::new(told.layer()))
        .build()
}

/// Two retries over one that does not.
fn without_redirects(told: &Told) -> ClientWithMiddleware {
    let none = reqwest::redirect::Policy::none();
    ClientBuilder::new(builder().redirect(none).build().unwrap())
        .with(RetryMiddleware::new(told.layer()).redirects_are_off())
        .build()
}

/// Does something with the extensions of each request that passes.
struct Passing<F>(F);

#[async_trait::async_trait]
impl<F: Fn(&mut Extensions) -> Result<()> + Send + Sync + 'static> Middleware for Passing<F> {
    async fn handle(
        &self,
        request: reqwest::Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> Result<reqwest::Response> {
        (self.0)(extensions)?;
        next.run(request, extensions).await
    }
}

/// Counts the requests that pass.
pub fn counting(count: &Arc<AtomicUsize>) -> impl Middleware {
    let count = count.clone();
    Passing(move |_: &mut Extensions| {
        count.fetch_add(1, Ordering::Relaxed);
        Ok(())
    })
}

#[tokio::test]
async fn a_503_is_retried_with_its_body_and_url() {
    let server = Server::start([status(503), status(503), status(200)]).await;
    let told = Told::default();
    let request = client(&told).put(server.uri()).body("item");
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.url().as_str(), server.uri());
    assert_eq!(server.received(), ["PUT item"; 3]);
}

#[tokio::test]
async fn what_is_added_after_it_sees_each_attempt_and_what_is_added_before_it_the_request() {
    let server = Server::start([status(503), status(503), status(200)]).await;
    let (before, after) = (Arc::default(), Arc::default());
    let client = ClientBuilder::new(builder().build().unwrap())
        .with(counting(&before))
        .with(RetryMiddleware::new(Told::default().layer()))
        .with(counting(&after))
        .build();
    client.get(server.uri()).send().await.unwrap();
    assert_eq!(before.load(Ordering::Relaxed), 1);
    assert_eq!(after.load(Ordering::Relaxed), 3);
}

#[tokio::test]
async fn a_request_says_otherwise_and_is_reported_by_its_extensions() {
    let server = Server::start([status(503), status(503), status(200)]).await;
    let client = client(&Told::default());
    let once = client
        .get(server.uri())
        .with_extension(RetryOverride::once());
    assert_eq!(once.send().await.unwrap().status(), 503);
    let attempts = AttemptsHandle::new();
    let request = client.get(server.uri()).with_extension(attempts.clone());
    assert_eq!(request.send().await.unwrap().status(), 200);
    assert_eq!(attempts.get().count, 2);
    assert_eq!(attempts.get().stopped, Some(StopReason::Success));
}

#[derive(Clone, Debug, PartialEq)]
struct Passed(Vec<u32>);

#[tokio::test]
async fn each_attempt_starts_with_the_extensions_of_the_request_and_the_last_ones_are_returned() {
    let server = Server::start([status(503), status(200)]).await;
    let seen = Arc::new(Mutex::new(Vec::new()));
    let of_attempts = seen.clone();
    let note = Passing(move |extensions: &mut Extensions| {
        let number = extensions.get::<Attempt>().unwrap().number();
        let Passed(before) = extensions.get().cloned().unwrap();
        of_attempts.lock().unwrap().push((number, before.clone()));
        extensions.insert(Passed([before, vec![number]].concat()));
        Ok(())
    });
    let layer = Told::default().layer().mark_attempts();
    let client = ClientBuilder::new(builder().build().unwrap())
        .with(RetryMiddleware::new(layer))
        .with(note)
        .build();
    let mut extensions = Extensions::new();
    extensions.insert(Passed(vec![0]));
    let request = client.get(server.uri()).build().unwrap();
    let response = client
        .execute_with_extensions(request, &mut extensions)
        .await;
    assert_eq!(response.unwrap().status(), 200);
    assert_eq!(*seen.lock().unwrap(), [(1, vec![0]), (2, vec![0])]);
    assert_eq!(extensions.get(), Some(&Passed(vec![0, 2])));
}

#[tokio::test]
async fn the_extensions_are_those_of_the_request_if_no_attempt_ended() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri = format!("http://{}/item", silent.local_addr().unwrap());
    let layer = Told::default()
        .layer()
        .attempt_timeout(Duration::from_millis(1));
    let client = ClientBuilder::new(builder().build().unwrap())
        .with(RetryMiddleware::new(layer.max_retries(0)))
        .build();
    let mut extensions = Extensions::new();
    extensions.insert(Passed(vec![0]));
    let request = client.get(uri).build().unwrap();
    let outcome = client
        .execute_with_extensions(request, &mut extensions)
        .await;
    assert!(outcome.is_err());
    assert_eq!(extensions.get(), Some(&Passed(vec![0])));
}

#[tokio::test]
async fn a_post_is_not_repeated_after_a_redirect() {
    for location in ["/item", "/other"] {
        let server = Server::start([see_other(location), status(429), status(200)]).await;
        let told = Told::default();
        let request = client(&told).post(server.uri()).body("item");
        assert_eq!(request.send().await.unwrap().status(), 429);
        assert_eq!(server.received(), ["POST item", "GET "]);
        let stop = handed_over(Class::Transient, StopReason::NotIdempotent);
        assert_eq!(told.outcomes(), [stop.of(429)], "{location}");
    }
    let server = Server::start([see_other(&Refusing::new().uri()), status(200)]).await;
    let told = Told::default();
    let request = client(&told).post(server.uri()).body("item");
    let error = request.send().await.unwrap_err();
    assert!(matches!(error, Error::Reqwest(error) if error.is_connect()));
    assert_eq!(server.received(), ["POST item"]);
    let stop = handed_over(Class::Transient, StopReason::NotIdempotent);
    assert_eq!(told.outcomes(), [stop]);
}

#[tokio::test]
async fn a_refused_post_is_repeated_only_if_redirects_are_off() {
    let server = Server::start([status(429), status(200)]).await;
    let request = client(&Told::default()).post(server.uri()).body("item");
    assert_eq!(request.send().await.unwrap().status(), 429);
    assert_eq!(server.received(), ["POST item"]);

    let server = Server::start([status(429), status(200)]).await;
    let told = Told::default();
    let request = without_redirects(&told).post(server.uri()).body("item");
    assert_eq!(request.send().await.unwrap().status(), 200);
    assert_eq!(server.received(), ["POST item", "POST item"]);
    assert_eq!(told.outcomes(), [again(Class::Refused).of(429), success()]);

    let told = Told::default();
    let request = without_redirects(&told).post(Refusing::new().uri());
    let error = request.send().await.unwrap_err();
    assert!(matches!(error, Error::Reqwest(error) if error.is_connect()));
    assert_eq!(told.sent(), 3);
}

#[tokio::test]
async fn the_last_error_is_handed_up_as_it_came() {
    let told = Told::default();
    let error = client(&told).get(Refusing::new().uri()).send().await;
    assert!(matches!(error.unwrap_err(), Error::Reqwest(error) if error.is_connect()));
    assert_eq!(told.sent(), 3);
    let error = client(&told).get("ftp://upstream.test/").send().await;
    assert!(matches!(error.unwrap_err(), Error::Reqwest(error) if error.is_builder()));
}

/// An error of its own for each attempt.
fn failing(kind: io::ErrorKind) -> impl Middleware {
    Passing(move |_: &mut Extensions| Err(Error::middleware(io::Error::new(kind, "its own"))))
}

#[tokio::test]
async fn an_error_of_another_middleware_is_no_refusal_and_handed_up_as_it_came() {
    let told = Told::default();
    let texts = Arc::new(Mutex::new(Vec::new()));
    let heard = texts.clone();
    let layer = told.layer().on_event(move |event| {
        if let Some(error) = event.error() {
            let chain = std::iter::successors(Some(error), |error| error.source());
            let texts: Vec<_> = chain.map(ToString::to_string).collect();
            heard.lock().unwrap().push(texts.join(": "));
        }
    });
    let none = reqwest::redirect::Policy::none();
    let client = ClientBuilder::new(builder().redirect(none).build().unwrap())
        .with(RetryMiddleware::new(layer).redirects_are_off())
        .with(failing(io::ErrorKind::ConnectionRefused))
        .build();
    let own = |error| match error {
        Error::Middleware(error) => error.downcast::<io::Error>().unwrap().to_string(),
        Error::Reqwest(error) => panic!("{error:?}"),
    };
    let error = client.post("http://upstream.test/").send().await;
    assert_eq!(own(error.unwrap_err()), "its own");
    let stop = handed_over(Class::Transient, StopReason::NotIdempotent);
    assert_eq!(told.outcomes(), [stop]);
    let text =
        "the request failed, maybe after a redirect: a middleware below the retry failed: its own";
    assert_eq!(*texts.lock().unwrap(), [text]);
    let error = client.get("http://upstream.test/").send().await;
    assert_eq!(own(error.unwrap_err()), "its own");
    assert_eq!(told.sent(), 1 + 3);
}

/// Sends a report of each request to another server.
struct Reporting(reqwest::Client, String);

#[async_trait::async_trait]
impl Middleware for Reporting {
    async fn handle(
        &self,
        request: reqwest::Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> Result<reqwest::Response> {
        let response = next.run(request, extensions).await?;
        self.0.post(&self.1).send().await?;
        Ok(response)
    }
}

#[tokio::test]
async fn an_error_of_a_request_that_another_middleware_sends_is_no_refusal_of_this_one() {
    let server = Server::start([status(201), status(201)]).await;
    let told = Told::default();
    let none = reqwest::redirect::Policy::none();
    let reporting = Reporting(builder().build().unwrap(), Refusing::new().uri());
    let client = ClientBuilder::new(builder().redirect(none).build().unwrap())
        .with(RetryMiddleware::new(told.layer()).redirects_are_off())
        .with(reporting)
        .build();
    let error = client.post(server.uri()).body("item").send().await;
    assert!(matches!(error.unwrap_err(), Error::Reqwest(error) if error.is_connect()));
    assert_eq!(server.received(), ["POST item"]);
}

/// Gives up after a moment, and sends the request once more.
struct Impatient;

#[async_trait::async_trait]
impl Middleware for Impatient {
    async fn handle(
        &self,
        request: reqwest::Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> Result<reqwest::Response> {
        let again = request.try_clone().unwrap();
        let first = next.clone().run(request, extensions);
        match tokio::time::timeout(Duration::from_millis(50), first).await {
            Ok(outcome) => outcome,
            Err(_) => next.run(again, extensions).await,
        }
    }
}

#[tokio::test]
async fn the_extensions_are_still_there_when_a_middleware_above_has_given_up() {
    let unavailable = status(503);
    let server = Server::start([Turn::HoldAfter(0), unavailable, unavailable]).await;
    let client = ClientBuilder::new(builder().build().unwrap())
        .with(Impatient)
        .with(RetryMiddleware::new(Told::default().layer()))
        .build();
    let request = client
        .get(server.uri())
        .with_extension(RetryOverride::once());
    assert_eq!(request.send().await.unwrap().status(), 503);
    assert_eq!(server.received().len(), 2);
}

#[tokio::test]
async fn an_error_of_another_middleware_that_will_not_pass_is_not_retried() {
    let told = Told::default();
    let client = ClientBuilder::new(builder().build().unwrap())
        .with(RetryMiddleware::new(told.layer()))
        .with(failing(io::ErrorKind::PermissionDenied))
        .build();
    assert!(client.get("http://upstream.test/").send().await.is_err());
    assert_eq!(told.sent(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_times_out_by_the_layer_ends_with_its_error() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri = format!("http://{}/item", silent.local_addr().unwrap());
    let told = Told::default();
    let layer = told.layer().attempt_timeout(Duration::from_secs(3));
    let client = ClientBuilder::new(builder().build().unwrap())
        .with(RetryMiddleware::new(layer))
        .build();
    let Error::Middleware(error) = client.get(uri).send().await.unwrap_err() else {
        panic!("it is the layer's");
    };
    let error = error.downcast::<RetryError>().unwrap();
    assert_eq!(error.to_string(), "the attempt had no response within 3s");
    assert_eq!(told.sent(), 3);
}

#[tokio::test]
async fn a_stream_is_recorded_and_sent_again() {
    let server = Server::start([status(503), status(200)]).await;
    let (mut sender, stream) = Channel::<Bytes, BoxError>::new(2);
    for data in ["it", "em"] {
        sender.send_data(data.into()).await.unwrap();
    }
    drop(sender);
    let request = client(&Told::default()).put(server.uri());
    let request = request.header("content-length", "4");
    let request = request.body(reqwest::Body::wrap(stream));
    assert_eq!(request.send().await.unwrap().status(), 200);
    assert_eq!(server.received(), ["PUT item", "PUT item"]);
}

#[tokio::test]
async fn clones_of_it_share_the_budget_of_its_layer() {
    let budget = tower_http_retry::Budget::ratio(0.0);
    let middleware = RetryMiddleware::new(Told::default().layer().budget(budget.clone()));
    for _ in 0..2 {
        let server = Server::start([status(503), status(200)]).await;
        let client = ClientBuilder::new(builder().build().unwrap())
            .with(middleware.clone())
            .build();
        assert_eq!(client.get(server.uri()).send().await.unwrap().status(), 200);
    }
    assert_eq!(budget.tokens(), Some(8.0));
}

#[test]
fn it_prints_its_layer() {
    let printed = format!("{:?}", RetryMiddleware::new(Told::default().layer()));
    assert!(
        printed.starts_with("RetryMiddleware { layer: RetryLayer {"),
        "{printed}"
    );
    assert!(
        printed.ends_with("may_follow_redirects: true }"),
        "{printed}"
    );
}

#[tokio::test]
async fn a_response_body_is_handed_on_as_it_comes() {
    let answer = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\nconnection: close\r\n\r\nitem";
    let server = Server::start([status(503), Turn::Answer(answer)]).await;
    let response = client(&Told::default())
        .get(server.uri())
        .send()
        .await
        .unwrap();
    assert_eq!(response.content_length(), Some(4));
    assert_eq!(response.text().await.unwrap(), "item");
}
