//! Which bodies can be sent a second time, and what becomes of those that cannot.

use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt;
use http_body_util::channel::Channel;
use tokio::task::LocalSet;
use tokio::time::{sleep, timeout};
use tower::{Layer, ServiceExt, service_fn};
use tower_http_retry::hedge::{HedgeBody, HedgeEventKind, NotSent};
use tower_http_retry::{BoxError, Idempotency};

use crate::support::hedging::{exact, millis, noting, send};
use crate::support::upstream::Answer::Status;
use crate::support::upstream::{Body, Upstream, after, request};

/// A channel that knows how much will come, if it does, and counts how often it is asked.
struct Upload {
    frames: Channel<Bytes, BoxError>,
    length: Option<u64>,
    asked: Arc<AtomicUsize>,
}

impl http_body::Body for Upload {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        Pin::new(&mut self.frames).poll_frame(cx)
    }

    fn size_hint(&self) -> SizeHint {
        self.length.map_or_else(SizeHint::new, SizeHint::with_exact)
    }
}

/// What a request comes to whose first attempt reads its body after so long; it is answered when it has.
/// A hedge is answered at once.
async fn read_after(wait: u64, body: Upload) -> (Result<Bytes, BoxError>, Vec<HedgeEventKind>) {
    let inner = service_fn(move |request: Request<HedgeBody<Upload>>| async move {
        if !request.body().is_hedge() {
            sleep(millis(wait)).await;
        }
        // In a task of its own, as clients do: it is woken by its body only.
        let reading = tokio::spawn(request.into_body().collect());
        let read = reading.await??.to_bytes();
        Ok::<_, BoxError>(Response::new(http_body_util::Full::new(read)))
    });
    let (layer, told) = noting(exact().idempotency(Idempotency::new()));
    let request = Request::put("http://upstream.test/").body(body).unwrap();
    let ended = timeout(millis(1_000), layer.layer(inner).oneshot(request)).await;
    let read = match ended.expect("it ends") {
        Ok(response) => Ok(response.into_body().collect().await.unwrap().to_bytes()),
        Err(error) => Err(error),
    };
    let told = told.lock().unwrap().clone();
    (read, told)
}

fn upload(
    length: Option<u64>,
) -> (
    http_body_util::channel::Sender<Bytes, BoxError>,
    Arc<AtomicUsize>,
    Upload,
) {
    let (sender, frames) = Channel::new(8);
    let asked = Arc::new(AtomicUsize::new(0));
    let body = Upload {
        frames,
        length,
        asked: asked.clone(),
    };
    (sender, asked, body)
}

const NOT_SENT: [HedgeEventKind; 1] = [HedgeEventKind::NotSent(NotSent::NotReplayable)];

#[tokio::test(start_paused = true)]
async fn a_first_attempt_that_waits_for_its_body_is_woken_although_a_hedge_was_due() {
    for length in [None, Some(4)] {
        let (mut sender, _, body) = upload(length);
        // Apart, so that nothing but its body wakes it.
        let tasks = LocalSet::new();
        let request = tasks.spawn_local(read_after(0, body));
        tasks.spawn_local(async move {
            sleep(millis(200)).await;
            sender.send_data(Bytes::from("late")).await.unwrap();
        });
        tasks.await;
        let (read, told) = request.await.unwrap();
        assert_eq!(read.unwrap(), "late");
        assert_eq!(told, NOT_SENT);
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_fails_as_a_hedge_is_due_fails_the_first_attempt_with_its_own_error() {
    let (sender, _, body) = upload(Some(4));
    sender.abort("the disk is gone".into());
    let (read, told) = read_after(200, body).await;
    assert_eq!(read.unwrap_err().to_string(), "the disk is gone");
    assert_eq!(told, NOT_SENT);
}

/// One with a length may be in memory.
#[tokio::test(start_paused = true)]
async fn a_stream_that_the_first_attempt_has_not_begun_to_read_is_left_alone() {
    let (mut sender, asked, body) = upload(None);
    sender.send_data(Bytes::from("all")).await.unwrap();
    drop(sender);
    let look = async {
        sleep(millis(150)).await;
        assert_eq!(asked.load(Ordering::Relaxed), 0);
    };
    let ((read, told), ()) = tokio::join!(read_after(200, body), look);
    assert_eq!(read.unwrap(), "all");
    assert_eq!(told, NOT_SENT);
}

#[tokio::test(start_paused = true)]
async fn a_stream_of_a_mebibyte_is_hedged() {
    const PIECE: usize = 256 * 1024;
    let bodies = Arc::new(Mutex::new(Vec::new()));
    let read = bodies.clone();
    let inner = service_fn(move |request: Request<HedgeBody<Upload>>| {
        let read = read.clone();
        async move {
            let is_hedge = request.body().is_hedge();
            let body = request.into_body().collect().await?.to_bytes();
            read.lock().unwrap().push((is_hedge, body.len()));
            sleep(millis(if is_hedge { 10 } else { 500 })).await;
            Ok::<_, BoxError>(Response::new(Body::default()))
        }
    });
    let (mut sender, _, body) = upload(None);
    for _ in 0..4 {
        sender.send_data(vec![7; PIECE].into()).await.unwrap();
    }
    drop(sender);
    let request = Request::put("http://upstream.test/").body(body).unwrap();
    let layer = exact().idempotency(Idempotency::new());
    layer.layer(inner).oneshot(request).await.unwrap();
    let whole = 4 * PIECE;
    assert_eq!(*bodies.lock().unwrap(), [(false, whole), (true, whole)]);
}

#[tokio::test(start_paused = true)]
async fn a_connect_is_not_hedged_even_where_all_may_be_repeated() {
    let upstream = Upstream::new([after(millis(300), Status(200))]);
    let layer = exact().idempotency(Idempotency::any().also(Method::CONNECT));
    let response = send(&layer, &upstream, request(Method::CONNECT)).await.0;
    assert_eq!(response.unwrap().status(), 200);
    assert_eq!(upstream.count(), 1);
}
