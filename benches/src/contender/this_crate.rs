use std::time::Duration;

use tower::Layer;
use tower_http_retry::hedge::Hedge;
use tower_http_retry::{Backoff, Budget, Cooldown, HedgeLayer, Jitter, Retry, RetryLayer};

use super::{MAX_RETRIES, Settings};

pub fn retry<S>(inner: S, settings: &Settings) -> Retry<S> {
    let backoff = Backoff::exponential(settings.wait).jitter(Jitter::None);
    let layer = RetryLayer::new().max_retries(MAX_RETRIES).backoff(backoff);
    let layer = match settings.has_cooldown {
        true => layer.cooldown(Cooldown::new()),
        false => layer,
    };
    match settings.expects_failures {
        // The default budget would not cover two retries of each request.
        true => layer.budget(Budget::ratio(10.0)).layer(inner),
        false => layer.layer(inner),
    }
}

/// Wraps a service in a `HedgeLayer`. It keeps everything that a hedge would need, but no hedge is ever
/// due.
pub fn hedge<S>(inner: S) -> Hedge<S> {
    HedgeLayer::new().after(Duration::from_secs(1)).layer(inner)
}
