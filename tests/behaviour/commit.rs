//! Responses that are returned when their first bytes are there.

use std::io::ErrorKind;

use http::Response;
use http_body::Body as _;
use http_body_util::BodyExt;
use tokio::time::Instant;
use tower::{Layer, ServiceExt};
use tower_http_retry::CommitLayer;
use tower_http_retry::commit::CommittedBody;

use crate::support::body::trailers;
use crate::support::commit::{both, committed, retry, secs, sum};
use crate::support::content::Part::{self, After, Fail, Never, Panic, Pending, Trailers};
use crate::support::content::{Content, Knows, Origin, data, frames, ok, status, with};
use crate::support::upstream::get;

#[tokio::test(start_paused = true)]
async fn a_response_is_returned_when_its_first_bytes_are_there_and_no_later() {
    let start = Instant::now();
    let answer = ok([After(secs(3)), data("one"), Panic]);
    let polls = answer.body().polls();
    let response = committed(CommitLayer::first_bytes(), answer).await;
    assert_eq!(start.elapsed(), secs(3));
    assert_eq!(polls.count(), 2, "pending, and then the first bytes");
    let first = response.into_body().frame().await.unwrap().unwrap();
    assert_eq!(first.into_data().unwrap(), "one");
    assert_eq!(polls.count(), 2, "what was read is not asked for again");
}

#[tokio::test(start_paused = true)]
async fn data_frames_without_bytes_are_not_the_first_bytes_and_are_left_out() {
    let script = [
        data(""),
        Pending,
        data(""),
        data("one"),
        data(""),
        data("two"),
    ];
    let answer = ok(script);
    let polls = answer.body().polls();
    let response = committed(CommitLayer::first_bytes(), answer).await;
    assert_eq!(polls.count(), 4);
    assert_eq!(frames(response.into_body()).await, ["one", "", "two"]);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_sends_nothing_but_frames_without_bytes_is_not_read_for_ever() {
    let answer = ok(vec![data(""); 100]);
    let polls = answer.body().polls();
    let response = committed(CommitLayer::first_bytes(), answer).await;
    assert_eq!(polls.count(), 65);
    assert_eq!(frames(response.into_body()).await.len(), 100 - 64);
}

#[tokio::test(start_paused = true)]
async fn trailers_commit_a_response_that_has_no_bytes() {
    let last = trailers([("x-sum", "7")]);
    for script in [
        vec![Trailers(last.clone()), Panic],
        vec![data(""), Trailers(last.clone()), Panic],
    ] {
        let polls = script.len() - 1;
        let answer = ok(script);
        let counted = answer.body().polls();
        let response = committed(CommitLayer::first_bytes(), answer).await;
        assert_eq!(counted.count(), polls);
        let first = response.into_body().frame().await.unwrap().unwrap();
        assert_eq!(first.into_trailers().unwrap(), last);
    }
}

#[tokio::test(start_paused = true)]
async fn the_end_commits_a_response_that_has_no_bytes() {
    for layer in both() {
        // One that says so beforehand is not even polled.
        for (knows, expected) in [(Knows::Nothing, 1), (Knows::AtLeast, 1), (Knows::All, 0)] {
            let content = Content::new(knows, []);
            let polls = content.polls();
            let response = committed(layer, Response::new(content)).await;
            assert_eq!(polls.count(), expected, "{knows:?}");
            assert!(response.body().is_end_stream());
            assert_eq!(response.body().size_hint().exact(), Some(0));
            assert_eq!(frames(response.into_body()).await.len(), 0);
            assert_eq!(polls.count(), expected, "{knows:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_of_events_is_waited_for_up_to_its_first_event() {
    let start = Instant::now();
    let answer = with(
        ok([After(secs(2)), data("data: 1\n\n"), Never]),
        "content-type",
        "text/event-stream",
    );
    let mut body = committed(CommitLayer::first_bytes(), answer)
        .await
        .into_body();
    assert_eq!(start.elapsed(), secs(2));
    let first = body.frame().await.unwrap().unwrap();
    assert_eq!(first.into_data().unwrap(), "data: 1\n\n");
}

#[tokio::test(start_paused = true)]
async fn a_body_that_fails_before_its_first_bytes_is_asked_for_again_after_the_back_off() {
    let origin = Origin::new([
        ok([Fail(ErrorKind::ConnectionReset)]),
        ok([data(""), Pending, Fail(ErrorKind::UnexpectedEof)]),
        ok([data("one"), data("two")]),
    ]);
    let service = retry().layer(CommitLayer::first_bytes().layer(origin.clone()));
    let response = service.oneshot(get()).await.unwrap();
    assert_eq!(origin.seconds(), [0, 1, 3]);
    assert_eq!(frames(response.into_body()).await, ["one", "two"]);
}

#[tokio::test(start_paused = true)]
async fn a_failure_after_the_first_bytes_is_the_callers_and_nothing_is_sent_again() {
    let origin = Origin::new([ok([data("one"), Fail(ErrorKind::ConnectionReset)])]);
    let service = retry().layer(CommitLayer::first_bytes().layer(origin.clone()));
    let response = service.oneshot(get()).await.unwrap();
    let told = frames(response.into_body()).await;
    assert_eq!(told, ["one", "error: connection reset"]);
    assert_eq!(origin.seconds(), [0]);
}

#[tokio::test(start_paused = true)]
async fn without_the_layer_such_a_failure_is_the_callers_at_once() {
    let origin = Origin::new([ok([Fail(ErrorKind::ConnectionReset)])]);
    let response = retry().layer(origin.clone()).oneshot(get()).await.unwrap();
    let told = frames(response.into_body()).await;
    assert_eq!(told, ["error: connection reset"]);
    assert_eq!(origin.seconds(), [0]);
}

#[tokio::test(start_paused = true)]
async fn the_head_is_returned_as_it_came() {
    for layer in both() {
        let mut answer = with(status(203, [data("one")]), "x-from", "origin");
        *answer.version_mut() = http::Version::HTTP_2;
        answer.extensions_mut().insert(7_u8);
        let response = committed(layer, answer).await;
        assert_eq!(response.status(), 203);
        assert_eq!(response.version(), http::Version::HTTP_2);
        assert_eq!(response.headers()["x-from"], "origin");
        assert_eq!(response.extensions().get(), Some(&7_u8));
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_tells_its_size_and_end_whatever_came_first() {
    // Before and after the first frame: the bytes at least, at most, and whether it is the end.
    let told = async |knows, script: Vec<Part>| {
        let answer = Response::new(Content::new(knows, script));
        let mut body = committed(CommitLayer::first_bytes(), answer)
            .await
            .into_body();
        let told = |body: &CommittedBody<Content>| {
            let hint = body.size_hint();
            (hint.lower(), hint.upper(), body.is_end_stream())
        };
        let before = told(&body);
        body.frame().await.unwrap().unwrap();
        [before, told(&body)]
    };
    let two = || vec![data(""), data("abc"), data("de")];
    let last = || vec![data("abc"), sum()];
    #[rustfmt::skip]
    let cases = [
        (Knows::All, two(), [(5, Some(5), false), (2, Some(2), false)]),
        (Knows::All, last(), [(3, Some(3), false), (0, Some(0), false)]),
        (Knows::All, vec![data("abc")], [(3, Some(3), false), (0, Some(0), true)]),
        (Knows::All, vec![sum()], [(0, Some(0), false), (0, Some(0), true)]),
        (Knows::AtLeast, two(), [(5, None, false), (2, None, false)]),
        (Knows::Nothing, two(), [(3, None, false), (0, None, false)]),
        (Knows::Nothing, vec![sum()], [(0, None, false), (0, None, false)]),
    ];
    for (index, (knows, script, expected)) in cases.into_iter().enumerate() {
        assert_eq!(told(knows, script).await, expected, "case {index}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_stays_at_its_end_and_the_content_is_not_asked_again() {
    // The content panics when it is polled after its end.
    for layer in both() {
        for script in [vec![], vec![data("one")], vec![sum()]] {
            let mut body = committed(layer, ok(script)).await.into_body();
            while body.frame().await.is_some() {}
            for _ in 0..3 {
                assert!(body.frame().await.is_none());
                assert!(body.is_end_stream());
            }
        }
    }
}
