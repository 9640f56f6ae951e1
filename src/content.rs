//! Reads the length and the type of a response's content from its head.

use http::header::{CONTENT_LENGTH, CONTENT_TYPE, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderValue};

/// Returns the length in `Content-Length`. Several values have to agree (RFC 9110, section 8.6). Returns
/// none if a value does not consist of digits only, or if there is a `Transfer-Encoding`, which overrides
/// it (RFC 9112, section 6.3).
pub(crate) fn content_length(headers: &HeaderMap) -> Option<u64> {
    if headers.contains_key(TRANSFER_ENCODING) {
        return None;
    }
    let mut lengths = headers.get_all(CONTENT_LENGTH).iter().map(length);
    let first = lengths.next()??;
    lengths.all(|other| other == Some(first)).then_some(first)
}

fn length(value: &HeaderValue) -> Option<u64> {
    digits(value.to_str().ok()?.trim())
}

/// Parses a number that consists of digits only, without a sign or spaces.
pub(crate) fn digits(text: &str) -> Option<u64> {
    let is_digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_digits)
}

/// Whether the content is a stream of server-sent events, which has no end.
pub(crate) fn is_event_stream(headers: &HeaderMap) -> bool {
    is_media_type(headers, "text/event-stream")
}

/// Whether the content has this media type. Parameters are ignored.
pub(crate) fn is_media_type(headers: &HeaderMap, name: &str) -> bool {
    let value = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let of = |value: &str| {
        let (media_type, _) = value.split_once(';').unwrap_or((value, ""));
        media_type.trim().eq_ignore_ascii_case(name)
    };
    value.is_some_and(of)
}
