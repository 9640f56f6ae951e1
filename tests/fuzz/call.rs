//! One request through a layer, on a clock of its own that passes when nothing else is to do.

use std::cell::RefCell;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arbitrary::Arbitrary;
use http::{Request, Response};
use http_body::Body;
use http_body_util::Empty;
use tokio::runtime::{Builder, Runtime};
use tokio::time::Instant;
use tower::{Layer, ServiceExt, service_fn};
use tower_http_retry::classify::{Class, Classify};
use tower_http_retry::event::{EventKind, StopReason, WaitReason};
use tower_http_retry::{AttemptsHandle, BoxError, Jitter, ReplayBody, RetryAfter, RetryLayer};

use super::input::millis;

pub type Answer = Response<Empty<bytes::Bytes>>;

/// What became of a request.
#[derive(Debug)]
pub struct Ended {
    pub result: Result<Answer, BoxError>,
    /// When each attempt was sent.
    pub sent: Vec<Duration>,
    pub waits: Vec<Wait>,
    pub stop: Option<StopReason>,
    pub took: Duration,
    /// As the caller's handle has it.
    pub counted: u32,
}

/// A wait before a retry.
#[derive(Clone, Copy, Debug)]
pub struct Wait {
    /// Since the first attempt was sent.
    pub from: Duration,
    pub after: Duration,
    pub reason: WaitReason,
    pub class: Option<Class>,
}

/// Sends a request to a service that answers attempt n with what `answer` gives for it.
pub fn call<C, B, F>(
    layer: RetryLayer<C>,
    mut request: Request<B>,
    answer: impl Fn(u32, ReplayBody<B>) -> F,
) -> Ended
where
    C: Classify,
    B: Body,
    F: Future<Output = Result<Answer, BoxError>>,
{
    let handle = AttemptsHandle::new();
    request.extensions_mut().insert(handle.clone());
    let told = Arc::new(Mutex::new((Vec::new(), None)));
    let tell = told.clone();
    let layer = layer.on_event(move |event| {
        let (waits, stopped) = &mut *tell.lock().unwrap();
        match event.kind() {
            EventKind::RetryScheduled { after, reason, .. } => waits.push(Wait {
                from: event.elapsed(),
                after,
                reason,
                class: event.class(),
            }),
            EventKind::Stopped(stop) => assert_eq!(stopped.replace(stop), None, "stopped twice"),
            _ => {}
        }
    });
    let (result, sent, took) = on_the_clock(async {
        let start = Instant::now();
        let sent = RefCell::new(Vec::new());
        let service = service_fn(|request: Request<ReplayBody<B>>| {
            sent.borrow_mut().push(start.elapsed());
            let attempt = sent.borrow().len() as u32;
            answer(attempt, request.into_body())
        });
        let result = layer.layer(service).oneshot(request).await;
        (result, sent.take(), start.elapsed())
    });
    let (waits, stop) = told.lock().unwrap().clone();
    Ended {
        result,
        sent,
        waits,
        stop,
        took,
        counted: handle.get().count,
    }
}

thread_local! {
    static CLOCK: Runtime = Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
}

pub fn on_the_clock<T>(future: impl Future<Output = T>) -> T {
    CLOCK.with(|clock| clock.block_on(future))
}

/// The settings of a layer that matter to when it ends.
#[derive(Clone, Copy, Debug, Arbitrary)]
pub struct Limits {
    retries: u8,
    #[arbitrary(with = millis)]
    pub window: Duration,
    #[arbitrary(with = millis)]
    max_retry_after: Duration,
    hints: u8,
    jitter: u8,
}

impl Limits {
    pub fn retries(&self) -> u32 {
        u32::from(self.retries % 8)
    }

    pub fn max_retry_after(&self) -> Duration {
        self.bounded(self.max_retry_after)
    }

    /// Without a window, the clock would have to go through all of a wait.
    pub fn bounded(&self, wait: Duration) -> Duration {
        match self.window {
            Duration::MAX => wait.min(Duration::from_secs(24 * 60 * 60)),
            _ => wait,
        }
    }

    pub fn hints(&self) -> RetryAfter {
        match self.hints % 4 {
            0 => RetryAfter::Ignore,
            1 => RetryAfter::Exact,
            _ => RetryAfter::Minimum,
        }
    }

    pub fn jitter(&self) -> Jitter {
        use Jitter::{Between, Decorrelated, Equal, Full, None};
        [None, Full, Equal, Decorrelated, Between(0.8, 1.2)][usize::from(self.jitter % 5)]
    }

    pub fn set<C>(&self, layer: RetryLayer<C>) -> RetryLayer<C> {
        layer
            .max_retries(self.retries())
            .window(self.window)
            .max_retry_after(self.max_retry_after())
            .retry_after(self.hints())
    }

    /// What holds whatever the answers were.
    pub fn check(&self, ended: &Ended, retries: u32) {
        let attempts = ended.sent.len();
        assert!(attempts <= 1 + retries as usize, "{attempts} attempts");
        assert_eq!(ended.counted as usize, attempts);
        assert_eq!(ended.waits.len() + 1, attempts, "a wait is an attempt's");
        for (wait, sent) in ended.waits.iter().zip(&ended.sent[1..]) {
            let due = wait.from.saturating_add(wait.after);
            assert!(due < self.window, "{wait:?} of {:?}", self.window);
            assert_eq!(*sent, whole_millis(due), "{wait:?}");
        }
    }
}

/// A timer ends with a whole millisecond.
fn whole_millis(time: Duration) -> Duration {
    let nanos = time.as_nanos().next_multiple_of(1_000_000);
    Duration::from_nanos(nanos as u64)
}
