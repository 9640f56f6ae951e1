//! Requests through a layer with a cooldown.

// Each test binary uses only a part of this.
#![allow(dead_code)]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{Response, Uri};
use tokio::task::JoinHandle;
use tokio::time::{Instant, advance, sleep};
use tower::{Layer, ServiceExt};
use tower_http_retry::{
    Backoff, BoxError, ByStatus, Cooldown, Jitter, Retry, RetryError, RetryLayer,
};

use super::step::Step;
use super::upstream::Answer::{Headers, Status};
use super::upstream::{Answer, Body, Upstream, get};

pub const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Returns the URI of the upstream of [`get`].
pub fn upstream_uri() -> Uri {
    get().uri().clone()
}

/// Returns a layer without retries and without jitter, so that each request has one attempt.
pub fn layer(cooldown: &Cooldown) -> RetryLayer {
    let exact = Backoff::exponential(secs(1)).jitter(Jitter::None);
    RetryLayer::new()
        .max_retries(0)
        .without_budget()
        .backoff(exact)
        .rate_limit_headers(true)
        .cooldown(cooldown.clone())
}

/// Returns a 429 with this `Retry-After`.
pub fn refused(seconds: u64) -> Answer {
    Headers(429, vec![("retry-after", seconds.to_string())])
}

/// Returns a response with a `RateLimit` header: how many requests are left, and for how many seconds.
pub fn told(status: u16, remaining: u64, seconds: u64) -> Answer {
    let field = format!(r#""default";r={remaining};t={seconds}"#);
    Headers(status, vec![("ratelimit", field)])
}

/// Repeats an answer.
pub fn times(count: usize, answer: Answer) -> Vec<Answer> {
    vec![answer; count]
}

/// Returns enough 429s to start a hold of this many seconds.
pub fn enough(seconds: u64) -> Vec<Answer> {
    times(8, refused(seconds))
}

/// A client with a cooldown, and a service that responds as planned.
pub struct Client {
    pub service: Retry<Upstream, ByStatus>,
    pub upstream: Upstream,
    pub cooldown: Cooldown,
    start: Instant,
    steps: Arc<Mutex<Vec<Step>>>,
}

/// The outcome of a request, and how long it took.
pub type Outcome = (Duration, Result<Response<Body>, BoxError>);

impl Client {
    pub fn new(cooldown: Cooldown, plan: impl Into<Vec<Answer>>) -> Self {
        Self::with(layer(&cooldown), cooldown, plan)
    }

    pub fn with(layer: RetryLayer, cooldown: Cooldown, plan: impl Into<Vec<Answer>>) -> Self {
        let upstream = Upstream::new(plan);
        let steps = Arc::<Mutex<Vec<Step>>>::default();
        let noted = steps.clone();
        let layer = layer.on_event(move |event| noted.lock().unwrap().push(event.kind().into()));
        Self {
            service: layer.layer(upstream.clone()),
            upstream,
            cooldown,
            start: Instant::now(),
            steps,
        }
    }

    /// Sends a request.
    pub async fn send(&self) -> Outcome {
        self.spawn().await.unwrap()
    }

    /// Sends a request in a new task.
    pub fn spawn(&self) -> JoinHandle<Outcome> {
        let (service, start) = (self.service.clone(), Instant::now());
        tokio::spawn(async move {
            let outcome = service.oneshot(get()).await;
            (start.elapsed(), outcome)
        })
    }

    /// Sends `count` requests, one after the other.
    pub async fn send_each(&self, count: usize) {
        for _ in 0..count {
            self.send().await.1.unwrap();
        }
    }

    /// Sends `count` requests in new tasks. Each runs until it waits before the next one starts.
    pub async fn spawn_each(&self, count: usize) -> Vec<JoinHandle<Outcome>> {
        let mut spawned = Vec::new();
        for _ in 0..count {
            spawned.push(self.spawn());
            settle().await;
        }
        spawned
    }

    /// Returns when each attempt was sent, in milliseconds.
    pub fn sent_at(&self) -> Vec<u128> {
        self.upstream.millis()
    }

    /// Waits until this time after the start.
    pub async fn at(&self, time: Duration) {
        let now = self.start.elapsed();
        assert!(time >= now, "{time:?} is over");
        sleep(time - now).await;
        settle().await;
    }

    pub fn left(&self) -> Option<Duration> {
        self.cooldown.left(&upstream_uri())
    }

    pub fn waiting(&self) -> usize {
        self.cooldown.waiting(&upstream_uri())
    }

    /// Returns the events about holds: starts, ends, and requests that were held.
    pub fn told(&self) -> Vec<Step> {
        let steps = self.steps.lock().unwrap();
        let is_of_holds = |step: &&Step| !matches!(step, Step::Sent | Step::Stop(_));
        steps.iter().filter(is_of_holds).copied().collect()
    }
}

/// Runs all tasks that are ready, without advancing the clock.
pub async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}

/// Advances the clock, and runs everything that is due.
pub async fn pass(time: Duration) {
    advance(time).await;
    settle().await;
}

/// Returns the rest of the hold from the error of a request that was not sent because of it.
pub fn cooling_down(outcome: Outcome) -> Duration {
    let error = outcome.1.unwrap_err();
    match error.downcast_ref() {
        Some(RetryError::CoolingDown { left, .. }) => *left,
        _ => panic!("{error:?}"),
    }
}

pub fn status(outcome: Outcome) -> u16 {
    outcome.1.unwrap().status().as_u16()
}

pub const OK: Answer = Status(200);

/// Sends three requests. The first response starts a hold of three seconds. The second request is held
/// and then served. The third one fails, because only one request may be held.
pub async fn cool_down(layer: RetryLayer) {
    let layer = layer
        .rate_limit_headers(true)
        .backoff(Backoff::exponential(secs(1)).jitter(Jitter::None))
        .cooldown(Cooldown::new().max_waiting(1));
    let service = layer.layer(Upstream::new([told(200, 0, 3), OK]));
    service.send(get()).await.unwrap();
    let (held, unsent) = tokio::join!(service.send(get()), service.send(get()));
    held.unwrap();
    unsent.unwrap_err();
}
