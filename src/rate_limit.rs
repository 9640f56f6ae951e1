//! Reads response headers that report how much of a quota is left, and when it is renewed.

use std::time::{Duration, SystemTime};

use http::header::AGE;
use http::{HeaderMap, HeaderName, StatusCode};
use sfparse::{Parser, Value};

use crate::retry_after::{rounded_up, sent, text, whole};

const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");

/// One set of header names: for what is left of a quota, and for when it is reset.
struct Pair {
    remaining: HeaderName,
    reset: HeaderName,
    reset_after: HeaderName,
}

static PAIRS: [Pair; 3] = [
    Pair {
        remaining: HeaderName::from_static("ratelimit-remaining"),
        reset: HeaderName::from_static("ratelimit-reset"),
        reset_after: HeaderName::from_static("ratelimit-reset-after"),
    },
    Pair {
        remaining: HeaderName::from_static("x-ratelimit-remaining"),
        reset: HeaderName::from_static("x-ratelimit-reset"),
        reset_after: HeaderName::from_static("x-ratelimit-reset-after"),
    },
    Pair {
        remaining: HeaderName::from_static("x-rate-limit-remaining"),
        reset: HeaderName::from_static("x-rate-limit-reset"),
        reset_after: HeaderName::from_static("x-rate-limit-reset-after"),
    },
];

/// A reset that is further away is ignored.
const FARTHEST: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// The state of a quota according to a response. For several quotas, it has the least that is left of any,
/// and the longest wait.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Quota {
    /// How many requests are left.
    pub(crate) remaining: Option<u64>,
    /// The time until a quota that is used up is renewed; of several quotas, the longest. Never zero.
    pub(crate) exhausted: Option<Duration>,
}

/// Returns the time until a quota is renewed, if a response says that it is used up.
pub(crate) fn exhausted_for(status: StatusCode, headers: &HeaderMap) -> Option<Duration> {
    // On a 429, the time of the reset alone means that the quota is used up.
    quota(headers, status == StatusCode::TOO_MANY_REQUESTS).exhausted
}

/// Returns what is left of a quota, as far as a response says so.
pub(crate) fn left(headers: &HeaderMap) -> Quota {
    quota(headers, false)
}

/// Reads all headers. Those of a response from a cache are ignored, because they are not up to date.
fn quota(headers: &HeaderMap, is_refusal: bool) -> Quota {
    let is_aged = |age| text(age).and_then(whole) != Some(0);
    if headers.get(AGE).is_some_and(is_aged) {
        return Quota::default();
    }
    let pairs = PAIRS
        .iter()
        .filter_map(|pair| pair.read(headers, is_refusal));
    let all = pairs.chain(structured(headers));
    all.fold(Quota::default(), Quota::with)
}

impl Quota {
    /// Creates the state of a quota. `reset` is used only if nothing remains, or if `remaining` is unknown.
    fn of(remaining: Option<u64>, reset: impl FnOnce() -> Option<Duration>) -> Self {
        let reset = || reset().filter(|wait| !wait.is_zero() && *wait <= FARTHEST);
        Self {
            remaining,
            exhausted: match remaining {
                Some(0) | None => reset(),
                Some(_) => None,
            },
        }
    }

    fn with(self, other: Self) -> Self {
        let remaining = self.remaining.into_iter().chain(other.remaining);
        Self {
            remaining: remaining.min(),
            exhausted: self.exhausted.max(other.exhausted),
        }
    }
}

/// Reads the `RateLimit` field, which is a list of quotas such as `"name";r=0;t=30`. If it is malformed
/// anywhere, all of it is ignored.
fn structured(headers: &HeaderMap) -> Option<Quota> {
    let lines = headers.get_all(RATE_LIMIT).iter();
    let lines: Option<Vec<&str>> = lines.map(text).collect();
    let field = lines.filter(|lines| !lines.is_empty())?.join(", ");
    let mut parser = Parser::new(field.as_bytes());
    let mut quota = Quota::default();
    while let Some(item) = parser.parse_list().ok()? {
        if !matches!(item, Value::String { .. } | Value::Token(_)) {
            return None;
        }
        let (mut remaining, mut reset) = (None, None);
        while let Some((key, value)) = parser.parse_param().ok()? {
            match (key, value) {
                ("r", Value::Integer(number)) => remaining = Some(u64::try_from(number).ok()?),
                ("t", Value::Integer(number)) => reset = Some(u64::try_from(number).ok()?),
                ("r" | "t", _) => return None,
                _ => {}
            }
        }
        if remaining.is_some() {
            quota = quota.with(Quota::of(remaining, || reset.map(Duration::from_secs)));
        }
    }
    Some(quota)
}

impl Pair {
    fn read(&self, headers: &HeaderMap, is_refusal: bool) -> Option<Quota> {
        let remaining = match headers.contains_key(&self.remaining) {
            true => Some(units(single(headers, &self.remaining)?)?),
            false if is_refusal => None,
            false => return None,
        };
        Some(Quota::of(remaining, || {
            let after = || millis(single(headers, &self.reset_after)?);
            let at = || until(single(headers, &self.reset)?, headers);
            after().or_else(at)
        }))
    }
}

/// Returns the text of a header that occurs exactly once.
fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?;
    values.next().is_none().then(|| text(value))?
}

/// Parses the number that remains. Some servers send decimals, which are cut off.
fn units(text: &str) -> Option<u64> {
    let units = text.split_once('.').map_or(text, |(units, _)| units);
    rounded_up(text, 0).and(whole(units))
}

fn millis(seconds: &str) -> Option<Duration> {
    rounded_up(seconds, 3).map(Duration::from_millis)
}

/// Parses a reset, which is a number of seconds, or a Unix time in seconds or milliseconds. The size of the
/// number determines which.
fn until(reset: &str, headers: &HeaderMap) -> Option<Duration> {
    const UNIX_SECONDS: u64 = 1_000_000_000;
    const UNIX_MILLIS: u64 = 1_000_000_000_000;
    let number = rounded_up(reset, 0)?;
    if number < UNIX_SECONDS {
        return millis(reset);
    }
    let since_epoch = match number >= UNIX_MILLIS {
        true => Duration::from_millis(number),
        false => millis(reset)?,
    };
    let end = SystemTime::UNIX_EPOCH.checked_add(since_epoch)?;
    let sent = sent(headers).unwrap_or_else(SystemTime::now);
    let wait = end.duration_since(sent).ok()?;
    // Both may have been rounded down.
    Some(wait.saturating_add(Duration::from_secs(1)))
}

#[cfg(test)]
mod tests;
