use std::future::{Future, ready};
use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};
use futures_util::future::Either;
use http::{Request, Response};
use tokio::time::sleep;
use tower::Service;

use super::{MAX_RETRIES, Settings, is_idempotent, is_retryable};
use crate::client::{Answer, Client};

/// What a careful user would write around a service.
#[derive(Clone)]
pub struct Backon<S> {
    service: S,
    backoff: ExponentialBuilder,
}

impl<S> Backon<S> {
    pub fn new(service: S, settings: &Settings) -> Self {
        let backoff = ExponentialBuilder::new()
            .with_min_delay(settings.wait)
            .without_max_delay()
            .with_max_times(MAX_RETRIES as usize);
        Self { service, backoff }
    }
}

impl<S, B, R> Client<B> for Backon<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + Sync + 'static,
    S::Future: Send,
    B: Clone + Send + Sync + 'static,
    R: Send,
    S::Error: Send,
    Result<Response<R>, S::Error>: Answer,
{
    type Answer = Result<Response<R>, S::Error>;

    fn send(&mut self, request: Request<B>) -> impl Future<Output = Self::Answer> + Send + 'static {
        let (service, backoff) = (self.service.clone(), self.backoff);
        async move {
            let is_idempotent = is_idempotent(request.method());
            // backon only retries errors, so a response that is to be retried becomes one.
            let attempt = || {
                let answer = service.clone().call(request.clone());
                async move {
                    match answer.await {
                        Ok(response) if is_retryable(response.status(), is_idempotent) => {
                            Err(Ok(response))
                        }
                        answer => answer.map_err(Err),
                    }
                }
            };
            let retried = attempt
                .retry(backoff)
                .sleep(sleep_if_any)
                .when(|failure| failure.is_ok() || is_idempotent);
            retried.await.or_else(|failure| failure)
        }
    }
}

fn sleep_if_any(wait: Duration) -> impl Future<Output = ()> {
    match wait.is_zero() {
        true => Either::Left(ready(())),
        false => Either::Right(sleep(wait)),
    }
}
