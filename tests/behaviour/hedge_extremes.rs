//! Bodies that lie, and settings, clocks and numbers of upstreams at their ends.

use std::future::pending;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Frame, SizeHint};
use http_body_util::{BodyExt, Full};
use tokio::time::{advance, sleep, timeout};
use tokio_test::task;
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_http_retry::hedge::HedgeBody;
use tower_http_retry::{BoxError, HedgeLayer, Idempotency};

use crate::support::hedging::{exact, millis, send};
use crate::support::upstream::Answer::{Never, Status};
use crate::support::upstream::{Body, Upstream, after, get};

fn ok() -> Result<Response<Body>, BoxError> {
    Ok(Response::default())
}

/// Says that it has so many bytes, whatever it has.
struct Liar {
    says: u64,
    has: Option<Bytes>,
}

impl http_body::Body for Liar {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        Poll::Ready(self.has.take().map(|data| Ok(Frame::data(data))))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.says)
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_lies_about_its_size_is_sent_as_it_is_or_not_again() {
    let has = Bytes::from(vec![7; 200]);
    for says in [0, 1, 100, 199, 200, 201, 5_000, u64::MAX] {
        let bodies = Arc::new(Mutex::new(Vec::new()));
        let read = bodies.clone();
        let inner = service_fn(move |request: Request<HedgeBody<Liar>>| {
            let read = read.clone();
            async move {
                let is_hedge = request.body().is_hedge();
                let body = request.into_body().collect().await?.to_bytes();
                read.lock().unwrap().push(body);
                match is_hedge {
                    true => ok(),
                    false => pending().await,
                }
            }
        });
        let layer = exact().idempotency(Idempotency::any());
        let body = Liar {
            says,
            has: Some(has.clone()),
        };
        let request = Request::put("http://upstream.test/").body(body).unwrap();
        let _ = timeout(millis(500), layer.layer(inner).oneshot(request)).await;
        let bodies = bodies.lock().unwrap();
        assert!(!bodies.is_empty(), "{says}");
        assert!(bodies.iter().all(|body| *body == has), "{says}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_kept_loser_reads_all_of_its_body_after_the_other_has_won() {
    for loser_is_hedge in [false, true] {
        let read = Arc::new(Mutex::new(None));
        let reads = read.clone();
        let inner = service_fn(move |request: Request<HedgeBody<Full<Bytes>>>| {
            let reads = reads.clone();
            async move {
                if request.body().is_hedge() == loser_is_hedge {
                    sleep(millis(400)).await;
                    let body = request.into_body().collect().await?.to_bytes();
                    *reads.lock().unwrap() = Some(body.len());
                } else {
                    sleep(millis(150)).await;
                }
                ok()
            }
        });
        let layer = exact().idempotency(Idempotency::any());
        let layer = layer.keep_losers(millis(1_000));
        let body = Full::from(vec![7; 3 * 1024 * 1024]);
        let request = Request::put("http://upstream.test/").body(body).unwrap();
        layer.layer(inner).oneshot(request).await.unwrap();
        assert_eq!(*read.lock().unwrap(), None);
        sleep(millis(500)).await;
        assert_eq!(*read.lock().unwrap(), Some(3 * 1024 * 1024));
    }
}

#[tokio::test(start_paused = true)]
async fn with_a_delay_of_zero_a_hedge_is_sent_beside_what_is_not_answered_at_once() {
    let layer = exact().extra_load(1.0).after(Duration::ZERO);
    let upstream = Upstream::new([Status(200)]);
    send(&layer, &upstream, get()).await.0.unwrap();
    assert_eq!(upstream.count(), 1);
    let upstream = Upstream::new([Never, after(millis(10), Status(200))]);
    assert_eq!(send(&layer, &upstream, get()).await.1, 10);
    assert_eq!(upstream.millis(), [0, 0]);
}

#[tokio::test(start_paused = true)]
async fn a_delay_that_no_clock_can_tell_is_none() {
    let nanos = Duration::from_nanos(u64::MAX);
    let nearly = nanos - Duration::from_nanos(1);
    for delay in [Duration::MAX, nanos, nearly] {
        let layer = exact().after(delay);
        let upstream = Upstream::new([after(millis(300_000), Status(200))]);
        assert_eq!(send(&layer, &upstream, get()).await.1, 300_000);
        assert_eq!(upstream.count(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn numbers_that_make_no_sense_are_no_harm() {
    let numbers = [
        f64::NAN,
        f64::INFINITY,
        f64::NEG_INFINITY,
        -1.0,
        f64::MAX,
        f64::MIN_POSITIVE,
    ];
    for number in numbers {
        for layer in [
            HedgeLayer::new().stragglers(number).extra_load(1.0),
            HedgeLayer::new().extra_load(number),
            HedgeLayer::new().control(number).extra_load(1.0),
        ] {
            for millis in [0, 1, 5, 40].into_iter().map(millis).cycle().take(300) {
                let upstream = Upstream::new([after(millis, Status(200))]);
                send(&layer, &upstream, get()).await.0.unwrap();
            }
            // It was worked out, and anything is as good.
            let delay = layer.delay(&"http://upstream.test/".parse().unwrap());
            assert!(delay.is_none_or(|delay| delay >= millis(1)), "{number}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn years_later_all_is_as_before() {
    const YEAR: Duration = Duration::from_secs(366 * 24 * 60 * 60);
    let layer = exact().extra_load(1.0);
    for years in [0, 1, 20] {
        advance(years * YEAR).await;
        send(&layer, &Upstream::new([Status(200)]), get())
            .await
            .0
            .unwrap();
        let upstream = Upstream::new([Never, Status(200)]);
        assert_eq!(send(&layer, &upstream, get()).await.1, 100);
    }
}

#[tokio::test(start_paused = true)]
async fn losers_that_are_kept_for_ever_go_on_until_they_end() {
    let ended = Arc::new(AtomicUsize::new(0));
    let ends = ended.clone();
    let inner = service_fn(move |request: Request<HedgeBody<Body>>| {
        let ends = ends.clone();
        async move {
            if !request.body().is_hedge() {
                sleep(millis(3_600_000)).await;
                ends.fetch_add(1, Ordering::Relaxed);
            }
            ok()
        }
    });
    let layer = exact().keep_losers(Duration::MAX);
    layer.layer(inner).oneshot(get()).await.unwrap();
    sleep(millis(3_600_000)).await;
    assert_eq!(ended.load(Ordering::Relaxed), 1);
}

#[test]
fn outside_a_runtime_a_loser_is_dropped_at_once() {
    let alive = Arc::new(());
    let held = alive.clone();
    let inner = service_fn(move |request: Request<HedgeBody<Body>>| {
        let held = held.clone();
        async move {
            if !request.body().is_hedge() {
                pending::<()>().await;
            }
            drop(held);
            ok()
        }
    });
    let mut service = exact()
        .after(Duration::ZERO)
        .keep_losers(Duration::MAX)
        .layer(inner);
    let mut request = task::spawn(service.call(get()));
    assert!(request.poll().is_ready());
    // The one that the service holds.
    assert_eq!(Arc::strong_count(&alive), 2);
}

/// Each of which is forgotten before the next request to it.
#[tokio::test(start_paused = true)]
async fn any_number_of_upstreams_adds_no_more_than_they_earn() {
    const KEPT: usize = 10;
    let layer = exact().after(millis(1)).per_authority(KEPT);
    let calls = Arc::new(AtomicUsize::new(0));
    let counts = calls.clone();
    let inner = service_fn(move |_: Request<HedgeBody<Body>>| {
        counts.fetch_add(1, Ordering::Relaxed);
        let answer = sleep(millis(2));
        async move {
            answer.await;
            ok()
        }
    });
    const UPSTREAMS: usize = 20_000;
    for number in 0..UPSTREAMS {
        let uri = format!("http://upstream-{number}.test/");
        let request = Request::get(uri).body(Body::default()).unwrap();
        layer.layer(inner.clone()).oneshot(request).await.unwrap();
    }
    let hedges = calls.load(Ordering::Relaxed) - UPSTREAMS;
    assert!(hedges <= KEPT, "{hedges}");
}
