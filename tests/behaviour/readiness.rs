//! Readiness, as tower's contract has it: asked again before each attempt, and held by no wait.

use crate::support::errors::abandoned;
use std::future::{Future, Ready, ready};
use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crate::support::step::Step;
use http::{Request, Response, StatusCode};
use tokio::time::Instant;
use tower::layer::util::Stack;
use tower::limit::ConcurrencyLimitLayer;
use tower::{Layer, Service, ServiceBuilder, ServiceExt};
use tower_http::map_request_body::{MapRequestBody, MapRequestBodyLayer};
use tower_http_retry::event::StopReason;
use tower_http_retry::{Backoff, BoxError, Jitter, ReplayBody, Retry, RetryLayer};

use crate::support::upstream::Answer::{Error, Headers, Never, Status};
use crate::support::upstream::{Body, Upstream, after, get};

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn exact() -> RetryLayer {
    RetryLayer::new().backoff(Backoff::exponential(secs(1)).jitter(Jitter::None))
}

#[tokio::test(start_paused = true)]
async fn no_permit_is_held_during_a_wait() {
    let upstream = Upstream::new([Status(503), Status(200)]);
    let service = ServiceBuilder::new()
        .layer(exact())
        .layer(ConcurrencyLimitLayer::new(1))
        .service(upstream.clone());
    let waiting = tokio::spawn(service.clone().oneshot(get()));
    tokio::time::sleep(Duration::from_millis(500)).await;
    // The first request waits until 1 s; another one passes meanwhile.
    let other = service.oneshot(get()).await.unwrap();
    assert_eq!(other.status(), 200);
    assert_eq!(waiting.await.unwrap().unwrap().status(), 200);
    assert_eq!(upstream.millis(), [0, 500, 1_000]);
}

#[tokio::test(start_paused = true)]
async fn many_requests_over_one_permit_do_not_deadlock() {
    let upstream = Upstream::new([Status(503)]);
    let service = ServiceBuilder::new()
        .layer(exact().without_budget())
        .layer(ConcurrencyLimitLayer::new(1))
        .service(upstream.clone());
    let requests: Vec<_> = (0..20)
        .map(|_| tokio::spawn(service.clone().oneshot(get())))
        .collect();
    for request in requests {
        assert_eq!(request.await.unwrap().unwrap().status(), 503);
    }
    assert_eq!(upstream.count(), 20 * 6);
}

#[tokio::test(start_paused = true)]
async fn a_buffer_is_asked_before_each_attempt() {
    let upstream = Upstream::new([Status(503), Status(503), Status(200)]);
    let service = ServiceBuilder::new()
        .layer(exact())
        .buffer(1)
        .service(upstream.clone());
    assert_eq!(service.oneshot(get()).await.unwrap().status(), 200);
    assert_eq!(upstream.seconds(), [0, 1, 3]);
}

#[tokio::test(start_paused = true)]
async fn no_slot_of_a_buffer_is_held_during_a_wait() {
    let upstream = Upstream::new([
        Headers(503, vec![("retry-after", "60".into())]),
        Status(200),
    ]);
    let service = ServiceBuilder::new()
        .layer(exact())
        .buffer(1)
        .service(upstream.clone());
    let waiting = tokio::spawn(service.clone().oneshot(get()));
    tokio::time::sleep(secs(1)).await;
    for _ in 0..5 {
        assert_eq!(service.clone().oneshot(get()).await.unwrap().status(), 200);
    }
    assert_eq!(upstream.count(), 6);
    assert_eq!(waiting.await.unwrap().unwrap().status(), 200);
    assert_eq!(upstream.seconds().last(), Some(&60));
}

#[tokio::test(start_paused = true)]
async fn a_rate_limit_under_a_buffer_spaces_the_retries_too() {
    let upstream = Upstream::new([Status(503), Status(503), Status(200)]);
    let service = ServiceBuilder::new()
        .layer(exact())
        .buffer(8)
        .rate_limit(1, secs(10))
        .service(upstream.clone());
    assert_eq!(service.oneshot(get()).await.unwrap().status(), 200);
    assert_eq!(upstream.seconds(), [0, 10, 20]);
}

#[tokio::test(start_paused = true)]
async fn an_attempts_time_out_begins_with_its_call_and_not_with_the_wait_for_readiness() {
    let long = after(secs(10), Status(200));
    let upstream = Upstream::new([Status(503), long, Never, Status(200)]);
    let limit = ServiceBuilder::new()
        .layer(ConcurrencyLimitLayer::new(1))
        .service(upstream.clone());
    let retry = exact().attempt_timeout(secs(3)).layer(limit.clone());
    let retried = tokio::spawn(retry.oneshot(get()));
    tokio::time::sleep(Duration::from_millis(500)).await;
    let other = limit.oneshot(get().map(|_| ReplayBody::<Body>::default()));
    assert_eq!(other.await.unwrap().status(), 200);
    assert_eq!(retried.await.unwrap().unwrap().status(), 200);
    // The permit was the other request's until 10.5 s; the time-out came at 13.5 s.
    assert_eq!(upstream.millis(), [0, 500, 10_500, 17_500]);
}

#[tokio::test(start_paused = true)]
async fn what_load_shed_turns_away_is_handed_over() {
    let upstream = Upstream::new([Status(503), Status(200)]);
    let service = ServiceBuilder::new()
        .layer(exact())
        .load_shed()
        .concurrency_limit(1)
        .service(upstream.clone());
    assert_eq!(service.clone().oneshot(get()).await.unwrap().status(), 200);
    assert_eq!(upstream.seconds(), [0, 1]);

    let never = Upstream::new([crate::support::upstream::Answer::Never]);
    let service = ServiceBuilder::new()
        .layer(exact())
        .load_shed()
        .concurrency_limit(1)
        .service(never);
    let _busy = tokio::spawn(service.clone().oneshot(get()));
    tokio::task::yield_now().await;
    let error = service.oneshot(get()).await.unwrap_err();
    assert!(error.is::<tower::load_shed::error::Overloaded>());
}

#[tokio::test(start_paused = true)]
async fn a_retry_made_around_a_readied_service_may_be_called_at_once() {
    let mut upstream = Upstream::new([Status(503), Status(200)]);
    let ready = ServiceExt::<Request<ReplayBody<Body>>>::ready(&mut upstream).await;
    ready.unwrap();
    // Moved, not cloned: it is ready still.
    let mut service = exact().layer(upstream);
    assert_eq!(service.call(get()).await.unwrap().status(), 200);
}

/// Ready, and answering 503, until it has been called so often; then as `then` says.
#[derive(Clone)]
struct ReadyUntil {
    calls: Arc<AtomicUsize>,
    limit: usize,
    then: Poll<ErrorKind>,
}

impl ReadyUntil {
    fn new(limit: usize, then: Poll<ErrorKind>) -> Self {
        Self {
            calls: Arc::default(),
            limit,
            then,
        }
    }
}

impl Service<Request<ReplayBody<Body>>> for ReadyUntil {
    type Response = Response<Body>;
    type Error = std::io::Error;
    type Future = Ready<Result<Response<Body>, std::io::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), std::io::Error>> {
        match self.calls.load(Ordering::Relaxed) < self.limit {
            true => Poll::Ready(Ok(())),
            false => self.then.map(|kind| Err(kind.into())),
        }
    }

    fn call(&mut self, _: Request<ReplayBody<Body>>) -> Self::Future {
        if self.calls.fetch_add(1, Ordering::Relaxed) == 9 {
            return ready(Err(ErrorKind::ConnectionReset.into()));
        }
        let response = Response::builder().status(503).header("x-call", "last");
        ready(Ok(response.body(Body::default()).unwrap()))
    }
}

#[tokio::test(start_paused = true)]
async fn an_error_of_readiness_on_a_retry_is_final_and_is_handed_over() {
    let inner = ReadyUntil::new(2, Poll::Ready(ErrorKind::ConnectionRefused));
    let stops = Arc::new(std::sync::Mutex::new(Vec::new()));
    let told = stops.clone();
    let layer = exact().on_event(move |event| {
        if let Step::Stop(stop) = Step::from(event.kind()) {
            let error = event.error().unwrap().to_string();
            told.lock().unwrap().push((stop, event.attempt(), error));
        }
    });
    let error = layer.layer(inner.clone()).oneshot(get()).await.unwrap_err();
    let error = error.downcast::<std::io::Error>().unwrap();
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    assert_eq!(inner.calls.load(Ordering::Relaxed), 2);
    let expected = (StopReason::NotReady, 2, "connection refused".to_owned());
    assert_eq!(*stops.lock().unwrap(), [expected]);
}

#[tokio::test(start_paused = true)]
async fn an_error_of_readiness_on_the_first_attempt_is_the_callers() {
    let inner = ReadyUntil::new(0, Poll::Ready(ErrorKind::AddrInUse));
    let error = exact().layer(inner).oneshot(get()).await.unwrap_err();
    assert_eq!(
        error.downcast::<std::io::Error>().unwrap().kind(),
        ErrorKind::AddrInUse
    );
}

#[tokio::test(start_paused = true)]
async fn waiting_for_readiness_counts_into_the_window_and_its_end_carries_the_last_head() {
    let inner = ReadyUntil::new(2, Poll::Pending);
    let start = Instant::now();
    let error = exact()
        .window(secs(20))
        .layer(inner)
        .oneshot(get())
        .await
        .unwrap_err();
    assert_eq!(start.elapsed(), secs(20));
    let (reason, last) = abandoned(&error).unwrap();
    assert_eq!(reason, StopReason::Window);
    assert_eq!(last.unwrap().status(), 503);
    assert_eq!(last.unwrap().headers()["x-call"], "last");
    assert!(std::error::Error::source(&*error).is_none());
    assert_eq!(
        error.to_string(),
        "gave up before a retry could start: the window ends before the next retry; \
         the last response was 503 Service Unavailable"
    );
}

#[tokio::test(start_paused = true)]
async fn the_windows_end_carries_the_last_error_as_its_source() {
    let inner = ReadyUntil::new(10, Poll::Pending);
    inner.calls.store(9, Ordering::Relaxed);
    let error = exact()
        .window(secs(20))
        .layer(inner)
        .oneshot(get())
        .await
        .unwrap_err();
    let (_, last) = abandoned(&error).unwrap();
    assert!(last.is_err());
    let source = std::error::Error::source(&*error).unwrap();
    let source = source.downcast_ref::<std::io::Error>().unwrap();
    assert_eq!(source.kind(), ErrorKind::ConnectionReset);
}

#[tokio::test(start_paused = true)]
async fn without_a_window_a_retry_waits_for_readiness_as_long_as_it_takes() {
    let inner = ReadyUntil::new(1, Poll::Pending);
    let service = exact().window(Duration::MAX).layer(inner);
    let waited = tokio::time::timeout(secs(1_000_000), service.oneshot(get())).await;
    assert!(waited.is_err());
}

#[tokio::test(start_paused = true)]
async fn retries_without_a_wait_let_other_tasks_run() {
    let upstream = Upstream::new([Error(ErrorKind::ConnectionRefused)]);
    let layer = RetryLayer::new()
        .backoff(Backoff::fixed(Duration::ZERO))
        .max_retries(u32::MAX)
        .window(Duration::MAX)
        .without_budget();
    let mut endless = Box::pin(layer.layer(upstream).oneshot(get()));
    // One poll comes to an end although no attempt is ever pending.
    let mut context = Context::from_waker(Waker::noop());
    assert!(endless.as_mut().poll(&mut context).is_pending());
}

/// What a proxy names: the retry, and the line that converts the body under it.
type Convert = fn(ReplayBody<Body>) -> axum::body::Body;
type Client<S> = Retry<MapRequestBody<S, Convert>>;

#[tokio::test(start_paused = true)]
async fn the_type_of_a_stack_can_be_named() {
    fn client<S: Clone>(inner: S) -> Client<S> {
        let convert = MapRequestBodyLayer::new(axum::body::Body::new as Convert);
        ServiceBuilder::new()
            .layer(exact())
            .layer(convert)
            .service(inner)
    }
    let answer = axum::routing::put(|body: String| async move { body });
    let router = axum::Router::new().route("/item", answer);
    let put = Request::put("/item").body(Body::from("kept")).unwrap();
    let response = client(router).oneshot(put).await.unwrap();
    let body = axum::body::to_bytes(response.into_body(), 100)
        .await
        .unwrap();
    assert_eq!(body, "kept");
}

#[tokio::test(start_paused = true)]
async fn retry_and_conversion_fit_into_an_option_layer_as_one_stack() {
    for (is_on, expected) in [(true, 200), (false, 503)] {
        type Convert = fn(ReplayBody<axum::body::Body>) -> axum::body::Body;
        let convert = MapRequestBodyLayer::new(axum::body::Body::new as Convert);
        let retry = is_on.then(|| Stack::new(convert, exact()));
        let calls = Arc::new(AtomicUsize::new(0));
        let answer = axum::routing::get(async move || {
            let first = calls.fetch_add(1, Ordering::Relaxed) == 0;
            StatusCode::from_u16(if first { 503 } else { 200 }).unwrap()
        });
        let router = axum::Router::new().route("/item", answer);
        // Without the retry, the caller's body is the service's own.
        let service = ServiceBuilder::new()
            .option_layer(retry)
            .map_err(BoxError::from)
            .service(router);
        let get = Request::get("/item")
            .body(axum::body::Body::empty())
            .unwrap();
        let response = service.oneshot(get).await.unwrap();
        assert_eq!(response.status().as_u16(), expected);
    }
}
