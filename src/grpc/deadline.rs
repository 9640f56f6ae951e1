//! The deadline of a call in its `grpc-timeout` header, which consists of up to eight digits and a unit.

use std::time::Duration;

use http::{HeaderMap, HeaderValue};

use crate::head::RequestHead;
use crate::retry_after::whole;

const TIMEOUT: &str = "grpc-timeout";

const MOST: u128 = 99_999_999;

/// The units, from the finest to the coarsest.
const UNITS: [(&str, Duration); 6] = [
    ("n", Duration::from_nanos(1)),
    ("u", Duration::from_micros(1)),
    ("m", Duration::from_millis(1)),
    ("S", Duration::from_secs(1)),
    ("M", Duration::from_secs(60)),
    ("H", Duration::from_secs(3_600)),
];

/// Returns how long the call may take from the start of its first attempt.
pub(super) fn of(request: &RequestHead<'_>) -> Option<Duration> {
    read(request.header(TIMEOUT)?)
}

/// Replaces the time in the header with the time that is left.
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
    let (_, size) = UNITS.iter().find(|(name, _)| *name == unit)?;
    Some(*size * count as u32)
}

/// Formats a time in the finest unit that needs at most eight digits. It is rounded down.
fn write(left: Duration) -> String {
    let count = |size: &Duration| left.as_nanos() / size.as_nanos();
    let fitting = UNITS.iter().find(|(_, size)| count(size) <= MOST);
    let (unit, size) = fitting.expect("no more hours than eight digits tell");
    format!("{}{unit}", count(size))
}

#[cfg(test)]
mod tests;
