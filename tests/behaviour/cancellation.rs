//! The caller drops the future: nothing more is sent, no timer is left, no budget is moved.

use std::future::Future;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::support::level::Level;
use http::{Request, Response};
use http_body_util::Full;
use tokio_test::task::spawn;
use tower::limit::ConcurrencyLimit;
use tower::{Layer, Service};
use tower_http_retry::{Backoff, Budget, Jitter, ReplayBody, Retry, RetryLayer};

use crate::support::upstream::Answer::{Never, Status};
use crate::support::upstream::{Answer, Body, Upstream, after, get};

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Polls the request for so long, drops it, and looks at what is left an hour later.
async fn dropped_after<S>(elapsed: Duration, mut service: Retry<S>)
where
    S: Service<Request<ReplayBody<Body>>, Response = Response<Full<bytes::Bytes>>> + Clone,
    S::Error: Into<tower_http_retry::BoxError>,
{
    std::future::poll_fn(|cx| Service::<Request<Body>>::poll_ready(&mut service, cx))
        .await
        .ok();
    let mut future = Box::pin(service.call(get()));
    let pending = tokio::time::timeout(elapsed, future.as_mut()).await;
    assert!(pending.is_err(), "the request was not dropped but ended");
    drop(future);
    // Shorter than what brings a budget back.
    tokio::time::sleep(secs(240)).await;
}

#[tokio::test(start_paused = true)]
async fn whatever_the_state_nothing_more_is_sent_and_the_budget_is_as_it_was() {
    // When it is dropped, how many attempts there were, and what they cost.
    let cases: [(Vec<Answer>, u64, usize, u64); 5] = [
        (vec![Never], 500, 1, 0),
        (vec![after(secs(3), Status(200))], 500, 1, 0),
        // In the first wait, and in the second attempt.
        (vec![Status(503)], 500, 1, 1_000),
        (vec![Status(503), Never], 1_500, 2, 1_000),
        // After a time-out, which costs two.
        (vec![Status(504), Never], 2_500, 2, 2_000),
    ];
    for (plan, millis, count, cost) in cases {
        let upstream = Upstream::new(plan.clone());
        let budget = Budget::earning(5);
        let layer = RetryLayer::new()
            .backoff(Backoff::exponential(secs(1)).jitter(Jitter::None))
            .attempt_timeout(secs(60))
            .budget(budget.clone());
        dropped_after(Duration::from_millis(millis), layer.layer(upstream.clone())).await;
        assert_eq!(budget.level(), Some(10_000 - cost), "{plan:?}");
        tokio::time::sleep(secs(3_600)).await;
        assert_eq!(upstream.count(), count, "{plan:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn dropped_while_it_waits_for_readiness_it_leaves_the_place_to_others() {
    let upstream = Upstream::new([Status(503), Never, Status(200)]);
    let layer = RetryLayer::new().backoff(Backoff::fixed(secs(1)).jitter(Jitter::None));
    let service = layer.layer(ConcurrencyLimit::new(upstream.clone(), 1));
    let first = {
        let mut service = service.clone();
        async move {
            std::future::poll_fn(|cx| Service::<Request<Body>>::poll_ready(&mut service, cx))
                .await
                .unwrap();
            service.call(get()).await
        }
    };
    let mut first = spawn(first);
    assert!(first.poll().is_pending());
    // The second one takes the permit, and keeps it.
    let second = tokio::spawn(tower::ServiceExt::oneshot(service.clone(), get()));
    tokio::time::sleep(secs(2)).await;
    assert!(first.poll().is_pending(), "waits for the permit");
    drop(first);
    second.abort();
    let third = tower::ServiceExt::oneshot(service, get()).await.unwrap();
    assert_eq!(third.status(), 200);
    assert_eq!(upstream.count(), 3);
}

/// Counts what is alive of the attempts' futures and of the responses' bodies.
#[derive(Clone, Default)]
struct Guarded {
    alive: Arc<()>,
}

struct GuardedBody(#[allow(dead_code)] Arc<()>);

impl http_body::Body for GuardedBody {
    type Data = bytes::Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        self: std::pin::Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<bytes::Bytes>, Self::Error>>> {
        Poll::Pending
    }
}

impl Service<Request<ReplayBody<Body>>> for Guarded {
    type Response = Response<GuardedBody>;
    type Error = std::convert::Infallible;
    type Future = std::pin::Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>>>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<ReplayBody<Body>>) -> Self::Future {
        let alive = self.alive.clone();
        Box::pin(async move {
            tokio::time::sleep(secs(1)).await;
            let response = Response::builder().status(503);
            Ok(response.body(GuardedBody(alive)).unwrap())
        })
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_of_an_attempt_outlives_the_future() {
    let service = Guarded::default();
    let alive = service.alive.clone();
    let layer = RetryLayer::new().backoff(Backoff::fixed(secs(10)).jitter(Jitter::None));
    let mut retry = layer.layer(service);
    // In an attempt; while its response is drained; later in the wait; in the second attempt.
    for millis in [500, 1_500, 4_000, 11_500] {
        let before = Arc::strong_count(&alive);
        let mut future = Box::pin(retry.call(get()));
        let pending = tokio::time::timeout(Duration::from_millis(millis), future.as_mut()).await;
        assert!(pending.is_err());
        drop(future);
        assert_eq!(
            Arc::strong_count(&alive),
            before,
            "dropped after {millis} ms"
        );
    }
    assert_eq!(
        tokio::runtime::Handle::current()
            .metrics()
            .num_alive_tasks(),
        0
    );
}
