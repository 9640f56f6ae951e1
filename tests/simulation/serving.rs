//! The responses of a server with a file.

use std::ops::Range;
use std::time::Duration;

use http::header::{
    CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, DATE, ETAG, IF_MATCH, IF_UNMODIFIED_SINCE,
    LAST_MODIFIED, RANGE,
};
use http::response::Builder;
use http::{HeaderMap, HeaderName, Response};

use super::answer::Answer;
use super::file::{File, Length, Ranges};
use super::payload::Payload;

/// The header with the version of the response.
pub const VERSION: &str = "x-version";

/// Returns a response with the whole file or a part of it, or with an error status.
pub fn serve(
    file: &File,
    version: u32,
    headers: &HeaderMap,
    answer: &Answer,
    builder: Builder,
) -> Response<Payload> {
    let len = file.len(version);
    let builder = builder.header(VERSION, version);
    if file.heeds_conditions && !is_met(file, version, headers) {
        return builder.status(412).body(Payload::default()).unwrap();
    }
    let Some(asked) = range(headers, len).filter(|_| file.ranges != Ranges::Ignored) else {
        let builder = identified(file, version, builder.status(200));
        let is_said = file.length != Length::Never;
        return respond(file, version, 0..len, is_said, answer, builder);
    };
    if asked.is_empty() {
        let builder = builder.header(CONTENT_RANGE, format!("bytes */{len}"));
        return builder.status(416).body(Payload::default()).unwrap();
    }
    let part = part(file.ranges, &asked);
    let (first, last) = (part.start, part.end - 1);
    let mut builder = builder
        .status(206)
        .header(CONTENT_RANGE, format!("bytes {first}-{last}/{len}"));
    // A range that the caller itself requests always has a validator.
    if file.says_in_parts || file.asked.is_some() {
        builder = identified(file, version, builder);
    }
    let is_said = file.length == Length::OfAll;
    respond(file, version, part, is_said, answer, builder)
}

fn is_met(file: &File, version: u32, headers: &HeaderMap) -> bool {
    let is_same = |name: &HeaderName, own: Option<String>| {
        let asked = headers.get(name);
        asked.is_none_or(|asked| own.is_some_and(|own| *asked == *own))
    };
    is_same(&IF_MATCH, file.etag(version))
        && is_same(
            &IF_UNMODIFIED_SINCE,
            file.dates(version).map(|(date, _)| date),
        )
}

/// Returns the range that is requested. It is empty if it begins after the end of the file.
fn range(headers: &HeaderMap, len: u64) -> Option<Range<u64>> {
    let (first, last) = bounds(headers)?;
    Some(first.min(len)..len.min(last + 1))
}

/// Returns the first and the last byte that are requested.
pub fn bounds(headers: &HeaderMap) -> Option<(u64, u64)> {
    let range = headers.get(RANGE)?.to_str().ok()?;
    let (first, last) = range.strip_prefix("bytes=")?.split_once('-')?;
    Some((first.parse().ok()?, last.parse().ok()?))
}

/// Returns the range that is sent for a requested range.
fn part(ranges: Ranges, asked: &Range<u64>) -> Range<u64> {
    match ranges {
        Ranges::Honoured | Ranges::Ignored => asked.clone(),
        Ranges::Early(by) => asked.start.saturating_sub(by)..asked.end,
        Ranges::Late => (asked.start + 1).min(asked.end - 1)..asked.end,
        Ranges::Segments(most) => asked.start..asked.end.min(asked.start + most),
    }
}

fn identified(file: &File, version: u32, mut builder: Builder) -> Builder {
    if let Some(etag) = file.etag(version) {
        builder = builder.header(ETAG, etag);
    }
    if let Some((modified, sent)) = file.dates(version) {
        builder = builder.header(LAST_MODIFIED, modified).header(DATE, sent);
    }
    builder
}

fn respond(
    file: &File,
    version: u32,
    part: Range<u64>,
    is_said: bool,
    answer: &Answer,
    mut builder: Builder,
) -> Response<Payload> {
    if is_said {
        builder = builder.header(CONTENT_LENGTH, part.end - part.start);
    }
    if file.is_event_stream {
        builder = builder.header(CONTENT_TYPE, "text/event-stream");
    }
    let all = part.end - part.start;
    let sent = answer.cut.map_or(all, |cut| all * cut.after / 1_000);
    let (mut at, end) = (part.start, part.start + sent);
    let mut pieces = Vec::new();
    while at < end {
        let next = end.min(at + answer.pace.piece(all));
        let mut pause = answer.pace.pause;
        for piece in file.pieces(version, at, next) {
            pieces.push((std::mem::replace(&mut pause, Duration::ZERO), piece));
        }
        at = next;
    }
    let body = Payload::of(pieces);
    let body = match answer.cut {
        Some(cut) => body.ending(cut.how),
        None => body,
    };
    builder.body(body).unwrap()
}
