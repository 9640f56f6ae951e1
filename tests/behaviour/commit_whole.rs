//! Responses that are returned when their end is there.

use std::future::ready;
use std::io::ErrorKind;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::BodyExt;
use tokio::time::Instant;
use tower::{Layer, ServiceExt, service_fn};
use tower_http_retry::{BoxError, CommitLayer};

use crate::support::commit::{committed, retry, secs, sum, sum_text};
use crate::support::content::Part::{self, After, Fail, Never, Panic, Pending};
use crate::support::content::{Content, Knows, Origin, data, frames, ok, with};
use crate::support::upstream::{Body, get};

#[tokio::test(start_paused = true)]
async fn a_response_is_returned_when_its_end_is_there_as_one_frame_and_its_trailers() {
    let start = Instant::now();
    let script = [
        data("ab"),
        After(secs(2)),
        data(""),
        data("cde"),
        After(secs(1)),
        sum(),
    ];
    let answer = ok(script);
    let polls = answer.body().polls();
    let mut body = committed(CommitLayer::whole(1024), answer)
        .await
        .into_body();
    assert_eq!(start.elapsed(), secs(3));
    let read = polls.count();
    for (size, is_data) in [(5, true), (0, false)] {
        assert_eq!(body.size_hint().exact(), Some(size));
        assert!(!body.is_end_stream());
        let frame = body.frame().await.unwrap().unwrap();
        assert_eq!(frame.is_data(), is_data);
        if let Ok(data) = frame.into_data() {
            assert_eq!(data, "abcde");
        }
    }
    assert!(body.is_end_stream());
    assert_eq!(body.size_hint().exact(), Some(0));
    assert!(body.frame().await.is_none());
    assert_eq!(polls.count(), read);
}

#[tokio::test(start_paused = true)]
async fn a_body_of_one_frame_is_handed_up_without_a_copy() {
    let bytes = Bytes::from(vec![7; 100]);
    let answer = ok([Part::Data(bytes.clone())]);
    let mut body = committed(CommitLayer::whole(100), answer).await.into_body();
    let frame = body.frame().await.unwrap().unwrap().into_data().unwrap();
    assert_eq!(frame.as_ptr(), bytes.as_ptr());
}

#[tokio::test(start_paused = true)]
async fn a_body_is_read_whole_up_to_the_limit() {
    for knows in [Knows::Nothing, Knows::AtLeast, Knows::All] {
        for (limit, script, expected) in [
            (8, vec![data("12345678")], vec!["12345678"]),
            (
                8,
                vec![data("1234"), data(""), data("5678"), data("")],
                vec!["12345678"],
            ),
            (0, vec![], vec![]),
            (0, vec![data("")], vec![]),
            (usize::MAX, vec![data("1"), data("2")], vec!["12"]),
        ] {
            let mut late = script.clone();
            late.push(After(secs(5)));
            late.push(data(""));
            let start = Instant::now();
            let answer = Response::new(Content::new(knows, late));
            let response = committed(CommitLayer::whole(limit), answer).await;
            assert_eq!(start.elapsed(), secs(5), "{limit} {knows:?}");
            assert_eq!(
                frames(response.into_body()).await,
                expected,
                "{limit} {knows:?}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_turns_out_longer_is_returned_then_and_nothing_of_it_is_lost() {
    for (limit, script, polls, expected) in [
        (
            8,
            vec![data("123456789"), data("abc"), sum()],
            1,
            vec!["123456789", "abc", "trailers"],
        ),
        (
            8,
            vec![data("1234"), data("56789"), data(""), data("abc")],
            2,
            vec!["123456789", "", "abc"],
        ),
        (
            8,
            vec![data("12345678"), data(""), data("9"), sum()],
            3,
            vec!["123456789", "trailers"],
        ),
        (0, vec![data(""), data("1")], 2, vec!["1"]),
        (
            8,
            vec![data("123456789"), Fail(ErrorKind::ConnectionReset)],
            1,
            vec!["123456789", "error: connection reset"],
        ),
    ] {
        let start = Instant::now();
        // What follows the bytes beyond the limit is late.
        let rest = script[polls..].iter().cloned();
        let script = script[..polls]
            .iter()
            .cloned()
            .chain([After(secs(5))])
            .chain(rest);
        let answer = ok(script);
        let counted = answer.body().polls();
        let origin = Origin::new([answer]);
        let service = retry().layer(CommitLayer::whole(limit).layer(origin.clone()));
        let response = service.oneshot(get()).await.unwrap();
        assert_eq!((start.elapsed(), counted.count()), (secs(0), polls));
        let text = |frame: &str| match frame {
            "trailers" => sum_text(),
            frame => frame.to_owned(),
        };
        let expected: Vec<_> = expected.into_iter().map(text).collect();
        assert_eq!(frames(response.into_body()).await, expected);
        assert_eq!(origin.seconds(), [0]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_turns_out_longer_tells_its_size_and_end() {
    let answer = ok([data("1234"), data("56789"), data("abc"), sum()]);
    let mut body = committed(CommitLayer::whole(8), answer).await.into_body();
    for lower in [9, 0, 0] {
        let hint = body.size_hint();
        assert_eq!(
            (hint.lower(), hint.upper(), body.is_end_stream()),
            (lower, None, false)
        );
        body.frame().await.unwrap().unwrap();
    }
    assert!(
        !body.is_end_stream(),
        "the end is not known before it comes"
    );
    assert!(body.frame().await.is_none());
    assert!(body.is_end_stream());
    assert_eq!(body.size_hint().exact(), Some(0));
}

#[tokio::test(start_paused = true)]
async fn a_body_that_is_known_to_be_longer_is_returned_with_its_head() {
    let streamed = || ok([data("123456789")]);
    let said = |knows| Response::new(Content::new(knows, [data("1234"), data("56789")]));
    let cases = [
        (with(streamed(), "content-length", "9"), 9),
        (
            with(streamed(), "content-length", "18446744073709551615"),
            u64::MAX,
        ),
        (said(Knows::AtLeast), 9),
        (said(Knows::All), 9),
        (with(said(Knows::All), "content-length", "3"), 9),
    ];
    for (answer, size) in cases {
        let polls = answer.body().polls();
        let hint = answer.body().size_hint();
        let response = committed(CommitLayer::whole(8), answer).await;
        assert_eq!(polls.count(), 0, "{size} bytes");
        assert_eq!(response.body().size_hint().exact(), hint.exact());
        assert_eq!(response.body().size_hint().lower(), hint.lower());
        let read = response.into_body().collect().await.unwrap();
        assert_eq!(read.to_bytes(), "123456789");
    }
    // At the limit, all of it is read.
    for answer in [
        with(ok([data("12345678")]), "content-length", "8"),
        Response::new(Content::new(Knows::AtLeast, [data("12345678")])),
    ] {
        let polls = answer.body().polls();
        committed(CommitLayer::whole(8), answer).await;
        assert_eq!(polls.count(), 2, "the data and the end");
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_end_is_not_waited_for_beyond_the_limit() {
    let answer = ok([data("12345678"), After(secs(1)), data("9"), Never, Panic]);
    let start = Instant::now();
    let mut body = committed(CommitLayer::whole(8), answer).await.into_body();
    assert_eq!(start.elapsed(), secs(1));
    let first = body.frame().await.unwrap().unwrap();
    assert_eq!(first.into_data().unwrap(), "123456789");
}

#[tokio::test(start_paused = true)]
async fn a_stream_of_events_is_returned_with_its_head() {
    let polled = async |content_type: &'static str| {
        let answer = with(ok([data("data: 1\n\n")]), "content-type", content_type);
        let polls = answer.body().polls();
        committed(CommitLayer::whole(1024), answer).await;
        polls.count()
    };
    for stream in [
        "text/event-stream",
        "text/event-stream; charset=utf-8",
        "text/event-stream;charset=utf-8",
        "TEXT/Event-Stream",
        " text/event-stream ;x=y",
    ] {
        assert_eq!(polled(stream).await, 0, "{stream}");
    }
    for other in [
        "text/event-streams",
        "text/plain",
        "application/json",
        "x; text/event-stream",
        "",
    ] {
        assert_eq!(polled(other).await, 2, "{other}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_sends_nothing_but_frames_without_bytes_is_not_read_for_ever() {
    let answer = ok(vec![data(""); 2000]);
    let polls = answer.body().polls();
    let response = committed(CommitLayer::whole(1024), answer).await;
    assert_eq!(polls.count(), 1025);
    assert_eq!(frames(response.into_body()).await.len(), 2000 - 1025);
}

#[tokio::test(start_paused = true)]
async fn memory_is_not_reserved_for_more_than_comes() {
    /// Says that it has more bytes than any memory.
    struct Boasting(Content);

    impl http_body::Body for Boasting {
        type Data = Bytes;
        type Error = BoxError;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
            Pin::new(&mut self.0).poll_frame(cx)
        }

        fn size_hint(&self) -> SizeHint {
            let mut hint = SizeHint::new();
            hint.set_lower(1 << 62);
            hint
        }
    }

    let service = service_fn(|_: Request<Body>| {
        let content = Content::new(Knows::Nothing, [data("one"), data("two")]);
        ready(Ok::<_, BoxError>(Response::new(Boasting(content))))
    });
    let service = CommitLayer::whole(usize::MAX).layer(service);
    let response = service.oneshot(get()).await.unwrap();
    assert_eq!(frames(response.into_body()).await, ["onetwo"]);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_fails_anywhere_is_asked_for_again_after_the_back_off() {
    let origin = Origin::new([
        ok([data("one"), Fail(ErrorKind::ConnectionReset)]),
        ok([
            data("one"),
            data("two"),
            Pending,
            Fail(ErrorKind::UnexpectedEof),
        ]),
        ok([data("one"), data("two"), data("three")]),
    ]);
    let service = retry().layer(CommitLayer::whole(1024).layer(origin.clone()));
    let response = service.oneshot(get()).await.unwrap();
    assert_eq!(origin.seconds(), [0, 1, 3]);
    assert_eq!(frames(response.into_body()).await, ["onetwothree"]);
}
