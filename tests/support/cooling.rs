//! Requests through a layer with a cooldown, and when they were sent.

// Each binary of tests uses what it needs.
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

/// Of the upstream that [`get`] asks.
pub fn upstream_uri() -> Uri {
    get().uri().clone()
}

/// Without retries and without jitter, so that a request is one attempt.
pub fn layer(cooldown: &Cooldown) -> RetryLayer {
    let exact = Backoff::exponential(secs(1)).jitter(Jitter::None);
    RetryLayer::new()
        .max_retries(0)
        .without_budget()
        .backoff(exact)
        .rate_limit_headers(true)
        .cooldown(cooldown.clone())
}

/// A 429 that asks to come back after so many seconds.
pub fn refused(seconds: u64) -> Answer {
    Headers(429, vec![("retry-after", seconds.to_string())])
}

/// An answer that says how many requests are left of the quota for so many seconds.
pub fn told(status: u16, remaining: u64, seconds: u64) -> Answer {
    let field = format!(r#""default";r={remaining};t={seconds}"#);
    Headers(status, vec![("ratelimit", field)])
}

/// So many times the same.
pub fn times(count: usize, answer: Answer) -> Vec<Answer> {
    vec![answer; count]
}

/// What is enough for a hold of so many seconds.
pub fn enough(seconds: u64) -> Vec<Answer> {
    times(8, refused(seconds))
}

/// A client with a cooldown, over a service that answers by a plan.
pub struct Client {
    pub service: Retry<Upstream, ByStatus>,
    pub upstream: Upstream,
    pub cooldown: Cooldown,
    start: Instant,
    steps: Arc<Mutex<Vec<Step>>>,
}

/// What a request came to, and when.
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

    /// Sends a request, and what it came to in how long.
    pub async fn send(&self) -> Outcome {
        self.spawn().await.unwrap()
    }

    /// The same beside others.
    pub fn spawn(&self) -> JoinHandle<Outcome> {
        let (service, start) = (self.service.clone(), Instant::now());
        tokio::spawn(async move {
            let outcome = service.oneshot(get()).await;
            (start.elapsed(), outcome)
        })
    }

    /// Sends so many, one after the other.
    pub async fn send_each(&self, count: usize) {
        for _ in 0..count {
            self.send().await.1.unwrap();
        }
    }

    /// Spawns so many, and lets each come as far as it does by itself.
    pub async fn spawn_each(&self, count: usize) -> Vec<JoinHandle<Outcome>> {
        let mut spawned = Vec::new();
        for _ in 0..count {
            spawned.push(self.spawn());
            settle().await;
        }
        spawned
    }

    /// When each attempt came, in milliseconds.
    pub fn sent_at(&self) -> Vec<u128> {
        self.upstream.millis()
    }

    /// Lets the clock come to this time after the start.
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

    /// What was told of holds: starts, ends, and who was held.
    pub fn told(&self) -> Vec<Step> {
        let steps = self.steps.lock().unwrap();
        let is_of_holds = |step: &&Step| !matches!(step, Step::Sent | Step::Stop(_));
        steps.iter().filter(is_of_holds).copied().collect()
    }
}

/// Lets all tasks run that can, without the clock.
pub async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}

/// Lets the clock go on, with all that is due.
pub async fn pass(time: Duration) {
    advance(time).await;
    settle().await;
}

/// How long it is until requests go, of a request that was not sent for that.
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

/// A response says that a quota is used up for three seconds; a request is held, another one is not
/// sent, as there is no room for it; and the one that was held is served.
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
