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

/// A request header with the time that is left.
#[derive(Clone, Debug)]
pub(crate) struct DeadlineHeader {
    pub(crate) name: HeaderName,
    pub(crate) unit: DeadlineUnit,
}

impl DeadlineHeader {
    /// Returns the time that is left according to the request: the least value that is a whole number above
    /// zero.
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

    /// Sets the header of an attempt. The value is rounded down, but is at least 1, because some servers
    /// interpret zero as no limit. If the map is full, the header is left out.
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
