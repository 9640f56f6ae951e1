//! What is tower's, in the place of this crate's: its budgets, and its time-out.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tower::retry::budget::{Budget as TowerBudget, TpsBudget};
use tower::timeout::error::Elapsed;
use tower::{Layer, ServiceBuilder, ServiceExt};
use tower_http_retry::body::Superseded;
use tower_http_retry::event::StopReason;
use tower_http_retry::{Backoff, Budget, Jitter, ReplayBody, RetryLayer};

use crate::support::body::{
    Does, Source, Whole, at_once, data, next, next_data, next_error, poll, read, send,
};
use crate::support::upstream::Answer::{Never, Status};
use crate::support::upstream::{Upstream, get};

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn exact() -> RetryLayer {
    RetryLayer::new().backoff(Backoff::exponential(secs(1)).jitter(Jitter::None))
}

fn letters() -> Vec<Does> {
    ["a", "bc", "def", "ghij", "klmno"].map(data).to_vec()
}

#[tokio::test(start_paused = true)]
async fn any_budget_of_towers_can_be_used() {
    struct OneRetry(Arc<AtomicUsize>);
    impl TowerBudget for OneRetry {
        fn deposit(&self) {
            self.0.fetch_add(100, Ordering::Relaxed);
        }
        fn withdraw(&self) -> bool {
            self.0.fetch_add(1, Ordering::Relaxed) == 0
        }
    }
    let told = Arc::new(AtomicUsize::new(0));
    let upstream = Upstream::new([Status(503)]);
    let layer = exact().budget(Budget::tower(OneRetry(told.clone())));
    layer.layer(upstream.clone()).oneshot(get()).await.unwrap();
    assert_eq!((upstream.count(), told.load(Ordering::Relaxed)), (2, 2));
    layer
        .layer(Upstream::new([Status(200)]))
        .oneshot(get())
        .await
        .unwrap();
    assert_eq!(told.load(Ordering::Relaxed), 102);
}

#[test]
fn a_budget_of_towers_tells_its_kind_and_no_level() {
    let budget = Budget::tower(TpsBudget::default());
    let told = "Budget { kind: \"tower\", tokens: None }";
    assert_eq!(format!("{budget:?}"), told);
}

/// A budget that reads on for the first attempt while it is asked, and then says this. What is read
/// over the limit waits for what it says.
struct Reading(Arc<Mutex<Option<ReplayBody<Source>>>>, bool);

impl TowerBudget for Reading {
    fn deposit(&self) {}

    fn withdraw(&self) -> bool {
        let mut first = self.0.lock().unwrap();
        let body = first.as_mut().expect("the first attempt's");
        for letters in ["a", "bc", "def", "ghij"] {
            assert_eq!(next_data(body), letters);
        }
        assert!(poll(body).is_pending());
        self.1
    }
}

#[tokio::test(start_paused = true)]
async fn what_an_attempt_reads_over_the_limit_while_its_retry_is_decided_harms_nothing() {
    let first = Arc::new(Mutex::new(None));
    let layer = |covered| {
        let budget = Budget::tower(Reading(first.clone(), covered));
        at_once().max_replay_bytes(6).budget(budget)
    };
    // Without a retry it goes on.
    let sent = send(layer(false), Source::streamed(letters()), |_, body| {
        *first.lock().unwrap() = Some(body);
        503
    });
    assert_eq!(sent.await.told(), (503, 1, Some(StopReason::Budget)));
    let mut body = first.lock().unwrap().take().unwrap();
    assert_eq!(next_data(&mut body), "klmno");
    assert!(next(&mut body).is_none());
    // The retry that is paid for is made, and has all.
    let source = Source::streamed(letters());
    let sent = send(layer(true), source, |_, mut body| {
        let Some(mut old) = first.lock().unwrap().take() else {
            *first.lock().unwrap() = Some(body);
            return 503;
        };
        assert!(next_error(&mut old).is::<Superseded>());
        assert_eq!(read(&mut body).unwrap(), Whole::data("abcdefghijklmno"));
        200
    });
    assert_eq!(sent.await.told(), (200, 2, Some(StopReason::Success)));
}

#[tokio::test(start_paused = true)]
async fn an_outer_time_out_bounds_all_attempts_and_an_inner_one_each() {
    let never = Upstream::new([Never]);
    let service = ServiceBuilder::new()
        .timeout(secs(25))
        .layer(exact())
        .timeout(secs(4))
        .service(never.clone());
    let error = service.oneshot(get()).await.unwrap_err();
    assert!(error.is::<Elapsed>());
    // 4 s and the step after the first, 2 s; then 4 s and 4 s; then 4 s until 22 s.
    assert_eq!(never.seconds(), [0, 6, 14]);
}
