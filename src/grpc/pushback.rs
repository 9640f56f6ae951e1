use std::time::Duration;

use http::{HeaderMap, HeaderValue};

use crate::retry_after::whole;

const PUSHBACK: &str = "grpc-retry-pushback-ms";

/// When the server allows the next attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pushback {
    After(Duration),
    Never,
}

/// Returns the pushback of a failed call. The header is a signed 32-bit integer without leading zeros. A
/// negative or malformed value forbids a retry, and so does more than one header.
pub(super) fn pushback(headers: &HeaderMap) -> Option<Pushback> {
    let mut values = headers.get_all(PUSHBACK).iter();
    let value = values.next()?;
    let millis = match values.next() {
        None => number(value).filter(|millis| *millis <= i32::MAX as u64),
        Some(_) => None,
    };
    Some(millis.map_or(Pushback::Never, |millis| {
        Pushback::After(Duration::from_millis(millis))
    }))
}

/// Parses a number that consists of digits only, without leading zeros.
pub(super) fn number(value: &HeaderValue) -> Option<u64> {
    let text = value.to_str().ok()?;
    let has_zeros = text.len() > 1 && text.starts_with('0');
    whole(text).filter(|_| !has_zeros)
}
