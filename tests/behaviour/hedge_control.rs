//! Hedges that are withheld by lot, and what is learned of them.

use http::Uri;
use tower_http_retry::HedgeLayer;
use tower_http_retry::hedge::{HedgeEventKind, Hedged};

use crate::support::hedging::{millis, noting, send};
use crate::support::upstream::Answer::Status;
use crate::support::upstream::{Upstream, after, get};

/// Hedges as many as are due, after 100 ms.
fn plenty() -> HedgeLayer {
    HedgeLayer::new()
        .after(millis(100))
        .extra_load(1.0)
        .mark_responses()
}

fn saved(layer: &HedgeLayer) -> Option<f64> {
    layer.saved_seconds(&Uri::from_static("http://upstream.test/"))
}

/// So many requests whose first attempt takes so long, and their hedges; how many hedges were sent.
async fn requests(layer: &HedgeLayer, count: usize, first: u64, hedge: u64) -> usize {
    let mut sent = 0;
    for _ in 0..count {
        let plan = [
            after(millis(first), Status(200)),
            after(millis(hedge), Status(200)),
        ];
        let upstream = Upstream::new(plan);
        let response = send(layer, &upstream, get()).await.0.unwrap();
        assert_eq!(
            response.extensions().get::<Hedged>().is_some(),
            upstream.count() == 2
        );
        sent += upstream.count() - 1;
        // It earns what the next hedge costs, which one that is cut does not.
        send(layer, &Upstream::new([Status(200)]), get())
            .await
            .0
            .unwrap();
    }
    sent
}

#[tokio::test(start_paused = true)]
async fn one_in_sixteen_hedges_that_are_due_is_withheld_and_one_in_64_while_they_gain() {
    for seed in [1, 2, 3] {
        let (layer, told) = noting(plenty().control_seed(seed));
        let withheld = || {
            let told = told.lock().unwrap();
            let withheld = told
                .iter()
                .filter(|kind| **kind == HedgeEventKind::Withheld);
            withheld.count()
        };
        let sent = requests(&layer, 800, 300, 10).await;
        assert!((30..=63).contains(&withheld()), "{} of 800", withheld());
        assert_eq!(sent, 800 - withheld());
        // Until so many are known that they can be compared, and from then on.
        while saved(&layer).is_none() {
            requests(&layer, 1, 300, 10).await;
        }
        assert_eq!(withheld(), 64);
        requests(&layer, 1_600, 300, 10).await;
        assert!(
            (64 + 10..=64 + 40).contains(&withheld()),
            "{} of 1,600",
            withheld() - 64
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_whose_hedge_is_withheld_costs_nothing() {
    let layer = HedgeLayer::new().after(millis(100)).control(1.0);
    let upstream = Upstream::new([after(millis(300), Status(200))]);
    for _ in 0..10 {
        assert_eq!(send(&layer, &upstream, get()).await.1, 300);
    }
    assert_eq!(upstream.count(), 10);
}

#[tokio::test(start_paused = true)]
async fn what_a_hedge_saves_is_told_once_64_of_each_are_known() {
    let layer = plenty().control(0.5).control_seed(7);
    let mut known_after = None;
    for number in 0..300 {
        requests(&layer, 1, 300, 10).await;
        if known_after.is_none() && saved(&layer).is_some() {
            known_after = Some(number);
        }
    }
    assert!(known_after.is_some_and(|number| number > 2 * 63));
    // From when the hedge is due: 200 ms without it, 10 ms with it.
    let saved = saved(&layer).unwrap();
    assert!((saved - 0.190).abs() < 0.001, "{saved}");
}

#[tokio::test(start_paused = true)]
async fn while_hedges_gain_nothing_one_in_eight_is_sent() {
    let layer = plenty().control(0.5).control_seed(7);
    // Hedges are slower than what they are sent beside.
    requests(&layer, 300, 110, 200).await;
    let saved_before = saved(&layer).unwrap();
    assert!(saved_before <= 0.0, "{saved_before}");
    let sent = requests(&layer, 800, 110, 200).await;
    assert!((70..=130).contains(&sent), "{sent} of 800 were sent");
    // When they gain again, they are sent again.
    requests(&layer, 1_000, 500, 10).await;
    let sent = requests(&layer, 400, 500, 10).await;
    assert!((330..=370).contains(&sent), "{sent} of 400 were sent");
}

#[tokio::test(start_paused = true)]
async fn the_same_seed_withholds_the_same_hedges() {
    let mut runs = Vec::new();
    for seed in [1, 1, 2] {
        let (layer, told) = noting(plenty().control(0.5).control_seed(seed));
        requests(&layer, 64, 300, 10).await;
        runs.push(told.lock().unwrap().clone());
    }
    assert_eq!(runs[0], runs[1]);
    assert_ne!(runs[0], runs[2]);
}
