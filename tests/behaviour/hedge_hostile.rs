//! Services, classifiers, listeners and callers that do what they should not: the other requests of the
//! layer are not harmed.

use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::task::{Context, Poll};

use http::{Request, Response, Uri};
use tokio::time::{Instant, sleep, timeout};
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_http_retry::classify::Class;
use tower_http_retry::hedge::{HedgeBody, HedgeEventKind, Hedged, NotSent};
use tower_http_retry::{BoxError, HedgeLayer};

use crate::support::hedging::{exact, millis, noting, send};
use crate::support::upstream::Answer::{Never, Status};
use crate::support::upstream::{Body, Upstream, after, get};

type Outcome = Result<Response<Body>, BoxError>;
type Answering = Pin<Box<dyn Future<Output = Outcome> + Send>>;

fn ok() -> Outcome {
    Ok(Response::default())
}

/// Which of the two attempts panics, and where.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Panics {
    Readiness,
    Call,
    FirstPoll,
    HedgePoll,
}

#[derive(Clone)]
struct Panicking {
    panics: Panics,
    polled: Arc<AtomicUsize>,
}

impl Service<Request<HedgeBody<Body>>> for Panicking {
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = Answering;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        let polled = self.polled.fetch_add(1, Ordering::Relaxed);
        assert!(polled == 0 || self.panics != Panics::Readiness, "not ready");
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<HedgeBody<Body>>) -> Answering {
        let (panics, is_hedge) = (self.panics, request.body().is_hedge());
        assert!(!is_hedge || panics != Panics::Call, "no call");
        Box::pin(async move {
            sleep(millis(if is_hedge { 50 } else { 300 })).await;
            let polls = if is_hedge {
                Panics::HedgePoll
            } else {
                Panics::FirstPoll
            };
            assert!(panics != polls, "no answer");
            match (panics, is_hedge) {
                (Panics::FirstPoll, true) => pending().await,
                _ => ok(),
            }
        })
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_below_is_the_callers_and_the_layer_goes_on() {
    for panics in [
        Panics::Readiness,
        Panics::Call,
        Panics::FirstPoll,
        Panics::HedgePoll,
    ] {
        let layer = exact().extra_load(1.0);
        let inner = Panicking {
            panics,
            polled: Arc::default(),
        };
        let request = tokio::spawn(layer.layer(inner).oneshot(get()));
        assert!(request.await.unwrap_err().is_panic(), "{panics:?}");
        // What it may have cost is earned again.
        send(&layer, &Upstream::new([Status(200)]), get())
            .await
            .0
            .unwrap();
        let upstream = Upstream::new([Never, Status(200)]);
        assert_eq!(send(&layer, &upstream, get()).await.1, 100, "{panics:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_loser_that_panics_later_harms_nobody() {
    let inner = service_fn(|request: Request<HedgeBody<Body>>| async move {
        if request.body().is_hedge() {
            return ok();
        }
        sleep(millis(300)).await;
        panic!("too late");
    });
    let layer = exact().keep_losers(millis(1_000));
    layer.layer(inner).oneshot(get()).await.unwrap();
    sleep(millis(500)).await;
}

#[tokio::test(start_paused = true)]
async fn a_classifier_and_a_listener_that_panic_leave_no_lock_behind() {
    let classifying = exact().extra_load(1.0).classify_fn(|outcome| {
        assert_ne!(outcome.status().map(|status| status.as_u16()), Some(500));
        outcome.by_status()
    });
    let inner = Upstream::new([Status(500), Never, Status(200)]);
    let request = tokio::spawn(classifying.layer(inner.clone()).oneshot(get()));
    assert!(request.await.unwrap_err().is_panic());
    classifying
        .layer(inner.clone())
        .oneshot(get())
        .await
        .unwrap();
    assert_eq!(inner.count(), 3);
    let listening = exact().on_event(|event| assert_ne!(event.kind(), HedgeEventKind::Sent));
    let inner = Upstream::new([Never]);
    let request = tokio::spawn(listening.layer(inner).oneshot(get()));
    assert!(request.await.unwrap_err().is_panic());
    send(&listening, &Upstream::new([Status(200)]), get())
        .await
        .0
        .unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_listener_may_ask_the_layer_and_drop_other_requests() {
    let layer_of = Arc::new(OnceLock::<HedgeLayer>::new());
    let other = Arc::new(Mutex::new(None));
    let (asked, dropped) = (layer_of.clone(), other.clone());
    let uri = Uri::from_static("http://upstream.test/");
    let layer = exact().extra_load(1.0).on_event(move |_| {
        let layer = asked.get().unwrap();
        assert_eq!(layer.delay(&uri), Some(millis(100)));
        assert_eq!(layer.saved_seconds(&uri), None);
        drop(dropped.lock().unwrap().take());
    });
    layer_of.set(layer.clone()).unwrap();
    // One whose hedge is under way, and so is compared with others when it is dropped.
    let hanging = layer.layer(Upstream::new([Never])).oneshot(get());
    let mut hanging = Box::pin(hanging);
    assert!(timeout(millis(150), hanging.as_mut()).await.is_err());
    *other.lock().unwrap() = Some(hanging);
    send(&layer, &Upstream::new([Status(200)]), get())
        .await
        .0
        .unwrap();
    let upstream = Upstream::new([Never, Status(200)]);
    assert_eq!(send(&layer, &upstream, get()).await.1, 100);
    assert!(other.lock().unwrap().is_none());
}

/// A service whose clones are never ready, or broken.
struct Lonely {
    upstream: Upstream,
    is_clone: bool,
    breaks: bool,
}

impl Clone for Lonely {
    fn clone(&self) -> Self {
        Self {
            upstream: self.upstream.clone(),
            is_clone: true,
            breaks: self.breaks,
        }
    }
}

impl Service<Request<HedgeBody<Body>>> for Lonely {
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = Answering;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        match (self.is_clone, self.breaks) {
            (false, _) => Service::<Request<HedgeBody<Body>>>::poll_ready(&mut self.upstream, cx),
            (true, false) => Poll::Pending,
            (true, true) => Poll::Ready(Err("a clone".into())),
        }
    }

    fn call(&mut self, request: Request<HedgeBody<Body>>) -> Answering {
        self.upstream.call(request)
    }
}

#[tokio::test(start_paused = true)]
async fn a_service_whose_clones_are_never_ready_is_asked_once() {
    for breaks in [false, true] {
        let (layer, told) = noting(exact());
        let inner = Lonely {
            upstream: Upstream::new([after(millis(300), Status(200))]),
            is_clone: false,
            breaks,
        };
        let start = Instant::now();
        layer.layer(inner).oneshot(get()).await.unwrap();
        assert_eq!(start.elapsed(), millis(300));
        let not_ready = HedgeEventKind::NotSent(NotSent::NotReady);
        assert_eq!(*told.lock().unwrap(), [not_ready]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_classifier_to_which_all_may_pass_loses_no_outcome() {
    let layer = exact()
        .extra_load(1.0)
        .classify_fn(|_| Class::Transient.into());
    let requests = [
        ([Status(200), Never], 200, 0),
        ([after(millis(50), Status(404)), Never], 404, 50),
        ([after(millis(300), Status(201)), Status(202)], 201, 300),
        (
            [
                after(millis(150), Status(201)),
                after(millis(100), Status(202)),
            ],
            201,
            200,
        ),
    ];
    for (plan, status, at) in requests {
        // Nothing is earned.
        let layer = layer.clone().mark_responses();
        let start = Instant::now();
        let response = layer
            .layer(Upstream::new(plan))
            .oneshot(get())
            .await
            .unwrap();
        assert_eq!(
            (response.status().as_u16(), start.elapsed()),
            (status, millis(at))
        );
        let hedged = response.extensions().get::<Hedged>();
        assert_eq!(
            hedged.map(|hedged| hedged.won),
            (at >= 100).then_some(false)
        );
    }
}

/// Either of the attempts wakes whoever polls the request last.
#[tokio::test(start_paused = true)]
async fn a_request_that_moves_to_another_task_is_woken_there() {
    let upstream = Upstream::new([
        after(millis(300), Status(503)),
        after(millis(300), Status(200)),
    ]);
    let mut service = exact().layer(upstream.clone());
    let ready: &mut _ = ServiceExt::<Request<Body>>::ready(&mut service)
        .await
        .unwrap();
    let mut request = Box::pin(ready.call(get()));
    let start = Instant::now();
    for at in [0, 100, 300] {
        sleep(millis(at) - start.elapsed()).await;
        let mut noop = Context::from_waker(std::task::Waker::noop());
        assert!(request.as_mut().poll(&mut noop).is_pending());
    }
    // Only what is polled here wakes.
    let response = tokio::spawn(request).await.unwrap().unwrap();
    assert_eq!(
        (response.status().as_u16(), start.elapsed()),
        (200, millis(400))
    );
}
