//! `Budget::per_authority`: what one upstream costs is not taken from another.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::support::level::{Level, level_of};
use crate::support::step::Step;
use http::{Request, Uri};
use tower::{Layer, ServiceExt};
use tower_http_retry::{Backoff, Budget, Jitter, RetryLayer};

use crate::support::upstream::Answer::Status;
use crate::support::upstream::{Body, Upstream};

fn layer(budget: &Budget) -> RetryLayer {
    RetryLayer::new()
        .backoff(Backoff::exponential(Duration::from_secs(1)).jitter(Jitter::None))
        .budget(budget.clone())
}

fn request(uri: &str) -> Request<Body> {
    Request::get(uri).body(Body::default()).unwrap()
}

/// How many attempts each of so many requests in a row takes that fail.
async fn failing(budget: &Budget, uri: &str, requests: usize) -> Vec<usize> {
    let mut attempts = Vec::new();
    for _ in 0..requests {
        let upstream = Upstream::new([Status(503)]);
        let service = layer(budget).layer(upstream.clone());
        let response = service.oneshot(request(uri)).await.unwrap();
        assert_eq!(response.status(), 503);
        attempts.push(upstream.count());
    }
    attempts
}

#[tokio::test(start_paused = true)]
async fn one_bad_host_does_not_starve_another() {
    let shared = Budget::default();
    failing(&shared, "http://bad.test/", 3).await;
    assert_eq!(failing(&shared, "http://good.test/", 1).await, [1]);

    let budget = Budget::per_authority(10);
    // The third one meets an empty budget.
    assert_eq!(failing(&budget, "http://bad.test/", 3).await, [6, 6, 1]);
    let upstream = Upstream::new([Status(503), Status(503), Status(200)]);
    let service = layer(&budget).layer(upstream.clone());
    let response = service.oneshot(request("http://good.test/")).await.unwrap();
    assert_eq!((response.status().as_u16(), upstream.count()), (200, 3));
    let level = |uri| level_of(&budget, &Uri::from_static(uri));
    assert_eq!(level("http://bad.test/"), Some(0));
    assert_eq!(level("http://good.test/"), Some(9_500));
    assert_eq!(level("https://bad.test/"), Some(10_000));
    assert_eq!(level("http://bad.test:81/"), Some(10_000));
    assert_eq!(level("http://BAD.test:80/x?y"), Some(0));
    assert_eq!(budget.level(), None);
}

#[tokio::test(start_paused = true)]
async fn one_good_host_does_not_pay_for_another() {
    let budget = Budget::per_authority(10);
    assert_eq!(failing(&budget, "http://bad.test/", 2).await, [6, 6]);
    for _ in 0..1_000 {
        let service = layer(&budget).layer(Upstream::new([Status(200)]));
        service.oneshot(request("http://good.test/")).await.unwrap();
    }
    assert_eq!(failing(&budget, "http://bad.test/", 1).await, [1]);
}

#[tokio::test(start_paused = true)]
async fn the_host_that_was_not_called_for_the_longest_time_goes_first() {
    let budget = Budget::per_authority(2);
    for host in ["a", "b", "a", "c"] {
        failing(&budget, &format!("http://{host}.test/"), 1).await;
    }
    let levels = ["a", "b", "c"].map(|host| {
        let uri = format!("http://{host}.test/");
        level_of(&budget, &uri.parse().unwrap())
    });
    // `b` would begin anew.
    assert_eq!(levels, [Some(0), Some(10_000), Some(5_000)]);
}

#[tokio::test(start_paused = true)]
async fn requests_that_name_no_host_share_one() {
    let budget = Budget::per_authority(2);
    assert_eq!(failing(&budget, "/items/1", 2).await, [6, 6]);
    assert_eq!(failing(&budget, "/items/2", 1).await, [1]);
    assert_eq!(failing(&budget, "http://named.test/", 1).await, [6]);
}

#[tokio::test(start_paused = true)]
async fn each_can_be_of_any_kind() {
    let budget = Budget::per_authority_with(2, || Budget::throttle(4, 0.1));
    // The second failure leaves half.
    assert_eq!(failing(&budget, "http://a.test/", 2).await, [2, 1]);
    assert_eq!(failing(&budget, "http://b.test/", 1).await, [2]);
}

#[tokio::test(start_paused = true)]
async fn an_event_tells_the_level_of_its_own_upstream() {
    let budget = Budget::per_authority(2);
    failing(&budget, "http://bad.test/", 2).await;
    let levels = Arc::new(Mutex::new(Vec::new()));
    let told = levels.clone();
    let layer = layer(&budget).on_event(move |event| {
        if matches!(Step::from(event.kind()), Step::Retry { .. }) {
            told.lock().unwrap().push(event.level());
        }
    });
    let service = layer.layer(Upstream::new([Status(503), Status(200)]));
    service.oneshot(request("http://good.test/")).await.unwrap();
    assert_eq!(*levels.lock().unwrap(), [Some(9_000)]);
}

#[tokio::test(start_paused = true)]
async fn clones_share_all_of_it() {
    let budget = Budget::per_authority(2);
    assert_eq!(failing(&budget.clone(), "http://a.test/", 2).await, [6, 6]);
    assert_eq!(failing(&budget, "http://a.test/", 1).await, [1]);
}
