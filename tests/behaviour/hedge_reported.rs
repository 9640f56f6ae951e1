//! What was found in hedges by those who tried to break them.

use std::future::{Future, poll_fn};
use std::pin::pin;

use http::{Request, Response, StatusCode};
use tokio::task::consume_budget;
use tokio::time::sleep;
use tower::{ServiceBuilder, ServiceExt, service_fn};
use tower_http_retry::BoxError;
use tower_http_retry::hedge::{HedgeBody, HedgeEventKind};

use crate::support::hedging::{exact, millis, noting};
use crate::support::upstream::Answer::Status;
use crate::support::upstream::{Body, Upstream, after, get};

#[tokio::test(start_paused = true)]
async fn a_hedge_that_a_load_shedder_turns_away_does_not_fail_the_request() {
    let (layer, told) = noting(exact());
    let inner = Upstream::new([after(millis(300), Status(200))]);
    let client = ServiceBuilder::new()
        .layer(layer)
        .load_shed()
        .concurrency_limit(1)
        .service(inner.clone());
    let response = client.oneshot(get()).await.unwrap();
    assert_eq!((response.status(), inner.count()), (StatusCode::OK, 1));
    let told = told.lock().unwrap();
    assert_eq!(*told, [HedgeEventKind::Sent, HedgeEventKind::Lost]);
}

/// What an attempt comes to that has an error of no known kind, or an answer.
type Comes = (u64, Result<u16, &'static str>);

async fn comes_to(first: Comes, hedge: Comes) -> Result<u16, String> {
    let inner = service_fn(move |request: Request<HedgeBody<Body>>| async move {
        let (time, outcome) = if request.body().is_hedge() {
            hedge
        } else {
            first
        };
        sleep(millis(time)).await;
        let mut response = Response::new(Body::default());
        *response.status_mut() = StatusCode::from_u16(outcome?).unwrap();
        Ok::<_, BoxError>(response)
    });
    let outcome = ServiceBuilder::new()
        .layer(exact())
        .service(inner)
        .oneshot(get())
        .await;
    outcome
        .map(|response| response.status().as_u16())
        .map_err(|error| error.to_string())
}

#[tokio::test(start_paused = true)]
async fn a_permanent_error_of_a_hedge_does_not_end_the_request() {
    let failed = |text: &'static str| Err(text.to_owned());
    for (first, hedge, expected) in [
        // The first attempt is waited for, ..
        ((300, Ok(200)), (10, Err("hedge")), Ok(200)),
        ((300, Ok(404)), (10, Err("hedge")), Ok(404)),
        ((300, Ok(503)), (10, Err("hedge")), Ok(503)),
        ((300, Err("first")), (10, Err("hedge")), failed("first")),
        // .. or has failed before in a way that may pass.
        ((150, Ok(503)), (100, Err("hedge")), Ok(503)),
        // The server may have acted on the hedge.
        ((300, Ok(429)), (10, Err("hedge")), failed("hedge")),
        // The first attempt's is the request's, as without a hedge.
        ((150, Err("first")), (300, Ok(200)), failed("first")),
    ] {
        let outcome = comes_to(first, hedge).await;
        assert_eq!(outcome, expected, "{first:?}, {hedge:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_ready_service_gets_its_hedge_even_if_the_task_has_used_up_its_turn() {
    // How much of the turn is left when the hedge is due.
    for left in 1..8 {
        let (layer, told) = noting(exact());
        let client = ServiceBuilder::new()
            .layer(layer)
            .buffer(8)
            .service(Upstream::new([
                after(millis(300), Status(200)),
                after(millis(10), Status(200)),
            ]));
        let mut request = pin!(client.oneshot(get()));
        let outcome = poll_fn(|cx| {
            for _ in left..128 {
                let _ = pin!(consume_budget()).poll(cx);
            }
            request.as_mut().poll(cx)
        });
        outcome.await.unwrap();
        let told = told.lock().unwrap();
        assert_eq!(*told, [HedgeEventKind::Sent, HedgeEventKind::Won], "{left}");
    }
}
