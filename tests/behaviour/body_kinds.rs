//! Every kind of body can be sent again: empty, in memory, in very many parts, borrowed, immovable.

use std::cell::Cell;
use std::collections::VecDeque;
use std::future::{Ready, ready};
use std::marker::PhantomPinned;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::thread;

use allocation_counter::measure;
use bytes::buf::Chain;
use bytes::{Buf, Bytes};
use http::{Request, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Empty, Full};
use tokio_test::task;
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_http_retry::body::Superseded;
use tower_http_retry::event::StopReason;
use tower_http_retry::{BoxError, ReplayBody, Retry, RetryLayer};

use crate::support::body::Does::Data;
use crate::support::body::{
    Broken, Source, Whole, at_once, next, next_data, next_error, pattern, read, send,
};

const REPLAYED: Option<StopReason> = Some(StopReason::Success);

#[tokio::test(start_paused = true)]
async fn an_empty_body_is_empty_on_each_attempt() {
    let sent = send(at_once(), Empty::<Bytes>::new(), |attempt, mut body| {
        assert!(body.is_end_stream());
        assert_eq!(body.size_hint().exact(), Some(0));
        assert_eq!(read(&mut body).unwrap(), Whole::default());
        if attempt < 4 { 503 } else { 200 }
    });
    assert_eq!(sent.await.told(), (200, 4, REPLAYED));
    assert!(ReplayBody::<Source>::default().is_end_stream());
}

#[tokio::test(start_paused = true)]
async fn a_body_in_memory_is_the_same_memory_on_each_attempt_whatever_its_size() {
    let whole = Bytes::from(pattern(8 << 20));
    let body = Full::new(whole.clone());
    let sent = send(at_once().max_replay_bytes(0), body, |attempt, mut body| {
        let mut given = Bytes::new();
        let memory = measure(|| given = next_data(&mut body));
        assert!(memory.bytes_total < 1024, "{memory:?}");
        assert_eq!((given.as_ptr(), given.len()), (whole.as_ptr(), 8 << 20));
        assert!(body.is_end_stream() && next(&mut body).is_none());
        if attempt < 3 { 503 } else { 200 }
    });
    assert_eq!(sent.await.told(), (200, 3, REPLAYED));
}

#[test]
fn a_hundred_thousand_frames_are_replayed_and_dropped_on_a_small_stack() {
    let small = thread::Builder::new().stack_size(128 * 1024);
    let replay = || {
        let whole = pattern(100_000);
        let script = whole
            .chunks(1)
            .map(|byte| Data(Bytes::copy_from_slice(byte)));
        let sent = send(at_once(), Source::streamed(script), |attempt, mut body| {
            assert!(read(&mut body).unwrap().data == whole);
            if attempt < 3 { 503 } else { 200 }
        });
        let Poll::Ready(sent) = task::spawn(sent).poll() else {
            panic!()
        };
        sent.told()
    };
    let told = small.spawn(replay).unwrap().join().unwrap();
    assert_eq!(told, (200, 3, REPLAYED));
}

#[tokio::test(start_paused = true)]
async fn a_first_frame_of_any_size_is_the_same_on_each_attempt() {
    for length in [1, 2, 127, 128, 129, 1_023, 1_024, 1_025, 70_000] {
        for (rest, is_sized, is_shared) in [
            (0, false, false),
            (0, false, true),
            (0, true, false),
            (0, true, true),
            (1, false, false),
            (1, false, true),
            (1, true, false),
            (1, true, true),
        ] {
            let whole = pattern(length + rest);
            let first = Bytes::from(whole[..length].to_vec());
            let shared = is_shared.then(|| first.clone());
            let mut script = vec![Data(first)];
            script.extend((rest > 0).then(|| Data(Bytes::copy_from_slice(&whole[length..]))));
            let source = match is_sized {
                true => Source::sized(script),
                false => Source::streamed(script),
            };
            let sent = send(at_once(), source, |attempt, mut body| {
                let exact = is_sized.then_some(whole.len() as u64);
                assert_eq!(body.size_hint().exact(), exact);
                assert_eq!(next_data(&mut body), whole[..length]);
                assert_eq!(read(&mut body).unwrap(), Whole::data(&whole[length..]));
                if attempt < 3 { 503 } else { 200 }
            });
            let told = sent.await.told();
            assert_eq!(told, (200, 3, REPLAYED), "{length} and {rest}");
            assert!(shared.is_none_or(|shared| shared == whole[..length]));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_is_over_the_limit_is_kept_no_more() {
    let (source, held) = held();
    let sent = send(at_once().max_replay_bytes(40), source, |_, mut body| {
        for left in [10, 10, 10, 10, 10, 4, 3, 2, 1, 0] {
            next_data(&mut body);
            assert_eq!(held(), left);
        }
        503
    });
    let told = (503, 1, Some(StopReason::NotReplayable));
    assert_eq!(sent.await.told(), told);
}

#[tokio::test(start_paused = true)]
async fn what_is_read_after_the_last_answer_is_not_kept() {
    for (status, retries, stop) in [
        (200, 5, StopReason::Success),
        (404, 5, StopReason::Permanent),
        (503, 0, StopReason::Attempts),
    ] {
        let (source, held) = held();
        let kept = Cell::new(None);
        let sent = send(at_once().max_retries(retries), source, |_, mut body| {
            (0..3).for_each(|_| drop(next_data(&mut body)));
            kept.set(Some(body));
            status
        });
        assert_eq!(sent.await.told(), (status, 1, Some(stop)));
        let mut body = kept.take().unwrap();
        assert_eq!(held(), 10);
        for left in (0..7).rev() {
            assert_eq!(next_data(&mut body), "abcdefgh");
            assert_eq!(held(), left);
        }
        assert!(next(&mut body).is_none());
    }
}

/// Is ready for one attempt, which it answers with 503, and keeps its body.
#[derive(Clone)]
struct ReadyOnce(Arc<Mutex<Option<ReplayBody<Source>>>>);

impl Service<Request<ReplayBody<Source>>> for ReadyOnce {
    type Response = Response<Empty<Bytes>>;
    type Error = BoxError;
    type Future = Ready<Result<Response<Empty<Bytes>>, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(match self.0.lock().unwrap().is_some() {
            true => Err("closed".into()),
            false => Ok(()),
        })
    }

    fn call(&mut self, request: Request<ReplayBody<Source>>) -> Self::Future {
        *self.0.lock().unwrap() = Some(request.into_body());
        let mut response = Response::new(Empty::new());
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        ready(Ok(response))
    }
}

#[tokio::test(start_paused = true)]
async fn once_a_retry_was_given_up_nobody_reads_on_for_it() {
    let (source, held) = held();
    let kept = Arc::new(Mutex::new(None));
    let service = at_once().layer(ReadyOnce(kept.clone()));
    let result = service
        .oneshot(Request::put("/").body(source).unwrap())
        .await;
    assert_eq!(result.unwrap_err().to_string(), "closed");
    let mut body = kept.lock().unwrap().take().unwrap();
    assert_eq!(next_data(&mut body), "abcdefgh");
    assert!(next_error(&mut body).is::<Superseded>());
    drop(body);
    assert_eq!(held(), 0);
}

/// A stream of ten frames, and how many of them are in memory.
fn held() -> (Source, impl Fn() -> usize) {
    let held = Arc::new(());
    let frame = |_| {
        let (data, _count) = (*b"abcdefgh", held.clone());
        Data(Bytes::from_owner(Held { data, _count }))
    };
    let source = Source::streamed((0..10).map(frame).collect::<Vec<_>>());
    (source, move || Arc::strong_count(&held) - 1)
}

struct Held {
    data: [u8; 8],
    _count: Arc<()>,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.data
    }
}

struct EmptyFrames;

impl Body for EmptyFrames {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        Poll::Ready(Some(Ok(Frame::data(Bytes::new()))))
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_of_empty_frames_without_end_takes_no_memory() {
    let sent = send(at_once(), EmptyFrames, |attempt, mut body| {
        let mut read = || (0..100_000).all(|_| next_data(&mut body).is_empty());
        let memory = measure(|| assert!(read()));
        assert_eq!(memory.bytes_total, 0, "{memory:?}");
        if attempt < 3 { 503 } else { 200 }
    });
    assert_eq!(sent.await.told(), (200, 3, REPLAYED));
}

/// Borrows what it sends, in several parts, cannot be moved once polled, and is not `Sync`.
struct Awkward<'a> {
    parts: Cell<Option<[&'a [u8]; 2]>>,
    _pinned: PhantomPinned,
}

impl<'a> Body for Awkward<'a> {
    type Data = Chain<&'a [u8], VecDeque<u8>>;
    type Error = Broken;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Broken>>> {
        let parts = self.parts.take();
        Poll::Ready(parts.map(|[first, second]| {
            let mut ring = VecDeque::with_capacity(second.len());
            // The ring's data is in two parts of its own.
            ring.extend(&second[1..]);
            ring.push_front(second[0]);
            Ok(Frame::data(first.chain(ring)))
        }))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(5)
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_borrows_and_must_not_move_and_has_data_in_parts_is_sent_again() {
    let item = String::from("abcde");
    let body = Awkward {
        parts: Cell::new(Some([&item.as_bytes()[..2], &item.as_bytes()[2..]])),
        _pinned: PhantomPinned,
    };
    let sent = send(at_once().max_replay_bytes(0), body, |attempt, mut body| {
        assert_eq!(next_data(&mut body), "abcde");
        assert!(next(&mut body).is_none());
        if attempt < 3 { 503 } else { 200 }
    });
    assert_eq!(sent.await.told(), (200, 3, REPLAYED));
}

#[tokio::test(start_paused = true)]
async fn what_a_body_is_made_of_does_not_limit_the_stack_that_it_goes_through() {
    fn shared<T: Send + Sync + Unpin>(_: &T) {}
    fn sent<T: Send>(future: T) -> T {
        future
    }
    let item = String::from("abcde");
    let body = Awkward {
        parts: Cell::new(Some([&item.as_bytes()[..2], &item.as_bytes()[2..]])),
        _pinned: PhantomPinned,
    };
    let service = RetryLayer::new().layer(service_fn(
        async |request: Request<ReplayBody<Awkward<'_>>>| {
            shared(request.body());
            let body = request.into_body().collect().await?;
            Ok::<_, BoxError>(Response::new(Full::new(body.to_bytes())))
        },
    ));
    let response = sent(Retry::clone(&service).oneshot(Request::new(body)));
    let response = response.await.unwrap().into_body();
    assert_eq!(response.collect().await.unwrap().to_bytes(), "abcde");
}
