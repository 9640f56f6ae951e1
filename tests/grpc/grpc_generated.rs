//! Generated clients over a stack whose type is not named: with an interceptor above the retry, which runs
//! once for each call, and one below it, which runs once for each attempt.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tonic::body::Body;
use tonic::codegen::tokio_stream::{self, StreamExt};
use tonic::service::Interceptor;
use tonic::service::interceptor::{InterceptedService, InterceptorLayer};
use tonic::transport::Channel;
use tonic::{Code, Request, Status};
use tower::{Service, ServiceBuilder};
use tower_http::map_request_body::MapRequestBodyLayer;
use tower_http_retry::grpc::{HedgingPolicy, PeekTrailersLayer, RetryPolicy, ServiceConfig};
use tower_http_retry::{BoxError, HedgeLayer, RetryLayer};

use crate::support::calls::{Layer, exact, failed, got, greeted, millis};
use crate::support::greeter::{Greeter, GreeterClient, Turn, after, hello, status, unavailable};

/// Puts the number of the call that it sees into this header; refuses calls while it is told to.
#[derive(Clone)]
struct Numbers {
    header: &'static str,
    seen: Arc<AtomicUsize>,
    refused: usize,
}

impl Numbers {
    fn new(header: &'static str) -> Self {
        Self {
            header,
            seen: Arc::default(),
            refused: 0,
        }
    }

    fn refusing(self, refused: usize) -> Self {
        Self { refused, ..self }
    }

    fn seen(&self) -> usize {
        self.seen.load(Ordering::Relaxed)
    }
}

impl Interceptor for Numbers {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        let number = self.seen.fetch_add(1, Ordering::Relaxed) + 1;
        if number <= self.refused {
            return Err(Status::unavailable("by the plan"));
        }
        request.metadata_mut().insert(self.header, number.into());
        Ok(request)
    }
}

/// What a caller can keep, give away and name as a bound: a generated client takes it in `new` and in
/// `with_interceptor`.
fn retried(
    retry: Layer,
    attempts: Numbers,
    channel: Channel,
) -> impl Service<http::Request<Body>, Response = http::Response<Body>, Error = BoxError, Future: Send>
+ Clone {
    ServiceBuilder::new()
        .map_response(|response: http::Response<_>| response.map(Body::new))
        .layer(retry)
        .layer(PeekTrailersLayer::new())
        .layer(InterceptorLayer::new(attempts))
        .layer(MapRequestBodyLayer::new(Body::new))
        .service(channel)
}

/// The same with hedges, by a config.
fn hedged(
    config: ServiceConfig,
    attempts: Numbers,
    channel: Channel,
) -> impl Service<http::Request<Body>, Response = http::Response<Body>, Error = BoxError, Future: Send>
+ Clone {
    ServiceBuilder::new()
        .map_response(|response: http::Response<_>| response.map(Body::new))
        .layer(RetryLayer::grpc().service_config(config.clone()))
        .layer(HedgeLayer::new().service_config(config))
        .layer(PeekTrailersLayer::new())
        .layer(InterceptorLayer::new(attempts))
        .layer(MapRequestBodyLayer::new(Body::new))
        .service(channel)
}

fn interceptors() -> (Numbers, Numbers) {
    (Numbers::new("x-call"), Numbers::new("x-attempt"))
}

/// What the server got from the two interceptors, for each attempt.
fn numbers(server: &Greeter) -> Vec<(usize, usize)> {
    let number = |header: Option<String>| header.map_or(0, |number| number.parse().unwrap());
    let calls = server.headers("x-call").into_iter().map(number);
    let attempts = server.headers("x-attempt").into_iter().map(number);
    calls.zip(attempts).collect()
}

#[tokio::test(start_paused = true)]
async fn an_interceptor_above_runs_for_each_call_and_one_below_for_each_attempt() {
    let server = Greeter::start([unavailable(), unavailable(), Turn::Ok, unavailable()]).await;
    let (above, below) = interceptors();
    let service = retried(exact().max_retries(2), below, server.channel());
    let mut client = GreeterClient::with_interceptor(service, above);
    assert_eq!(got(client.say_hello(hello("Ada")).await), greeted());
    assert_eq!(numbers(&server), [(1, 1), (1, 2), (1, 3)]);
    assert_eq!(server.millis(), [0, 100, 300]);
    // The next call is another one for both.
    let outcome = client.say_hello(hello("Ada")).await;
    assert_eq!(got(outcome), failed(Code::Unavailable));
    assert_eq!(numbers(&server)[3..], [(2, 4), (2, 5), (2, 6)]);
}

#[tokio::test(start_paused = true)]
async fn so_it_is_for_the_stream_of_a_client() {
    let early = Turn::StatusAfter(1, Status::unavailable("too early"));
    let server = Greeter::start([early, unavailable(), Turn::Ok]).await;
    let (above, below) = interceptors();
    let service = retried(exact(), below, server.channel());
    let mut client = GreeterClient::with_interceptor(service, above);
    let messages = tokio_stream::iter(["Ada", "Grace"].map(hello));
    let outcome = client.greet_all(messages).await;
    assert_eq!(got(outcome), Ok("Hello, Ada, Grace!".to_owned()));
    assert_eq!(numbers(&server), [(1, 1), (1, 2), (1, 3)]);
    assert_eq!(server.millis(), [0, 100, 300]);
}

#[tokio::test(start_paused = true)]
async fn so_it_is_for_the_stream_of_a_server() {
    let late = Turn::HeadersThenStatus(Status::unavailable("late"));
    let server = Greeter::start([unavailable(), late, Turn::Ok]).await;
    let (above, below) = interceptors();
    let service = retried(exact(), below, server.channel());
    let mut client = GreeterClient::with_interceptor(service, above);
    let replies = client.greet_often(hello("Ada")).await.unwrap();
    let replies: Vec<_> = replies.into_inner().collect().await;
    let messages: Vec<_> = replies
        .into_iter()
        .map(|reply| reply.unwrap().message)
        .collect();
    assert_eq!(messages, ["Hello, Ada!"]);
    assert_eq!(numbers(&server), [(1, 1), (1, 2), (1, 3)]);
    assert_eq!(server.millis(), [0, 100, 300]);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_refused_above_is_not_sent_and_one_that_is_refused_below_is_retried() {
    let server = Greeter::start([Turn::Ok]).await;
    let (above, below) = interceptors();
    let below = below.refusing(2);
    let service = retried(exact(), below.clone(), server.channel());
    let mut client = GreeterClient::with_interceptor(service, above.refusing(1));
    let outcome = client.say_hello(hello("Ada")).await;
    assert_eq!(got(outcome), failed(Code::Unavailable));
    assert_eq!((below.seen(), server.count()), (0, 0));
    assert_eq!(got(client.say_hello(hello("Ada")).await), greeted());
    assert_eq!(numbers(&server), [(2, 3)]);
    assert_eq!(server.millis(), [300]);
}

#[tokio::test(start_paused = true)]
async fn a_client_without_an_interceptor_takes_the_same_stack_and_its_calls_can_be_spawned() {
    let server = Greeter::start([unavailable(), unavailable(), Turn::Ok]).await;
    let (_, below) = interceptors();
    let client = GreeterClient::new(retried(exact(), below, server.channel()));
    let call = |name| {
        let mut client = client.clone();
        tokio::spawn(async move { got(client.say_hello(hello(name)).await) })
    };
    let (ada, grace) = (call("Ada"), call("Grace"));
    assert_eq!(ada.await.unwrap(), greeted());
    assert_eq!(grace.await.unwrap(), Ok("Hello, Grace!".to_owned()));
    assert_eq!(server.count(), 4);
    let attempts = numbers(&server).into_iter().map(|(_, attempt)| attempt);
    assert_eq!(attempts.collect::<Vec<_>>(), [1, 2, 3, 4]);
}

#[tokio::test(start_paused = true)]
async fn an_interceptor_above_takes_the_bodies_of_a_stack_as_they_are() {
    let late = Turn::HeadersThenStatus(Status::unavailable("late"));
    let server = Greeter::start([late, Turn::Ok]).await;
    let (above, _) = interceptors();
    let stack = ServiceBuilder::new()
        .layer(exact())
        .layer(PeekTrailersLayer::new())
        .layer(MapRequestBodyLayer::new(Body::new))
        .service(server.channel());
    let mut client = GreeterClient::with_interceptor(stack, above);
    assert_eq!(got(client.say_hello(hello("Ada")).await), greeted());
    assert_eq!(numbers(&server), [(1, 0), (1, 0)]);
}

/// `SayHello` is hedged after 200 ms, the other methods are retried.
fn config() -> ServiceConfig {
    let policy = HedgingPolicy::new(millis(200))
        .max_attempts(3)
        .non_fatal_status_codes([Code::Unavailable]);
    ServiceConfig::builder()
        .service("hello.Greeter", RetryPolicy::new())
        .method("hello.Greeter", "SayHello", policy)
        .build()
        .unwrap()
}

#[tokio::test(start_paused = true)]
async fn an_interceptor_below_runs_for_each_hedge_too() {
    let slow = || after(millis(1_000), Turn::Ok);
    let server = Greeter::in_memory([slow(), unavailable(), Turn::Ok]);
    let (above, below) = interceptors();
    let service = hedged(config(), below, server.channel());
    let mut client = GreeterClient::with_interceptor(service, above);
    assert_eq!(got(client.say_hello(hello("Ada")).await), greeted());
    // The hedge fails, and is followed by another one at once.
    assert_eq!(numbers(&server), [(1, 1), (1, 2), (1, 3)]);
    assert_eq!(server.millis(), [0, 200, 200]);
}

#[tokio::test]
async fn over_the_wire_a_config_that_is_built_hedges_one_method_and_retries_the_others() {
    let server = Greeter::start([unavailable(), Turn::Ok, unavailable(), Turn::Ok]).await;
    let (above, below) = interceptors();
    let service = hedged(config(), below, server.channel());
    let mut client = GreeterClient::with_interceptor(service, above);
    assert_eq!(got(client.say_hello(hello("Ada")).await), greeted());
    assert_eq!(numbers(&server), [(1, 1), (1, 2)]);
    let messages = tokio_stream::iter(["Ada", "Grace"].map(hello));
    let outcome = client.greet_all(messages).await;
    assert_eq!(got(outcome), Ok("Hello, Ada, Grace!".to_owned()));
    assert_eq!(numbers(&server)[2..], [(2, 3), (2, 4)]);
}

#[tokio::test]
async fn over_the_wire_a_code_that_is_fatal_ends_the_hedges_of_a_call() {
    let server = Greeter::start([status(Code::Internal)]).await;
    let (above, below) = interceptors();
    let service = hedged(config(), below, server.channel());
    let mut client = GreeterClient::new(InterceptedService::new(service, above));
    let outcome = client.say_hello(hello("Ada")).await;
    assert_eq!(got(outcome), failed(Code::Internal));
    assert_eq!(numbers(&server), [(1, 1)]);
}
