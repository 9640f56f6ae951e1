//! Calls that are hedged, by tonic at both ends.

use tokio::sync::mpsc::unbounded_channel;
use tokio::time::{Instant, sleep};
use tonic::body::Body as TonicBody;
use tonic::client::GrpcService;
use tonic::codegen::tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::codegen::{Bytes, StdError, tokio_stream};
use tonic::{Code, Status};
use tower::ServiceBuilder;
use tower_http::map_request_body::MapRequestBodyLayer;
use tower_http_retry::grpc::{HedgingPolicy, PeekTrailersLayer, ServiceConfig};
use tower_http_retry::{HedgeLayer, RetryLayer};

use crate::support::calls::{failed, got, greeted, millis};
use crate::support::greeter::{Greeter, GreeterClient, Turn, after as later, hello, unavailable};

/// What a generated client takes.
fn client(
    server: &Greeter,
    config: ServiceConfig,
) -> GreeterClient<
    impl GrpcService<
        TonicBody,
        Error: Into<StdError>,
        Future: Send,
        ResponseBody: http_body::Body<Data = Bytes, Error: Into<StdError> + Send> + Send + 'static,
    > + Send
    + use<>,
> {
    let stack = ServiceBuilder::new()
        .layer(RetryLayer::grpc().service_config(config.clone()))
        .layer(HedgeLayer::new().service_config(config))
        .layer(PeekTrailersLayer::new())
        .layer(MapRequestBodyLayer::new(TonicBody::new))
        .service(server.channel());
    GreeterClient::new(stack)
}

/// Every call is hedged by this policy.
fn every(policy: HedgingPolicy) -> ServiceConfig {
    let config = ServiceConfig::builder().default_policy(policy);
    config.build().unwrap()
}

/// As many attempts as two, so many milliseconds after one another.
fn two(delay: u64) -> ServiceConfig {
    every(HedgingPolicy::new(millis(delay)).non_fatal_status_codes([Code::Unavailable]))
}

/// On a real connection, whose time is not that of the clock: without a delay, none is waited for.
#[tokio::test]
async fn a_call_whose_first_attempt_hangs_is_answered_by_its_hedge_and_the_first_is_cancelled() {
    let server = Greeter::start([Turn::Never, Turn::Ok]).await;
    let mut client = client(&server, two(0));
    assert_eq!(got(client.say_hello(hello("Ada")).await), greeted());
    server.cancelled().await;
    let expected = [None, Some("1".to_owned())];
    assert_eq!(server.headers("grpc-previous-rpc-attempts"), expected);
    assert_eq!(server.messages(), [["Ada"]; 2]);
}

#[tokio::test(start_paused = true)]
async fn a_hedge_is_sent_when_its_delay_ends() {
    let server = Greeter::in_memory([Turn::Never, later(millis(20), Turn::Ok)]);
    let mut client = client(&server, two(50));
    let start = Instant::now();
    assert_eq!(got(client.say_hello(hello("Ada")).await), greeted());
    assert_eq!(
        (server.millis(), start.elapsed()),
        (vec![0, 50], millis(70))
    );
}

#[tokio::test(start_paused = true)]
async fn a_stream_of_answers_is_hedged_until_its_first_message() {
    let server = Greeter::in_memory([Turn::Never, Turn::Ok]);
    let mut client = client(&server, two(50));
    let mut replies = client.greet_often(hello("Ada")).await.unwrap().into_inner();
    let message = replies.message().await.unwrap().unwrap().message;
    assert_eq!(
        (message, server.millis()),
        ("Hello, Ada!".to_owned(), vec![0, 50])
    );
    assert_eq!(replies.message().await.unwrap(), None);
}

/// Such a status comes in trailers.
#[tokio::test(start_paused = true)]
async fn a_status_after_a_head_is_that_of_the_attempt() {
    let fails = Turn::HeadersThenStatus(Status::unavailable("by the plan"));
    let server = Greeter::in_memory([fails, later(millis(5), Turn::Ok)]);
    let mut client = client(&server, two(50));
    assert_eq!(got(client.say_hello(hello("Ada")).await), greeted());
    assert_eq!(server.millis(), [0, 0]);
    // All have failed.
    let server = Greeter::in_memory([unavailable()]);
    let outcome = self::client(&server, two(50)).say_hello(hello("Ada")).await;
    assert_eq!(
        (got(outcome), server.count()),
        (failed(Code::Unavailable), 2)
    );
}

/// Also if nothing of it has been sent when the hedge is due.
#[tokio::test(start_paused = true)]
async fn a_clients_stream_that_goes_on_is_not_hedged() {
    for delay in [0, 50] {
        let server = Greeter::in_memory([Turn::Ok]);
        let mut client = client(&server, two(delay));
        let (names, messages) = unbounded_channel();
        names.send(hello("Ada")).unwrap();
        let messages = UnboundedReceiverStream::new(messages);
        let answer = tokio::spawn(async move { got(client.greet_all(messages).await) });
        sleep(millis(200)).await;
        names.send(hello("Grace")).unwrap();
        drop(names);
        assert_eq!(answer.await.unwrap(), Ok("Hello, Ada, Grace!".to_owned()));
        assert_eq!(server.messages(), [["Ada", "Grace"]], "{delay}");
    }
}

/// All that a hedge needs is there.
#[tokio::test(start_paused = true)]
async fn a_clients_stream_that_has_ended_is_hedged() {
    let server = Greeter::in_memory([Turn::Never, Turn::Ok]);
    let mut client = client(&server, two(50));
    let messages = tokio_stream::iter(["Ada", "Grace"].map(hello));
    let outcome = got(client.greet_all(messages).await);
    assert_eq!(outcome, Ok("Hello, Ada, Grace!".to_owned()));
    assert_eq!(server.messages(), [["Ada", "Grace"]; 2]);
}

/// By tonic's channel, whose error it is.
#[tokio::test(start_paused = true)]
async fn a_call_ends_at_its_deadline_with_all_its_attempts() {
    let server = Greeter::in_memory([Turn::Never]);
    let codes = [Code::Unavailable, Code::DeadlineExceeded, Code::Cancelled];
    let policy = HedgingPolicy::new(millis(100)).max_attempts(5);
    let mut client = client(&server, every(policy.non_fatal_status_codes(codes)));
    let mut request = tonic::Request::new(hello("Ada"));
    request.set_timeout(millis(250));
    let start = Instant::now();
    let status = client.say_hello(request).await.unwrap_err();
    assert_eq!(status.message(), "Timeout expired");
    assert_eq!(start.elapsed(), millis(250));
    sleep(millis(10_000)).await;
    assert_eq!(server.millis(), [0, 100, 200]);
    let left = ["250000u", "150000u", "50000000n"].map(|left| Some(left.to_owned()));
    assert_eq!(server.headers("grpc-timeout"), left);
}
