//! What is told of hedges to a recorder of metrics.

use std::time::Duration;

use metrics::set_default_local_recorder;
use metrics_util::debugging::DebugValue::{Counter, Gauge, Histogram};
use metrics_util::debugging::DebuggingRecorder;
use tower_http_retry::metrics::describe;

use crate::support::hedging::{compare_hedges, exact, millis, send};
use crate::support::recorded::recorded;
use crate::support::upstream::Answer::{Never, Status};
use crate::support::upstream::{Answer, Upstream, after, get};

#[tokio::test(start_paused = true)]
async fn each_hedge_is_counted_by_what_became_of_it_and_its_delay_is_measured() {
    let recorder = DebuggingRecorder::new();
    let _guard = set_default_local_recorder(&recorder);
    let layer = exact().extra_load(1.0);
    let slow = |millis_: u64, status| after(millis(millis_), Status(status));
    let plans: [[Answer; 2]; 5] = [
        [slow(50, 200), Never],
        [Never, slow(10, 200)],
        [slow(300, 200), Never],
        [slow(150, 503), slow(100, 503)],
        // Only three successes have earned: one hedge is left, and then none.
        [slow(150, 503), slow(100, 503)],
    ];
    for plan in plans {
        send(&layer, &Upstream::new(plan), get()).await.0.unwrap();
    }
    let delay = Duration::from_millis(100).as_secs_f64();
    let expected = [
        ("hedge_delay_seconds GET", Histogram(vec![delay.into(); 3])),
        ("hedges_total GET sent", Counter(3)),
        ("hedges_total GET won", Counter(1)),
        ("hedges_total GET lost", Counter(1)),
        ("hedges_total GET failed", Counter(1)),
        ("hedges_total GET budget", Counter(1)),
    ];
    let expected = expected.map(|(key, value)| (key.to_owned(), value));
    assert_eq!(recorded(&recorder.snapshotter()), expected.into());
}

#[tokio::test(start_paused = true)]
async fn what_a_hedge_saves_is_a_gauge() {
    let recorder = DebuggingRecorder::new();
    let _guard = set_default_local_recorder(&recorder);
    compare_hedges().await;
    let recorded = recorded(&recorder.snapshotter());
    let Some(Gauge(saved)) = recorded.get("hedge_saved_seconds") else {
        panic!("no gauge in {recorded:?}");
    };
    assert!((saved.into_inner() - 0.090).abs() < 0.001, "{saved}");
}

#[test]
fn the_metrics_are_described() {
    let recorder = DebuggingRecorder::new();
    let _guard = set_default_local_recorder(&recorder);
    describe();
    metrics::counter!("tower_http_retry_hedges_total").increment(1);
    metrics::histogram!("tower_http_retry_hedge_delay_seconds").record(1.0);
    metrics::gauge!("tower_http_retry_hedge_saved_seconds").set(1.0);
    for (key, unit, description, _) in recorder.snapshotter().snapshot().into_vec() {
        assert!(unit.is_some() && description.is_some(), "{key:?}");
    }
}
