use http::HeaderMap;
use http::header::CONTENT_RANGE;

use crate::content::digits;

/// The part of a representation that a response contains (RFC 9110, section 14.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ContentRange {
    pub(super) first: u64,
    /// One past the last byte.
    pub(super) end: u64,
    /// The length of the whole representation, if the server gives it.
    pub(super) complete: Option<u64>,
}

impl ContentRange {
    /// Returns `None` unless there is exactly one range, in bytes, and it is valid.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let (range, complete) = parts(headers)?;
        let (first, last) = range.split_once('-')?;
        let (first, last) = (digits(first)?, digits(last)?);
        let complete = match complete {
            "*" => None,
            complete => Some(digits(complete)?),
        };
        let end = last.checked_add(1)?;
        let makes_sense = first < end && complete.is_none_or(|complete| end <= complete);
        makes_sense.then_some(Self {
            first,
            end,
            complete,
        })
    }
}

/// The length of the representation in the `Content-Range` of a 416: `bytes */n`.
pub(super) fn unsatisfied(headers: &HeaderMap) -> Option<u64> {
    match parts(headers)? {
        ("*", complete) => digits(complete),
        _ => None,
    }
}

/// The parts before and after the slash.
fn parts(headers: &HeaderMap) -> Option<(&str, &str)> {
    let mut values = headers.get_all(CONTENT_RANGE).iter();
    let value = values.next()?.to_str().ok()?;
    let (unit, range) = value.trim().split_once(' ')?;
    let is_one = values.next().is_none() && unit.eq_ignore_ascii_case("bytes");
    is_one.then(|| range.trim_start().split_once('/'))?
}

#[cfg(test)]
mod tests;
