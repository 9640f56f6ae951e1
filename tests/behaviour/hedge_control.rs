//! Hedges that are withheld by lot, and what is learned of them.

use http::Uri;
use tokio::time::{sleep, timeout};
use tower::limit::ConcurrencyLimit;
use tower::{Layer, ServiceExt};
use tower_http_retry::HedgeLayer;
use tower_http_retry::hedge::{HedgeEventKind, Hedged};

use crate::support::hedging::{millis, noting, send};
use crate::support::upstream::Answer::{Never, Status};
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
        let sent = requests(&layer, 800, 190, 10).await;
        assert!((30..=63).contains(&withheld()), "{} of 800", withheld());
        assert_eq!(sent, 800 - withheld());
        // Until so many are known that they can be compared, and from then on.
        while saved(&layer).is_none() {
            requests(&layer, 1, 190, 10).await;
        }
        assert_eq!(withheld(), 64);
        requests(&layer, 1_600, 190, 10).await;
        assert!(
            (64 + 10..=64 + 40).contains(&withheld()),
            "{} of 1,600",
            withheld() - 64
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_hedge_that_is_withheld_is_sent_a_delay_later_if_it_is_still_due() {
    let (layer, told) = noting(HedgeLayer::new().after(millis(100)).control(1.0));
    let in_time = Upstream::new([after(millis(199), Status(200))]);
    for _ in 0..10 {
        assert_eq!(send(&layer, &in_time, get()).await.1, 199);
    }
    assert_eq!(in_time.count(), 10);
    // The ten have cost nothing.
    let late = Upstream::new([Never, after(millis(10), Status(200))]);
    assert_eq!(send(&layer, &late, get()).await.1, 210);
    assert_eq!(late.millis(), [0, 200]);
    let told = told.lock().unwrap().clone();
    let last = [
        HedgeEventKind::Withheld,
        HedgeEventKind::Sent,
        HedgeEventKind::Won,
    ];
    assert!(told.ends_with(&last) && told.len() == 10 + 3, "{told:?}");
    // A failure before it is sent is handed up.
    let failing = Upstream::new([after(millis(150), Status(503))]);
    assert_eq!(send(&layer, &failing, get()).await.1, 150);
}

#[tokio::test(start_paused = true)]
async fn while_it_is_withheld_no_permit_is_held_for_it() {
    let layer = HedgeLayer::new().after(millis(100)).control(1.0);
    let upstream = Upstream::new([after(millis(300), Status(200))]);
    let inner = ConcurrencyLimit::new(upstream.clone(), 2);
    let hedged = layer.layer(inner.clone()).oneshot(get());
    let other = async {
        sleep(millis(150)).await;
        HedgeLayer::new()
            .extra_load(0.0)
            .layer(inner)
            .oneshot(get())
            .await
    };
    let (hedged, other) = tokio::join!(hedged, timeout(millis(460), other));
    hedged.unwrap();
    other.expect("it had a permit").unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_a_hedge_saves_is_told_once_64_of_each_are_known() {
    let layer = plenty().control(0.5).control_seed(7);
    let mut known_after = None;
    for number in 0..300 {
        requests(&layer, 1, 190, 10).await;
        if known_after.is_none() && saved(&layer).is_some() {
            known_after = Some(number);
        }
    }
    assert!(known_after.is_some_and(|number| number > 2 * 63));
    // From when the hedge is due: 90 ms without it, 10 ms with it.
    let saved = saved(&layer).unwrap();
    assert!((saved - 0.080).abs() < 0.001, "{saved}");
}

#[tokio::test(start_paused = true)]
async fn what_is_longer_than_a_delay_more_is_compared_as_that() {
    let layer = plenty().control(0.5).control_seed(7);
    requests(&layer, 300, 5_000, 3_000).await;
    assert_eq!(saved(&layer), Some(0.0));
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
    requests(&layer, 1_000, 190, 10).await;
    let sent = requests(&layer, 400, 190, 10).await;
    assert!((330..=370).contains(&sent), "{sent} of 400 were sent");
}

#[tokio::test(start_paused = true)]
async fn the_same_seed_withholds_the_same_hedges() {
    let mut runs = Vec::new();
    for seed in [1, 1, 2] {
        let (layer, told) = noting(plenty().control(0.5).control_seed(seed));
        requests(&layer, 64, 190, 10).await;
        runs.push(told.lock().unwrap().clone());
    }
    assert_eq!(runs[0], runs[1]);
    assert_ne!(runs[0], runs[2]);
}
