//! tower::retry, with a policy as its users write it: other budgets around the same waits.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use fastrand::Rng;
use http::{Request, Response};
use tokio::time::{Sleep, sleep};
use tower::retry::Policy;
use tower::retry::budget::{Budget, TpsBudget};
use tower_http_retry::BoxError;

/// What a client asks before each retry.
pub enum Bucket {
    /// tower's own, with its defaults.
    Tps(TpsBudget),
    Aws(AwsBucket),
}

/// The standard retry mode of AWS's SDKs: 500 tokens; a retry takes 5, one after a time-out 10, and
/// gets them back if it succeeds; any other success adds 1.
pub struct AwsBucket {
    tokens: AtomicI64,
}

impl AwsBucket {
    pub fn new() -> Self {
        Self {
            tokens: AtomicI64::new(500),
        }
    }

    fn put(&self, tokens: i64) {
        let tokens = self.tokens.load(Ordering::Relaxed) + tokens;
        self.tokens.store(tokens.min(500), Ordering::Relaxed);
    }

    fn take(&self, tokens: i64) -> bool {
        let left = self.tokens.load(Ordering::Relaxed) - tokens;
        if left >= 0 {
            self.tokens.store(left, Ordering::Relaxed);
        }
        left >= 0
    }
}

/// Retries a response of 5xx or 429, and any error: here these are time-outs.
#[derive(Clone)]
pub struct Peer {
    shared: Arc<(Bucket, Mutex<Rng>)>,
    retries: u32,
    max_retries: u32,
    paid: i64,
}

impl Peer {
    pub fn new(bucket: Bucket, max_retries: u32, seed: u64) -> Self {
        Self {
            shared: Arc::new((bucket, Mutex::new(Rng::with_seed(seed)))),
            retries: 0,
            max_retries,
            paid: 0,
        }
    }

    fn succeeded(&self) {
        match &self.shared.0 {
            Bucket::Tps(budget) => budget.deposit(),
            Bucket::Aws(bucket) => bucket.put(self.paid.max(1)),
        }
    }

    fn covers(&mut self, timed_out: bool) -> bool {
        match &self.shared.0 {
            Bucket::Tps(budget) => budget.withdraw(),
            Bucket::Aws(bucket) => {
                self.paid = if timed_out { 10 } else { 5 };
                bucket.take(self.paid)
            }
        }
    }
}

impl<Q: Clone, B> Policy<Request<Q>, Response<B>, BoxError> for Peer {
    type Future = Sleep;

    fn retry(
        &mut self,
        _: &mut Request<Q>,
        outcome: &mut Result<Response<B>, BoxError>,
    ) -> Option<Sleep> {
        let timed_out = outcome.is_err();
        if let Ok(response) = outcome {
            let status = response.status();
            if !status.is_server_error() && status.as_u16() != 429 {
                self.succeeded();
                return None;
            }
        }
        if self.retries == self.max_retries || !self.covers(timed_out) {
            return None;
        }
        let step = 100 << self.retries;
        self.retries += 1;
        let mut rng = self.shared.1.lock().unwrap_or_else(PoisonError::into_inner);
        Some(sleep(Duration::from_millis(rng.u64(0..=step))))
    }

    fn clone_request(&mut self, request: &Request<Q>) -> Option<Request<Q>> {
        Some(request.clone())
    }
}
