//! What a hedge layer shows of itself.

use std::time::Duration;

use http::Uri;
use tower_http_retry::HedgeLayer;
use tower_http_retry::hedge::HedgeState;

use crate::snapshots::{ORIGINS, URIS, keys, request};
use crate::support::cooling::{millis, secs};
use crate::support::hedging;
use crate::support::upstream::Answer::Status;
use crate::support::upstream::{Upstream, after};

/// The state of hedges that are sent after 100 ms.
fn hedges(hedges: f64) -> (Option<Duration>, Option<f64>, f64, f64) {
    (Some(millis(100)), None, hedges, 3.0)
}

fn of(state: &HedgeState) -> (Option<Duration>, Option<f64>, f64, f64) {
    (
        state.delay,
        state.saved_seconds,
        state.hedges,
        state.capacity,
    )
}

#[tokio::test(start_paused = true)]
async fn a_hedge_layer_shows_what_its_successes_have_earned() {
    let layer = hedging::exact().extra_load(0.25);
    let state = || {
        let snapshot = layer.snapshot();
        assert!(snapshot.upstreams.is_empty());
        of(&snapshot.shared.unwrap())
    };
    let send = async |plan: Vec<_>| {
        let upstream = Upstream::new(plan);
        hedging::send(&layer, &upstream, request(URIS[0]))
            .await
            .0
            .unwrap();
    };
    assert_eq!(state(), hedges(1.0));
    send(vec![Status(200)]).await;
    assert_eq!(state(), hedges(1.25));
    // One that takes longer is hedged, and the hedge wins.
    send(vec![after(secs(1), Status(200)), Status(200)]).await;
    assert_eq!(state(), hedges(0.25));
    for _ in 0..20 {
        send(vec![Status(200)]).await;
    }
    assert_eq!(state(), hedges(3.0));
    send(vec![after(secs(1), Status(200)), Status(200)]).await;
    assert_eq!(state(), hedges(2.0));
}

#[tokio::test(start_paused = true)]
async fn a_hedge_layer_shows_the_delay_that_it_has_learned() {
    let layer = HedgeLayer::new();
    let delay = || layer.snapshot().shared.unwrap().delay;
    for number in 0..300 {
        assert_eq!(delay().is_some(), number > 100, "{number}");
        let upstream = Upstream::new([after(millis(10), Status(200))]);
        let sent = hedging::send(&layer, &upstream, request(URIS[0])).await;
        sent.0.unwrap();
    }
    let learned = layer.delay(&Uri::from_static(URIS[0]));
    assert!(learned.is_some_and(|delay| delay > millis(19) && delay < millis(23)));
    assert_eq!(delay(), learned);
}

#[tokio::test(start_paused = true)]
async fn a_hedge_layer_shows_what_hedges_save() {
    let layer = hedging::exact()
        .extra_load(1.0)
        .control(0.5)
        .control_seed(1);
    let saved = || layer.snapshot().shared.unwrap().saved_seconds;
    assert_eq!(saved(), None);
    let (slow, quick) = (
        after(millis(300), Status(200)),
        after(millis(10), Status(200)),
    );
    for _ in 0..300 {
        for plan in [vec![slow.clone(), quick.clone()], vec![quick.clone()]] {
            let upstream = Upstream::new(plan);
            let sent = hedging::send(&layer, &upstream, request(URIS[0])).await;
            sent.0.unwrap();
        }
    }
    // A hedge comes back after 10 ms; 100 ms after it is due, one that is withheld has not.
    assert_eq!(saved(), Some(0.09));
}

#[tokio::test(start_paused = true)]
async fn a_hedge_layer_for_each_upstream_shows_those_that_are_kept_in_order() {
    let layer = hedging::exact().extra_load(0.25).per_authority(10);
    assert!(layer.snapshot().upstreams.is_empty());
    for uri in [&URIS[..], &URIS[..1]].concat() {
        let upstream = Upstream::new([Status(200)]);
        hedging::send(&layer, &upstream, request(uri))
            .await
            .0
            .unwrap();
    }
    let snapshot = layer.snapshot();
    assert_eq!(snapshot.shared, None);
    assert_eq!(keys(&snapshot.upstreams), ORIGINS);
    for (origin, state) in &snapshot.upstreams {
        let earned = if origin == "http://b.test" { 1.5 } else { 1.25 };
        assert_eq!(of(state), hedges(earned), "{origin}");
    }
}
