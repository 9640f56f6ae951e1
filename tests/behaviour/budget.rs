//! The budget at work: what requests pay, what comes back, and what they are refused.

use std::io::ErrorKind;
use std::time::Duration;

use crate::support::level::Level;
use http::StatusCode;
use tokio::time::Instant;
use tower::{Layer, ServiceExt};
use tower_http_retry::classify::{Class, Classify, Outcome};
use tower_http_retry::{Backoff, Budget, ByStatus, Jitter, RetryLayer};

use crate::support::upstream::Answer::{Error, Never, Status};
use crate::support::upstream::{Answer, Upstream, after, get, post};

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn exact() -> RetryLayer {
    RetryLayer::new()
        .backoff(Backoff::exponential(secs(1)).jitter(Jitter::None))
        .attempt_timeout(secs(10))
}

/// What one request leaves of a budget from which five tokens are gone.
async fn level_after(plan: Vec<Answer>) -> u64 {
    let budget = Budget::earning(5);
    let spender = exact()
        .budget(budget.clone())
        .layer(Upstream::new([Status(503)]));
    spender.oneshot(get()).await.unwrap();
    assert_eq!(budget.level(), Some(5_000));
    let service = exact().budget(budget.clone()).layer(Upstream::new(plan));
    let _ = service.oneshot(get()).await;
    budget.level().unwrap()
}

#[tokio::test(start_paused = true)]
async fn what_requests_pay_and_what_comes_back() {
    let refused = || Error(ErrorKind::ConnectionRefused);
    let cases = [
        // A first attempt that is served earns a tenth, be it with a 404; one that fails, nothing.
        (vec![Status(200)], 5_100),
        (vec![Status(404)], 5_100),
        (vec![Error(ErrorKind::InvalidData)], 5_000),
        // A retry after a quick failure costs one; if it succeeds, one and a half come back.
        (vec![Status(503), Status(200)], 5_500),
        (vec![refused(), Status(200)], 5_500),
        (vec![Status(503), Status(503), Status(200)], 4_500),
        (vec![Status(503), Status(404)], 5_500),
        (vec![Status(503), Error(ErrorKind::InvalidData)], 4_000),
        // One after a time-out costs two; if it succeeds in half the time, four come back.
        (vec![Never, Status(200)], 7_000),
        (vec![Never, after(secs(5), Status(200))], 7_000),
        (vec![Never, after(secs(6), Status(200))], 3_000),
        (
            vec![after(secs(4), Status(504)), after(secs(2), Status(200))],
            7_000,
        ),
        (
            vec![after(secs(4), Status(504)), after(secs(3), Status(200))],
            3_000,
        ),
        // What is given up for lack of tokens takes none.
        (vec![Never], 1_000),
        (vec![Status(503)], 0),
    ];
    for (plan, expected) in cases {
        assert_eq!(level_after(plan.clone()).await, expected, "{plan:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_budget_does_not_cover_is_handed_over_at_once() {
    let upstream = Upstream::new([Status(503)]);
    let service = exact().layer(upstream.clone());
    for _ in 0..2 {
        service.clone().oneshot(get()).await.unwrap();
    }
    assert_eq!(upstream.count(), 12, "two requests have used up the tokens");
    let start = Instant::now();
    let response = service.oneshot(get()).await.unwrap();
    assert_eq!(response.status(), 503);
    assert_eq!((upstream.count(), start.elapsed()), (13, Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn a_retry_that_is_not_made_for_another_reason_costs_nothing() {
    let budget = Budget::earning(5);
    let layer = exact().budget(budget.clone());
    layer
        .layer(Upstream::new([Status(503)]))
        .oneshot(post())
        .await
        .unwrap();
    let no_retries = layer
        .clone()
        .max_retries(0)
        .layer(Upstream::new([Status(503)]));
    no_retries.oneshot(get()).await.unwrap();
    let short = layer.window(secs(1)).layer(Upstream::new([Status(503)]));
    short.oneshot(get()).await.unwrap();
    assert_eq!(budget.level(), Some(10_000));
}

#[tokio::test(start_paused = true)]
async fn clones_of_a_layer_share_its_budget_and_two_layers_do_not() {
    let upstream = Upstream::new([Status(503)]);
    let layer = exact();
    for layer in [layer.clone(), layer.clone(), layer] {
        layer.layer(upstream.clone()).oneshot(get()).await.unwrap();
    }
    assert_eq!(upstream.count(), 6 + 6 + 1);
    exact()
        .layer(upstream.clone())
        .oneshot(get())
        .await
        .unwrap();
    assert_eq!(upstream.count(), 6 + 6 + 1 + 6);
}

#[tokio::test(start_paused = true)]
async fn a_setter_does_not_detach_the_budget_that_clones_and_services_share() {
    let set: [fn(RetryLayer) -> RetryLayer; 5] = [
        |layer| layer.max_retries(4),
        |layer| layer.max_retries(9),
        |layer| layer.window(Duration::MAX).max_retries(4),
        |layer| layer.classify(ByStatus::new()).max_retries(4),
        |layer| {
            layer
                .max_retries(9)
                .backoff(Backoff::fixed(secs(1)))
                .max_retries(4)
        },
    ];
    for set in set {
        let upstream = Upstream::new([Status(503)]);
        let send = async |layer: &RetryLayer| {
            let service = layer.layer(upstream.clone());
            service.oneshot(get()).await.unwrap();
        };
        // Ten tokens, of which the first layer's two requests take all.
        let layer = exact();
        let other = set(layer.clone());
        send(&layer).await;
        send(&layer).await;
        assert_eq!(upstream.count(), 12);
        send(&other).await;
        assert_eq!(upstream.count(), 13, "a clone has a budget of its own");

        let layer = exact();
        let service = layer.layer(upstream.clone());
        let other = set(layer);
        for _ in 0..2 {
            service.clone().oneshot(get()).await.unwrap();
        }
        assert_eq!(upstream.count(), 25);
        send(&other).await;
        assert_eq!(upstream.count(), 26, "a layer has another than its service");
    }
}

#[tokio::test(start_paused = true)]
async fn the_first_retry_at_once_of_a_request_is_free() {
    let refused = |outcome: &Outcome<'_>| match outcome.status() {
        Some(StatusCode::SERVICE_UNAVAILABLE) => Class::Refused.at_once(),
        _ => ByStatus::new().classify(outcome),
    };
    // How much is left after so many requests, each with this plan.
    let left = async |requests: u32, plan: &[Answer]| {
        let budget = Budget::earning(5);
        let layer = exact().classify_fn(refused).budget(budget.clone());
        for _ in 0..requests {
            let service = layer.layer(Upstream::new(plan));
            service.oneshot(post()).await.unwrap();
        }
        budget.level()
    };
    // A healthy server that rotates its connections does not empty it.
    assert_eq!(left(1_000, &[Status(503), Status(200)]).await, Some(50_000));
    // The second one of a request costs 1, and its success gives more back than there is room for.
    let second = [Status(503), Status(503), Status(404)];
    assert_eq!(left(1, &second).await, Some(10_000));
    assert_eq!(left(1, &[Status(503)]).await, Some(6_000));
    // What was free is not given back.
    let spent = [
        Status(502),
        Status(502),
        Status(502),
        Status(502),
        Status(502),
        Status(502),
    ];
    let budget = Budget::earning(5);
    let layer = exact().classify_fn(refused).budget(budget.clone());
    layer
        .layer(Upstream::new(spent))
        .oneshot(get())
        .await
        .unwrap();
    assert_eq!(budget.level(), Some(5_000));
    let free = Upstream::new([Status(503), Status(200)]);
    layer.layer(free).oneshot(get()).await.unwrap();
    assert_eq!(budget.level(), Some(5_100), "what a first attempt earns");
}

#[tokio::test(start_paused = true)]
async fn the_default_budget_follows_the_number_of_retries_and_a_chosen_one_does_not() {
    let attempts = async |layer: RetryLayer| {
        let upstream = Upstream::new([Status(504)]);
        let layer = layer.window(Duration::MAX);
        layer.layer(upstream.clone()).oneshot(get()).await.unwrap();
        upstream.count()
    };
    // Each retry after a time-out costs two.
    assert_eq!(attempts(exact().max_retries(12)).await, 13);
    assert_eq!(
        attempts(exact().budget(Budget::earning(5)).max_retries(12)).await,
        6
    );
    assert_eq!(attempts(exact().max_retries(12).without_budget()).await, 13);
    assert_eq!(attempts(exact().without_budget().max_retries(12)).await, 13);
}

#[tokio::test(start_paused = true)]
async fn a_ratio_earns_from_each_request_and_pays_one_token_for_any_retry() {
    let budget = Budget::ratio(0.2);
    let layer = exact().budget(budget.clone());
    // Ten tokens; five retries of one request, after time-outs as after any other failure.
    let timed_out = layer.layer(Upstream::new([Never])).oneshot(get()).await;
    assert!(timed_out.is_err());
    assert_eq!(budget.level(), Some(5_000));
    let cases = [
        (vec![Status(200)], 5_200),
        // A failure earns, too, and a retry that succeeds nothing more.
        (vec![Status(503), Status(200)], 4_400),
        (vec![Error(ErrorKind::InvalidData)], 4_600),
    ];
    for (plan, level) in cases {
        let _ = layer
            .layer(Upstream::new(plan.clone()))
            .oneshot(get())
            .await;
        assert_eq!(budget.level(), Some(level), "{plan:?}");
    }
}

#[test]
fn a_budget_tells_its_kind_and_its_level() {
    let told = [
        (
            Budget::default(),
            "Budget { kind: \"bucket\", tokens: Some(10.0) }",
        ),
        (
            Budget::throttle(7, 0.1),
            "Budget { kind: \"throttle\", tokens: Some(7.0) }",
        ),
        (
            Budget::per_authority(3),
            "Budget { kind: \"per authority\", tokens: None }",
        ),
    ];
    for (budget, expected) in told {
        assert_eq!(format!("{budget:?}"), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn the_throttle_takes_a_token_for_each_failed_attempt() {
    let budget = Budget::throttle(10, 0.1);
    let upstream = Upstream::new([Status(503)]);
    let layer = exact().budget(budget.clone());
    layer.layer(upstream.clone()).oneshot(get()).await.unwrap();
    // The fifth failure leaves half of ten.
    assert_eq!((upstream.count(), budget.level()), (5, Some(5_000)));
    layer
        .layer(Upstream::new([Status(200)]))
        .oneshot(get())
        .await
        .unwrap();
    assert_eq!(budget.level(), Some(5_100));
    layer
        .layer(Upstream::new([Status(404)]))
        .oneshot(get())
        .await
        .unwrap();
    // gRFC A6: what is neither a success nor retryable leaves it as it is.
    assert_eq!(budget.level(), Some(5_100));
}

#[tokio::test(start_paused = true)]
async fn a_client_whose_good_answers_are_404_keeps_its_retries() {
    // Every twentieth attempt meets a server that is restarting.
    let answer = |number| Status(if number % 20 == 19 { 503 } else { 404 });
    let upstream = Upstream::new((0..2_000).map(answer).collect::<Vec<_>>());
    let service = exact().layer(upstream.clone());
    for _ in 0..1_000 {
        let response = service.clone().oneshot(get()).await.unwrap();
        assert_eq!(response.status(), 404);
    }
    assert!(upstream.count() > 1_050);
}
