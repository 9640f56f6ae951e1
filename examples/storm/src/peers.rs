//! tower::retry with a policy as users write it: other budgets with the same waits, which respect
//! `Retry-After`.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use fastrand::Rng;
use http::header::RETRY_AFTER;
use http::{Request, Response, StatusCode};
use tokio::time::{Sleep, sleep};
use tower::retry::Policy;
use tower::retry::budget::{Budget, TpsBudget};
use tower_http_retry::BoxError;

/// The budget for retries.
pub enum Bucket {
    /// tower's budget with its defaults.
    Tps(TpsBudget),
    Aws(AwsBucket),
}

/// The token bucket of the standard retry mode of AWS's SDKs, as of November 2026
/// (`AWS_NEW_RETRIES_2026`).
///
/// It has 500 tokens. A retry takes 14, or 5 after throttling, and returns them if it succeeds. Any other
/// success adds 1.
pub struct AwsBucket {
    tokens: AtomicU64,
}

impl AwsBucket {
    pub fn new() -> Self {
        Self {
            tokens: AtomicU64::new(500),
        }
    }

    fn put(&self, tokens: u64) {
        self.update(|left| Some((left + tokens).min(500)));
    }

    fn take(&self, tokens: u64) -> bool {
        self.update(|left| left.checked_sub(tokens))
    }

    /// Replaces the number of tokens. Returns whether `next` returned a value.
    fn update(&self, next: impl Fn(u64) -> Option<u64>) -> bool {
        let order = Ordering::Relaxed;
        self.tokens.fetch_update(order, order, next).is_ok()
    }
}

/// A policy that retries every failure up to twice. In these simulations, the failures are 503, 429 and
/// time-outs.
#[derive(Clone)]
pub struct Peer {
    shared: Arc<Shared>,
    retries: u32,
    paid: u64,
}

struct Shared {
    bucket: Bucket,
    rng: Mutex<Rng>,
}

impl Peer {
    pub fn new(bucket: Bucket, seed: u64) -> Self {
        let rng = Mutex::new(Rng::with_seed(seed));
        Self {
            shared: Arc::new(Shared { bucket, rng }),
            retries: 0,
            paid: 0,
        }
    }

    fn succeeded(&self) {
        match &self.shared.bucket {
            Bucket::Tps(budget) => budget.deposit(),
            Bucket::Aws(bucket) => bucket.put(self.paid.max(1)),
        }
    }

    fn covers(&mut self, is_throttled: bool) -> bool {
        match &self.shared.bucket {
            Bucket::Tps(budget) => budget.withdraw(),
            Bucket::Aws(bucket) => {
                self.paid = if is_throttled { 5 } else { 14 };
                bucket.take(self.paid)
            }
        }
    }

    /// Waits with full jitter, or, if it is longer, for the time that the server asks for and up to half as
    /// long again.
    fn wait(&self, asked: Option<u64>) -> Sleep {
        let mut rng = self
            .shared
            .rng
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let step = rng.u64(0..=100 << self.retries);
        let asked = asked.map_or(0, |millis| millis + rng.u64(0..=millis / 2));
        sleep(Duration::from_millis(step.max(asked)))
    }
}

impl<Q: Clone, B> Policy<Request<Q>, Response<B>, BoxError> for Peer {
    type Future = Sleep;

    fn retry(
        &mut self,
        _: &mut Request<Q>,
        outcome: &mut Result<Response<B>, BoxError>,
    ) -> Option<Sleep> {
        let is_throttled = match outcome {
            Ok(response) if response.status().is_success() => {
                self.succeeded();
                return None;
            }
            Ok(response) => response.status() == StatusCode::TOO_MANY_REQUESTS,
            Err(_) => false,
        };
        if self.retries == 2 || !self.covers(is_throttled) {
            return None;
        }
        let wait = self.wait(outcome.as_ref().ok().and_then(retry_after));
        self.retries += 1;
        Some(wait)
    }

    fn clone_request(&mut self, request: &Request<Q>) -> Option<Request<Q>> {
        Some(request.clone())
    }
}

/// Returns the value of `Retry-After` in milliseconds.
fn retry_after<B>(response: &Response<B>) -> Option<u64> {
    let seconds = response.headers().get(RETRY_AFTER)?.to_str().ok()?;
    Some(seconds.parse::<u64>().ok()? * 1_000)
}
