use std::time::Duration;

use http::{Request, Response};
use tower::{Layer, Service};
use tower_resilience_retry::{ExponentialBackoff, Retry, RetryBudgetBuilder, RetryLayer};

use super::{MAX_RETRIES, Settings, is_idempotent, may_pass};

type Of<S, B, R, E> = Retry<S, Request<B>, Response<R>, E>;

/// Wraps a service in tower-resilience-retry's layer.
///
/// The predicate only sees the response. Therefore, a request that may not be retried is limited to one
/// attempt in advance.
pub fn retry<S, B, R>(inner: S, settings: &Settings) -> Of<S, B, R, S::Error>
where
    S: Service<Request<B>, Response = Response<R>>,
{
    let repeats_any_method = settings.repeats_any_method;
    let max_attempts =
        move |request: &Request<B>| match repeats_any_method || is_idempotent(request.method()) {
            true => MAX_RETRIES as usize + 1,
            false => 1,
        };
    let budget = match settings.expects_failures {
        true => RetryBudgetBuilder::new()
            .token_bucket()
            .tokens_per_second(1_000_000.0)
            .max_tokens(10_000_000),
        false => RetryBudgetBuilder::new().token_bucket(),
    };
    let builder = RetryLayer::builder()
        .max_attempts_fn(max_attempts)
        .retry_on_response(|response: &Response<R>| may_pass(response.status()))
        .budget(budget.build().expect("a valid budget"));
    let builder = match settings.wait {
        Duration::ZERO => builder.fixed_backoff(Duration::ZERO),
        wait => builder.backoff(ExponentialBackoff::new(wait)),
    };
    builder.build().layer(inner)
}
