use std::time::Duration;

use http::{HeaderMap, HeaderValue};

use crate::retry_after::whole;

const PUSHBACK: &str = "grpc-retry-pushback-ms";

/// What a server says of the next attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pushback {
    After(Duration),
    Never,
}

/// A signed 32-bit integer without leading zeros; what is anything else, or more than one, is a no.
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

/// Digits alone, without leading zeros.
pub(super) fn number(value: &HeaderValue) -> Option<u64> {
    let text = value.to_str().ok()?;
    let has_zeros = text.len() > 1 && text.starts_with('0');
    whole(text).filter(|_| !has_zeros)
}
