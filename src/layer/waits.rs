use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use super::RetryLayer;
use crate::backoff::Backoff;
use crate::retry_after::RetryAfter;
use crate::settings::JitterSource;

/// Back-off, `Retry-After`, rate limits and jitter.
impl<C> RetryLayer<C> {
    /// Sets the wait before each retry. Defaults to [`Backoff::default`]: 1 s, 2 s, 4 s, and so on, with
    /// jitter.
    ///
    /// See [back-off](crate::guide::waiting#back-off) in the guide.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_http_retry::{Backoff, RetryLayer};
    ///
    /// let backoff = Backoff::exponential(Duration::from_millis(100)).max_wait(Duration::from_secs(5));
    /// let layer = RetryLayer::new().backoff(backoff);
    /// # let _ = layer;
    /// ```
    pub fn backoff(self, backoff: Backoff) -> Self {
        self.with(|settings| settings.limits.backoff = backoff)
    }

    /// Sets the back-off after a response of 429 or 503 that does not say how long to wait. Defaults to
    /// [`backoff`](Self::backoff).
    ///
    /// A server that turns requests away usually needs more time than a new connection does. Both
    /// back-offs count the same steps: after two failures of one kind, a failure of the other kind
    /// waits for the third step.
    ///
    /// See [back-off](crate::guide::waiting#back-off) in the guide.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_http_retry::{Backoff, RetryLayer};
    ///
    /// // 50 ms, 100 ms, .. after a cut connection; 1 s, 2 s, .. if the service is throttled.
    /// let layer = RetryLayer::new()
    ///     .backoff(Backoff::exponential(Duration::from_millis(50)))
    ///     .backoff_after_refusal(Backoff::exponential(Duration::from_secs(1)));
    /// # let _ = layer;
    /// ```
    pub fn backoff_after_refusal(self, backoff: Backoff) -> Self {
        self.with(|settings| settings.limits.backoff_after_refusal = Some(backoff))
    }

    /// Sets how `Retry-After`, `retry-after-ms` and `x-ms-retry-after-ms` affect the wait. Defaults to
    /// [`RetryAfter::Minimum`].
    ///
    /// See [`Retry-After`](crate::guide::waiting#retry-after) in the guide.
    ///
    /// ```
    /// use tower_http_retry::{RetryAfter, RetryLayer};
    /// let layer = RetryLayer::new().retry_after(RetryAfter::Exact);
    /// # let _ = layer;
    /// ```
    pub fn retry_after(self, retry_after: RetryAfter) -> Self {
        self.with(|settings| settings.retry_after = retry_after)
    }

    /// Sets the longest wait that a server may ask for. Defaults to 5 minutes; [`Duration::MAX`] disables
    /// the limit.
    ///
    /// If the server asks for a longer wait, the response is returned immediately, because a retry before
    /// that time would be refused as well. Jitter may make the wait up to half as long again as the server
    /// asks for; with [`RetryAfter::Exact`], it does not.
    ///
    /// See [`Retry-After`](crate::guide::waiting#retry-after) in the guide.
    pub fn max_retry_after(self, wait: Duration) -> Self {
        self.with(|settings| settings.limits.max_retry_after = wait)
    }

    /// Sets whether rate-limit headers are read. Defaults to `false`.
    ///
    /// They affect the wait after responses that are retried anyway and have no `Retry-After`,
    /// `retry-after-ms` or `x-ms-retry-after-ms`, not even a malformed one. A [`cooldown`](Self::cooldown)
    /// also reads them from other responses. These headers say that a quota is used up:
    ///
    /// - `RateLimit` ([draft-ietf-httpapi-ratelimit-headers-10]): the longest `t` of the items with
    ///   `r=0`. A field that is malformed anywhere is not read.
    /// - `RateLimit-Remaining` with `RateLimit-Reset` or `RateLimit-Reset-After`, and the same headers
    ///   with the prefix `X-RateLimit-` or `X-Rate-Limit-`: if the remaining number is 0 (or a fraction
    ///   below 1), or absent from a 429. `Reset-After` is in seconds. `Reset` is in seconds
    ///   below 10^9, a Unix time in seconds below 10^12, and a Unix time in milliseconds from there
    ///   on. A Unix time is measured against the response's `Date`, or without a valid one against the
    ///   local clock. One second is added, because both may have been rounded down.
    ///
    /// If several quotas are used up, the longest wait is used. The headers of a response from a cache (with
    /// any `Age` other than 0) are ignored, and so is a reset that is more than 366 days away. The wait is
    /// used like that of `Retry-After`: see [`retry_after`](Self::retry_after) and
    /// [`max_retry_after`](Self::max_retry_after).
    ///
    /// For the headers of a single provider, use a classifier; there are
    /// [two examples](crate::classify#rate-limit-headers-of-one-provider).
    ///
    /// ```
    /// use tower_http_retry::RetryLayer;
    ///
    /// let layer = RetryLayer::new().rate_limit_headers(true);
    /// # let _ = layer;
    /// ```
    ///
    /// [draft-ietf-httpapi-ratelimit-headers-10]: https://datatracker.ietf.org/doc/html/draft-ietf-httpapi-ratelimit-headers-10
    pub fn rate_limit_headers(self, are_read: bool) -> Self {
        self.with(|settings| settings.reads_rate_limits = are_read)
    }

    /// Seeds the jitter, so that a test or a simulation can be repeated. Defaults to a random seed.
    ///
    /// The jitter of each request depends on this seed and on the number of requests that were retried
    /// before it.
    ///
    /// See [jitter in tests](crate::guide::testing#jitter) in the guide.
    ///
    /// ```
    /// use tower_http_retry::RetryLayer;
    /// let layer = RetryLayer::new().jitter_seed(42);
    /// # let _ = layer;
    /// ```
    pub fn jitter_seed(self, seed: u64) -> Self {
        self.with(|settings| {
            settings.jitter = JitterSource::Seeded {
                seed,
                requests: Arc::new(AtomicU64::new(0)),
            };
        })
    }
}
