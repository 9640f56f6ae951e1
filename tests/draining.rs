//! What is read of a response that is let go: 64 KiB at most, for a second at most.

mod support;

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Frame, SizeHint};
use support::upstream::{Body, get};
use tokio::time::Instant;
use tower::{Layer, ServiceExt, service_fn};
use tower_http_retry::{Backoff, Jitter, ReplayBody, RetryLayer};

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
    let layer = RetryLayer::new().backoff(backoff).max_retries(1);
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
