//! Hedged calls under a retry, with the tokens that they share.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use serde_json::{Value, json};
use tokio::time::Instant;
use tonic::Status;
use tonic::body::Body as TonicBody;
use tower::{ServiceBuilder, ServiceExt};
use tower_http::map_request_body::MapRequestBodyLayer;
use tower_http_retry::grpc::{PeekTrailersLayer, ServiceConfig};
use tower_http_retry::{HedgeLayer, RetryLayer};

use crate::support::greeter::{Greeter, GreeterClient, Turn, hello};
use crate::support::hedged::{call, code, policy, pushed};
use crate::support::http2::{Connection, Server, Turn as Stream};
use crate::support::level::Level;
use crate::support::upstream::Answer::{self, Never, Status as Http};
use crate::support::upstream::{Upstream, after};

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Ten tokens, of which a success gives half of one.
fn throttled(hedging: &Value) -> ServiceConfig {
    let config = json!({
        "methodConfig": [
            { "name": [{}], "hedgingPolicy": hedging },
            { "name": [{ "service": "retried" }], "retryPolicy": {
                "maxAttempts": 5, "initialBackoff": "1s", "maxBackoff": "1s",
                "backoffMultiplier": 1, "retryableStatusCodes": [14],
            } },
            { "name": [{ "service": "once" }] },
        ],
        "retryThrottling": { "maxTokens": 10, "tokenRatio": 0.5 },
    });
    config.to_string().parse().unwrap()
}

/// Sends a call through both layers of such a config.
struct Client {
    config: ServiceConfig,
    level: Arc<Mutex<Option<u64>>>,
}

impl Client {
    fn new(hedging: &Value) -> Self {
        Self {
            config: throttled(hedging),
            level: Arc::default(),
        }
    }

    /// How many attempts there were, the code that the call ended with, and how many thousandths of a
    /// token are left then.
    async fn send(&self, path: &str, plan: impl Into<Vec<Answer>>) -> (usize, String, u64) {
        let level = self.level.clone();
        let retry = RetryLayer::grpc().on_event(move |event| {
            *level.lock().unwrap() = event.level();
        });
        let upstream = Upstream::new(plan);
        let stack = ServiceBuilder::new()
            .layer(retry.service_config(self.config.clone()))
            .layer(HedgeLayer::new().service_config(self.config.clone()))
            .service(upstream.clone());
        let response = stack.oneshot(call(path)).await.unwrap();
        let code = response.headers().get("grpc-status");
        let code = code.map_or("", |code| code.to_str().unwrap()).to_owned();
        (upstream.count(), code, self.level.lock().unwrap().unwrap())
    }
}

#[tokio::test(start_paused = true)]
async fn the_throttle_counts_each_attempt_once_in_a_layer_and_under_a_retry() {
    let client = Client::new(&policy(5, &json!([14])));
    let ended = |attempts, code: u16, level| (attempts, code.to_string(), level);
    // One success, and two failures of 10 tokens.
    let sent = client.send("/a.B/C", [code(14), code(14), code(0)]).await;
    assert_eq!(sent, ended(3, 0, 8_500));
    // A fatal code takes nothing, but with a pushback that says no; as any code does with that.
    assert_eq!(client.send("/a.B/C", [code(13)]).await, ended(1, 13, 8_500));
    let fatal = client.send("/a.B/C", [pushed(13, "-1")]).await;
    assert_eq!(fatal, ended(1, 13, 7_500));
    let told = client.send("/a.B/C", [pushed(14, "-1")]).await;
    assert_eq!(told, ended(1, 14, 6_500));
    // A head without a status is a success, where nothing sees the trailers.
    let (attempts, _, level) = client.send("/a.B/C", [Http(200)]).await;
    assert_eq!((attempts, level), (1, 7_000));
    // The other methods are counted by the retry.
    assert_eq!(client.send("/once/C", [code(0)]).await, ended(1, 0, 7_500));
    let retried = client.send("/retried/C", [code(14), code(0)]).await;
    assert_eq!(retried, ended(2, 0, 7_000));
}

#[tokio::test(start_paused = true)]
async fn with_half_of_its_tokens_left_no_hedge_is_sent() {
    let client = Client::new(&policy(5, &json!([14])));
    let ended = |attempts, code: u16, level| (attempts, code.to_string(), level);
    // The fifth failure leaves half of them.
    assert_eq!(client.send("/a.B/C", [code(14)]).await, ended(5, 14, 5_000));
    // With no attempt under way, the failure is returned.
    assert_eq!(client.send("/a.B/C", [code(14)]).await, ended(1, 14, 4_000));
    // With one, it is waited for; a hedge that was not sent is not sent later.
    let slow = [after(millis(3_000), code(0)), Never];
    assert_eq!(client.send("/a.B/C", slow).await, ended(1, 0, 4_500));
    // Nor are there retries. Successes of all methods give tokens, until there are hedges again.
    assert_eq!(
        client.send("/retried/C", [code(14)]).await,
        ended(1, 14, 3_500)
    );
    for level in [4_000, 4_500, 5_000, 5_500] {
        assert_eq!(client.send("/once/C", [code(0)]).await, ended(1, 0, level));
    }
    let hedged = [Never, after(millis(9), code(0))];
    assert_eq!(client.send("/a.B/C", hedged).await, ended(2, 0, 6_000));
}

#[tokio::test(start_paused = true)]
async fn a_failure_that_empties_the_throttle_leaves_the_others_to_go_on() {
    let client = Client::new(&policy(5, &json!([14])));
    let (_, _, level) = client
        .send("/a.B/C", [code(14), code(14), code(14), code(0)])
        .await;
    assert_eq!(level, 7_500);
    let plan = [
        after(millis(600), code(14)),
        after(millis(110), code(14)),
        after(millis(50), code(14)),
        after(millis(5_000), code(0)),
        Never,
    ];
    let start = Instant::now();
    let sent = client.send("/a.B/C", plan).await;
    // The failures at 600 and 610 each have a hedge sent; that at 650 leaves less than half.
    assert_eq!(sent, (4, "0".to_owned(), 5_000));
    assert_eq!(start.elapsed(), millis(5_610));
}

#[tokio::test(start_paused = true)]
async fn a_retry_above_does_not_send_a_hedged_call_again() {
    let client = Client::new(&policy(3, &json!([14])));
    let (attempts, code, _) = client.send("/a.B/C", [code(14)]).await;
    assert_eq!((attempts, &*code), (3, "14"));
}

/// How many streams the server got, whether the call was answered, how many of the hedges there were
/// and were transparent, and how many thousandths of a token are left.
async fn refused(turns: Vec<Stream>, codes: &Value) -> (usize, bool, (u32, u32), Option<f64>) {
    let server = Server::start([Connection::Streams(turns)]).await;
    let executor = hyper_util::rt::TokioExecutor::new();
    let client = hyper_util::client::legacy::Client::builder(executor)
        .http2_only(true)
        .build_http();
    let config = throttled(&json!({
        "maxAttempts": 2, "hedgingDelay": "3600s", "nonFatalStatusCodes": codes,
    }));
    let told = Arc::new(Mutex::new((0, 0)));
    let tokens = Arc::new(Mutex::new(None));
    let (hedges, left) = (told.clone(), tokens.clone());
    let hedge = HedgeLayer::new().on_event(move |event| {
        *hedges.lock().unwrap() = (event.sent(), event.transparent_retries());
    });
    let retry = RetryLayer::grpc().on_event(move |event| {
        *left.lock().unwrap() = event.budget_tokens();
    });
    let stack = ServiceBuilder::new()
        .layer(retry.service_config(config.clone()).max_drain_bytes(0))
        .layer(hedge.service_config(config))
        .service(client);
    let request = Request::post(server.uri()).body(Full::<Bytes>::from("item"));
    let result = stack.oneshot(request.unwrap()).await;
    let received = server.received().concat().len();
    let (told, tokens) = (*told.lock().unwrap(), *tokens.lock().unwrap());
    (received, result.is_ok(), told, tokens)
}

/// A stream that the server refused, as hyper has it.
#[tokio::test]
async fn an_attempt_that_was_refused_is_replaced_at_once_and_does_not_count() {
    let refused_stream = Stream::Reset(h2::Reason::REFUSED_STREAM);
    // Whatever the codes: it is no failure, and takes no token.
    for codes in [json!([14]), json!([])] {
        let outcome = refused(vec![refused_stream, Stream::Answer], &codes).await;
        assert_eq!(outcome, (2, true, (1, 1), Some(10.0)), "{codes}");
    }
    // The second time it is UNAVAILABLE: the one hedge that the policy has is sent.
    let turns = vec![refused_stream, refused_stream, Stream::Answer];
    let outcome = refused(turns.clone(), &json!([14])).await;
    assert_eq!(outcome, (3, true, (2, 1), Some(9.5)));
}

/// What is left of ten tokens, in thousandths, when a call's messages have been read.
async fn left_after(turn: Turn) -> Option<u64> {
    let level = Arc::new(Mutex::new(None));
    let told = level.clone();
    let config = throttled(&policy(2, &json!([14])));
    let retry = RetryLayer::grpc().on_event(move |event| *told.lock().unwrap() = event.level());
    let server = Greeter::in_memory([Turn::Status(Status::unavailable("")), turn, Turn::Ok]);
    let stack = ServiceBuilder::new()
        .layer(retry.service_config(config.clone()))
        .layer(HedgeLayer::new().service_config(config))
        .layer(PeekTrailersLayer::new())
        .layer(MapRequestBodyLayer::new(TonicBody::new))
        .service(server.channel());
    let mut client = GreeterClient::new(stack);
    let mut replies = client.greet_often(hello("Ada")).await.unwrap().into_inner();
    while let Ok(Some(_)) = replies.message().await {}
    // The next call tells it, when its attempt starts.
    let _next = tokio::time::timeout(millis(0), client.say_hello(hello("Ada"))).await;
    *level.lock().unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_call_that_fails_after_its_first_message_is_counted_once_and_when_it_does() {
    assert_eq!(left_after(Turn::Ok).await, Some(9_500));
    let fails = Turn::MessageThenStatus(Status::unavailable("by the plan"));
    assert_eq!(left_after(fails).await, Some(8_000));
    let fatal = Turn::MessageThenStatus(Status::internal("by the plan"));
    assert_eq!(left_after(fatal).await, Some(9_000));
}
