//! What keeps a hedge from being sent, and what is left when a request ends.

use std::convert::Infallible;
use std::future::{Future, ready};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body as _;
use http_body_util::channel::{Channel, Sender};
use http_body_util::{BodyExt, Full};
use tokio::time::{Instant, sleep, timeout};
use tower::limit::ConcurrencyLimit;
use tower::{Layer, Service, ServiceBuilder, ServiceExt};
use tower_http_retry::hedge::{HedgeBody, HedgeEventKind, NotSent};
use tower_http_retry::{Attempt, BoxError, Budget, Cooldown, HedgeLayer, Idempotency, RetryLayer};

use crate::support::hedging::{call, exact, millis, noting, send};
use crate::support::upstream::Answer::{Never, Status};
use crate::support::upstream::{Body, Upstream, after, get};

fn slow() -> Upstream {
    Upstream::new([after(millis(300), Status(200))])
}

#[tokio::test(start_paused = true)]
async fn a_service_that_is_not_ready_at_once_gets_no_hedge() {
    let upstream = slow();
    let (layer, told) = noting(exact());
    let inner = ConcurrencyLimit::new(upstream.clone(), 1);
    let start = Instant::now();
    layer.layer(inner.clone()).oneshot(get()).await.unwrap();
    assert_eq!((upstream.count(), start.elapsed()), (1, millis(300)));
    assert_eq!(
        *told.lock().unwrap(),
        [HedgeEventKind::NotSent(NotSent::NotReady)]
    );
    // And it holds no permit, nor a place in its queue.
    layer.layer(inner).oneshot(get()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_hedge_goes_through_a_clone_that_was_polled_ready() {
    // `Upstream` panics if it is called before it was ready, and a permit is left for the hedge.
    let upstream = Upstream::new([Never, Status(200)]);
    let inner = ConcurrencyLimit::new(upstream.clone(), 2);
    exact().layer(inner.clone()).oneshot(get()).await.unwrap();
    assert_eq!(upstream.count(), 2);
    // Both permits are there again.
    let mut readied = [inner.clone(), inner];
    for service in &mut readied {
        let ready = ServiceExt::<Request<HedgeBody<Body>>>::ready(service);
        assert!(timeout(millis(1), ready).await.is_ok());
    }
}

#[tokio::test(start_paused = true)]
async fn the_budget_of_the_retry_has_to_be_above_half_and_is_not_taken_from() {
    let budget = Budget::throttle(10, 0.1);
    let layer = exact().extra_load(1.0).retry_budget(budget.clone());
    let retry = RetryLayer::new().max_retries(0).budget(budget.clone());
    let failing = Upstream::new([Status(503)]);
    let (layer, told) = noting(layer);
    for failures in 0..=5 {
        let upstream = slow();
        send(&layer, &upstream, get()).await.0.unwrap();
        let hedges = usize::from(failures < 5);
        assert_eq!(upstream.count(), 1 + hedges, "after {failures} failures");
        assert_eq!(budget.tokens(), Some(f64::from(10 - failures)));
        retry.layer(failing.clone()).oneshot(get()).await.unwrap();
    }
    let last = told.lock().unwrap().last().copied();
    assert_eq!(last, Some(HedgeEventKind::NotSent(NotSent::Budget)));
}

#[tokio::test(start_paused = true)]
async fn an_earning_budget_counts_by_its_half_too() {
    let budget = Budget::earning(5);
    let layer = exact().extra_load(1.0).retry_budget(budget.clone());
    let retry = RetryLayer::new().max_retries(1).budget(budget.clone());
    let failing = Upstream::new([Status(503)]);
    for tokens in [10, 9, 8, 7, 6, 5] {
        assert_eq!(budget.tokens(), Some(f64::from(tokens)));
        let upstream = slow();
        send(&layer, &upstream, get()).await.0.unwrap();
        let hedges = usize::from(tokens > 5);
        assert_eq!(upstream.count(), 1 + hedges, "with {tokens} tokens");
        retry.layer(failing.clone()).oneshot(get()).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn while_a_cooldown_holds_no_hedge_is_sent() {
    let cooldown = Cooldown::new();
    let (layer, told) = noting(exact().extra_load(1.0).cooldown(cooldown.clone()));
    let upstream = slow();
    cooldown.hold(&"http://upstream.test/".parse().unwrap(), millis(60_000));
    send(&layer, &upstream, get()).await.0.unwrap();
    assert_eq!(upstream.count(), 1);
    assert_eq!(
        *told.lock().unwrap(),
        [HedgeEventKind::NotSent(NotSent::CoolingDown)]
    );
    cooldown.release(&"http://upstream.test/".parse().unwrap());
    send(&layer, &upstream, get()).await.0.unwrap();
    assert_eq!(upstream.count(), 3);
}

/// Reads each attempt's body, and notes it; the first attempt is never answered.
#[derive(Clone, Default)]
struct Reading {
    bodies: Arc<Mutex<Vec<Bytes>>>,
    calls: Arc<AtomicUsize>,
    waits: Duration,
}

impl<B> Service<Request<HedgeBody<B>>> for Reading
where
    B: http_body::Body + Send + 'static,
    B::Error: Into<BoxError>,
    HedgeBody<B>: Send,
{
    type Response = Response<Full<Bytes>>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<HedgeBody<B>>) -> Self::Future {
        let is_first = self.calls.fetch_add(1, Ordering::Relaxed) == 0;
        assert_eq!(request.body().is_hedge(), !is_first);
        let (bodies, waits) = (self.bodies.clone(), self.waits);
        Box::pin(async move {
            if is_first {
                sleep(waits).await;
            }
            let body = request.into_body();
            let hint = body.size_hint().exact();
            let bytes = body.collect().await?.to_bytes();
            assert!(hint.is_none_or(|hint| hint == bytes.len() as u64));
            bodies.lock().unwrap().push(bytes);
            if is_first {
                std::future::pending::<()>().await;
            }
            Ok(Response::default())
        })
    }
}

fn put<B>(body: B) -> Request<B> {
    Request::put("http://upstream.test/item")
        .body(body)
        .unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_body_in_memory_is_hedged_whether_or_not_the_first_attempt_has_read_it() {
    for waits in [millis(0), millis(200)] {
        let inner = Reading {
            waits,
            ..Reading::default()
        };
        let layer = exact().idempotency(Idempotency::new());
        let body = Bytes::from(vec![7; 3 * 1024 * 1024]);
        let request = put(Full::new(body.clone()));
        layer.layer(inner.clone()).oneshot(request).await.unwrap();
        let bodies = inner.bodies.lock().unwrap();
        assert!(!bodies.is_empty() && bodies.iter().all(|read| *read == body));
    }
}

/// A body whose frames a test sends.
fn stream() -> (Sender<Bytes, Infallible>, Channel<Bytes, Infallible>) {
    Channel::new(8)
}

#[tokio::test(start_paused = true)]
async fn a_stream_is_hedged_once_it_is_wholly_recorded() {
    let inner = Reading::default();
    let (mut frames, body) = stream();
    for piece in ["a", "b", "c"] {
        frames.send_data(Bytes::from(piece)).await.unwrap();
    }
    drop(frames);
    let layer = exact().idempotency(Idempotency::new());
    layer.layer(inner.clone()).oneshot(put(body)).await.unwrap();
    assert_eq!(*inner.bodies.lock().unwrap(), ["abc", "abc"]);
}

#[tokio::test(start_paused = true)]
async fn an_upload_that_goes_on_or_is_too_large_is_not_hedged() {
    for sizes in [vec![1], vec![1024 * 1024, 1]] {
        let inner = Reading::default();
        let (mut frames, body) = stream();
        for size in &sizes {
            frames.send_data(vec![0; *size].into()).await.unwrap();
        }
        // The large one has come to its end.
        let goes_on = (sizes.len() == 1).then_some(frames);
        let (layer, told) = noting(exact().idempotency(Idempotency::new()));
        let request = layer.layer(inner.clone()).oneshot(put(body));
        assert!(timeout(millis(200), request).await.is_err());
        assert_eq!(inner.calls.load(Ordering::Relaxed), 1, "{sizes:?}");
        let told = told.lock().unwrap();
        assert_eq!(*told, [HedgeEventKind::NotSent(NotSent::NotReplayable)]);
        drop(goes_on);
    }
}

#[tokio::test(start_paused = true)]
async fn an_upload_goes_on_after_an_early_answer() {
    let (mut frames, body) = stream();
    let body_of = Arc::new(Mutex::new(None));
    let kept = body_of.clone();
    let inner = tower::service_fn(move |request: Request<HedgeBody<_>>| {
        *kept.lock().unwrap() = Some(request.into_body());
        ready(Ok::<_, BoxError>(Response::new(Full::<Bytes>::default())))
    });
    let layer = exact().idempotency(Idempotency::new());
    layer.layer(inner).oneshot(put(body)).await.unwrap();
    frames.send_data(Bytes::from("late")).await.unwrap();
    drop(frames);
    let body = body_of.lock().unwrap().take().unwrap();
    assert_eq!(body.collect().await.unwrap().to_bytes(), "late");
}

/// Notes which of its calls are under way.
#[derive(Clone, Default)]
struct Running(Arc<AtomicUsize>);

struct Guard(Arc<AtomicUsize>);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Running {
    fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    /// A service whose first call takes the first time, and whose second call the other.
    fn service(
        &self,
        times: [u64; 2],
    ) -> impl Service<
        Request<HedgeBody<Full<Bytes>>>,
        Response = Response<Full<Bytes>>,
        Error = BoxError,
        Future: Send + 'static,
    > + Clone
    + use<> {
        let running = self.0.clone();
        let number = Arc::new(AtomicUsize::new(0));
        tower::service_fn(move |_: Request<HedgeBody<Full<Bytes>>>| {
            running.fetch_add(1, Ordering::Relaxed);
            let guard = Guard(running.clone());
            let time = times[number.fetch_add(1, Ordering::Relaxed)];
            async move {
                sleep(millis(time)).await;
                drop(guard);
                Ok(Response::new(Full::default()))
            }
        })
    }
}

#[tokio::test(start_paused = true)]
async fn the_loser_is_dropped_at_the_win() {
    for times in [[500, 10], [150, 500]] {
        let running = Running::default();
        let inner = running.service(times);
        let request = get();
        let mut service = exact().layer(inner);
        let response = service.ready().await.unwrap().call(request).await.unwrap();
        // While the response is still there, and the service, too.
        assert_eq!(running.count(), 0);
        drop((response, service));
    }
}

#[tokio::test(start_paused = true)]
async fn losers_that_are_kept_go_on_for_their_time() {
    for (times, left) in [([500, 10], 390), ([150, 500], 450)] {
        let running = Running::default();
        let layer = exact().keep_losers(millis(1_000));
        layer
            .layer(running.service(times))
            .oneshot(get())
            .await
            .unwrap();
        assert_eq!(running.count(), 1);
        sleep(millis(left - 1)).await;
        assert_eq!(running.count(), 1);
        sleep(millis(2)).await;
        assert_eq!(running.count(), 0);
        // And no longer.
        let running = Running::default();
        let layer = exact().keep_losers(millis(100));
        layer
            .layer(running.service(times))
            .oneshot(get())
            .await
            .unwrap();
        sleep(millis(99)).await;
        assert_eq!(running.count(), 1);
        sleep(millis(2)).await;
        assert_eq!(running.count(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_dropped_drops_all_its_attempts_in_each_state() {
    for at in [50, 120] {
        let running = Running::default();
        let kept = exact().keep_losers(millis(10_000));
        let mut kept = kept.layer(running.service([500, 500]));
        let mut dropped = exact().layer(running.service([500, 500]));
        let kept = kept.ready().await.unwrap().call(get());
        let dropped = dropped.ready().await.unwrap().call(get());
        assert!(
            timeout(millis(at), async { (kept.await, dropped.await) })
                .await
                .is_err()
        );
        assert_eq!(running.count(), 0);
    }
    let upstream = Upstream::new([Never]);
    let request = call(&exact(), &upstream, get()).await;
    drop(request);
    sleep(millis(1_000)).await;
    assert_eq!(upstream.count(), 1);
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "`HedgeFuture` polled after completion")]
async fn it_panics_when_it_is_polled_after_completion() {
    let mut request = pin!(call(&exact(), &slow(), get()).await);
    request.as_mut().await.unwrap();
    let _ = request.await;
}

#[tokio::test(start_paused = true)]
async fn a_mark_of_a_retry_says_which_attempt_is_a_hedge() {
    let upstream = Upstream::new([Never, Status(503), after(millis(200), Status(200))]);
    let client = ServiceBuilder::new()
        .layer(
            RetryLayer::new()
                .mark_attempts()
                .attempt_timeout(millis(300)),
        )
        .layer(exact().extra_load(1.0))
        .service(upstream.clone());
    let retry = client.oneshot(get());
    let _ = timeout(millis(350), retry).await;
    let marks = |seen: &crate::support::upstream::Seen| {
        let attempt = seen.extensions.get::<Attempt>().expect("a mark");
        (attempt.number(), attempt.is_hedge())
    };
    let marks: Vec<_> = upstream.seen().iter().map(marks).collect();
    assert_eq!(marks[..2], [(1, false), (1, true)]);
}

#[tokio::test(start_paused = true)]
async fn a_retry_above_sees_one_attempt() {
    let upstream = Upstream::new([
        after(millis(150), Status(503)),
        after(millis(100), Status(503)),
        Status(200),
    ]);
    let client = ServiceBuilder::new()
        .layer(RetryLayer::new().mark_responses())
        .layer(exact())
        .service(upstream.clone());
    let response = client.oneshot(get()).await.unwrap();
    let attempts = response
        .extensions()
        .get::<tower_http_retry::Attempts>()
        .unwrap();
    assert_eq!((attempts.count, upstream.count()), (2, 3));
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(body, "the body of a 200");
}

#[allow(dead_code)]
fn is_send<S>(inner: S) -> impl Send
where
    S: Service<Request<HedgeBody<Full<Bytes>>>, Response = Response<Full<Bytes>>, Error = BoxError>
        + Clone
        + Send,
    S::Future: Send,
{
    let mut service = HedgeLayer::new().layer(inner);
    Service::<Request<Full<Bytes>>>::call(&mut service, Request::default())
}
