//! The default budget of clients that send little: one request an hour, or a few at once.

use std::time::Duration;

use crate::support::level::Level;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tower::{Layer, ServiceExt};
use tower_http_retry::{Backoff, Budget, Jitter, RetryLayer};

use crate::support::upstream::Answer::Status;
use crate::support::upstream::{Answer, Upstream, get};

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A client that sends one request an hour makes all retries in each hour.
async fn every_hour(plan: Vec<Answer>, attempts: usize) {
    let service = RetryLayer::new();
    for hour in 0..200 {
        let upstream = Upstream::new(plan.clone());
        let response = service.clone().layer(upstream.clone()).oneshot(get()).await;
        assert!(response.unwrap().status().is_server_error());
        assert_eq!(upstream.count(), attempts, "hour {hour}");
        sleep(secs(60 * 60)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_sends_one_request_an_hour_makes_its_five_retries_in_every_hour() {
    every_hour(vec![Status(503)], 6).await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_sends_one_request_an_hour_makes_them_through_time_outs_too() {
    every_hour(vec![Status(504)], 6).await;
}

#[tokio::test(start_paused = true)]
async fn an_hour_of_time_outs_takes_nothing_from_the_hours_after_it() {
    let layer = RetryLayer::new();
    let mut attempts = Vec::new();
    for plan in [
        vec![Status(504)],
        vec![Status(200)],
        vec![Status(503), Status(200)],
        vec![Status(503)],
    ] {
        let upstream = Upstream::new(plan);
        let service = layer.clone().layer(upstream.clone());
        service.oneshot(get()).await.unwrap();
        attempts.push(upstream.count());
        sleep(secs(60 * 60)).await;
    }
    assert_eq!(attempts, [6, 1, 2, 6]);
}

#[tokio::test(start_paused = true)]
async fn five_minutes_without_an_attempt_bring_the_retries_back_and_a_tick_less_does_not() {
    const TICK: Duration = Duration::from_millis(10);
    let idle = secs(5 * 60);
    for (pause, attempts) in [(idle - TICK, 1), (idle, 6), (idle + TICK, 6)] {
        let budget = Budget::earning(5);
        let backoff = Backoff::exponential(secs(1)).jitter(Jitter::None);
        let layer = RetryLayer::new().backoff(backoff).budget(budget.clone());
        let request = async || {
            let upstream = Upstream::new([Status(504)]);
            let service = layer.clone().layer(upstream.clone());
            service.oneshot(get()).await.unwrap();
            upstream.count()
        };
        assert_eq!(request().await, 6);
        assert_eq!(budget.level(), Some(0));
        // The last attempt of the first request has just ended.
        sleep(pause).await;
        assert_eq!(request().await, attempts, "{pause:?}");
    }
}

/// Of so many requests at once that are each answered 503 twice, and then 200: how many succeed.
async fn at_once(layer: &RetryLayer, requests: usize) -> usize {
    let mut answers = JoinSet::new();
    for _ in 0..requests {
        let upstream = Upstream::new([Status(503), Status(503), Status(200)]);
        answers.spawn(layer.clone().layer(upstream).oneshot(get()));
    }
    let answers = answers.join_all().await.into_iter();
    answers
        .filter(|answer| answer.as_ref().unwrap().status() == 200)
        .count()
}

#[tokio::test(start_paused = true)]
async fn of_twenty_requests_at_once_of_a_fresh_client_that_each_fail_twice_five_succeed() {
    assert_eq!(at_once(&RetryLayer::new(), 20).await, 5);
    assert_eq!(at_once(&RetryLayer::new(), 5).await, 5);
}
