use std::time::{Duration, SystemTime};

use http::header::{AGE, DATE, RETRY_AFTER};
use http::{HeaderMap, HeaderName, HeaderValue};

/// How a response's `Retry-After` and similar headers affect the wait before a retry.
///
/// The first of these headers that asks for a wait above zero is used:
///
/// 1. `retry-after-ms`, in milliseconds;
/// 2. `x-ms-retry-after-ms`, in milliseconds;
/// 3. `Retry-After` ([RFC 9110, section 10.2.3]), in seconds or as a date in any of HTTP's three formats.
///
/// They only affect outcomes that are retried anyway. If the server asks for more than
/// [`RetryLayer::max_retry_after`], the response is returned immediately.
///
/// - A number may have decimals, such as `2.0` or `0.503`. It is rounded up to the millisecond.
/// - A date is measured against the `Date` of the same response, so that the difference between the clocks
///   does not matter. The `Age` of a cached response is subtracted. Without a valid `Date`, the local clock
///   is used.
/// - Malformed values, zero, and dates in the past are ignored. If a header has several values, the longest
///   wait is used.
///
/// [`RetryLayer::rate_limit_headers`](crate::RetryLayer::rate_limit_headers) reads other headers if a
/// response has none of these.
///
/// # Example
///
/// ```
/// use tower_http_retry::{RetryAfter, RetryLayer};
///
/// let layer = RetryLayer::new().retry_after(RetryAfter::Exact);
/// # let _ = layer;
/// assert_eq!(RetryAfter::default(), RetryAfter::Minimum);
/// ```
///
/// [RFC 9110, section 10.2.3]: https://www.rfc-editor.org/rfc/rfc9110.html#section-10.2.3
/// [`RetryLayer::max_retry_after`]: crate::RetryLayer::max_retry_after
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum RetryAfter {
    /// Wait at least as long as the server asks. This is the default.
    ///
    /// With jitter, up to half of the time is added, so that clients do not all retry at the same time. If
    /// the wait of the back-off is longer, it is used instead.
    #[default]
    Minimum,
    /// Wait exactly as long as the server asks. After that, the back-off starts again from its first step.
    Exact,
    /// Ignore the headers, and use the wait of the back-off.
    Ignore,
}

/// A request of the server, or of a classifier on its behalf, for a wait or for no retry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hint {
    AtLeast(Duration),
    Exactly(Duration),
    Never,
}

impl RetryAfter {
    /// Converts the wait that a response's headers ask for.
    pub(crate) fn hint(self, requested: impl FnOnce() -> Option<Duration>) -> Option<Hint> {
        match self {
            Self::Ignore => None,
            Self::Minimum => requested().map(Hint::AtLeast),
            Self::Exact => requested().map(Hint::Exactly),
        }
    }
}

const RETRY_AFTER_MS: HeaderName = HeaderName::from_static("retry-after-ms");
const X_MS_RETRY_AFTER_MS: HeaderName = HeaderName::from_static("x-ms-retry-after-ms");

/// Returns the wait that the server asks for; of several values, the longest. Never zero.
pub(crate) fn requested_wait(headers: &HeaderMap) -> Option<Duration> {
    if headers.is_empty() {
        return None;
    }
    let longest = |name: &HeaderName, read: &dyn Fn(&str) -> Option<Duration>| {
        let values = headers.get_all(name).iter();
        let waits = values.filter_map(|value| read(text(value)?));
        waits.max().filter(|wait| !wait.is_zero())
    };
    let millis = |text: &str| Some(Duration::from_millis(rounded_up(text, 0)?));
    longest(&RETRY_AFTER_MS, &millis)
        .or_else(|| longest(&X_MS_RETRY_AFTER_MS, &millis))
        .or_else(|| longest(&RETRY_AFTER, &|text| retry_after(text, headers)))
}

/// Whether any of the three headers is present, well-formed or not.
pub(crate) fn is_given(headers: &HeaderMap) -> bool {
    let names = [&RETRY_AFTER_MS, &X_MS_RETRY_AFTER_MS, &RETRY_AFTER];
    names.into_iter().any(|name| headers.contains_key(name))
}

fn retry_after(text: &str, headers: &HeaderMap) -> Option<Duration> {
    // Whole seconds come first, because milliseconds would limit their range.
    if let Some(seconds) = whole(text) {
        return Some(Duration::from_secs(seconds));
    }
    if let Some(millis) = rounded_up(text, 3) {
        return Some(Duration::from_millis(millis));
    }
    let until = date(text)?;
    let wait = match sent(headers) {
        Some(sent) => since(until, sent).saturating_sub(age(headers)),
        None => since(until, SystemTime::now()),
    };
    Some(wait)
}

/// Returns when the response was sent, by the server's clock.
pub(crate) fn sent(headers: &HeaderMap) -> Option<SystemTime> {
    headers.get(DATE).and_then(text).and_then(date)
}

/// Parses an HTTP-date. A leap second (`:60`) is the second after `:59`.
pub(crate) fn date(text: &str) -> Option<SystemTime> {
    if let Ok(date) = httpdate::parse_http_date(text) {
        return Some(date);
    }
    let before = text.replacen(":60 ", ":59 ", 1);
    let date = (before != text).then(|| httpdate::parse_http_date(&before))?;
    date.ok()?.checked_add(Duration::from_secs(1))
}

fn since(until: SystemTime, from: SystemTime) -> Duration {
    until.duration_since(from).unwrap_or(Duration::ZERO)
}

/// Returns how long ago the response was sent, if it comes from a cache (RFC 9111, section 5.1).
fn age(headers: &HeaderMap) -> Duration {
    let seconds = headers.get(AGE).and_then(text).and_then(whole);
    Duration::from_secs(seconds.unwrap_or(0))
}

/// Parses `digits` or `digits.digits`, multiplies it by ten to the power of `places`, and rounds it up to a
/// whole number. A number that is too large is `u64::MAX`.
pub(crate) fn rounded_up(text: &str, places: usize) -> Option<u64> {
    let (units, decimals) = text.split_once('.').unwrap_or((text, "0"));
    whole(units).and(whole(decimals))?;
    let (kept, rest) = decimals.split_at(places.min(decimals.len()));
    let number = whole(&format!("{units}{kept:0<places$}"))?;
    let is_exact = rest.bytes().all(|digit| digit == b'0');
    Some(number.saturating_add(u64::from(!is_exact)))
}

/// Parses a number that consists of digits only. A number that is too large is `u64::MAX`.
pub(crate) fn whole(text: &str) -> Option<u64> {
    let is_whole = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_whole.then(|| text.parse().unwrap_or(u64::MAX))
}

pub(crate) fn text(value: &HeaderValue) -> Option<&str> {
    value.to_str().ok().map(str::trim)
}

#[cfg(feature = "config")]
mod serde;
#[cfg(test)]
mod tests;
