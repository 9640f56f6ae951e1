//! A switch that turns retries off.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tower::Layer;
use tower_http_retry::event::{EventKind, StopReason};
use tower_http_retry::{Attempts, Backoff, Budget, Jitter, RetryLayer, Switch};

use crate::support::upstream::Answer::{Error, Status};
use crate::support::upstream::{Upstream, get};

fn layer(switch: &Switch) -> RetryLayer {
    let backoff = Backoff::exponential(Duration::from_secs(1)).jitter(Jitter::None);
    RetryLayer::new()
        .backoff(backoff)
        .mark_responses()
        .switch(switch.clone())
}

#[tokio::test(start_paused = true)]
async fn a_switch_is_on_unless_it_is_turned_off() {
    for switch in [Switch::new(), Switch::default()] {
        assert!(switch.is_on());
        let upstream = Upstream::new([Status(503), Status(200)]);
        let service = layer(&switch).layer(upstream.clone());
        assert_eq!(service.send(get()).await.unwrap().status(), 200);
        assert_eq!(upstream.seconds(), [0, 1]);
    }
}

#[tokio::test(start_paused = true)]
async fn while_it_is_off_each_request_is_sent_once_and_its_outcome_is_returned() {
    let switch = Switch::new();
    switch.turn_off();
    assert!(!switch.is_on());
    let upstream = Upstream::new([
        Status(503),
        Status(429),
        Error(std::io::ErrorKind::ConnectionRefused),
        Status(200),
    ]);
    let service = layer(&switch).layer(upstream.clone());
    assert_eq!(service.send(get()).await.unwrap().status(), 503);
    assert_eq!(service.send(get()).await.unwrap().status(), 429);
    let error = service.send(get()).await.unwrap_err();
    assert!(error.is::<std::io::Error>(), "{error:?}");
    assert_eq!(service.send(get()).await.unwrap().status(), 200);
    assert_eq!(upstream.count(), 4);
}

#[tokio::test(start_paused = true)]
async fn it_holds_for_every_layer_that_has_a_clone_and_can_be_turned_on_again() {
    let switch = Switch::new();
    let plan = [Status(503), Status(503), Status(503), Status(200)];
    let upstream = Upstream::new(plan);
    let (one, other) = (layer(&switch), layer(&switch).max_retries(2));
    switch.turn_off();
    for layer in [&one, &other] {
        let response = layer.layer(upstream.clone()).send(get()).await;
        assert_eq!(response.unwrap().status(), 503);
    }
    switch.turn_on();
    let response = other.layer(upstream.clone()).send(get()).await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(upstream.count(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_retry_that_waits_when_it_is_turned_off_is_still_sent_and_is_the_last() {
    let switch = Switch::new();
    let upstream = Upstream::new([Status(503), Status(502), Status(200)]);
    let off = switch.clone();
    // The wait has begun.
    let layer = layer(&switch).on_event(move |event| {
        if let EventKind::RetryScheduled { .. } = event.kind() {
            off.turn_off();
        }
    });
    let response = layer.layer(upstream.clone()).send(get()).await.unwrap();
    assert_eq!(response.status(), 502);
    let attempts = response.extensions().get::<Attempts>().unwrap();
    assert_eq!(attempts.stopped, Some(StopReason::SwitchedOff));
    assert_eq!(upstream.seconds(), [0, 1]);
}

#[tokio::test(start_paused = true)]
async fn a_retry_that_it_prevents_costs_the_budget_nothing() {
    let (switch, budget) = (Switch::new(), Budget::ratio(0.0));
    switch.turn_off();
    let upstream = Upstream::new([Status(503)]);
    let service = layer(&switch).budget(budget.clone()).layer(upstream);
    service.send(get()).await.unwrap();
    assert_eq!(budget.tokens(), Some(10.0));
    switch.turn_on();
    service.send(get()).await.unwrap();
    assert_eq!(budget.tokens(), Some(5.0));
}

#[tokio::test(start_paused = true)]
async fn it_is_the_reason_only_where_a_request_would_be_retried_otherwise() {
    let reasons = Arc::new(Mutex::new(Vec::new()));
    let (switch, told) = (Switch::new(), reasons.clone());
    switch.turn_off();
    let layer = layer(&switch).on_event(move |event| {
        if let EventKind::Stopped(reason) = event.kind() {
            told.lock().unwrap().push(reason);
        }
    });
    for (layer, status) in [
        (layer.clone(), 200),
        (layer.clone(), 404),
        (layer.clone().max_retries(0), 503),
        (layer, 503),
    ] {
        let service = layer.layer(Upstream::new([Status(status)]));
        service.send(get()).await.unwrap();
    }
    assert_eq!(
        *reasons.lock().unwrap(),
        [
            StopReason::Success,
            StopReason::Permanent,
            StopReason::Attempts,
            StopReason::SwitchedOff,
        ]
    );
}

#[test]
fn it_prints_whether_it_is_on() {
    let switch = Switch::new();
    assert_eq!(format!("{switch:?}"), "Switch { is_on: true }");
    switch.turn_off();
    assert_eq!(format!("{switch:?}"), "Switch { is_on: false }");
}
