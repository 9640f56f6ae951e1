use std::hash::{DefaultHasher, Hasher};
use std::ops::Range;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode};
use http_body::Body;

use super::error::ResumeError;
use super::prefix::Prefix;
use super::range::{ContentRange, unsatisfied};
use super::settings::Limits;
use super::unresumable::Unresumable;
use super::version::Version;
use crate::content::{content_length, is_event_stream, is_media_type};
use crate::error::BoxError;
use crate::reason::StopReason;

/// The state of a download across all attempts. It decides what to request next, whether a response
/// continues the body, and which bytes of it are new.
///
/// Positions are counted from the start of the representation.
pub(super) struct Download {
    /// The bytes that the head of the first response promised.
    span: Range<u64>,
    /// The position of the next byte for the caller.
    next: u64,
    version: Version,
    /// The hash of the delivered bytes, with `verify_prefix`.
    prefix: Option<Prefix>,
    skip_limit: u64,
    part: Part,
}

/// The part that the current attempt delivers.
struct Part {
    /// The position of its next byte.
    at: u64,
    end: u64,
    check: Option<Check>,
}

/// The comparison of the delivered bytes with those that are read again.
struct Check {
    read: DefaultHasher,
    /// The version of the download if the bytes are the same.
    version: Version,
}

/// What an attempt requests.
pub(super) enum Ask {
    /// The missing bytes, of this version only.
    Rest {
        range: HeaderValue,
        condition: (HeaderName, HeaderValue),
    },
    /// The same as the first request.
    All,
}

impl Download {
    /// Returns `None` if the response cannot be resumed.
    pub(super) fn begin<R: Body>(response: &Response<R>, limits: &Limits) -> Option<Self> {
        let headers = response.headers();
        if is_event_stream(headers) {
            return None;
        }
        let (span, complete) = part_of(response)?;
        let bytes = span.end - span.start;
        let size = response.body().size_hint();
        // A layer that decompresses a part removes its length, but leaves the range.
        let is_of_length = content_length(headers).is_some() || size.upper().is_some();
        if bytes == 0 || size.lower() > bytes || !is_of_length {
            return None;
        }
        let version = Version::of(headers, complete);
        let can_resume = limits.verify_prefix.is_some() || version.condition().is_some();
        can_resume.then(|| Self {
            next: span.start,
            version,
            prefix: limits.verify_prefix.map(Prefix::new),
            skip_limit: limits.skip_limit,
            part: Part {
                at: span.start,
                end: span.end,
                check: None,
            },
            span,
        })
    }

    pub(super) fn delivered(&self) -> u64 {
        self.next - self.span.start
    }

    /// How many bytes the head of the first response promised.
    pub(super) fn expected(&self) -> u64 {
        self.span.end - self.span.start
    }

    pub(super) fn is_done(&self) -> bool {
        self.next == self.span.end
    }

    /// Whether all bytes are delivered although the current attempt has more.
    pub(super) fn goes_on(&self) -> bool {
        self.is_done() && self.part.end > self.span.end
    }

    pub(super) fn failed(&self, reason: StopReason, source: BoxError) -> ResumeError {
        ResumeError::new(self.delivered(), self.expected(), reason, source)
    }

    /// What to request next. `None` if nothing could prove that the response is of the same version.
    pub(super) fn ask(&self) -> Option<Ask> {
        if let Some(condition) = self.version.condition() {
            let range = format!("bytes={}-{}", self.next, self.span.end - 1);
            let range = HeaderValue::try_from(range).expect("digits are a value");
            return Some(Ask::Rest { range, condition });
        }
        self.can_compare().then_some(Ask::All)
    }

    /// Whether there is anything that can be requested.
    pub(super) fn can_resume(&self) -> bool {
        self.version.condition().is_some() || self.can_compare()
    }

    fn can_compare(&self) -> bool {
        self.prefix.as_ref().is_some_and(Prefix::is_whole)
    }

    /// Continues with the response to what was requested.
    pub(super) fn resume<R: Body>(&mut self, response: &Response<R>) -> Result<(), Unresumable> {
        let status = response.status();
        match status {
            StatusCode::OK => self.resume_with_all(response),
            StatusCode::PARTIAL_CONTENT => self.resume_with_part(response),
            StatusCode::PRECONDITION_FAILED => Err(Unresumable::Changed),
            StatusCode::RANGE_NOT_SATISFIABLE => match unsatisfied(response.headers()) {
                Some(complete) if complete < self.span.end => Err(Unresumable::Changed),
                _ => Err(Unresumable::Status(status)),
            },
            _ => Err(Unresumable::Status(status)),
        }
    }

    /// Continues with a 200: the server ignored the range, or none was requested.
    fn resume_with_all<R: Body>(&mut self, response: &Response<R>) -> Result<(), Unresumable> {
        let Some((part, complete)) = part_of(response) else {
            return Err(Unresumable::RangeIgnored);
        };
        let version = Version::of(response.headers(), complete);
        if !self.version.has_same_length_and_encodings(&version) || part.end < self.span.end {
            return Err(Unresumable::Changed);
        }
        if self.version.is_proven_to_be(&version) && self.next <= self.skip_limit {
            self.part = Part::of(part, None);
            return Ok(());
        }
        match self.can_compare() {
            true => self.compare(part, version),
            false if self.version.does_not_contradict(&version) => Err(Unresumable::RangeIgnored),
            false => Err(Unresumable::Changed),
        }
    }

    fn resume_with_part<R: Body>(&mut self, response: &Response<R>) -> Result<(), Unresumable> {
        let Some((part, complete)) = part_of(response) else {
            return Err(Unresumable::WrongRange);
        };
        let version = Version::of(response.headers(), complete);
        let has_condition = self.version.condition().is_some();
        let can_be_same = match has_condition {
            true => self.version.is_repeated_by(&version),
            false => self.version.does_not_contradict(&version),
        };
        if !can_be_same {
            return Err(Unresumable::Changed);
        }
        if part.start > self.next || part.end > self.span.end {
            return Err(Unresumable::WrongRange);
        }
        if !has_condition {
            return match part.start <= self.span.start {
                true => self.compare(part, version),
                false => Err(Unresumable::WrongRange),
            };
        }
        if self.next - part.start > self.skip_limit {
            return Err(Unresumable::RangeIgnored);
        }
        self.part = Part::of(part, None);
        Ok(())
    }

    fn compare(&mut self, part: Range<u64>, version: Version) -> Result<(), Unresumable> {
        let Some(prefix) = &self.prefix else {
            return Err(Unresumable::Changed);
        };
        if self.span.start.saturating_sub(part.start) > self.skip_limit {
            return Err(Unresumable::RangeIgnored);
        }
        let read = prefix.begin();
        self.part = Part::of(part, Some(Check { read, version }));
        Ok(())
    }

    /// Returns the part of an attempt's data that is new to the caller.
    pub(super) fn take(&mut self, mut data: Bytes) -> Result<Bytes, Unresumable> {
        let start = self.part.at;
        let length = data.len() as u64;
        if length > self.part.end - start {
            return Err(Unresumable::TooLong);
        }
        self.part.at += length;
        let again = self.next.saturating_sub(start).min(length);
        let again = data.split_to(again as usize);
        self.check(start, &again)?;
        let left = self.span.end - self.next;
        data.truncate(usize::try_from(left).unwrap_or(usize::MAX));
        if let Some(prefix) = &mut self.prefix {
            prefix.add(&data);
        }
        self.next += data.len() as u64;
        Ok(data)
    }

    /// Compares the delivered bytes once all of them are read again.
    fn check(&mut self, start: u64, again: &[u8]) -> Result<(), Unresumable> {
        let Some(check) = &mut self.part.check else {
            return Ok(());
        };
        // Bytes before the span were never delivered.
        let before = self
            .span
            .start
            .saturating_sub(start)
            .min(again.len() as u64);
        check.read.write(&again[before as usize..]);
        if self.part.at < self.next {
            return Ok(());
        }
        let is_same = |prefix: &Prefix| prefix.is(&check.read);
        if !self.prefix.as_ref().is_some_and(is_same) {
            return Err(Unresumable::Changed);
        }
        if let Some(check) = self.part.check.take() {
            self.version = check.version.with_length_of(&self.version);
        }
        Ok(())
    }
}

impl Part {
    fn of(part: Range<u64>, check: Option<Check>) -> Self {
        Self {
            at: part.start,
            end: part.end,
            check,
        }
    }
}

/// The part of the representation that a response contains, and the length of the whole, if it is known.
/// `None` if the head does not give the part, or contradicts itself.
fn part_of<R: Body>(response: &Response<R>) -> Option<(Range<u64>, Option<u64>)> {
    let headers = response.headers();
    let length = content_length(headers);
    match response.status() {
        StatusCode::OK => Some((0..length?, length)),
        StatusCode::PARTIAL_CONTENT if !is_media_type(headers, "multipart/byteranges") => {
            let range = ContentRange::of(headers)?;
            let part = range.first..range.end;
            let is_it = length.is_none_or(|length| length == part.end - part.start);
            is_it.then_some((part, range.complete))
        }
        _ => None,
    }
}
