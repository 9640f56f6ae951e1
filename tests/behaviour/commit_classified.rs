//! What classifiers are shown of responses that were read whole.

use std::io::ErrorKind;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body::Body as _;
use tower::{Layer, Service, ServiceBuilder, ServiceExt};
use tower_http_retry::classify::Class;
use tower_http_retry::{BoxError, CommitLayer, VerifyLayer};

use crate::support::commit::{fails, retry, sum, sum_text};
use crate::support::content::Part::{Fail, Pending};
use crate::support::content::{Content, Knows, Origin, data, frames, ok, status, with};
use crate::support::upstream::{Body, get, request};

/// What a classifier is shown of each response's body.
type Shown = Arc<Mutex<Vec<Option<Bytes>>>>;

/// Sends a request; gives what was shown of the bodies, and the frames of the response.
async fn shown<S, R>(
    service: impl FnOnce(Origin) -> S,
    method: Method,
    answer: Response<Content>,
) -> (Vec<Option<Bytes>>, Vec<String>)
where
    S: Service<
            Request<tower_http_retry::ReplayBody<Body>>,
            Response = Response<R>,
            Error = BoxError,
        > + Clone,
    R: http_body::Body<Data = Bytes, Error = BoxError> + Unpin,
{
    let shown = Shown::default();
    let told = shown.clone();
    let layer = retry().max_retries(0).classify_fn(move |outcome| {
        told.lock().unwrap().push(outcome.body().cloned());
        outcome.by_status()
    });
    let service = layer.layer(service(Origin::new([answer])));
    let response = service.oneshot(request(method)).await.unwrap();
    let frames = frames(response.into_body()).await;
    let shown = shown.lock().unwrap().clone();
    (shown, frames)
}

#[tokio::test(start_paused = true)]
async fn a_classifier_is_shown_a_body_that_was_read_whole_and_the_caller_gets_it_too() {
    for (script, bytes, told) in [
        (vec![data("one")], "one", vec!["one"]),
        (
            vec![data("one"), Pending, data("two")],
            "onetwo",
            vec!["onetwo"],
        ),
        (
            vec![data("one"), data(""), data("two")],
            "onetwo",
            vec!["onetwo"],
        ),
        (vec![], "", vec![]),
        (vec![data("")], "", vec![]),
    ] {
        for knows in [Knows::Nothing, Knows::All] {
            let answer = Response::new(Content::new(knows, script.clone()));
            let whole = |origin| CommitLayer::whole(1024).layer(origin);
            let (shown, frames) = shown(whole, Method::GET, answer).await;
            assert_eq!(shown, [Some(Bytes::from(bytes))]);
            assert_eq!(frames, told);
        }
    }
    let whole = |origin| CommitLayer::whole(1024).layer(origin);
    let (shown, frames) = shown(whole, Method::GET, ok([data("one"), sum()])).await;
    assert_eq!(shown, [Some(Bytes::from("one"))]);
    assert_eq!(frames, ["one".to_owned(), sum_text()]);
}

#[tokio::test(start_paused = true)]
async fn a_classifier_is_shown_nothing_of_a_body_that_was_not_read_whole() {
    let whole = |origin| CommitLayer::whole(8).layer(origin);
    let one = || ok([data("one")]);
    for (method, answer, expected) in [
        (Method::GET, ok([data("123456789")]), "123456789"),
        (Method::GET, with(one(), "content-length", "9"), "one"),
        (
            Method::GET,
            with(one(), "content-type", "text/event-stream"),
            "one",
        ),
        (Method::GET, status(500, [data("one")]), "one"),
        (Method::GET, status(429, [data("one")]), "one"),
        (Method::HEAD, one(), "one"),
    ] {
        let (shown, frames) = shown(whole, method, answer).await;
        assert_eq!((shown, frames), (vec![None], vec![expected.to_owned()]));
    }
    let first = |origin| CommitLayer::first_bytes().layer(origin);
    let (of_first, _) = shown(first, Method::GET, one()).await;
    assert_eq!(of_first, [None]);
    let (of_none, _) = shown(|origin| origin, Method::GET, one()).await;
    assert_eq!(of_none, [None]);
}

#[tokio::test(start_paused = true)]
async fn a_classifier_is_shown_a_failures_body_by_a_layer_that_reads_them() {
    let reading = |origin| CommitLayer::whole(8).read_failures(true).layer(origin);
    for code in [429, 500] {
        let (shown, frames) = shown(reading, Method::GET, status(code, [data("why")])).await;
        assert_eq!(
            (shown, frames),
            (vec![Some("why".into())], vec!["why".to_owned()])
        );
    }
    // None of one that did not come to its end.
    let broken = status(500, [data("wh"), Fail(ErrorKind::ConnectionReset)]);
    let (shown, frames) = shown(reading, Method::GET, broken).await;
    assert_eq!(shown, [None]);
    assert_eq!(frames, ["wh", "error: connection reset"]);
}

#[tokio::test(start_paused = true)]
async fn a_200_whose_text_says_that_it_failed_is_sent_again() {
    let failed = || ok([data("InternalError: "), data("try again")]);
    let origin = Origin::new([failed(), failed(), ok([data("done")])]);
    let layer = retry().classify_fn(|outcome| match outcome.body() {
        Some(body) if body.starts_with(b"InternalError") => Class::Transient.into(),
        _ => outcome.by_status(),
    });
    let service = layer.layer(CommitLayer::whole(1024).layer(origin.clone()));
    let response = service.oneshot(get()).await.unwrap();
    assert_eq!(origin.seconds(), [0, 1, 3]);
    assert_eq!(frames(response.into_body()).await, ["done"]);
}

#[tokio::test(start_paused = true)]
async fn a_limit_that_only_the_body_of_a_403_tells_of_is_waited_for() {
    let limited = with(
        status(403, [data("You have exceeded a secondary rate limit.")]),
        "retry-after",
        "60",
    );
    let forbidden = || {
        with(
            status(403, [data("Must have admin rights.")]),
            "retry-after",
            "60",
        )
    };
    let origin = Origin::new([limited, forbidden()]);
    let is_limited = |body: &Bytes| body.windows(20).any(|text| text == b"secondary rate limit");
    let layer = retry().classify_fn(move |outcome| match outcome.body() {
        Some(body) if outcome.status() == Some(StatusCode::FORBIDDEN) && is_limited(body) => {
            Class::Refused.into()
        }
        _ => outcome.by_status(),
    });
    let service = layer.layer(CommitLayer::whole(1024).layer(origin.clone()));
    let response = service.oneshot(request(Method::POST)).await.unwrap();
    assert_eq!(origin.seconds(), [0, 60]);
    assert_eq!(response.status(), 403);
    assert_eq!(
        frames(response.into_body()).await,
        ["Must have admin rights."]
    );
}

#[tokio::test(start_paused = true)]
async fn a_classifier_is_not_shown_the_probes_body_as_that_of_an_answer_without_one() {
    let plan = [
        fails(ErrorKind::ConnectionReset),
        status(404, [data("InternalError")]),
    ];
    let origin = Origin::new(plan);
    let layer = retry().classify_fn(|outcome| match outcome.body() {
        Some(body) if body.starts_with(b"InternalError") => Class::Transient.into(),
        _ => outcome.by_status(),
    });
    let service = ServiceBuilder::new()
        .layer(layer)
        .layer(VerifyLayer::new())
        .layer(CommitLayer::whole(1024))
        .service(origin.clone());
    let response = service.oneshot(request(Method::DELETE)).await.unwrap();
    assert_eq!(origin.methods(), [Method::DELETE, Method::GET]);
    assert_eq!(response.status(), 204);
    assert!(response.body().is_end_stream());
}
