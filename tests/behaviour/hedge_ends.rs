//! What is told when a request with a hedge ends, and what becomes of the attempts that are let go.

use std::convert::Infallible;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, Uri};
use http_body::Frame;
use tokio::time::{sleep, timeout};
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_http_retry::classify::BodyProgress;
use tower_http_retry::hedge::{HedgeBody, HedgeEventKind, Hedged};
use tower_http_retry::{BoxError, HedgeLayer, Idempotency};

use crate::support::hedging::{exact, millis, send};
use crate::support::upstream::Answer::{Never, Status};
use crate::support::upstream::{Body, Upstream, after, get, request};

/// Counts as long as it is there.
struct Guard(Arc<AtomicUsize>);

impl Guard {
    fn of(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count.clone())
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[tokio::test(start_paused = true)]
async fn the_loser_is_dropped_even_if_the_callers_future_is_still_there() {
    for (first, hedge) in [(500, 10), (150, 500)] {
        let running = Arc::new(AtomicUsize::new(0));
        let count = running.clone();
        let inner = service_fn(move |request: Request<HedgeBody<Body>>| {
            let guard = Guard::of(&count);
            let time = if request.body().is_hedge() {
                hedge
            } else {
                first
            };
            async move {
                sleep(millis(time)).await;
                drop(guard);
                Ok::<_, BoxError>(Response::new(Body::default()))
            }
        });
        let mut service = exact().layer(inner);
        let mut future = pin!(service.call(get()));
        future.as_mut().await.unwrap();
        assert_eq!(running.load(Ordering::Relaxed), 0);
    }
}

/// So many frames that have come, and then no end.
struct Frames {
    left: usize,
    read: Arc<AtomicUsize>,
    _guard: Guard,
}

impl http_body::Body for Frames {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let Some(left) = self.left.checked_sub(1) else {
            return Poll::Pending;
        };
        self.left = left;
        self.read.fetch_add(1, Ordering::Relaxed);
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"piece")))))
    }
}

#[tokio::test(start_paused = true)]
async fn what_has_come_of_a_failed_attempts_response_is_read_when_the_other_is_handed_up() {
    // When each attempt is answered, and with what; and which of the two is handed up.
    let plans = [
        ([(150, 503), (100, 200)], 200),
        ([(300, 200), (10, 503)], 200),
        ([(150, 503), (100, 404)], 404),
        ([(150, 503), (100, 502)], 503),
        ([(250, 503), (10, 502)], 503),
    ];
    for (plan, handed_up) in plans {
        let (read, open) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (reads, opened) = (read.clone(), open.clone());
        let inner = service_fn(move |request: Request<HedgeBody<Body>>| {
            let (time, status) = plan[usize::from(request.body().is_hedge())];
            let (read, open) = (reads.clone(), opened.clone());
            async move {
                sleep(millis(time)).await;
                let body = Frames {
                    left: 3,
                    read,
                    _guard: Guard::of(&open),
                };
                Response::builder().status(status).body(body)
            }
        });
        let response = exact().layer(inner).oneshot(get()).await.unwrap();
        assert_eq!(response.status(), handed_up, "{plan:?}");
        assert_eq!(read.load(Ordering::Relaxed), 3, "{plan:?}");
        // It is not waited for, nor kept.
        assert_eq!(open.load(Ordering::Relaxed), 1, "{plan:?}");
    }
}

/// So that its connection can be used again.
#[tokio::test(start_paused = true)]
async fn the_response_of_a_loser_that_is_kept_is_read_and_dropped_when_its_time_is_over() {
    let (read, open) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (reads, opened) = (read.clone(), open.clone());
    let inner = service_fn(move |request: Request<HedgeBody<Body>>| {
        let (read, open) = (reads.clone(), opened.clone());
        async move {
            let is_hedge = request.body().is_hedge();
            sleep(millis(if is_hedge { 10 } else { 300 })).await;
            let body = Frames {
                left: 3,
                read,
                _guard: Guard::of(&open),
            };
            Ok::<_, BoxError>(Response::new(body))
        }
    });
    let layer = exact().keep_losers(millis(500));
    let winner = layer.layer(inner).oneshot(get()).await.unwrap();
    // It is answered 190 ms after the hedge, and then has the rest of the 500 ms.
    sleep(millis(200)).await;
    let count = |count: &AtomicUsize| count.load(Ordering::Relaxed);
    assert_eq!((count(&read), count(&open)), (3, 2));
    sleep(millis(301)).await;
    assert_eq!((count(&read), count(&open)), (3, 1));
    drop(winner);
}

#[tokio::test(start_paused = true)]
async fn responses_are_marked_if_asked_for_and_if_a_hedge_was_sent() {
    let layer = HedgeLayer::new().after(millis(100)).control(0.0);
    let layer = layer.extra_load(1.0);
    for (asked, at, marked) in [(false, 150, false), (true, 50, false), (true, 150, true)] {
        let layer = match asked {
            true => layer.clone().mark_responses(),
            false => layer.clone(),
        };
        let upstream = Upstream::new([after(millis(at), Status(200))]);
        let response = send(&layer, &upstream, get()).await.0.unwrap();
        let hedged = response.extensions().get::<Hedged>();
        assert_eq!(hedged.is_some(), marked, "asked: {asked}, {at} ms");
    }
}

#[tokio::test(start_paused = true)]
async fn an_event_says_when_it_was_and_how_many_hedges_were_sent_by_then() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let notes = told.clone();
    let layer = HedgeLayer::new().after(millis(100)).control(1.0);
    let layer = layer.on_event(move |event| {
        let note = (event.kind(), event.elapsed(), event.sent());
        notes.lock().unwrap().push(note);
    });
    let upstream = Upstream::new([Never, after(millis(10), Status(200))]);
    send(&layer, &upstream, get()).await.0.unwrap();
    let expected = [
        (HedgeEventKind::Withheld, millis(100), 0),
        (HedgeEventKind::Sent, millis(200), 1),
        (HedgeEventKind::Won, millis(210), 1),
    ];
    assert_eq!(*told.lock().unwrap(), expected);
}

#[tokio::test(start_paused = true)]
async fn a_classifier_is_told_of_the_time_the_key_and_the_body() {
    type Told = (u32, Duration, bool, BodyProgress);
    let told = Arc::new(Mutex::new(Vec::<Told>::new()));
    let notes = told.clone();
    let key = http::HeaderName::from_static("x-key");
    let layer = exact()
        .extra_load(1.0)
        .idempotency(Idempotency::any().key(key.clone()))
        .classify_fn(move |outcome| {
            let elapsed = outcome.elapsed();
            let (attempt, has_key) = (outcome.attempt(), outcome.has_idempotency_key());
            let note = (attempt, elapsed, has_key, outcome.request_body());
            notes.lock().unwrap().push(note);
            outcome.by_status()
        });
    for has_key in [false, true] {
        let plan = [
            after(millis(250), Status(503)),
            after(millis(50), Status(503)),
        ];
        let upstream = Upstream::new(plan);
        let mut request = request(Method::PUT).map(|_| Body::from("an item"));
        if has_key {
            request.headers_mut().insert(&key, "7".parse().unwrap());
        }
        let response = layer.layer(upstream).oneshot(request).await.unwrap();
        assert_eq!(response.status(), 503);
        // That upstream reads no body.
        let unread = BodyProgress::Unread;
        let expected = [
            (1, millis(150), has_key, unread),
            (1, millis(250), has_key, unread),
        ];
        assert_eq!(std::mem::take(&mut *told.lock().unwrap()), expected);
        send_a_success(&layer).await;
        told.lock().unwrap().clear();
    }
}

/// It earns what the next hedge costs.
async fn send_a_success<C: tower_http_retry::classify::Classify>(layer: &HedgeLayer<C>) {
    let upstream = Upstream::new([Status(200)]);
    layer.layer(upstream).oneshot(get()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn requests_that_are_dropped_after_their_hedge_was_due_are_compared_too() {
    let layer = HedgeLayer::new().after(millis(100)).extra_load(1.0);
    let layer = layer.control(0.5).control_seed(7);
    let uri = Uri::from_static("http://upstream.test/");
    for _ in 0..300 {
        let upstream = Upstream::new([Never]);
        let request = send(&layer, &upstream, get());
        assert!(timeout(millis(150), request).await.is_err());
        send_a_success(&layer).await;
    }
    // Hedges were no faster.
    assert_eq!(layer.saved_seconds(&uri), Some(0.0));
}

#[tokio::test(start_paused = true)]
async fn a_hedge_that_wins_earns_nothing_and_neither_does_the_attempt_that_it_cuts() {
    let layer = exact().extra_load(1.0);
    let upstream = Upstream::new([Never, after(millis(10), Status(200))]);
    send(&layer, &upstream, get()).await.0.unwrap();
    assert_eq!(upstream.count(), 2);
    let upstream = Upstream::new([after(millis(300), Status(200))]);
    send(&layer, &upstream, get()).await.0.unwrap();
    assert_eq!(upstream.count(), 1);
}
