//! A request body as bytes, for clients that can send nothing else again.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Empty, Full};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_test::{assert_pending, assert_ready};
use tower::{Layer, service_fn};
use tower_http_retry::body::Superseded;
use tower_http_retry::event::StopReason;
use tower_http_retry::{Backoff, BoxError, Jitter, ReplayBody, RetryLayer};

use crate::support::body::Does::{Data, Fail, Pending, Trailers};
use crate::support::body::{
    Broken, Does, Source, Whole, at_once, data, next_data, next_error, pattern, poll, read, send,
    trailers,
};

/// What `into_bytes` made of it, on each of two attempts; or what was read of the body then.
async fn twice(source: Source) -> Vec<Result<Bytes, Whole>> {
    let mut came = Vec::new();
    let layer = at_once().max_retries(1);
    send(layer, source, |_, body| {
        came.push(
            body.into_bytes()
                .map_err(|mut body| read(&mut body).unwrap()),
        );
        503
    })
    .await;
    came
}

#[tokio::test(start_paused = true)]
async fn a_body_in_memory_is_given_as_bytes_on_each_attempt() {
    // A copy is kept of the first two, and a clone of the others.
    for length in [1, 1_024, 1_025, 3 << 20] {
        let item = Bytes::from(pattern(length));
        let came = twice(Source::sized([Data(item.clone())])).await;
        assert_eq!(came, [Ok(item.clone()), Ok(item)]);
    }
    let mut came = Vec::new();
    send(
        at_once().max_retries(1),
        Full::<Bytes>::from("an item"),
        |_, body| {
            came.push(body.into_bytes().ok());
            503
        },
    )
    .await;
    assert_eq!(
        came,
        [Some(Bytes::from("an item")), Some(Bytes::from("an item"))]
    );
}

#[tokio::test(start_paused = true)]
async fn an_empty_body_is_no_bytes() {
    for source in [Source::sized([]), Source::sized([data("")])] {
        let came = twice(source).await;
        assert_eq!(came, [Ok(Bytes::new()), Ok(Bytes::new())]);
    }
    let empty = ReplayBody::<Empty<Bytes>>::default();
    assert_eq!(empty.into_bytes().ok(), Some(Bytes::new()));
}

#[tokio::test(start_paused = true)]
async fn a_body_that_is_not_in_memory_comes_back_whole() {
    let half = || [data("half"), data("rest")];
    let lines = trailers([("x-sum", "7")]);
    let cases = [
        Source::streamed(half()),
        Source::streamed([data("halfrest")]),
        Source::sized(half()),
        Source::sized([Pending, data("half"), data("rest")]),
        Source::sized([data("half"), Pending, data("rest")]),
        Source::sized([data(""), data("half"), data("rest")]),
    ];
    for source in cases {
        let expected = Whole::data("halfrest");
        assert_eq!(twice(source).await, [Err(expected.clone()), Err(expected)]);
    }
    let with_trailers = Source::sized([data("half"), Trailers(lines.clone())]);
    let expected = Whole {
        data: b"half".to_vec(),
        trailers: Some(lines),
    };
    let came = twice(with_trailers).await;
    assert_eq!(came, [Err(expected.clone()), Err(expected)]);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_lost_of_a_stream_over_the_limit_that_knows_its_size() {
    for limit in [0, 3, 4, 7] {
        let mut came = Vec::new();
        let layer = at_once().max_retries(1).max_replay_bytes(limit);
        let source = Source::sized([data("half"), data("rest")]);
        let sent = send(layer, source, |_, body| {
            let mut body = body.into_bytes().unwrap_err();
            came.push(read(&mut body).unwrap());
            503
        })
        .await;
        assert_eq!(
            sent.told(),
            (503, 1, Some(StopReason::NotReplayable)),
            "{limit}"
        );
        assert_eq!(came, [Whole::data("halfrest")]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_source_that_fails_meanwhile_fails_the_attempt_that_reads_on() {
    let mut is_checked = false;
    let sent = send(at_once(), Source::sized([Fail]).known(4), |_, body| {
        let mut body = body.into_bytes().unwrap_err();
        assert!(next_error(&mut body).is::<Broken>());
        assert!(matches!(poll(&mut body), std::task::Poll::Ready(None)));
        is_checked = true;
        503
    })
    .await;
    assert_eq!(sent.told(), (503, 1, Some(StopReason::NotReplayable)));
    assert!(is_checked);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_was_read_in_part_is_not_given_as_bytes() {
    let mut came = Vec::new();
    send(
        at_once().max_retries(1),
        Full::<Bytes>::from("an item"),
        |attempt, mut body| {
            if attempt == 1 {
                assert_eq!(next_data(&mut body), "an item");
            }
            came.push(
                body.into_bytes()
                    .map_err(|mut body| read(&mut body).unwrap()),
            );
            503
        },
    )
    .await;
    assert_eq!(came, [Err(Whole::default()), Ok(Bytes::from("an item"))]);
}

/// An older attempt that still reads loses nothing of a body in memory.
#[tokio::test(start_paused = true)]
async fn bytes_of_a_later_attempt_leave_an_older_ones_body_alone() {
    let mut older = None;
    let script: [Does; 1] = [data("an item")];
    send(
        at_once().max_retries(1),
        Source::sized(script),
        |attempt, body| {
            match attempt {
                1 => older = Some(body),
                _ => {
                    assert_eq!(body.into_bytes().ok(), Some(Bytes::from("an item")));
                    let mut older = older.take().unwrap();
                    assert_eq!(next_data(&mut older), "an item");
                }
            }
            503
        },
    )
    .await;
}

/// A source of four bytes that come when the test says so, and wake who waits for them.
#[derive(Clone, Default)]
struct Gate(Arc<Mutex<Inside>>);

#[derive(Default)]
struct Inside {
    data: Option<Bytes>,
    waits: Option<Waker>,
    is_over: bool,
}

impl Gate {
    fn open(&self) {
        let mut inside = self.0.lock().unwrap();
        inside.data = Some(Bytes::from("item"));
        inside.waits.take().unwrap().wake();
    }
}

impl Body for Gate {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let mut inside = self.0.lock().unwrap();
        match inside.data.take() {
            Some(data) => {
                inside.is_over = true;
                Poll::Ready(Some(Ok(Frame::data(data))))
            }
            None => {
                inside.waits = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.0.lock().unwrap().is_over
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(if self.is_end_stream() { 0 } else { 4 })
    }
}

/// The bodies of two attempts that nobody has read yet.
async fn two_bodies(gate: &Gate) -> [ReplayBody<Gate>; 2] {
    let bodies = Arc::new(Mutex::new(Vec::new()));
    let kept = bodies.clone();
    let client = at_once()
        .max_retries(1)
        .layer(service_fn(move |request: Request<_>| {
            kept.lock().unwrap().push(request.into_body());
            let mut response = Response::new(Empty::<Bytes>::new());
            *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
            async { Ok::<_, BoxError>(response) }
        }));
    client
        .send(Request::put("/").body(gate.clone()).unwrap())
        .await
        .unwrap();
    let mut bodies = bodies.lock().unwrap();
    [bodies.remove(0), bodies.remove(0)]
}

#[tokio::test(start_paused = true)]
async fn an_older_body_that_is_asked_for_bytes_leaves_the_newer_one_its_waker() {
    let gate = Gate::default();
    let [older, newer] = two_bodies(&gate).await;
    let mut newer = tokio_test::task::spawn(newer.collect());
    assert_pending!(newer.poll());
    assert!(older.into_bytes().is_err());
    gate.open();
    assert!(newer.is_woken());
    assert_eq!(assert_ready!(newer.poll()).unwrap().to_bytes(), "item");
}

#[tokio::test(start_paused = true)]
async fn a_newer_body_that_is_asked_for_bytes_wakes_the_older_one_when_it_reads_on() {
    let gate = Gate::default();
    let [older, newer] = two_bodies(&gate).await;
    let mut older = tokio_test::task::spawn(older.collect());
    assert_pending!(older.poll());
    let newer = newer.into_bytes().unwrap_err();
    let mut newer = tokio_test::task::spawn(newer.collect());
    assert_pending!(newer.poll());
    assert!(older.is_woken());
    assert!(assert_ready!(older.poll()).unwrap_err().is::<Superseded>());
    gate.open();
    assert_eq!(assert_ready!(newer.poll()).unwrap().to_bytes(), "item");
}

/// A client, and what the first attempt does with its body half a second after it was answered.
async fn meanwhile<T: Send + 'static>(
    layer: RetryLayer,
    act: impl Fn(ReplayBody<Source>) -> T + Send + Sync + Clone + 'static,
) -> (Result<StatusCode, BoxError>, T, Vec<Bytes>) {
    let acting: Arc<Mutex<Option<JoinHandle<T>>>> = Arc::default();
    let read: Arc<Mutex<Vec<Bytes>>> = Arc::default();
    let (place, log) = (acting.clone(), read.clone());
    let backoff = Backoff::fixed(Duration::from_secs(1)).jitter(Jitter::None);
    let client =
        layer
            .backoff(backoff)
            .layer(service_fn(move |request: Request<ReplayBody<Source>>| {
                let (place, log, act) = (place.clone(), log.clone(), act.clone());
                async move {
                    let mut response = Response::new(Empty::<Bytes>::new());
                    let body = request.into_body();
                    match body.attempt().number() {
                        1 => {
                            let acts = async move {
                                sleep(Duration::from_millis(500)).await;
                                act(body)
                            };
                            *place.lock().unwrap() = Some(tokio::spawn(acts));
                            *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
                        }
                        _ => {
                            let body = body.collect().await?.to_bytes();
                            log.lock().unwrap().push(body);
                        }
                    }
                    Ok::<_, BoxError>(response)
                }
            }));
    let source = Source::sized([data("half, "), data("rest, ")]);
    let request = Request::put("/").body(source).unwrap();
    let response = client.send(request).await;
    let acting = acting.lock().unwrap().take().unwrap();
    let done = acting.await.unwrap();
    let read = read.lock().unwrap().clone();
    (response.map(|response| response.status()), done, read)
}

#[tokio::test(start_paused = true)]
async fn what_is_kept_for_a_retry_is_not_lost_to_an_older_attempt_that_asks_for_bytes() {
    let layer = RetryLayer::new().max_replay_bytes(10);
    let (status, (), read) = meanwhile(layer, |body| {
        let mut body = body.into_bytes().unwrap_err();
        // As far as the record reaches.
        assert_eq!(next_data(&mut body), "half, ");
        assert_eq!(next_data(&mut body), "rest, ");
    })
    .await;
    assert_eq!(status.unwrap(), StatusCode::OK);
    assert_eq!(read, ["half, rest, "]);
}

#[tokio::test(start_paused = true)]
async fn a_body_of_a_request_that_was_dropped_is_not_given_as_bytes() {
    let kept = Arc::new(Mutex::new(None));
    let place = kept.clone();
    let client = RetryLayer::new().layer(service_fn(
        move |request: Request<ReplayBody<Full<Bytes>>>| {
            *place.lock().unwrap() = Some(request.into_body());
            std::future::pending::<Result<Response<Empty<Bytes>>, BoxError>>()
        },
    ));
    let request = Request::put("/").body(Full::from("an item")).unwrap();
    let dropped = timeout(Duration::from_secs(1), client.send(request)).await;
    assert!(dropped.is_err());
    let body = kept.lock().unwrap().take().unwrap();
    let mut body = body.into_bytes().unwrap_err();
    assert!(next_error(&mut body).is::<Superseded>());
}
