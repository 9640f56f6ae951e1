//! Deadlines of gRPC calls, and calls that are dropped, over a real tonic channel to a real server:
//! in memory, so that the paused clock waits for what is on the wire.

use crate::support::errors::attempt_timeout;
use std::error::Error;
use std::time::Duration;

use tokio::time::Instant;
use tonic::{Code, Request};
use tower_http_retry::grpc::ByGrpcStatus;

use crate::support::calls::{Got, call, exact, failed, got, greeted, millis};
use crate::support::greeter::{
    Greeter, GreeterClient, Turn, after, hello, pushback, retrying, unavailable,
};

#[tokio::test(start_paused = true)]
async fn a_call_that_is_dropped_in_its_wait_sends_nothing_more() {
    let server = Greeter::in_memory([unavailable()]);
    let mut client = server.client(&exact());
    let calling = tokio::time::timeout(millis(250), client.say_hello(hello("Ada")));
    assert!(calling.await.is_err());
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(server.millis(), [0, 100]);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_dropped_in_an_attempt_sends_nothing_more() {
    let server = Greeter::in_memory([unavailable(), Turn::Never, Turn::Ok]);
    let mut client = server.client(&exact());
    let calling = tokio::time::timeout(millis(5_000), client.say_hello(hello("Ada")));
    assert!(calling.await.is_err());
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(server.millis(), [0, 100]);
    // The channel is as good as before.
    assert_eq!(got(client.say_hello(hello("Ada")).await), greeted());
}

/// A call with a deadline, to a server with this plan: what it came to, and how long it took.
async fn call_within(deadline: Duration, plan: impl Into<Vec<Turn>>) -> (Got, u128, Greeter) {
    let server = Greeter::in_memory(plan);
    let mut request = Request::new(hello("Ada"));
    request.set_timeout(deadline);
    let start = Instant::now();
    let outcome = server.client(&exact()).say_hello(request).await;
    (got(outcome), start.elapsed().as_millis(), server)
}

fn timeouts<const N: usize>(timeouts: [&str; N]) -> [Option<String>; N] {
    timeouts.map(|timeout| Some(timeout.to_owned()))
}

#[tokio::test(start_paused = true)]
async fn each_attempt_is_sent_with_what_is_left_of_the_deadline() {
    let plan = [
        unavailable(),
        unavailable(),
        after(millis(50), unavailable()),
        Turn::Ok,
    ];
    let (outcome, took, server) = call_within(Duration::from_secs(5), plan.clone()).await;
    assert_eq!((outcome, took), (greeted(), 750));
    assert_eq!(server.millis(), [0, 100, 300, 750]);
    let left = timeouts(["5000000u", "4900000u", "4700000u", "4250000u"]);
    assert_eq!(server.headers("grpc-timeout"), left);

    // Never more than there is, in a unit that was coarser than it has to be; and finer ones.
    let (_, _, server) = call_within(Duration::from_secs(3_600), plan.clone()).await;
    let left = timeouts(["3600000m", "3599900m", "3599700m", "3599250m"]);
    assert_eq!(server.headers("grpc-timeout"), left);
    let (_, _, server) = call_within(millis(800), plan).await;
    let left = timeouts(["800000u", "700000u", "500000u", "50000000n"]);
    assert_eq!(server.headers("grpc-timeout"), left);
}

#[tokio::test(start_paused = true)]
async fn a_call_without_a_deadline_is_sent_without_one() {
    let (_, server) = call(&exact(), [unavailable(), Turn::Ok]).await;
    assert_eq!(server.headers("grpc-timeout"), [None, None]);
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_would_reach_the_deadline_ends_the_call_at_once_with_the_last_status() {
    for (deadline, took, attempts) in [
        (50, 0, 1),
        (100, 0, 1),
        (102, 100, 2),
        (250, 100, 2),
        (300, 100, 2),
        (302, 300, 3),
        (1_501, 1_500, 5),
    ] {
        let (outcome, came, server) = call_within(millis(deadline), [unavailable()]).await;
        assert_eq!(outcome, failed(Code::Unavailable), "{deadline} ms");
        assert_eq!((came, server.count()), (took, attempts), "{deadline} ms");
    }
}

#[tokio::test(start_paused = true)]
async fn a_pushback_that_reaches_the_deadline_ends_the_call_at_once() {
    let plan = [pushback(Code::Unavailable, "1000"), Turn::Ok];
    let (outcome, took, server) = call_within(millis(1_000), plan.clone()).await;
    assert_eq!(outcome, failed(Code::Unavailable));
    assert_eq!((took, server.count()), (0, 1));
    let (outcome, took, server) = call_within(millis(1_001), plan).await;
    assert_eq!((outcome, took, server.count()), (greeted(), 1_000, 2));
}

#[tokio::test(start_paused = true)]
async fn there_is_no_attempt_after_the_deadline() {
    let plan = [after(millis(300), unavailable()), Turn::Never, Turn::Ok];
    let server = Greeter::in_memory(plan);
    let retried = ByGrpcStatus::new()
        .also(Code::DeadlineExceeded as i32)
        .also(Code::Cancelled as i32);
    let mut request = Request::new(hello("Ada"));
    request.set_timeout(millis(500));
    let start = Instant::now();
    let mut client = server.client(&exact().classify(retried));
    let status = client.say_hello(request).await.unwrap_err();
    // So tonic's channel calls it.
    assert_eq!(
        (status.code(), status.message()),
        (Code::Cancelled, "Timeout expired")
    );
    assert_eq!(start.elapsed(), millis(500));
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(server.millis(), [0, 400]);
    assert_eq!(
        server.headers("grpc-timeout"),
        timeouts(["500000u", "100000u"])
    );
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_times_out_is_sent_again_whatever_the_codes() {
    let layer = exact().attempt_timeout(millis(1_000));
    let none = ByGrpcStatus::new().except(Code::Unavailable as i32);
    for layer in [layer.clone(), layer.classify(none)] {
        let server = Greeter::in_memory([Turn::Never, Turn::Ok]);
        let mut client = server.client(&layer);
        assert_eq!(got(client.say_hello(hello("Ada")).await), greeted());
        // The wait after a time-out is one step further up.
        assert_eq!(server.millis(), [0, 1_200]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_whose_attempts_all_time_out_ends_with_the_error_of_the_last() {
    let server = Greeter::in_memory([Turn::Never]);
    let mut client = server.client(&exact().attempt_timeout(millis(1_000)));
    let start = Instant::now();
    let status = client.say_hello(hello("Ada")).await.unwrap_err();
    assert!(attempt_timeout(status.source().unwrap()).is_some());
    // tonic does not know the error.
    assert_eq!(status.code(), Code::Unknown);
    assert_eq!(server.millis(), [0, 1_200, 2_600, 4_400, 6_400]);
    assert_eq!(start.elapsed(), millis(7_400));
}

#[tokio::test(start_paused = true)]
async fn a_time_out_of_tonics_own_channel_is_final() {
    let server = Greeter::in_memory([Turn::Never, Turn::Ok]);
    let retried = ByGrpcStatus::new()
        .also(Code::DeadlineExceeded as i32)
        .also(Code::Cancelled as i32);
    let channel = server.channel_with(|endpoint| endpoint.timeout(millis(1_000)));
    let layer = exact().classify(retried);
    let mut client = GreeterClient::new(retrying(&layer, channel));
    let expected = Err((Code::Cancelled, "Timeout expired".to_owned()));
    assert_eq!(got(client.say_hello(hello("Ada")).await), expected);
    assert_eq!(server.count(), 1);
}
