//! What is let go, and when: all of a response that is discarded but its head, all of a future that has
//! ended, and the body of a request that its caller has dropped.

use std::future::{Future, Ready, pending};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body as _, Frame};
use http_body_util::{Channel, Full};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep};
use tokio_test::task::{self, Spawn};
use tower::limit::ConcurrencyLimit;
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_http_retry::body::Superseded;
use tower_http_retry::{AttemptsHandle, Backoff, BoxError, Jitter, ReplayBody, RetryLayer};

use crate::support::upstream::Answer::{self, Never, Status};
use crate::support::upstream::{Body, Upstream, after, get};

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn exact() -> RetryLayer {
    RetryLayer::new().backoff(Backoff::exponential(secs(1)).jitter(Jitter::None))
}

/// One attempt at a time may be in flight, or its response in use: it is ready with a permit, which
/// its response holds.
struct OneAtATime {
    permits: Arc<Semaphore>,
    acquiring: Option<Pin<Box<dyn Future<Output = OwnedSemaphorePermit> + Send>>>,
    permit: Option<OwnedSemaphorePermit>,
    attempts: Arc<AtomicU32>,
    status: fn(u32) -> u16,
}

impl OneAtATime {
    fn new(status: fn(u32) -> u16) -> Self {
        Self {
            permits: Arc::new(Semaphore::new(1)),
            acquiring: None,
            permit: None,
            attempts: Arc::default(),
            status,
        }
    }
}

impl Clone for OneAtATime {
    fn clone(&self) -> Self {
        Self {
            permits: self.permits.clone(),
            acquiring: None,
            permit: None,
            attempts: self.attempts.clone(),
            status: self.status,
        }
    }
}

impl Service<Request<ReplayBody<Body>>> for OneAtATime {
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = Ready<Result<Response<Body>, BoxError>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        if self.permit.is_none() {
            let permits = &self.permits;
            let acquiring = self.acquiring.get_or_insert_with(|| {
                let permit = permits.clone().acquire_owned();
                Box::pin(async { permit.await.unwrap() })
            });
            self.permit = Some(ready!(acquiring.as_mut().poll(cx)));
            self.acquiring = None;
        }
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<ReplayBody<Body>>) -> Self::Future {
        let permit = self.permit.take().expect("it was ready");
        let attempt = self.attempts.fetch_add(1, Ordering::Relaxed) + 1;
        let response = Response::builder()
            .status((self.status)(attempt))
            .extension(Arc::new(permit))
            .body(Body::from("all of it"));
        std::future::ready(response.map_err(BoxError::from))
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_discarded_responses_extensions_hold_is_there_for_the_retry() {
    let service = exact().layer(OneAtATime::new(
        |attempt| if attempt < 3 { 503 } else { 200 },
    ));
    let start = Instant::now();
    let response = service.oneshot(get()).await.unwrap();
    assert_eq!(
        (response.status().as_u16(), start.elapsed()),
        (200, secs(3))
    );
}

#[tokio::test(start_paused = true)]
async fn a_response_that_is_handed_over_keeps_its_extensions() {
    let service = exact().max_retries(1).layer(OneAtATime::new(|_| 503));
    let response = service.clone().oneshot(get()).await.unwrap();
    // Its permit is the caller's.
    let second = tokio::time::timeout(secs(3_600), service.clone().oneshot(get()));
    assert!(second.await.is_err());
    drop(response);
    assert_eq!(service.oneshot(get()).await.unwrap().status(), 503);
}

/// A service whose handles are counted, with those that are held by futures of the retry.
#[derive(Clone)]
struct Counted {
    handles: Arc<()>,
    inner: Upstream,
    is_broken: Arc<AtomicBool>,
}

impl Service<Request<ReplayBody<Body>>> for Counted {
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = <Upstream as Service<Request<ReplayBody<Body>>>>::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        if self.is_broken.load(Ordering::Relaxed) {
            return Poll::Ready(Err("broken".into()));
        }
        Service::<Request<ReplayBody<Body>>>::poll_ready(&mut self.inner, cx)
    }

    fn call(&mut self, request: Request<ReplayBody<Body>>) -> Self::Future {
        self.inner.call(request)
    }
}

#[tokio::test(start_paused = true)]
async fn a_future_that_has_ended_holds_no_handle() {
    let plans: [(&[Answer], bool); 4] = [
        (&[Status(200)], false),
        (&[Status(503), Status(200)], false),
        (&[Answer::Error(std::io::ErrorKind::InvalidData)], false),
        // The service is not ready again.
        (&[Status(503)], true),
    ];
    for (plan, breaks) in plans {
        let service = Counted {
            handles: Arc::new(()),
            inner: Upstream::new(plan),
            is_broken: Arc::default(),
        };
        let (handles, is_broken) = (service.handles.clone(), service.is_broken.clone());
        let mut retry = exact().layer(service);
        let retry = ServiceExt::<Request<Body>>::ready(&mut retry)
            .await
            .unwrap();
        let mut future = task::spawn(retry.call(get()));
        assert_eq!(Arc::strong_count(&handles), 3, "it holds one");
        let mut polled = future.poll();
        is_broken.store(breaks, Ordering::Relaxed);
        while polled.is_pending() {
            sleep(secs(1)).await;
            polled = future.poll();
        }
        assert_eq!(Arc::strong_count(&handles), 2, "{plan:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_handle_has_the_wait_before_a_service_that_was_not_ready_again() {
    let service = Counted {
        handles: Arc::new(()),
        inner: Upstream::new([Status(503)]),
        is_broken: Arc::default(),
    };
    let is_broken = service.is_broken.clone();
    let attempts = AttemptsHandle::new();
    let mut request = get();
    request.extensions_mut().insert(attempts.clone());
    let mut sending = task::spawn(exact().layer(service).oneshot(request));
    assert!(sending.poll().is_pending());
    is_broken.store(true, Ordering::Relaxed);
    assert_eq!(sending.await.unwrap_err().to_string(), "broken");
    assert_eq!((attempts.get().count, attempts.get().waited), (1, secs(1)));
}

#[tokio::test(start_paused = true)]
async fn a_future_that_has_ended_holds_no_permit_for_a_retry_that_could_not_start() {
    let limited = ConcurrencyLimit::new(Upstream::new([Status(503), Status(200)]), 1);
    let service = exact().window(secs(5)).layer(limited);
    let mut late = task::spawn(service.clone().oneshot(get()));
    assert!(late.poll().is_pending());
    // It wakes after its window, when the service is ready.
    tokio::time::advance(secs(10)).await;
    let Poll::Ready(ended) = late.poll() else {
        panic!("the window is over")
    };
    assert!(ended.is_err());
    // `late` is still there.
    let other = service.oneshot(get()).await.unwrap();
    assert_eq!(other.status(), 200);
    drop(late);
}

type Bodies = Arc<Mutex<Vec<Spawn<ReplayBody<Channel<Bytes>>>>>>;

/// Sends a stream, whose first so many attempts are answered 503 at once, and the next never; and
/// keeps the bodies of all.
async fn uploads(
    answered: usize,
) -> (
    http_body_util::channel::Sender<Bytes>,
    Bodies,
    Spawn<impl Future<Output = Result<Response<Full<Bytes>>, BoxError>>>,
) {
    let (sender, body) = Channel::new(4);
    let bodies = Bodies::default();
    let kept = bodies.clone();
    let inner = service_fn(move |request: Request<ReplayBody<Channel<Bytes>>>| {
        let mut bodies = kept.lock().unwrap();
        bodies.push(task::spawn(request.into_body()));
        let is_answered = bodies.len() <= answered;
        async move {
            if !is_answered {
                pending::<()>().await;
            }
            let response = Response::builder().status(503);
            Ok::<_, BoxError>(response.body(Full::<Bytes>::default()).unwrap())
        }
    });
    let request = Request::put("http://upstream.test/item")
        .body(body)
        .unwrap();
    let mut sending = task::spawn(exact().layer(inner).oneshot(request));
    assert!(sending.poll().is_pending());
    for _ in 1..answered {
        sleep(secs(16)).await;
        assert!(sending.poll().is_pending());
    }
    (sender, bodies, sending)
}

fn poll(
    body: &mut Spawn<ReplayBody<Channel<Bytes>>>,
) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
    body.enter(|cx, body: Pin<&mut ReplayBody<_>>| body.poll_frame(cx))
}

#[tokio::test(start_paused = true)]
async fn a_request_that_its_caller_drops_takes_its_body_back_from_every_upload() {
    // In an attempt; in the wait after one, and after two, whose uploads go on.
    for answered in 0..=2 {
        let (mut sender, bodies, sending) = uploads(answered).await;
        let mut bodies = std::mem::take(&mut *bodies.lock().unwrap());
        let latest = bodies.last_mut().unwrap();
        assert!(poll(latest).is_pending(), "it waits for the source");
        drop(sending);
        assert!(latest.is_woken());
        sender.try_send(Frame::data(Bytes::from("more"))).unwrap();
        for body in &mut bodies {
            let Poll::Ready(Some(Err(error))) = poll(body) else {
                panic!("{answered}: it reads on")
            };
            assert!(error.is::<Superseded>());
            assert!(matches!(poll(body), Poll::Ready(None)));
            assert!(!body.is_end_stream(), "it must not seem whole");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_upload_of_a_request_whose_answer_is_there_goes_on() {
    let (mut sender, body) = Channel::<Bytes>::new(4);
    let kept = Arc::new(Mutex::new(None));
    let inner = service_fn(async |request: Request<ReplayBody<Channel<Bytes>>>| {
        *kept.lock().unwrap() = Some(task::spawn(request.into_body()));
        Ok::<_, BoxError>(Response::new(Full::<Bytes>::default()))
    });
    let request = Request::post("http://upstream.test/").body(body).unwrap();
    let mut sending = task::spawn(exact().layer(inner).oneshot(request));
    assert!(sending.poll().is_ready());
    drop(sending);
    sender.try_send(Frame::data(Bytes::from("more"))).unwrap();
    let mut body = kept.lock().unwrap().take().unwrap();
    let Poll::Ready(Some(Ok(frame))) = poll(&mut body) else {
        panic!("it does not read on")
    };
    assert_eq!(frame.into_data().unwrap(), "more");
}

#[tokio::test(start_paused = true)]
async fn a_body_that_all_was_read_of_is_at_its_end_when_its_request_is_dropped() {
    let bodies = Arc::new(Mutex::new(None));
    let inner = service_fn(|request: Request<ReplayBody<Body>>| {
        *bodies.lock().unwrap() = Some(request.into_body());
        pending::<Result<Response<Body>, BoxError>>()
    });
    let request = Request::put("http://upstream.test/").body(Body::from("item"));
    let mut sending = task::spawn(exact().layer(inner).oneshot(request.unwrap()));
    assert!(sending.poll().is_pending());
    let mut body = task::spawn(bodies.lock().unwrap().take().unwrap());
    let frame = body.enter(|cx, body| body.poll_frame(cx));
    assert!(matches!(frame, Poll::Ready(Some(Ok(_)))));
    drop(sending);
    assert!(body.is_end_stream());
    let end = body.enter(|cx, body: Pin<&mut ReplayBody<Body>>| body.poll_frame(cx));
    assert!(matches!(end, Poll::Ready(None)));
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_dropped_leaves_no_handle_behind() {
    for plan in [
        vec![Never],
        vec![Status(503)],
        vec![after(secs(1), Status(503)), Never],
    ] {
        let upstream = Upstream::new(plan);
        let service = Counted {
            handles: Arc::new(()),
            inner: upstream,
            is_broken: Arc::default(),
        };
        let handles = service.handles.clone();
        let retry = exact().layer(service);
        let mut sending = task::spawn(retry.oneshot(get()));
        assert!(sending.poll().is_pending());
        sleep(secs(3)).await;
        assert!(sending.poll().is_pending());
        drop(sending);
        assert_eq!(Arc::strong_count(&handles), 1);
    }
}
