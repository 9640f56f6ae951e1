//! Streams of gRPC, over a real tonic channel to a real server: when a call is committed, and what
//! of its messages is sent again.

use crate::support::level::Level;
use tokio::sync::mpsc;
use tonic::codegen::tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::codegen::tokio_stream::{self, StreamExt};
use tonic::metadata::{MetadataMap, MetadataValue};
use tonic::{Code, Response, Status, Streaming};
use tower_http_retry::{Attempts, Budget};

use crate::support::calls::{exact, failed, got, greeted};
use crate::support::greeter::{Greeter, HelloReply, Turn, hello, pushback, unavailable};

/// The messages of a stream, and the status that ended it.
async fn read(response: Response<Streaming<HelloReply>>) -> (Vec<String>, Option<Status>) {
    let mut stream = response.into_inner();
    let mut messages = Vec::new();
    while let Some(message) = stream.next().await {
        match message {
            Ok(reply) => messages.push(reply.message),
            Err(status) => return (messages, Some(status)),
        }
    }
    (messages, None)
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_fails_before_its_headers_is_sent_again() {
    let server = Greeter::start([unavailable(), unavailable(), Turn::Ok]).await;
    let mut client = server.client(&exact().mark_responses());
    let response = client.greet_often(hello("Ada")).await.unwrap();
    let attempts = response.extensions().get::<Attempts>().unwrap();
    assert_eq!(attempts.count, 3);
    let (messages, status) = read(response).await;
    assert_eq!(
        (&messages[..], status.is_none()),
        (&["Hello, Ada!".to_owned()][..], true)
    );
    assert_eq!(server.millis(), [0, 100, 300]);
    assert_eq!(server.messages(), [["Ada"]; 3]);
}

#[tokio::test(start_paused = true)]
async fn once_headers_have_come_a_call_is_committed_and_its_status_handed_over_whole() {
    let mut metadata = MetadataMap::new();
    metadata.insert("x-trace", "17".parse().unwrap());
    metadata.insert("grpc-retry-pushback-ms", "0".parse().unwrap());
    metadata.insert_bin("x-trace-bin", MetadataValue::from_bytes(b"\0\xff"));
    let status = || {
        let details = b"\0\xfe".as_slice().into();
        Status::with_details_and_metadata(Code::Unavailable, "late", details, metadata.clone())
    };
    let cases = [
        (Turn::HeadersThenStatus(status()), 0),
        (Turn::MessageThenStatus(status()), 1),
    ];
    for (turn, count) in cases {
        let server = Greeter::start([turn, Turn::Ok]).await;
        let mut client = server.client(&exact());
        let response = client.greet_often(hello("Ada")).await.unwrap();
        assert!(response.extensions().get::<Attempts>().is_none());
        let (messages, status) = read(response).await;
        let status = status.unwrap();
        assert_eq!((messages.len(), server.count()), (count, 1));
        assert_eq!(
            (status.code(), status.message()),
            (Code::Unavailable, "late")
        );
        assert_eq!(status.details(), b"\0\xfe");
        assert_eq!(status.metadata().get("x-trace").unwrap(), "17");
        let binary = status.metadata().get_bin("x-trace-bin").unwrap();
        assert_eq!(&binary.to_bytes().unwrap()[..], b"\0\xff");
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_sent_again_may_be_committed_by_its_retry() {
    let late = Turn::HeadersThenStatus(Status::unavailable("late"));
    let server = Greeter::start([unavailable(), late, Turn::Ok]).await;
    let mut client = server.client(&exact());
    let response = client.greet_often(hello("Ada")).await.unwrap();
    let (messages, status) = read(response).await;
    assert_eq!((messages.len(), status.unwrap().message()), (0, "late"));
    assert_eq!(server.millis(), [0, 100]);
}

#[tokio::test(start_paused = true)]
async fn headers_that_come_are_a_success_for_the_throttle() {
    let late = Turn::HeadersThenStatus(Status::unavailable("late"));
    let budget = Budget::throttle(10, 0.1);
    let server = Greeter::start([unavailable(), late]).await;
    let mut client = server.client(&exact().budget(budget.clone()));
    let response = client.greet_often(hello("Ada")).await.unwrap();
    read(response).await;
    assert_eq!(budget.level(), Some(9_100));
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_fails_to_the_end_is_the_last_status() {
    let server = Greeter::start([unavailable(), pushback(Code::Unavailable, "-1")]).await;
    let mut client = server.client(&exact());
    let status = client.greet_often(hello("Ada")).await.unwrap_err();
    let metadata = status.metadata().get("grpc-retry-pushback-ms");
    assert_eq!(
        (status.code(), metadata.unwrap()),
        (Code::Unavailable, &"-1".parse().unwrap())
    );
    assert_eq!(server.millis(), [0, 100]);
}

#[tokio::test(start_paused = true)]
async fn a_clients_stream_is_sent_again_message_for_message() {
    let server = Greeter::start([unavailable(), unavailable(), Turn::Ok]).await;
    let names = ["Ada", "", "Grace", "Edsger"];
    let outcome = server
        .client(&exact())
        .greet_all(tokio_stream::iter(names.map(hello)))
        .await;
    assert_eq!(got(outcome), Ok("Hello, Ada, , Grace, Edsger!".to_owned()));
    assert_eq!(server.messages(), [names; 3]);
    assert_eq!(server.millis(), [0, 100, 300]);
}

#[tokio::test(start_paused = true)]
async fn a_clients_stream_without_messages_is_sent_again() {
    let server = Greeter::start([unavailable(), Turn::Ok]).await;
    let outcome = server
        .client(&exact())
        .greet_all(tokio_stream::iter([]))
        .await;
    assert_eq!(got(outcome), Ok("Hello, !".to_owned()));
    assert_eq!(server.messages(), [[""; 0]; 2]);
}

#[tokio::test(start_paused = true)]
async fn a_clients_stream_that_is_still_under_way_is_sent_again_and_goes_on() {
    let early = |count| Turn::StatusAfter(count, Status::unavailable("too early"));
    let server = Greeter::start([early(1), early(2), Turn::Ok]).await;
    let (sender, messages) = mpsc::unbounded_channel();
    let mut client = server.client(&exact());
    let messages = UnboundedReceiverStream::new(messages);
    let calling = tokio::spawn(async move { client.greet_all(messages).await });
    for name in ["Ada", "Grace", "Edsger"] {
        sender.send(hello(name)).unwrap();
        // The attempt that gets this one.
        server.heard().await;
    }
    drop(sender);
    let outcome = calling.await.unwrap();
    assert_eq!(got(outcome), Ok("Hello, Ada, Grace, Edsger!".to_owned()));
    let expected = [&["Ada"][..], &["Ada", "Grace"], &["Ada", "Grace", "Edsger"]];
    assert_eq!(server.messages(), expected);
    assert_eq!(server.millis(), [0, 100, 300]);
}

#[tokio::test(start_paused = true)]
async fn a_large_upload_that_is_answered_in_its_middle_is_sent_again_whole() {
    let early = Turn::StatusAfter(1, Status::unavailable("too early"));
    let server = Greeter::start([early, Turn::Ok]).await;
    let names: Vec<_> = ('a'..='t')
        .map(|name| name.to_string().repeat(50_000))
        .collect();
    let messages = tokio_stream::iter(names.clone().into_iter().map(hello));
    let outcome = server.client(&exact()).greet_all(messages).await;
    assert_eq!(got(outcome), Ok(format!("Hello, {}!", names.join(", "))));
    let received = server.messages();
    assert!(received == [&names[..1], &names[..]], "not what was sent");
}

/// A message with a name of so many bytes, below 128, on the wire: its prefix, and its one field.
fn on_the_wire(name: usize) -> usize {
    5 + 2 + name
}

#[tokio::test(start_paused = true)]
async fn a_clients_stream_over_the_limit_is_sent_whole_once_and_its_status_handed_over() {
    let names = ["a".repeat(100), "b".repeat(100)];
    let limit = 2 * on_the_wire(100);
    for (limit, attempts) in [(limit, 2), (limit - 1, 1), (0, 1)] {
        let server = Greeter::start([unavailable(), Turn::Ok]).await;
        let layer = exact().max_replay_bytes(limit);
        let messages = tokio_stream::iter(names.clone().map(hello));
        let outcome = server.client(&layer).greet_all(messages).await;
        let expected = match attempts {
            1 => failed(Code::Unavailable),
            _ => Ok(format!("Hello, {}!", names.join(", "))),
        };
        assert_eq!(got(outcome), expected, "{limit}");
        assert_eq!(server.messages(), vec![&names[..]; attempts], "{limit}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_over_the_limit_is_sent_once_and_its_status_handed_over() {
    let limit = on_the_wire(3);
    for (limit, expected) in [(limit, greeted()), (limit - 1, failed(Code::Unavailable))] {
        let server = Greeter::start([unavailable(), Turn::Ok]).await;
        let mut client = server.client(&exact().max_replay_bytes(limit));
        assert_eq!(
            got(client.say_hello(hello("Ada")).await),
            expected,
            "{limit}"
        );
    }
}
