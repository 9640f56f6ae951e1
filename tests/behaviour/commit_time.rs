//! How long a body may take up to the commit point.

use std::error::Error;
use std::io::{self, ErrorKind};

use tokio::time::{Instant, sleep};
use tower::util::MapFutureLayer;
use tower::{Layer, ServiceBuilder, ServiceExt};
use tower_http_retry::CommitLayer;

use crate::support::commit::{both, broken, retry, secs};
use crate::support::content::Part::{self, After, Never};
use crate::support::content::{Origin, data, frames, ok, with};
use crate::support::errors::attempt_timeout;
use crate::support::upstream::get;

#[tokio::test(start_paused = true)]
async fn a_time_out_of_the_layer_bounds_the_time_from_the_head_to_the_commit_point() {
    for layer in both() {
        let late = || ok([data(""), After(secs(5)), data("one")]);
        let origin = Origin::new([late(), late(), ok([data("two")])]);
        let service = retry().layer(layer.timeout(secs(3)).layer(origin.clone()));
        let response = service.oneshot(get()).await.unwrap();
        // A time-out is waited for one step longer: 3 and 2, 3 and 4.
        assert_eq!(origin.seconds(), [0, 5, 12]);
        assert_eq!(frames(response.into_body()).await, ["two"]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_is_late_is_a_broken_answer_that_timed_out() {
    let start = Instant::now();
    let answer = with(ok([data("half"), Never]), "retry-after", "7");
    let polls = answer.body().polls();
    let error = broken(CommitLayer::whole(1024).timeout(secs(3)), answer).await;
    assert_eq!((start.elapsed(), error.delivered()), (secs(3), 4));
    assert_eq!(error.response().header("retry-after"), Some("7"));
    let source: &io::Error = error.source().unwrap().downcast_ref().unwrap();
    assert_eq!(source.kind(), ErrorKind::TimedOut);
    assert_eq!(
        source.to_string(),
        "the response body did not arrive within the time-out"
    );
    assert!(!polls.is_held());
}

#[tokio::test(start_paused = true)]
async fn a_time_out_of_the_layer_starts_with_the_head_and_ends_with_the_commit_point() {
    for layer in both() {
        let head = MapFutureLayer::new(|call| async {
            sleep(secs(10)).await;
            call.await
        });
        let service = ServiceBuilder::new()
            .layer(layer.timeout(secs(3)))
            .layer(head)
            .service(Origin::new([ok([After(secs(2)), data("one")])]));
        let start = Instant::now();
        let response = service.oneshot(get()).await.unwrap();
        assert_eq!(start.elapsed(), secs(12));
        assert_eq!(frames(response.into_body()).await, ["one"]);
    }
    let layer = CommitLayer::first_bytes().timeout(secs(3));
    let service = layer.layer(Origin::new([ok([
        data("one"),
        After(secs(9)),
        data("two"),
    ])]));
    let response = service.oneshot(get()).await.unwrap();
    assert_eq!(frames(response.into_body()).await, ["one", "two"]);
}

#[tokio::test(start_paused = true)]
async fn without_a_time_out_a_body_is_waited_for_for_ever() {
    for layer in both() {
        let day = secs(24 * 60 * 60);
        let service = layer.layer(Origin::new([ok([After(day), data("one")])]));
        let start = Instant::now();
        service.oneshot(get()).await.unwrap();
        assert_eq!(start.elapsed(), day);
    }
}

#[tokio::test(start_paused = true)]
async fn an_attempts_time_out_covers_the_head_and_the_time_up_to_the_commit_point() {
    for layer in both() {
        let start = Instant::now();
        let service = |timeout, script: Vec<Part>| {
            let head = MapFutureLayer::new(|call| async {
                sleep(secs(2)).await;
                call.await
            });
            ServiceBuilder::new()
                .layer(retry().max_retries(0).attempt_timeout(timeout))
                .layer(layer)
                .layer(head)
                .service(Origin::new([ok(script)]))
        };
        let late = vec![After(secs(2)), data("one")];
        let error = service(secs(3), late.clone())
            .oneshot(get())
            .await
            .unwrap_err();
        assert_eq!(attempt_timeout(&*error), Some(secs(3)));
        assert_eq!(start.elapsed(), secs(3));
        let response = service(secs(5), late).oneshot(get()).await.unwrap();
        assert_eq!(start.elapsed(), secs(3 + 4));
        assert_eq!(frames(response.into_body()).await, ["one"]);
    }
    // What comes after the commit point takes as long as it takes.
    let layer = retry().attempt_timeout(secs(3));
    let origin = Origin::new([ok([data("one"), After(secs(9)), data("two")])]);
    let service = layer.layer(CommitLayer::first_bytes().layer(origin));
    let response = service.oneshot(get()).await.unwrap();
    assert_eq!(frames(response.into_body()).await, ["one", "two"]);
}
