use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::head::RequestHead;
use crate::retry_after::{text, whole};

/// The unit of the number in a [deadline header](crate::RetryLayer::deadline_header).
///
/// # Example
///
/// ```
/// use http::HeaderName;
/// use tower_http_retry::{DeadlineUnit, RetryLayer};
///
/// let header = HeaderName::from_static("x-seconds-left");
/// let layer = RetryLayer::new().deadline_header(header, DeadlineUnit::Seconds);
/// # let _ = layer;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DeadlineUnit {
    /// Seconds.
    Seconds,
    /// Milliseconds, as in Envoy's `x-envoy-expected-rq-timeout-ms`.
    Milliseconds,
}

/// A request header that says how much time is left.
#[derive(Clone, Debug)]
pub(crate) struct DeadlineHeader {
    pub(crate) name: HeaderName,
    pub(crate) unit: DeadlineUnit,
}

impl DeadlineHeader {
    /// How much time the request itself says is left: the least whole number above zero.
    pub(crate) fn read(&self, request: &RequestHead<'_>) -> Option<Duration> {
        request.headers.find(&self.name)?;
        let values = request.headers().get_all(&self.name).iter();
        let counts = values.filter_map(|value| whole(text(value)?).filter(|count| *count > 0));
        let count = counts.min()?;
        Some(match self.unit {
            DeadlineUnit::Seconds => Duration::from_secs(count),
            DeadlineUnit::Milliseconds => Duration::from_millis(count),
        })
    }

    /// Says it on an attempt: never more than there is, but not zero, which some servers take for no
    /// limit. A map that is full goes without it.
    pub(crate) fn write(&self, headers: &mut HeaderMap, left: Duration) {
        let count = match self.unit {
            DeadlineUnit::Seconds => left.as_secs(),
            DeadlineUnit::Milliseconds => u64::try_from(left.as_millis()).unwrap_or(u64::MAX),
        };
        let _ = headers.try_insert(&self.name, HeaderValue::from(count.max(1)));
    }
}

#[cfg(feature = "config")]
mod serde;
