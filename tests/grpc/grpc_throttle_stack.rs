//! gRPC's throttle over a real tonic channel to a real server that fails in trailers.
use std::sync::{Arc, Mutex};

use crate::support::level::Level;
use crate::support::step::Step;
use tonic::body::Body;
use tonic::codegen::tokio_stream::StreamExt;
use tonic::transport::Channel;
use tonic::{Code, Status};
use tower::ServiceBuilder;
use tower_http::map_request_body::{MapRequestBody, MapRequestBodyLayer};
use tower_http_retry::classify::Classify;
use tower_http_retry::event::StopReason;
use tower_http_retry::grpc::{PeekTrailers, PeekTrailersLayer, RetryPolicy, ServiceConfig};
use tower_http_retry::{Budget, ReplayBody, Retry, RetryLayer};

use crate::support::calls::exact;
use crate::support::greeter::{Greeter, GreeterClient, Turn, hello, unavailable};

type Converting = MapRequestBody<Channel, fn(ReplayBody<Body>) -> Body>;
type Calls<C> = GreeterClient<Retry<PeekTrailers<Converting>, C>>;

fn client<C: Classify>(
    layer: &RetryLayer<C>,
    peek: PeekTrailersLayer,
    server: &Greeter,
) -> Calls<C> {
    let convert: fn(ReplayBody<Body>) -> Body = Body::new;
    let stack = ServiceBuilder::new()
        .layer(layer.clone())
        .layer(peek)
        .layer(MapRequestBodyLayer::new(convert));
    GreeterClient::new(stack.service(server.channel()))
}

/// One call to its end: the messages that came, and the code that ended it.
async fn greet_often<C: Classify>(client: &mut Calls<C>) -> (usize, Code) {
    let mut stream = match client.greet_often(hello("Ada")).await {
        Ok(response) => response.into_inner(),
        Err(status) => return (0, status.code()),
    };
    let mut messages = 0;
    while let Some(message) = stream.next().await {
        match message {
            Ok(_) => messages += 1,
            Err(status) => return (messages, status.code()),
        }
    }
    (messages, Code::Ok)
}

/// Why each call ended, and what was left of the budget then.
type Ends = Arc<Mutex<Vec<(StopReason, u64)>>>;

fn noting<C: Classify>(layer: RetryLayer<C>) -> (RetryLayer<C>, Ends) {
    let ends = Ends::default();
    let noted = ends.clone();
    let layer = layer.on_event(move |event| {
        if let Step::Stop(stop) = Step::from(event.kind()) {
            noted.lock().unwrap().push((stop, event.level().unwrap()));
        }
    });
    (layer, ends)
}

/// For ten tokens and a ratio of 0.1: calls that fail after their heads end the retries, and calls
/// that succeed bring them back.
async fn fail_and_succeed<C: Classify>(layer: RetryLayer<C>, peek: PeekTrailersLayer) {
    let (layer, ends) = noting(layer);
    let late = Turn::MessageThenStatus(Status::unavailable("late"));
    let plan = [
        vec![late; 5],
        vec![unavailable()],
        vec![Turn::Ok; 21],
        vec![unavailable(), Turn::Ok],
    ];
    let server = Greeter::start(plan.concat()).await;
    let mut client = client(&layer, peek, &server);
    let mut expected = Vec::new();
    for failures in 0..5 {
        assert_eq!(greet_often(&mut client).await, (1, Code::Unavailable));
        expected.push((StopReason::Success, 10_000 - failures * 1_000));
    }
    // One that fails by its head is not retried.
    assert_eq!(greet_often(&mut client).await, (0, Code::Unavailable));
    expected.push((StopReason::Budget, 4_000));
    assert_eq!(server.count(), 6);
    for successes in 0..21 {
        assert_eq!(greet_often(&mut client).await, (1, Code::Ok));
        expected.push((StopReason::Success, 4_000 + successes * 100));
    }
    // Now one is.
    assert_eq!(greet_often(&mut client).await, (1, Code::Ok));
    expected.push((StopReason::Success, 5_100));
    assert_eq!(server.count(), 6 + 21 + 2);
    assert_eq!(*ends.lock().unwrap(), expected);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_fails_each_call_in_trailers_ends_the_retries_until_its_calls_succeed() {
    let peek = PeekTrailersLayer::new();
    for peek in [peek, peek.wait_for_first_frame(false)] {
        let budget = Budget::throttle(10, 0.1);
        fail_and_succeed(exact().budget(budget.clone()), peek).await;
        assert_eq!(budget.level(), Some(5_200));
    }
}

#[tokio::test(start_paused = true)]
async fn so_does_the_throttle_of_a_service_config() {
    let config = ServiceConfig::builder()
        .service("hello.Greeter", RetryPolicy::new().max_attempts(4))
        .retry_throttling(10.0, 0.1)
        .build();
    let layer = RetryLayer::grpc().service_config(config.unwrap());
    fail_and_succeed(layer, PeekTrailersLayer::new()).await;
}

#[tokio::test(start_paused = true)]
async fn a_server_that_fails_right_after_its_head_is_retried_or_counted() {
    let at_once = PeekTrailersLayer::new().wait_for_first_frame(false);
    let late = || Turn::HeadersThenStatus(Status::unavailable("late"));
    for (peek, came, count, level) in [
        (PeekTrailersLayer::new(), (1, Code::Ok), 2, 9_100),
        (at_once, (0, Code::Unavailable), 1, 9_000),
    ] {
        let budget = Budget::throttle(10, 0.1);
        let server = Greeter::start([late(), Turn::Ok]).await;
        let mut client = client(&exact().budget(budget.clone()), peek, &server);
        assert_eq!(greet_often(&mut client).await, came);
        assert_eq!((server.count(), budget.level()), (count, Some(level)));
    }
}

#[tokio::test(start_paused = true)]
async fn a_unary_call_is_a_success_by_its_trailers() {
    let budget = Budget::throttle(10, 0.1);
    let server = Greeter::start([unavailable(), Turn::Ok]).await;
    let layer = exact().budget(budget.clone());
    let mut client = client(&layer, PeekTrailersLayer::new(), &server);
    client.say_hello(hello("Ada")).await.unwrap();
    assert_eq!((server.count(), budget.level()), (2, Some(9_100)));
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_its_caller_drops_counts_as_nothing() {
    let budget = Budget::throttle(10, 0.1);
    let server = Greeter::start([unavailable(), Turn::Ok]).await;
    let layer = exact().budget(budget.clone());
    let mut client = client(&layer, PeekTrailersLayer::new(), &server);
    let mut stream = client.greet_often(hello("Ada")).await.unwrap().into_inner();
    assert!(stream.message().await.unwrap().is_some());
    drop(stream);
    assert_eq!((server.count(), budget.level()), (2, Some(9_000)));
}
