//! Of which responses the bodies are read before they are returned, and which are returned with their
//! heads.

use std::io::ErrorKind;
use std::time::Duration;

use http::Method;
use http_body::Body as _;
use tokio::time::Instant;
use tower::{Layer, ServiceExt};
use tower_http_retry::CommitLayer;

use crate::support::commit::{both, committed, retry, secs};
use crate::support::content::Part::{After, Fail, Never};
use crate::support::content::{Content, Knows, Origin, data, frames, ok, status, with};
use crate::support::upstream::{get, request};

/// How often a body that never comes is polled before this answer is returned; none if it is not
/// returned within a day.
async fn polled(layer: CommitLayer, method: Method, status: u16) -> Option<usize> {
    let answer = self::status(status, [Never]);
    let polls = answer.body().polls();
    let service = layer.layer(Origin::new([answer]));
    let day = secs(24 * 60 * 60);
    let returned = tokio::time::timeout(day, service.oneshot(request(method)));
    let response = returned.await.ok()?.unwrap();
    assert_eq!(response.status(), status);
    Some(polls.count())
}

#[tokio::test(start_paused = true)]
async fn what_has_no_body_is_returned_with_its_head() {
    for layer in both() {
        for layer in [layer, layer.read_failures(true)] {
            for status in [100, 101, 103, 199, 204, 304] {
                assert_eq!(
                    polled(layer, Method::GET, status).await,
                    Some(0),
                    "{status}"
                );
            }
            for method in [Method::HEAD, Method::CONNECT] {
                for status in [200, 404, 429, 503] {
                    let polled = polled(layer, method.clone(), status).await;
                    assert_eq!(polled, Some(0), "{method} {status}");
                }
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn of_all_other_answers_the_bodies_are_waited_for() {
    for layer in both() {
        for status in [
            200, 201, 202, 203, 205, 206, 299, 300, 302, 303, 400, 403, 404, 428, 430, 499, 600,
        ] {
            assert_eq!(polled(layer, Method::GET, status).await, None, "{status}");
        }
        for method in [
            Method::POST,
            Method::PUT,
            Method::DELETE,
            Method::OPTIONS,
            Method::PATCH,
        ] {
            assert_eq!(polled(layer, method.clone(), 200).await, None, "{method}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn failures_are_waited_for_only_by_a_layer_that_reads_them() {
    for layer in both() {
        for status in [429, 500, 501, 503, 599] {
            assert_eq!(
                polled(layer, Method::GET, status).await,
                Some(0),
                "{status}"
            );
            let reading = layer.read_failures(true);
            // For a second, or as long as is said.
            assert_eq!(
                polled(reading, Method::GET, status).await,
                Some(2),
                "{status}"
            );
            let for_long = reading.timeout(Duration::from_secs(u64::MAX));
            assert_eq!(
                polled(for_long, Method::GET, status).await,
                None,
                "{status}"
            );
            let not_reading = reading.read_failures(false);
            assert_eq!(
                polled(not_reading, Method::GET, status).await,
                Some(0),
                "{status}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_head_that_announces_bytes_which_do_not_come_is_no_broken_answer_where_none_can_come() {
    for layer in both() {
        for (method, status) in [
            (Method::HEAD, 200),
            (Method::GET, 304),
            (Method::CONNECT, 200),
        ] {
            let answer = with(self::status(status, []), "content-length", "100");
            let origin = Origin::new([answer]);
            let service = retry().layer(layer.layer(origin.clone()));
            let response = service.oneshot(request(method)).await.unwrap();
            assert_eq!(response.status(), status);
            assert_eq!(origin.seconds(), [0]);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_failure_that_is_not_read_is_retried_by_its_status_and_read_by_the_retry() {
    for layer in both() {
        let answer = with(
            status(503, [data("no"), Fail(ErrorKind::InvalidData)]),
            "retry-after",
            "5",
        );
        let polls = answer.body().polls();
        let origin = Origin::new([answer, ok([data("one")])]);
        let service = retry().layer(layer.layer(origin.clone()));
        let response = service.oneshot(get()).await.unwrap();
        assert_eq!(origin.seconds(), [0, 5]);
        assert_eq!((polls.count(), polls.is_held()), (2, false));
        assert_eq!(frames(response.into_body()).await, ["one"]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_failures_body_that_breaks_is_handed_up_with_its_status_and_the_retry_goes_by_that() {
    for layer in [CommitLayer::first_bytes(), CommitLayer::whole(1024)] {
        let layer = layer.read_failures(true);
        for script in [
            vec![Fail(ErrorKind::InvalidData)],
            vec![data("wh"), Fail(ErrorKind::InvalidData)],
        ] {
            let broken = || with(status(429, script.clone()), "retry-after", "7");
            let origin = Origin::new([broken(), broken()]);
            let service = retry().max_retries(1).layer(layer.layer(origin.clone()));
            // Refused: a POST is sent again, which it would not be after a broken answer.
            let response = service.oneshot(request(Method::POST)).await.unwrap();
            assert_eq!(origin.seconds(), [0, 7]);
            assert_eq!(response.status(), 429);
            assert!(!response.body().is_end_stream());
            let told = frames(response.into_body()).await;
            assert_eq!(told.last().unwrap(), "error: invalid data");
            assert_eq!(told.len(), script.len());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_failures_body_that_breaks_tells_of_its_size_what_was_announced() {
    let reading = CommitLayer::whole(1024).read_failures(true);
    let script = [data("wh"), Fail(ErrorKind::ConnectionReset), data("y")];
    for (knows, expected) in [
        (Knows::Nothing, (2, None)),
        (Knows::AtLeast, (3, None)),
        (Knows::All, (3, Some(3))),
    ] {
        let mut answer = status(500, []);
        *answer.body_mut() = Content::new(knows, script.clone());
        let hint = committed(reading, answer).await.body().size_hint();
        assert_eq!((hint.lower(), hint.upper()), expected, "{knows:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_failures_body_that_is_short_is_handed_up_with_its_status() {
    let short = with(status(500, [data("wh")]), "content-length", "3");
    let layer = CommitLayer::whole(1024).read_failures(true);
    let response = committed(layer, short).await;
    assert_eq!(response.status(), 500);
    assert_eq!(frames(response.into_body()).await, ["wh"]);
}

#[tokio::test(start_paused = true)]
async fn a_failures_body_that_is_late_is_handed_up_with_its_status_and_what_is_to_come() {
    for layer in [CommitLayer::first_bytes(), CommitLayer::whole(1024)] {
        let start = Instant::now();
        let layer = layer.read_failures(true).timeout(secs(3));
        let late = status(503, [After(secs(5)), data("why")]);
        let response = committed(layer, late).await;
        assert_eq!(
            (response.status().as_u16(), start.elapsed()),
            (503, secs(3))
        );
        assert_eq!(frames(response.into_body()).await, ["why"]);
        assert_eq!(start.elapsed(), secs(5));
    }
}
