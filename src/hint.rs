use std::time::{Duration, SystemTime};

use http::header::{DATE, RETRY_AFTER};
use http::{HeaderMap, HeaderName, HeaderValue};

/// How a layer takes what a server says about when to come back.
///
/// Read in this order, on outcomes that are retryable already (a hint makes nothing retryable):
/// `retry-after-ms` and `x-ms-retry-after-ms` (whole milliseconds), then `Retry-After` ([RFC 9110,
/// section 10.2.3]): whole seconds, or a date in any of HTTP's three forms. A date is measured
/// against the same response's `Date` where that parses, so that a difference between the two
/// clocks drops out. A malformed value is no hint, nor is zero or a date gone by; of several values
/// of one header, the longest counts.
///
/// Whatever the setting, a hint above [`RetryLayer::max_server_wait`] ends the request at once
/// with the response that carries it; coming back earlier than asked would not help.
///
/// # Example
///
/// ```
/// use tower_http_retry::{RetryLayer, ServerHints};
///
/// let layer = RetryLayer::new().server_hints(ServerHints::Exact);
/// # let _ = layer;
/// assert_eq!(ServerHints::default(), ServerHints::Floor);
/// ```
///
/// [RFC 9110, section 10.2.3]: https://www.rfc-editor.org/rfc/rfc9110.html#section-10.2.3
/// [`RetryLayer::max_server_wait`]: crate::RetryLayer::max_server_wait
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ServerHints {
    /// Wait at least as long as the server asks (the default), and up to half as long again, so
    /// that its clients do not all return at the same instant. Without jitter: the longer of the
    /// hint and the back-off's step.
    #[default]
    Floor,
    /// Wait exactly as long as the server asks; then the back-off starts again from its first
    /// step.
    Exact,
    /// Do not read the headers.
    Ignored,
}

/// What a server, or a classifier on its behalf, asks of the next attempt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Hint {
    /// What the response's headers say.
    #[default]
    Headers,
    None,
    AtLeast(Duration),
    Exactly(Duration),
    Never,
}

impl Hint {
    /// Looks up what [`Hint::Headers`] stands for; every other hint is what it is.
    pub(crate) fn resolve(self, hints: ServerHints, headers: Option<&HeaderMap>) -> Self {
        let (Self::Headers, Some(headers)) = (self, headers) else {
            return if self == Self::Headers {
                Self::None
            } else {
                self
            };
        };
        let wait = || requested_wait(headers).filter(|wait| !wait.is_zero());
        match hints {
            ServerHints::Ignored => Self::None,
            ServerHints::Floor => wait().map_or(Self::None, Self::AtLeast),
            ServerHints::Exact => wait().map_or(Self::None, Self::Exactly),
        }
    }
}

const RETRY_AFTER_MS: HeaderName = HeaderName::from_static("retry-after-ms");
const X_MS_RETRY_AFTER_MS: HeaderName = HeaderName::from_static("x-ms-retry-after-ms");

/// How long the server asks its client to stay away; of several values, the longest.
fn requested_wait(headers: &HeaderMap) -> Option<Duration> {
    if headers.is_empty() {
        return None;
    }
    let longest = |name: &HeaderName, read: &dyn Fn(&str) -> Option<Duration>| {
        let values = headers.get_all(name).iter();
        values.filter_map(|value| read(text(value)?)).max()
    };
    let millis = |text: &str| Some(Duration::from_millis(whole(text)?));
    longest(&RETRY_AFTER_MS, &millis)
        .or_else(|| longest(&X_MS_RETRY_AFTER_MS, &millis))
        .or_else(|| longest(&RETRY_AFTER, &|text| retry_after(text, headers)))
}

fn retry_after(text: &str, headers: &HeaderMap) -> Option<Duration> {
    if let Some(seconds) = whole(text) {
        return Some(Duration::from_secs(seconds));
    }
    let until = httpdate::parse_http_date(text).ok()?;
    let date = headers.get(DATE).and_then(self::text);
    let now = date
        .and_then(|date| httpdate::parse_http_date(date).ok())
        .unwrap_or_else(SystemTime::now);
    Some(until.duration_since(now).unwrap_or(Duration::ZERO))
}

/// Digits only (no sign, point or blank inside); what no `u64` holds is the largest.
pub(crate) fn whole(text: &str) -> Option<u64> {
    let is_whole = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_whole.then(|| text.parse().unwrap_or(u64::MAX))
}

fn text(value: &HeaderValue) -> Option<&str> {
    value.to_str().ok().map(str::trim)
}

#[cfg(test)]
mod tests;
