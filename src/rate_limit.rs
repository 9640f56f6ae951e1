//! What servers say in response headers of how much of a quota is left, and when it is given anew.

use std::time::{Duration, SystemTime};

use http::header::AGE;
use http::{HeaderMap, HeaderName, StatusCode};
use sfparse::{Parser, Value};

use crate::retry_after::{rounded_up, sent, text, whole};

const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");

/// The headers of one provider's kind: what is left, and when it resets.
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

/// A reset that is further away is not understood.
const FARTHEST: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// How long nothing remains of a quota, if a response says so; of several quotas, the longest. Never
/// zero. What a cache answers says nothing of the quota as it is now.
pub(crate) fn exhausted_for(status: StatusCode, headers: &HeaderMap) -> Option<Duration> {
    let is_aged = |age| text(age).and_then(whole) != Some(0);
    if headers.get(AGE).is_some_and(is_aged) {
        return None;
    }
    let pairs = PAIRS.iter().filter_map(|pair| pair.read(status, headers));
    let waits = pairs.chain(structured(headers));
    waits.max().filter(|wait| !wait.is_zero())
}

fn is_near(wait: &Duration) -> bool {
    *wait <= FARTHEST
}

/// The `RateLimit` field: a list of quotas, `"name";r=0;t=30`. An error anywhere makes all of it void.
fn structured(headers: &HeaderMap) -> Option<Duration> {
    let lines = headers.get_all(RATE_LIMIT).iter();
    let lines: Option<Vec<&str>> = lines.map(text).collect();
    let field = lines.filter(|lines| !lines.is_empty())?.join(", ");
    let mut parser = Parser::new(field.as_bytes());
    let mut longest = None;
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
        if remaining == Some(0) {
            longest = longest.max(reset.map(Duration::from_secs).filter(is_near));
        }
    }
    longest
}

impl Pair {
    fn read(&self, status: StatusCode, headers: &HeaderMap) -> Option<Duration> {
        let is_exhausted = match headers.contains_key(&self.remaining) {
            true => is_below_one(single(headers, &self.remaining)?),
            false => status == StatusCode::TOO_MANY_REQUESTS,
        };
        if !is_exhausted {
            return None;
        }
        let after = || millis(single(headers, &self.reset_after)?);
        let at = || until(single(headers, &self.reset)?, headers);
        after().or_else(at).filter(is_near)
    }
}

/// The text of a header that is there once.
fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?;
    values.next().is_none().then(|| text(value))?
}

/// What remains is a number that some write with decimals.
fn is_below_one(text: &str) -> bool {
    let units = text.split_once('.').map_or(text, |(units, _)| units);
    rounded_up(text, 0).is_some() && whole(units) == Some(0)
}

fn millis(seconds: &str) -> Option<Duration> {
    rounded_up(seconds, 3).map(Duration::from_millis)
}

/// A reset is told in one of three ways, which their size tells apart.
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
