//! When a hedge is due, as it is learned from first attempts.

use std::io::ErrorKind;
use std::pin::pin;
use std::time::Duration;

use http::{Method, Request, Uri};
use tokio::time::{sleep, timeout};
use tower_http_retry::hedge::{HedgeEventKind, NotSent};
use tower_http_retry::{HedgeLayer, Idempotency};

use crate::support::hedging::{call, millis, noting, send};
use crate::support::upstream::Answer::{Error, Never, Status};
use crate::support::upstream::{Answer, Body, Upstream, after, get, request};

fn learning() -> HedgeLayer {
    HedgeLayer::new().control(0.0)
}

fn delay(layer: &HedgeLayer) -> Option<Duration> {
    layer.delay(&Uri::from_static("http://upstream.test/"))
}

/// So many requests, one after the other, whose first attempt, and hedge, is answered so.
async fn learn(layer: &HedgeLayer, count: u32, answer: Answer, method: Method) {
    let upstream = Upstream::new([answer]);
    for _ in 0..count {
        // What becomes of them is not looked at.
        let _ = send(layer, &upstream, request(method.clone())).await;
    }
}

/// A second is over, and the first request after it looks at what was learned.
async fn look(layer: &HedgeLayer) -> Option<Duration> {
    sleep(millis(1_000)).await;
    learn(layer, 1, Status(404), Method::GET).await;
    delay(layer)
}

#[track_caller]
fn assert_about(delay: Option<Duration>, expected: u64) {
    let (delay, expected) = (delay.expect("a delay"), millis(expected));
    let difference = delay.abs_diff(expected);
    assert!(
        difference <= expected / 8,
        "{delay:?} is not about {expected:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn it_is_the_time_that_the_share_exceeds() {
    let layer = learning().extra_load(0.1).stragglers(0.0);
    learn(&layer, 170, after(millis(5), Status(200)), Method::GET).await;
    learn(&layer, 30, after(millis(50), Status(200)), Method::GET).await;
    assert_about(look(&layer).await, 50);
    learn(&layer, 400, after(millis(5), Status(200)), Method::GET).await;
    assert_about(look(&layer).await, 5);
}

#[tokio::test(start_paused = true)]
async fn it_is_not_shorter_than_so_many_times_the_median() {
    for (stragglers, expected) in [(0.0, 5), (2.0, 10), (7.0, 35)] {
        let layer = learning().stragglers(stragglers);
        learn(&layer, 200, after(millis(5), Status(200)), Method::GET).await;
        assert_about(look(&layer).await, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn it_is_a_millisecond_at_least() {
    let layer = learning();
    learn(&layer, 200, Status(200), Method::GET).await;
    assert_eq!(look(&layer).await, Some(millis(1)));
}

#[tokio::test(start_paused = true)]
async fn with_fewer_than_five_slow_attempts_there_is_none() {
    let layer = learning().extra_load(0.1);
    learn(&layer, 49, after(millis(5), Status(200)), Method::GET).await;
    assert_eq!(look(&layer).await, None);
    let layer = learning().extra_load(0.1);
    learn(&layer, 50, after(millis(5), Status(200)), Method::GET).await;
    assert_about(look(&layer).await, 10);
}

#[tokio::test(start_paused = true)]
async fn it_is_worked_out_once_a_second() {
    let layer = learning();
    learn(&layer, 199, after(millis(5), Status(200)), Method::GET).await;
    assert_eq!(delay(&layer), None);
    learn(&layer, 1, after(millis(6), Status(200)), Method::GET).await;
    learn(&layer, 1, Status(200), Method::GET).await;
    assert_about(delay(&layer), 10);
    learn(&layer, 9, after(millis(100), Status(200)), Method::GET).await;
    assert_about(delay(&layer), 10);
}

#[tokio::test(start_paused = true)]
async fn what_was_learned_counts_nine_tenths_a_second_later() {
    let layer = learning().extra_load(0.1).stragglers(0.0);
    learn(&layer, 200, after(millis(50), Status(200)), Method::GET).await;
    assert_about(look(&layer).await, 50);
    // So many that are faster have to come before the others are less than a tenth.
    let mut faster = 0;
    for _ in 0..8 {
        look(&layer).await;
    }
    while delay(&layer).unwrap() > millis(10) {
        learn(&layer, 10, Status(200), Method::GET).await;
        faster += 10;
        look(&layer).await;
    }
    assert!((160..=220).contains(&faster), "{faster}");
}

#[tokio::test(start_paused = true)]
async fn of_hardly_enough_nine_tenths_are_left_after_ten_seconds() {
    for (pause, is_enough) in [(1, true), (3, false)] {
        let layer = learning().extra_load(0.1);
        learn(&layer, 50, after(millis(5), Status(200)), Method::GET).await;
        // One in so many seconds.
        for _ in 0..60 {
            learn(&layer, 1, after(millis(5), Status(200)), Method::GET).await;
            sleep(millis(pause * 1_000)).await;
        }
        assert_eq!(look(&layer).await.is_some(), is_enough, "each {pause} s");
    }
}

#[tokio::test(start_paused = true)]
async fn it_is_learned_from_successes_of_requests_that_may_be_hedged() {
    for (answer, method) in [
        (after(millis(50), Status(503)), Method::GET),
        (after(millis(50), Status(404)), Method::GET),
        (
            after(millis(50), Error(ErrorKind::ConnectionReset)),
            Method::GET,
        ),
        (after(millis(50), Status(200)), Method::POST),
    ] {
        let layer = learning();
        learn(&layer, 200, answer, method).await;
        assert_eq!(look(&layer).await, None);
    }
    let layer = learning().idempotency(Idempotency::any());
    learn(&layer, 200, after(millis(50), Status(200)), Method::POST).await;
    assert_about(look(&layer).await, 100);
}

#[tokio::test(start_paused = true)]
async fn one_that_was_cut_took_longer_than_its_time_so_far() {
    let gateway_timeout = after(millis(20), Status(504));
    let timed_out = after(millis(20), Error(ErrorKind::TimedOut));
    for slow in [None, Some(gateway_timeout), Some(timed_out)] {
        let layer = learning().extra_load(0.2).stragglers(0.0);
        learn(&layer, 150, after(millis(5), Status(200)), Method::GET).await;
        match slow {
            Some(slow) => learn(&layer, 50, slow, Method::GET).await,
            // Dropped by the caller, or by a time-out above.
            None => {
                for _ in 0..50 {
                    let upstream = Upstream::new([Never]);
                    let request = send(&layer, &upstream, get());
                    assert!(timeout(millis(20), request).await.is_err());
                }
            }
        }
        assert_about(look(&layer).await, 20);
    }
}

#[tokio::test(start_paused = true)]
async fn one_whose_hedge_won_was_cut() {
    // Nearly a tenth take 50 ms; with those whose hedges win, it is more.
    for (wins, expected) in [(0, 5), (3, 50)] {
        let (layer, told) = noting(learning().extra_load(0.1).stragglers(0.0));
        learn(&layer, 92, after(millis(5), Status(200)), Method::GET).await;
        assert_about(look(&layer).await, 5);
        learn(&layer, 11, after(millis(50), Status(200)), Method::GET).await;
        learn(&layer, 30, after(millis(5), Status(200)), Method::GET).await;
        told.lock().unwrap().clear();
        for _ in 0..wins {
            let upstream = Upstream::new([Never, after(millis(1), Status(200))]);
            send(&layer, &upstream, get()).await.0.unwrap();
        }
        let won = [HedgeEventKind::Sent, HedgeEventKind::Won];
        assert_eq!(*told.lock().unwrap(), won.repeat(wins));
        assert_about(look(&layer).await, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_had_failed_when_the_request_was_dropped_was_not_cut() {
    let (layer, told) = noting(learning().extra_load(0.1).stragglers(0.0));
    learn(&layer, 92, after(millis(5), Status(200)), Method::GET).await;
    assert_about(look(&layer).await, 5);
    learn(&layer, 11, after(millis(50), Status(200)), Method::GET).await;
    learn(&layer, 30, after(millis(5), Status(200)), Method::GET).await;
    told.lock().unwrap().clear();
    for _ in 0..3 {
        let upstream = Upstream::new([after(millis(10), Status(503)), Never]);
        let request = send(&layer, &upstream, get());
        assert!(timeout(millis(20), request).await.is_err());
    }
    assert_eq!(*told.lock().unwrap(), [HedgeEventKind::Sent; 3]);
    assert_about(look(&layer).await, 5);
}

#[tokio::test(start_paused = true)]
async fn a_request_goes_by_the_delay_of_its_start() {
    let (layer, told) = noting(learning());
    learn(&layer, 200, after(millis(5), Status(200)), Method::GET).await;
    let due = look(&layer).await.unwrap();
    let upstream = Upstream::new([Never, Status(200)]);
    let mut request = pin!(call(&layer, &upstream, get()).await);
    assert!(timeout(due - millis(2), request.as_mut()).await.is_err());
    // Others are slower meanwhile: those that start later wait longer.
    learn(&layer, 100, after(millis(30), Status(200)), Method::GET).await;
    assert!(delay(&layer).unwrap() > due + millis(5));
    assert_eq!(upstream.count(), 1);
    assert!(timeout(millis(1), request).await.is_ok());
    let won = [HedgeEventKind::Sent, HedgeEventKind::Won];
    assert!(told.lock().unwrap().ends_with(&won));
}

fn to(host: &str) -> Request<Body> {
    let uri = format!("http://{host}/item");
    Request::get(uri).body(Body::default()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn each_upstream_has_its_own_delay_and_budget_if_asked_for() {
    let (layer, told) = noting(learning().extra_load(0.1).per_authority(10));
    let slow = Upstream::new([after(millis(50), Status(200))]);
    let fast = Upstream::new([after(millis(5), Status(200))]);
    for _ in 0..200 {
        send(&layer, &slow, to("slow.test")).await.0.unwrap();
        send(&layer, &fast, to("fast.test")).await.0.unwrap();
    }
    sleep(millis(1_000)).await;
    send(&layer, &slow, to("slow.test")).await.0.unwrap();
    send(&layer, &fast, to("fast.test")).await.0.unwrap();
    assert_about(layer.delay(&"http://slow.test/".parse().unwrap()), 100);
    assert_about(layer.delay(&"http://FAST.test:80/".parse().unwrap()), 10);
    assert_eq!(layer.delay(&"http://other.test/".parse().unwrap()), None);
    told.lock().unwrap().clear();
    // What one upstream has spent, another has not.
    let hanging = Upstream::new([after(millis(400), Status(404))]);
    let mut hedges = Vec::new();
    for host in ["slow.test"; 5].into_iter().chain(["fast.test"]) {
        send(&layer, &hanging, to(host)).await.0.unwrap();
        hedges.push(told.lock().unwrap().drain(..).next().unwrap());
    }
    assert_eq!(hedges[4], HedgeEventKind::NotSent(NotSent::Budget));
    assert_eq!(hedges[5], HedgeEventKind::Sent);
}

#[tokio::test(start_paused = true)]
async fn clones_learn_together_and_a_setter_makes_a_layer_that_starts_anew() {
    let layer = learning();
    learn(
        &layer.clone(),
        200,
        after(millis(5), Status(200)),
        Method::GET,
    )
    .await;
    assert_about(look(&layer).await, 10);
    assert_about(delay(&layer.clone()), 10);
    assert_eq!(delay(&layer.clone().extra_load(0.05)), None);
}

#[tokio::test(start_paused = true)]
async fn to_ask_for_the_delay_of_an_upstream_changes_nothing() {
    let layer = learning().after(millis(100)).per_authority(1);
    let unknown = "http://unknown.test/".parse().unwrap();
    assert_eq!(layer.delay(&unknown), Some(millis(100)));
    assert_eq!(layer.saved_seconds(&unknown), None);
    // The first upstream starts with a hedge.
    let upstream = Upstream::new([Never, Status(200)]);
    let request = send(&layer, &upstream, to("known.test"));
    assert!(timeout(millis(10_000), request).await.is_ok());
    assert_eq!(upstream.count(), 2);
}
