//! What is read of a response that is let go: 64 KiB at most, for a second at most; and, of one of
//! HTTP/1, for 100 ms beside the next attempt.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, Version};
use http_body::{Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep};
use tower::{Layer, ServiceExt, service_fn};
use tower_http_retry::{Backoff, Jitter, ReplayBody, RetryLayer};

use crate::support::upstream::{Body, get};

/// What became of a response's body: the frames that were read, and when it was dropped.
#[derive(Default)]
struct Fate {
    frames: usize,
    dropped: Option<Duration>,
}

/// Gives frames of this size, always ready, so many of them; then is not ready, or at its end.
struct Hostile {
    size: usize,
    frames: usize,
    ends: bool,
    hint: SizeHint,
    start: Instant,
    fate: Arc<Mutex<Fate>>,
}

impl http_body::Body for Hostile {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let mut fate = self.fate.lock().unwrap();
        if fate.frames == self.frames {
            return if self.ends {
                Poll::Ready(None)
            } else {
                Poll::Pending
            };
        }
        fate.frames += 1;
        Poll::Ready(Some(Ok(Frame::data(vec![0; self.size].into()))))
    }

    fn size_hint(&self) -> SizeHint {
        self.hint
    }
}

impl Drop for Hostile {
    fn drop(&mut self) {
        self.fate.lock().unwrap().dropped = Some(self.start.elapsed());
    }
}

/// What becomes of the body of a 503 whose retry waits so long.
async fn fate(wait: Duration, size: usize, frames: usize, ends: bool, hint: SizeHint) -> Fate {
    fate_with(RetryLayer::new(), wait, size, frames, ends, hint).await
}

async fn fate_with(
    layer: RetryLayer,
    wait: Duration,
    size: usize,
    frames: usize,
    ends: bool,
    hint: SizeHint,
) -> Fate {
    let start = Instant::now();
    let fate = Arc::new(Mutex::new(Fate::default()));
    let kept = fate.clone();
    let attempts = Arc::new(Mutex::new(Vec::new()));
    let seen = attempts.clone();
    let inner = service_fn(move |_: Request<ReplayBody<Body>>| {
        let mut attempts = attempts.lock().unwrap();
        attempts.push(start.elapsed());
        // The last one is not drained: it is handed over.
        let fate = if attempts.len() == 1 {
            fate.clone()
        } else {
            Arc::default()
        };
        let body = Hostile {
            size,
            frames,
            ends,
            hint,
            start,
            fate,
        };
        let response = Response::builder().status(503).body(body);
        async move { response }
    });
    let backoff = Backoff::fixed(wait).jitter(Jitter::None);
    let layer = layer.backoff(backoff).max_retries(1);
    layer.layer(inner).oneshot(get()).await.unwrap();
    assert_eq!(
        *seen.lock().unwrap(),
        [Duration::ZERO, wait],
        "draining lengthens no wait"
    );
    std::mem::take(&mut kept.lock().unwrap())
}

#[tokio::test(start_paused = true)]
async fn at_most_64_kib_are_read_and_then_it_is_dropped() {
    let unknown = SizeHint::default();
    let cases = [
        // All of it.
        (1024, 60, true, 60),
        // No more than the limit, though it would never end.
        (16 * 1024, usize::MAX, true, 4),
        (65_535, usize::MAX, true, 2),
        (1024 * 1024, usize::MAX, true, 1),
        // Frames that say nothing cost something, too.
        (0, usize::MAX, true, 4_096),
        (1, usize::MAX, true, 4_096),
    ];
    for (size, frames, ends, read) in cases {
        let fate = fate(Duration::from_secs(10), size, frames, ends, unknown).await;
        assert_eq!(fate.frames, read, "frames of {size} bytes");
        assert_eq!(fate.dropped, Some(Duration::ZERO));
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_known_to_be_larger_is_not_read_at_all() {
    for (size, read) in [(64 * 1024, 1), (64 * 1024 + 1, 0)] {
        let hint = SizeHint::with_exact(size as u64);
        let fate = fate(Duration::from_secs(10), size, 1, true, hint).await;
        assert_eq!((fate.frames, fate.dropped), (read, Some(Duration::ZERO)));
    }
}

#[tokio::test(start_paused = true)]
async fn what_does_not_come_is_dropped_after_a_second_or_when_the_wait_is_over() {
    let unknown = SizeHint::default();
    for (wait, dropped) in [(10_000, 1_000), (1_000, 1_000), (300, 300), (0, 0)] {
        let wait = Duration::from_millis(wait);
        let fate = fate(wait, 1024, 3, false, unknown).await;
        assert_eq!(fate.frames, 3);
        assert_eq!(
            fate.dropped,
            Some(Duration::from_millis(dropped)),
            "a wait of {wait:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_layer_may_read_more_or_nothing() {
    let wait = Duration::from_secs(10);
    for (limit, read) in [(0, 0), (1, 1), (2 * 1024, 2), (100 * 1024, 100)] {
        let layer = RetryLayer::new().max_drain_bytes(limit);
        let endless = fate_with(layer, wait, 1024, usize::MAX, true, SizeHint::default());
        let fate = endless.await;
        assert_eq!((fate.frames, fate.dropped), (read, Some(Duration::ZERO)));
    }
    let sized = |limit: usize| {
        let layer = RetryLayer::new().max_drain_bytes(limit);
        fate_with(layer, wait, 2048, 1, true, SizeHint::with_exact(2048))
    };
    assert_eq!(sized(2047).await.frames, 0);
    assert_eq!(sized(2048).await.frames, 1);
}

/// A body that comes to its end after a time, if at all.
struct Late {
    end: Option<Pin<Box<Sleep>>>,
    start: Instant,
    dropped: Arc<Mutex<Option<u128>>>,
}

impl http_body::Body for Late {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match &mut self.end {
            Some(end) => end.as_mut().poll(cx).map(|()| None),
            None => Poll::Pending,
        }
    }
}

impl Drop for Late {
    fn drop(&mut self) {
        *self.dropped.lock().unwrap() = Some(self.start.elapsed().as_millis());
    }
}

/// When the body of a 503 of this version is dropped, whose end comes so late, if the next attempt
/// comes after this wait and takes so long; all in milliseconds.
async fn dropped(version: Version, end: Option<u64>, wait: u64, takes: u64) -> u128 {
    let start = Instant::now();
    let dropped = Arc::<Mutex<_>>::default();
    let kept = dropped.clone();
    let attempts = Arc::new(AtomicU32::new(0));
    let inner = service_fn(move |_: Request<ReplayBody<Body>>| {
        let attempt = attempts.fetch_add(1, Ordering::Relaxed);
        let end = end.map(|end| Box::pin(sleep(Duration::from_millis(end))));
        let dropped = match attempt {
            0 => dropped.clone(),
            _ => Arc::default(),
        };
        let body = Late {
            end,
            start,
            dropped,
        };
        async move {
            let status = if attempt == 0 { 503 } else { 200 };
            if attempt > 0 {
                assert_eq!(
                    start.elapsed(),
                    Duration::from_millis(wait),
                    "a longer wait"
                );
                sleep(Duration::from_millis(takes)).await;
            }
            let response = Response::builder().status(status).version(version);
            response.body(body)
        }
    });
    let backoff = Backoff::fixed(Duration::from_millis(wait)).jitter(Jitter::None);
    let service = RetryLayer::new().backoff(backoff).layer(inner);
    let response = service.oneshot(get()).await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(start.elapsed(), Duration::from_millis(wait + takes));
    kept.lock().unwrap().expect("it is dropped with the future")
}

#[tokio::test(start_paused = true)]
async fn of_http_1_what_is_left_is_read_on_beside_the_next_attempt_for_100_ms_at_most() {
    let cases = [
        // It does not end: 100 ms more, however short the wait was.
        (None, 0, 5_000, 100),
        (None, 1, 5_000, 101),
        (None, 999, 5_000, 1_099),
        // A second was enough.
        (None, 1_000, 5_000, 1_000),
        (None, 3_000, 5_000, 1_000),
        // It ends in time: during the wait, and beside the next attempt.
        (Some(7), 10, 5_000, 7),
        (Some(50), 1, 5_000, 50),
        (Some(101), 1, 5_000, 101),
        (Some(102), 1, 5_000, 101),
        // The next attempt is over before it is.
        (None, 1, 30, 31),
        (Some(50), 1, 30, 31),
    ];
    for (end, wait, takes, expected) in cases {
        for version in [Version::HTTP_09, Version::HTTP_10, Version::HTTP_11] {
            let actual = dropped(version, end, wait, takes).await;
            assert_eq!(actual, expected, "{version:?} {end:?} {wait} {takes}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn of_http_2_what_is_left_when_the_wait_is_over_is_dropped() {
    let cases = [
        (None, 0, 0),
        (None, 1, 1),
        (None, 3_000, 1_000),
        (Some(7), 10, 7),
        (Some(50), 1, 1),
    ];
    for (end, wait, expected) in cases {
        for version in [Version::HTTP_2, Version::HTTP_3] {
            let actual = dropped(version, end, wait, 5_000).await;
            assert_eq!(actual, expected, "{version:?} {end:?} {wait}");
        }
    }
}

/// In real time: the paused clock stands still while there is something to read.
#[tokio::test]
async fn without_a_limit_a_body_that_never_ends_does_not_keep_the_thread() {
    let attempts = Arc::new(AtomicU32::new(0));
    let inner = service_fn(move |_: Request<ReplayBody<Body>>| {
        let is_first = attempts.fetch_add(1, Ordering::Relaxed) == 0;
        let body = Hostile {
            size: 1,
            frames: usize::MAX,
            ends: true,
            hint: SizeHint::default(),
            start: Instant::now(),
            fate: Arc::default(),
        };
        let response = Response::builder().status(if is_first { 503 } else { 200 });
        async move { response.body(body) }
    });
    let backoff = Backoff::fixed(Duration::from_millis(20)).jitter(Jitter::None);
    let layer = RetryLayer::new().backoff(backoff);
    let service = layer.max_drain_bytes(usize::MAX).layer(inner);
    assert_eq!(service.oneshot(get()).await.unwrap().status(), 200);
}
