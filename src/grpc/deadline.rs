//! A call's deadline, as its `grpc-timeout` header has it: up to eight digits, and a unit.

use std::time::Duration;

use http::{HeaderMap, HeaderValue};

use crate::classify::RequestHead;
use crate::hint::whole;

const TIMEOUT: &str = "grpc-timeout";

const MOST: u128 = 99_999_999;

/// Each unit, and how many nanoseconds it is; the finest first.
const UNITS: [(char, u128); 6] = [
    ('n', 1),
    ('u', 1_000),
    ('m', 1_000_000),
    ('S', 1_000_000_000),
    ('M', 60 * 1_000_000_000),
    ('H', 3_600 * 1_000_000_000),
];

/// How long the call may take from its first attempt's start.
pub(super) fn of(request: &RequestHead<'_>) -> Option<Duration> {
    read(request.header(TIMEOUT)?)
}

/// Tells the server what is left of it.
pub(super) fn renew(headers: &mut HeaderMap, elapsed: Duration) {
    let Some(value) = headers.get_mut(TIMEOUT) else {
        return;
    };
    let timeout = value.to_str().ok().and_then(read);
    let left = timeout.map(|timeout| write(timeout.saturating_sub(elapsed)));
    if let Some(Ok(left)) = left.map(HeaderValue::try_from) {
        *value = left;
    }
}

fn read(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let count = whole(digits).filter(|_| digits.len() <= 8)?;
    match unit {
        "H" => Some(Duration::from_secs(count * 3_600)),
        "M" => Some(Duration::from_secs(count * 60)),
        "S" => Some(Duration::from_secs(count)),
        "m" => Some(Duration::from_millis(count)),
        "u" => Some(Duration::from_micros(count)),
        "n" => Some(Duration::from_nanos(count)),
        _ => None,
    }
}

/// In the finest unit that has room for it, and never more than there is.
fn write(left: Duration) -> String {
    let nanos = left.as_nanos();
    let fitting = UNITS.iter().find(|(_, size)| nanos / size <= MOST);
    // More hours than eight digits tell cannot have been read.
    let (unit, size) = fitting.unwrap_or(&('H', 3_600 * 1_000_000_000));
    format!("{}{unit}", (nanos / size).min(MOST))
}

#[cfg(test)]
mod tests;
