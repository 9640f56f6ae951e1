use http::HeaderMap;
use http::header::CONTENT_RANGE;

use crate::content::digits;

/// The part of a representation that a response has (RFC 9110, section 14.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ContentRange {
    pub(super) first: u64,
    /// One past the last byte.
    pub(super) end: u64,
    /// The length of all of it, where the server says that.
    pub(super) complete: Option<u64>,
}

impl ContentRange {
    /// None unless there is exactly one, in bytes, that makes sense.
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

/// The length of the representation, as a 416 has it: `bytes */n`.
pub(super) fn unsatisfied(headers: &HeaderMap) -> Option<u64> {
    match parts(headers)? {
        ("*", complete) => digits(complete),
        _ => None,
    }
}

/// What is before the slash and after it.
fn parts(headers: &HeaderMap) -> Option<(&str, &str)> {
    let mut values = headers.get_all(CONTENT_RANGE).iter();
    let value = values.next()?.to_str().ok()?;
    let (unit, range) = value.trim().split_once(' ')?;
    let is_one = values.next().is_none() && unit.eq_ignore_ascii_case("bytes");
    is_one.then(|| range.trim_start().split_once('/'))?
}

#[cfg(test)]
mod tests;
