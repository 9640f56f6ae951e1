//! The layer between others: what it lets go, and what goes through it.

use std::fmt::Debug;
use std::future::{Future, ready};
use std::io::{self, ErrorKind};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::{Buf, Bytes};
use http::{Method, Request, Response};
use http_body_util::BodyExt;
use tokio::time::Instant;
use tower::limit::{ConcurrencyLimit, ConcurrencyLimitLayer};
use tower::{Layer, Service, ServiceBuilder, ServiceExt, service_fn};
use tower_http_retry::commit::{BrokenAnswer, Commit};
use tower_http_retry::verify::Verified;
use tower_http_retry::{BoxError, CommitLayer, ReplayBody, VerifyLayer};

use crate::support::commit::{both, fails, retry, secs};
use crate::support::content::Part::{After, Fail};
use crate::support::content::{Content, Knows, Origin, data, frames, ok, status, with};
use crate::support::upstream::{Body, get, request};

#[tokio::test(start_paused = true)]
async fn a_future_that_is_dropped_while_it_reads_drops_the_body_at_once() {
    for layer in both() {
        let answer = ok([After(secs(3)), data("one")]);
        let polls = answer.body().polls();
        let origin = Origin::new([answer]);
        let mut future = Box::pin(retry().layer(layer.layer(origin.clone())).oneshot(get()));
        let mut cx = Context::from_waker(Waker::noop());
        assert!(future.as_mut().poll(&mut cx).is_pending());
        assert_eq!((polls.count(), polls.is_held()), (1, true));
        drop(future);
        assert!(!polls.is_held());
        assert_eq!(origin.seconds(), [0]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_whose_head_is_there_holds_no_permit() {
    for layer in both() {
        let late = ok([After(secs(5)), data("one")]);
        let service = ServiceBuilder::new()
            .layer(layer)
            .layer(ConcurrencyLimitLayer::new(1))
            .service(Origin::new([late, ok([data("two")])]));
        let start = Instant::now();
        let answered = async |service: Commit<ConcurrencyLimit<Origin>>| {
            service.oneshot(get()).await.unwrap();
            start.elapsed()
        };
        let ended = tokio::join!(answered(service.clone()), answered(service));
        assert_eq!(ended, (secs(5), Duration::ZERO));
    }
}

#[tokio::test(start_paused = true)]
async fn a_service_that_is_not_ready_is_waited_for() {
    let mut service =
        CommitLayer::first_bytes().layer(tower::limit::ConcurrencyLimit::new(Origin::new([]), 0));
    let mut cx = Context::from_waker(Waker::noop());
    let ready: Poll<Result<(), BoxError>> =
        Service::<Request<Body>>::poll_ready(&mut service, &mut cx);
    assert!(ready.is_pending());
}

#[tokio::test(start_paused = true)]
async fn a_failure_of_the_service_is_handed_up_as_it_is() {
    for layer in both() {
        let fail = |_: Request<Body>| {
            ready(Err::<Response<Body>, _>(io::Error::from(
                ErrorKind::AddrInUse,
            )))
        };
        let error = layer
            .layer(service_fn(fail))
            .oneshot(get())
            .await
            .unwrap_err();
        let error = error.downcast::<io::Error>().unwrap();
        assert_eq!(error.kind(), ErrorKind::AddrInUse);
    }
}

#[tokio::test(start_paused = true)]
async fn a_future_that_has_completed_panics_when_it_is_polled_again() {
    for (answer, is_broken) in [
        (ok([data("one")]), false),
        (ok([Fail(ErrorKind::BrokenPipe)]), true),
    ] {
        let mut future = Box::pin(
            CommitLayer::first_bytes()
                .layer(Origin::new([answer]))
                .call(get()),
        );
        let outcome = future.as_mut().await;
        assert_eq!(
            outcome
                .err()
                .is_some_and(|error| error.is::<BrokenAnswer>()),
            is_broken
        );
        let mut cx = Context::from_waker(Waker::noop());
        let again = catch_unwind(AssertUnwindSafe(|| {
            future.as_mut().poll(&mut cx).is_ready()
        }));
        let message = again.unwrap_err();
        assert_eq!(
            message.downcast_ref(),
            Some(&"polled after completion".to_owned())
        );
    }
}

#[tokio::test(start_paused = true)]
async fn data_of_any_kind_is_handed_up_as_bytes() {
    for (layer, expected) in both().into_iter().zip([vec!["one", "two"], vec!["onetwo"]]) {
        let service = service_fn(|_: Request<Body>| {
            let content = Content::new(Knows::All, [data("one"), data("two")]);
            // Not in one piece.
            let content =
                content.map_frame(|frame| frame.map_data(|mut data| data.split_to(1).chain(data)));
            ready(Ok::<_, BoxError>(Response::new(content)))
        });
        let response = layer.layer(service).oneshot(get()).await.unwrap();
        assert_eq!(frames(response.into_body()).await, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_of_a_response_is_printed() {
    let answer = || with(ok([data("secret")]), "x-secret", "secret");
    let mut service = CommitLayer::first_bytes().layer(Origin::new([answer(), answer()]));
    let future = service.call(get());
    let response = service.call(get()).await.unwrap();
    let printed: [(&dyn Debug, &str); 3] = [
        (&future, "CommitFuture { .. }"),
        (response.body(), "CommittedBody { .. }"),
        (
            &CommitLayer::whole(7).timeout(secs(5)),
            "CommitLayer { settings: Settings { point: Whole { limit: 7 }, reads_failures: false, timeout: 5s } }",
        ),
    ];
    for (value, expected) in printed {
        assert_eq!(format!("{value:?}"), expected);
    }
}

#[test]
fn the_service_under_it_can_be_reached() {
    let mut service = CommitLayer::first_bytes().layer(1);
    *service.get_mut() += 1;
    assert_eq!((*service.get_ref(), service.into_inner()), (2, 2));
}

#[tokio::test(start_paused = true)]
async fn requests_go_through_as_the_retry_sends_them() {
    let service = service_fn(|request: Request<ReplayBody<Body>>| {
        ready(Ok::<_, BoxError>(Response::new(request.into_body())))
    });
    for layer in both() {
        let request = request(Method::PUT).map(|_| Body::from("item"));
        let response = retry()
            .layer(layer.layer(service))
            .oneshot(request)
            .await
            .unwrap();
        let body = response.into_body().collect().await.unwrap();
        assert_eq!(body.to_bytes(), Bytes::from("item"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_body_is_sent_again_whole() {
    let bodies = Arc::new(Mutex::new(Vec::new()));
    let seen = bodies.clone();
    let plan = Mutex::new(vec![ok([data("two")]), fails(ErrorKind::ConnectionReset)]);
    let service = service_fn(|request: Request<ReplayBody<Body>>| {
        let answer = plan.lock().unwrap().pop().unwrap();
        let seen = seen.clone();
        async move {
            let body = request.into_body().collect().await?.to_bytes();
            seen.lock().unwrap().push(body);
            Ok::<_, BoxError>(answer)
        }
    });
    let request = request(Method::PUT).map(|_| Body::from("item"));
    let service = retry().layer(CommitLayer::whole(1024).layer(service));
    let response = service.oneshot(request).await.unwrap();
    assert_eq!(frames(response.into_body()).await, ["two"]);
    assert_eq!(*bodies.lock().unwrap(), ["item", "item"]);
}

/// A PUT under a verification, whose first attempt's answer breaks; each is answered in turn.
async fn verified(
    method: Method,
    plan: Vec<Response<Content>>,
) -> (
    Origin,
    Result<(u16, Option<Verified>, Vec<String>), BoxError>,
) {
    let first = fails(ErrorKind::ConnectionReset);
    let origin = Origin::new([first].into_iter().chain(plan));
    let service = ServiceBuilder::new()
        .layer(retry())
        .layer(VerifyLayer::new().same_body(1024, |_, _, content| content == "item"))
        .layer(CommitLayer::whole(1024))
        .service(origin.clone());
    let mut request = request(method);
    request
        .headers_mut()
        .insert("if-none-match", "*".parse().unwrap());
    let told = async {
        let response = service.oneshot(request).await?;
        let verified = response.extensions().get().copied();
        let status = response.status().as_u16();
        Ok((status, verified, frames(response.into_body()).await))
    };
    let told = told.await;
    (origin, told)
}

#[tokio::test(start_paused = true)]
async fn a_write_whose_answer_broke_is_verified_before_it_is_sent_again() {
    let (origin, told) = verified(Method::PUT, vec![ok([data("it"), data("em")])]).await;
    assert_eq!(origin.methods(), [Method::PUT, Method::GET]);
    assert_eq!(origin.seconds(), [0, 1]);
    let expected = (201, Some(Verified::Created), vec!["item".to_owned()]);
    assert_eq!(told.unwrap(), expected);
    // A probe whose own answer breaks is sent again, and the request is not.
    let plan = vec![fails(ErrorKind::ConnectionRefused), ok([data("item")])];
    let (origin, told) = verified(Method::PUT, plan).await;
    assert_eq!(origin.methods(), [Method::PUT, Method::GET, Method::GET]);
    assert_eq!(origin.seconds(), [0, 1, 3]);
    assert_eq!(told.unwrap().1, Some(Verified::Created));
    // It was not done: it is sent again, and all of its answer is read.
    let plan = vec![status(404, [data("none")]), status(201, [data("item")])];
    let (origin, told) = verified(Method::PUT, plan).await;
    assert_eq!(origin.methods(), [Method::PUT, Method::GET, Method::PUT]);
    assert_eq!(told.unwrap(), (201, None, vec!["item".to_owned()]));
}
