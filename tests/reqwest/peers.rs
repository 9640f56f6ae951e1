//! reqwest-retry's documented behaviour as a table, and beside it that of [`RetryMiddleware`] in its
//! place. Each difference is named, and wanted.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::Method;
use http_body_util::channel::Channel;
use reqwest::{ClientBuilder, Response};
use reqwest_middleware::{ClientWithMiddleware, Error, Middleware};
use reqwest_retry::policies::ExponentialBackoff;
use reqwest_retry::{Jitter, RetryTransientMiddleware};
use tower_http_retry::reqwest::RetryMiddleware;
use tower_http_retry::{Backoff, BoxError, RetryLayer};

use crate::middleware::counting;
use crate::support::server::{Refusing, Server, Turn};
use crate::{answer, builder, status};

const WAIT: Duration = Duration::from_millis(1);

/// A client, and how many attempts it has made.
struct Counted {
    client: ClientWithMiddleware,
    attempts: Arc<AtomicUsize>,
}

impl Counted {
    fn new(client: ClientBuilder, retries: impl Middleware) -> Self {
        let attempts = Arc::default();
        let client = reqwest_middleware::ClientBuilder::new(client.build().unwrap())
            .with(retries)
            .with(counting(&attempts))
            .build();
        Self { client, attempts }
    }

    /// Two retries of reqwest-retry's.
    fn theirs() -> Self {
        let policy = ExponentialBackoff::builder()
            .retry_bounds(WAIT, WAIT)
            .jitter(Jitter::None)
            .build_with_max_retries(2);
        let retries = RetryTransientMiddleware::new_with_policy(policy);
        Self::new(builder(), retries)
    }

    /// Two retries of ours.
    fn ours() -> Self {
        Self::new(builder(), RetryMiddleware::new(layer()))
    }

    fn ours_without_redirects() -> Self {
        let client = builder().redirect(reqwest::redirect::Policy::none());
        let retries = RetryMiddleware::new(layer()).redirects_are_off();
        Self::new(client, retries)
    }

    async fn send(&self, method: Method, uri: &str) -> Result<Response, Error> {
        self.client.request(method, uri).body("item").send().await
    }

    fn attempts(&self) -> usize {
        self.attempts.load(Ordering::Relaxed)
    }
}

fn layer() -> RetryLayer {
    RetryLayer::new()
        .max_retries(2)
        .backoff(Backoff::fixed(WAIT))
}

/// How many attempts each makes at a server that does this each time.
async fn attempts(method: &Method, turn: Turn) -> [usize; 3] {
    let clients = [
        Counted::theirs(),
        Counted::ours(),
        Counted::ours_without_redirects(),
    ];
    let mut attempts = [0; 3];
    for (client, attempts) in clients.iter().zip(&mut attempts) {
        let server = Server::start([turn; 3]).await;
        let _ = client.send(method.clone(), &server.uri()).await;
        assert_eq!(client.attempts(), server.received().len());
        *attempts = client.attempts();
    }
    attempts
}

const GET: Method = Method::GET;
const POST: Method = Method::POST;

#[tokio::test]
async fn what_is_retried() {
    let later = [("retry-after", "999")];
    let not_http = Turn::Answer("220 mail.test ESMTP\r\n\r\n");
    #[rustfmt::skip]
    let table = [
        // What is sent, what comes back each time; attempts of theirs, of ours, and of ours where
        // redirects are known to be off.
        (GET, status(200), [1, 1, 1]),
        (GET, status(304), [1, 1, 1]),
        (GET, status(400), [1, 1, 1]),
        (GET, status(404), [1, 1, 1]),
        (GET, status(429), [3, 3, 3]),
        (GET, status(500), [3, 3, 3]),
        (GET, status(501), [3, 3, 3]),
        (GET, status(503), [3, 3, 3]),
        (GET, status(504), [3, 3, 3]),
        (GET, Turn::Close, [3, 3, 3]),
        (GET, Turn::Reset, [3, 3, 3]),
        (GET, not_http, [1, 1, 1]),
        // A 408 is the client's own fault by Microsoft's guidelines; `ByStatus::also` has it retried.
        (GET, status(408), [3, 1, 1]),
        // The server asks for a longer wait than allowed: to come back earlier does not help.
        (GET, answer("503 -", &later), [3, 1, 1]),
        // The server may have acted on a POST.
        (POST, status(200), [1, 1, 1]),
        (POST, status(503), [3, 1, 1]),
        (POST, Turn::Close, [3, 1, 1]),
        (POST, Turn::Reset, [3, 1, 1]),
        // It did not act on this one, unless it is the target of a redirect that says so.
        (POST, status(429), [3, 1, 3]),
    ];
    for (method, turn, expected) in table {
        assert_eq!(attempts(&method, turn).await, expected, "{method} {turn:?}");
    }
}

#[tokio::test]
async fn a_refused_connection_is_retried_and_of_a_post_only_where_no_redirect_can_hide_it() {
    let uri = Refusing::new().uri();
    for (method, expected) in [(GET, [3, 3, 3]), (POST, [3, 1, 3])] {
        let clients = [
            Counted::theirs(),
            Counted::ours(),
            Counted::ours_without_redirects(),
        ];
        for (client, expected) in clients.iter().zip(expected) {
            assert!(client.send(method.clone(), &uri).await.is_err());
            assert_eq!(client.attempts(), expected, "{method}");
        }
    }
}

#[tokio::test]
async fn a_time_out_is_retried_and_of_a_post_only_by_theirs() {
    for (method, expected) in [(GET, [3, 3]), (POST, [3, 1])] {
        // Connections are made, but nobody takes them.
        let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let uri = format!("http://{}/item", silent.local_addr().unwrap());
        for (client, expected) in [Counted::theirs(), Counted::ours()].iter().zip(expected) {
            let request = client.client.request(method.clone(), &uri);
            let request = request.timeout(Duration::from_millis(10));
            assert!(request.send().await.is_err());
            assert_eq!(client.attempts(), expected, "{method}");
        }
    }
}

#[tokio::test]
async fn a_post_with_an_idempotency_key_is_retried_by_both() {
    for client in [Counted::theirs(), Counted::ours()] {
        let server = Server::start([status(503), status(503), status(200)]).await;
        let request = client
            .client
            .post(server.uri())
            .header("idempotency-key", "1");
        assert_eq!(request.send().await.unwrap().status(), 200);
    }
}

#[tokio::test]
async fn a_streamed_body_is_an_error_of_theirs_and_retried_by_ours() {
    let stream = || async {
        let (mut sender, stream) = Channel::<Bytes, BoxError>::new(1);
        sender.send_data("item".into()).await.unwrap();
        reqwest::Body::wrap(stream)
    };
    let put = |client: &Counted, uri: String| client.client.put(uri).header("content-length", "4");
    let theirs = Counted::theirs();
    let server = Server::start([status(503), status(200)]).await;
    let error = put(&theirs, server.uri()).body(stream().await).send().await;
    let sentence = "Request object is not cloneable. Are you passing a streaming body?";
    assert_eq!(error.unwrap_err().to_string(), sentence);
    assert_eq!(server.received(), Vec::<String>::new());

    let ours = Counted::ours();
    let response = put(&ours, server.uri()).body(stream().await).send().await;
    assert_eq!(response.unwrap().status(), 200);
    assert_eq!(server.received(), ["PUT item", "PUT item"]);
}

#[tokio::test]
async fn both_return_the_last_response() {
    for client in [Counted::theirs(), Counted::ours()] {
        let server = Server::start([status(500), status(502), status(503)]).await;
        let response = client.send(GET, &server.uri()).await.unwrap();
        assert_eq!(response.status(), 503);
    }
}

#[tokio::test]
async fn their_error_says_how_many_retries_there_were_and_ours_is_the_last_one_itself() {
    let uri = Refusing::new().uri();
    let theirs = Counted::theirs().send(GET, &uri).await.unwrap_err();
    assert_eq!(theirs.to_string(), "Request failed after 2 retries");
    assert!(matches!(theirs, Error::Middleware(_)));

    let attempts = tower_http_retry::AttemptsHandle::new();
    let request = Counted::ours()
        .client
        .get(&uri)
        .with_extension(attempts.clone());
    let ours = request.send().await.unwrap_err();
    let plain = builder()
        .build()
        .unwrap()
        .get(&uri)
        .send()
        .await
        .unwrap_err();
    assert_eq!(ours.to_string(), plain.to_string());
    assert!(matches!(ours, Error::Reqwest(error) if error.is_connect()));
    // How many there were is asked for.
    assert_eq!(attempts.get().count, 3);
}

#[tokio::test]
async fn at_a_server_that_is_down_theirs_trebles_the_load_and_ours_stops_at_its_budget() {
    let mut attempts = [0; 2];
    for (client, attempts) in [Counted::theirs(), Counted::ours()]
        .iter()
        .zip(&mut attempts)
    {
        let server = Server::start([status(503); 60]).await;
        for _ in 0..20 {
            let response = client.send(GET, &server.uri()).await.unwrap();
            assert_eq!(response.status(), 503);
        }
        *attempts = client.attempts();
    }
    let [theirs, ours] = attempts;
    assert_eq!(theirs, 60);
    // It starts with six tokens, and nothing is earned.
    assert_eq!(ours, 20 + 6);
}
