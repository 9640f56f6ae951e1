//! Unary calls of gRPC over a real tonic channel to a real server: which are sent again, when, and
//! what their caller gets (gRFC A6).

use std::time::Duration;

use crate::support::level::Level;
use tokio::time::Instant;
use tonic::metadata::{MetadataMap, MetadataValue};
use tonic::{Code, Request, Status};
use tower_http_retry::grpc::ByGrpcStatus;
use tower_http_retry::{Budget, RetryLayer};

use crate::support::calls::{Layer, call, exact, failed, got, greeted};
use crate::support::greeter::{
    Greeter, GreeterClient, Received, Turn, hello, pushback, retrying, status, unavailable,
};

const ATTEMPTS: &str = "grpc-previous-rpc-attempts";

const FAILURES: [Code; 16] = [
    Code::Cancelled,
    Code::Unknown,
    Code::InvalidArgument,
    Code::DeadlineExceeded,
    Code::NotFound,
    Code::AlreadyExists,
    Code::PermissionDenied,
    Code::ResourceExhausted,
    Code::FailedPrecondition,
    Code::Aborted,
    Code::OutOfRange,
    Code::Unimplemented,
    Code::Internal,
    Code::Unavailable,
    Code::DataLoss,
    Code::Unauthenticated,
];

/// The codes with which a call is sent again; each other one is handed over.
async fn sent_again(classify: ByGrpcStatus) -> Vec<Code> {
    let mut again = Vec::new();
    for code in FAILURES {
        let layer = exact().classify(classify);
        let (outcome, server) = call(&layer, [status(code), Turn::Ok]).await;
        match server.count() {
            1 => assert_eq!(outcome, failed(code)),
            _ => {
                assert_eq!((outcome, server.millis()), (greeted(), vec![0, 100]));
                again.push(code);
            }
        }
    }
    again
}

#[tokio::test(start_paused = true)]
async fn only_unavailable_is_sent_again_unless_told_otherwise() {
    let default = ByGrpcStatus::new();
    assert_eq!(sent_again(default).await, [Code::Unavailable]);
    let more = default
        .also(Code::Aborted as i32)
        .also(Code::ResourceExhausted as i32);
    let expected = [Code::ResourceExhausted, Code::Aborted, Code::Unavailable];
    assert_eq!(sent_again(more).await, expected);
    let other = default
        .except(Code::Unavailable as i32)
        .also(Code::Cancelled as i32);
    assert_eq!(sent_again(other).await, [Code::Cancelled]);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_succeeds_is_sent_once() {
    let (outcome, server) = call(&RetryLayer::grpc(), [Turn::Ok]).await;
    assert_eq!((outcome, server.millis()), (greeted(), vec![0]));
    assert_eq!(server.headers(ATTEMPTS), [None]);
}

#[tokio::test(start_paused = true)]
async fn a_call_makes_five_attempts_and_no_more() {
    let numbered = |number| Turn::Status(Status::unavailable(format!("attempt {number}")));
    let plan: Vec<_> = (1..=6).map(numbered).collect();
    let (outcome, server) = call(&RetryLayer::grpc(), plan.clone()).await;
    assert_eq!(
        outcome,
        Err((Code::Unavailable, "attempt 5".to_owned())),
        "the last one's status"
    );
    assert_eq!(server.count(), 5);

    let (outcome, server) = call(&exact().max_retries(1), plan).await;
    assert_eq!(outcome, Err((Code::Unavailable, "attempt 2".to_owned())));
    assert_eq!(server.millis(), [0, 100]);
}

#[tokio::test(start_paused = true)]
async fn the_last_attempt_may_be_the_one_that_succeeds() {
    let mut plan = vec![unavailable(); 4];
    plan.push(Turn::Ok);
    let (outcome, server) = call(&exact(), plan).await;
    assert_eq!(outcome, greeted());
    assert_eq!(server.millis(), [0, 100, 300, 700, 1_500]);
}

#[tokio::test(start_paused = true)]
async fn the_steps_double_from_a_tenth_of_a_second_up_to_one_second() {
    let layer = exact().max_retries(7).without_budget();
    let (_, server) = call(&layer, [unavailable()]).await;
    let expected = [0, 100, 300, 700, 1_500, 2_500, 3_500, 4_500];
    assert_eq!(server.millis(), expected);
}

/// The waits of calls, each by a layer with another seed.
async fn waits(layer: &Layer, attempts: usize) -> Vec<Vec<u128>> {
    const CALLS: usize = 100;
    let server = Greeter::start([unavailable()]).await;
    let channel = server.channel();
    for seed in 0..CALLS as u64 {
        // Its own budget, too.
        let layer = layer.clone().budget(Budget::throttle(20, 0.1));
        let mut client = GreeterClient::new(retrying(&layer.jitter_seed(seed), channel.clone()));
        assert!(client.say_hello(hello("Ada")).await.is_err());
    }
    let at = server.millis();
    assert_eq!(at.len(), CALLS * attempts);
    let waits = |at: &[u128]| at.windows(2).map(|pair| pair[1] - pair[0]).collect();
    at.chunks(attempts).map(waits).collect()
}

#[tokio::test(start_paused = true)]
async fn each_wait_lies_within_a_fifth_of_its_step() {
    let steps = [100, 200, 400, 800];
    let waits = waits(&RetryLayer::grpc(), 5).await;
    for (index, step) in steps.into_iter().enumerate() {
        let least = waits.iter().map(|waits| waits[index]).min().unwrap();
        let most = waits.iter().map(|waits| waits[index]).max().unwrap();
        // And anywhere in there.
        assert!(
            (step * 80 / 100..step * 82 / 100).contains(&least),
            "{least} of {step}"
        );
        assert!(
            (step * 118 / 100..=step * 120 / 100).contains(&most),
            "{most} of {step}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn the_longest_step_is_one_second_before_the_jitter() {
    let waits = waits(&RetryLayer::grpc().max_retries(6), 7).await;
    for index in [4, 5] {
        let least = waits.iter().map(|waits| waits[index]).min().unwrap();
        let most = waits.iter().map(|waits| waits[index]).max().unwrap();
        assert!((800..820).contains(&least), "{least}");
        assert!((1_180..=1_200).contains(&most), "{most}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_pushback_is_the_wait() {
    for (value, wait) in [("0", 0), ("1", 1), ("1000", 1_000), ("299000", 299_000)] {
        let plan = [pushback(Code::Unavailable, value), Turn::Ok];
        let (outcome, server) = call(&RetryLayer::grpc(), plan).await;
        assert_eq!((outcome, server.millis()), (greeted(), vec![0, wait]));
    }
}

#[tokio::test(start_paused = true)]
async fn a_pushback_that_is_negative_or_no_number_ends_the_call() {
    for value in ["-1", "-1000", "abc", "01", "1.5", "+1", "", "2147483648"] {
        let plan = [pushback(Code::Unavailable, value), Turn::Ok];
        let (outcome, server) = call(&RetryLayer::grpc(), plan).await;
        assert_eq!(outcome, failed(Code::Unavailable), "{value:?}");
        assert_eq!(server.millis(), [0], "{value:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_pushback_longer_than_five_minutes_ends_the_call() {
    let plan = [pushback(Code::Unavailable, "300001"), Turn::Ok];
    let start = Instant::now();
    let (outcome, server) = call(&RetryLayer::grpc(), plan).await;
    assert_eq!(outcome, failed(Code::Unavailable));
    assert_eq!((server.count(), start.elapsed()), (1, Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn a_pushback_makes_no_other_code_one_that_is_sent_again() {
    for value in ["0", "1000", "-1"] {
        let plan = [pushback(Code::Internal, value), Turn::Ok];
        let (outcome, server) = call(&RetryLayer::grpc(), plan).await;
        assert_eq!(outcome, failed(Code::Internal), "{value:?}");
        assert_eq!(server.count(), 1, "{value:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn after_a_pushback_the_series_starts_again() {
    let plan = [
        unavailable(),
        unavailable(),
        pushback(Code::Unavailable, "5000"),
        unavailable(),
        unavailable(),
        Turn::Ok,
    ];
    let (outcome, server) = call(&exact().max_retries(5).without_budget(), plan).await;
    assert_eq!(outcome, greeted());
    assert_eq!(server.millis(), [0, 100, 300, 5_300, 5_400, 5_600]);
}

#[tokio::test(start_paused = true)]
async fn a_pushback_counts_as_an_attempt() {
    let plan = [pushback(Code::Unavailable, "10")];
    let (outcome, server) = call(&exact(), plan).await;
    assert_eq!(outcome, failed(Code::Unavailable));
    assert_eq!(server.millis(), [0, 10, 20, 30, 40]);
}

#[tokio::test(start_paused = true)]
async fn each_retry_says_how_many_attempts_there_were_before_it() {
    let (_, server) = call(&exact(), [unavailable()]).await;
    let said = [None, Some("1"), Some("2"), Some("3"), Some("4")];
    let expected = said.map(|said| said.map(str::to_owned));
    assert_eq!(server.headers(ATTEMPTS), expected);
}

#[tokio::test(start_paused = true)]
async fn each_attempt_is_the_call_that_was_made() {
    let server = Greeter::start([unavailable(), unavailable(), Turn::Ok]).await;
    let mut request = Request::new(hello("Ada"));
    let metadata = request.metadata_mut();
    metadata.insert("x-own", "one".parse().unwrap());
    metadata.append("x-own", "two".parse().unwrap());
    metadata.insert_bin("x-own-bin", MetadataValue::from_bytes(b"\0\xff"));
    // A caller's own count is none.
    metadata.insert(ATTEMPTS, "7".parse().unwrap());
    server.client(&exact()).say_hello(request).await.unwrap();
    let sent = |mut call: Received| {
        call.metadata.remove(ATTEMPTS);
        (call.path, call.metadata, call.messages)
    };
    assert_eq!(server.headers(ATTEMPTS)[0], None);
    let sent: Vec<_> = server.received().into_iter().map(sent).collect();
    let (path, metadata, messages) = &sent[0];
    assert_eq!(
        (&**path, &messages[..]),
        ("/hello.Greeter/SayHello", &["Ada".to_owned()][..])
    );
    let own: Vec<_> = metadata.get_all("x-own").iter().collect();
    assert_eq!(own, ["one", "two"]);
    assert_eq!(metadata["x-own-bin"], "AP8");
    assert_eq!(sent, vec![sent[0].clone(); 3]);
}

/// The calls of one client, each with this plan, and the tokens after each.
async fn levels(budget: &Budget, plan: impl Into<Vec<Turn>>, calls: usize) -> Vec<u64> {
    let server = Greeter::start(plan).await;
    let mut client = server.client(&exact().budget(budget.clone()));
    let mut levels = Vec::new();
    for _ in 0..calls {
        // What it came to, the server's count tells.
        let _ = client.say_hello(hello("Ada")).await;
        levels.push(budget.level().unwrap());
    }
    levels
}

#[tokio::test(start_paused = true)]
async fn each_failure_that_could_be_sent_again_takes_a_token_and_each_success_adds_its_ratio() {
    let budget = Budget::throttle(10, 0.1);
    assert_eq!(levels(&budget, [Turn::Ok], 2).await, [10_000; 2]);
    let plan = [unavailable(), unavailable(), Turn::Ok];
    // Two failures and a success; then three successes.
    let expected = [8_100, 8_200, 8_300, 8_400];
    assert_eq!(levels(&budget, plan, 4).await, expected);
}

#[tokio::test(start_paused = true)]
async fn there_are_retries_only_while_more_than_half_the_tokens_are_there() {
    let budget = Budget::throttle(10, 0.1);
    let server = Greeter::start([unavailable()]).await;
    let layer = exact().budget(budget.clone());
    let mut seen = Vec::new();
    let mut client = server.client(&layer);
    for _ in 0..8 {
        let outcome = client.say_hello(hello("Ada")).await;
        assert_eq!(got(outcome), failed(Code::Unavailable));
        seen.push((server.count(), budget.level().unwrap()));
    }
    // The fifth failure leaves half; then there are no retries, and it goes down to none.
    let expected = [
        (5, 5),
        (6, 4),
        (7, 3),
        (8, 2),
        (9, 1),
        (10, 0),
        (11, 0),
        (12, 0),
    ];
    assert_eq!(
        seen,
        expected.map(|(calls, tokens)| (calls, tokens * 1_000))
    );
}

#[tokio::test(start_paused = true)]
async fn successes_bring_the_retries_back() {
    let budget = Budget::throttle(10, 0.1);
    assert_eq!(levels(&budget, [unavailable()], 1).await, [5_000]);
    // Exactly half after the next failure is not enough; a tenth more is.
    let rising = levels(&budget, [Turn::Ok], 10).await;
    assert_eq!((rising[0], rising[9]), (5_100, 6_000));
    let (outcome, server) = call(&exact().budget(budget.clone()), [unavailable(), Turn::Ok]).await;
    assert_eq!((outcome, server.count()), (failed(Code::Unavailable), 1));
    assert_eq!(budget.level(), Some(5_000));
    assert_eq!(levels(&budget, [Turn::Ok], 11).await[10], 6_100);
    let (outcome, server) = call(&exact().budget(budget.clone()), [unavailable(), Turn::Ok]).await;
    assert_eq!((outcome, server.millis()), (greeted(), vec![0, 100]));
    assert_eq!(budget.level(), Some(5_200));
}

#[tokio::test(start_paused = true)]
async fn a_code_that_is_not_sent_again_leaves_the_tokens_as_they_are() {
    for code in FAILURES {
        let budget = Budget::throttle(10, 0.1);
        assert_eq!(levels(&budget, [unavailable(), Turn::Ok], 1).await, [9_100]);
        let after = match code {
            // Both of its failures, and those of its retries, up to half.
            Code::Unavailable => vec![4_100, 3_100],
            _ => vec![9_100, 9_100],
        };
        assert_eq!(levels(&budget, [status(code)], 2).await, after, "{code:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_pushback_that_says_no_takes_a_token_whatever_the_code() {
    for code in [Code::Unavailable, Code::Internal, Code::NotFound] {
        for value in ["-1", "abc"] {
            let budget = Budget::throttle(10, 0.1);
            let plan = [pushback(code, value)];
            assert_eq!(levels(&budget, plan, 2).await, [9_000, 8_000], "{code:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_pushback_that_says_when_takes_a_token_only_with_a_code_that_is_sent_again() {
    let budget = Budget::throttle(10, 0.1);
    let plan = [pushback(Code::Unavailable, "0"), Turn::Ok];
    assert_eq!(levels(&budget, plan, 1).await, [9_100]);
    let plan = [pushback(Code::Internal, "0")];
    assert_eq!(levels(&budget, plan, 1).await, [9_100]);
}

#[tokio::test(start_paused = true)]
async fn one_throttle_is_shared_by_all_clients_of_a_layer() {
    let layer = exact();
    let (_, first) = call(&layer, [unavailable()]).await;
    let (_, second) = call(&layer, [unavailable()]).await;
    assert_eq!((first.count(), second.count()), (5, 1));
}

#[tokio::test(start_paused = true)]
async fn the_caller_gets_the_last_status_whole() {
    let mut metadata = MetadataMap::new();
    metadata.insert("x-trace", "17".parse().unwrap());
    metadata.append("x-trace", "18".parse().unwrap());
    metadata.insert_bin("x-trace-bin", MetadataValue::from_bytes(b"\0\x01\xfe"));
    let details = b"\x08\x0e\0\xff\xfe details".as_slice();
    let message = "no, 100% not: \u{fc}\n";
    for code in [Code::Unavailable, Code::FailedPrecondition] {
        let last = || {
            let metadata = metadata.clone();
            Status::with_details_and_metadata(code, message, details.into(), metadata)
        };
        let plan = [unavailable(), unavailable(), Turn::Status(last())];
        let server = Greeter::start(plan).await;
        let mut client = server.client(&exact().max_retries(2));
        let status = client.say_hello(hello("Ada")).await.unwrap_err();
        assert_eq!(server.count(), 3);
        assert_eq!((status.code(), status.message()), (code, message));
        assert_eq!(status.details(), details);
        let traces: Vec<_> = status.metadata().get_all("x-trace").iter().collect();
        assert_eq!(traces, ["17", "18"]);
        let binary = status.metadata().get_bin("x-trace-bin").unwrap();
        assert_eq!(&binary.to_bytes().unwrap()[..], b"\0\x01\xfe");
    }
}
