use std::future::{Ready, ready};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::Either;
use http::{Request, Response};
use tokio::time::{Sleep, sleep};
use tower::retry::budget::{Budget, TpsBudget};
use tower::retry::{Policy, Retry};

use super::{MAX_RETRIES, Settings, is_idempotent, is_retryable};

pub fn retry<S>(inner: S, settings: &Settings) -> Retry<ByStatus, S> {
    Retry::new(ByStatus::new(settings), inner)
}

/// A policy that a careful user would write.
#[derive(Clone)]
pub struct ByStatus {
    budget: Arc<TpsBudget>,
    wait: Duration,
    retries: u32,
}

impl ByStatus {
    fn new(settings: &Settings) -> Self {
        let budget = match settings.expects_failures {
            true => TpsBudget::new(Duration::from_secs(10), 1_000_000, 1_000.0),
            false => TpsBudget::default(),
        };
        Self {
            budget: Arc::new(budget),
            wait: settings.wait,
            retries: 0,
        }
    }

    fn wait(&mut self) -> Either<Ready<()>, Sleep> {
        let wait = self.wait.saturating_mul(1 << self.retries);
        self.retries += 1;
        match wait.is_zero() {
            true => Either::Left(ready(())),
            false => Either::Right(sleep(wait)),
        }
    }
}

impl<B: Clone, R, E> Policy<Request<B>, Response<R>, E> for ByStatus {
    type Future = Either<Ready<()>, Sleep>;

    fn retry(
        &mut self,
        request: &mut Request<B>,
        result: &mut Result<Response<R>, E>,
    ) -> Option<Self::Future> {
        let is_idempotent = is_idempotent(request.method());
        let fails = match result {
            Ok(response) => is_retryable(response.status(), is_idempotent),
            Err(_) => is_idempotent,
        };
        if !fails {
            self.budget.deposit();
            return None;
        }
        let goes_on = self.retries < MAX_RETRIES && self.budget.withdraw();
        goes_on.then(|| self.wait())
    }

    // Clones the head, the extensions and the body.
    fn clone_request(&mut self, request: &Request<B>) -> Option<Request<B>> {
        Some(request.clone())
    }
}
