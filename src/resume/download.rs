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

/// A body on its way to the caller, over all attempts. It says what to ask for next, whether an answer
/// goes on where the last one ended, and which of its bytes are new.
///
/// Positions count from the start of the representation.
pub(super) struct Download {
    /// What the first response's head promised.
    span: Range<u64>,
    /// Of the next byte for the caller.
    next: u64,
    version: Version,
    /// Of what was delivered, if it may be compared.
    prefix: Option<Prefix>,
    skip_limit: u64,
    part: Part,
}

/// What the present attempt gives.
struct Part {
    /// Of its next byte.
    at: u64,
    end: u64,
    check: Option<Check>,
}

/// What was delivered is read again, to see whether it is the same.
struct Check {
    read: DefaultHasher,
    /// Then it is of this version.
    version: Version,
}

/// What an attempt asks for.
pub(super) enum Ask {
    /// What is left, of this version only.
    Rest {
        range: HeaderValue,
        condition: (HeaderName, HeaderValue),
    },
    /// The same as the first one.
    All,
}

impl Download {
    /// None if the response cannot be resumed.
    pub(super) fn begin<R: Body>(response: &Response<R>, limits: &Limits) -> Option<Self> {
        let headers = response.headers();
        if is_event_stream(headers) {
            return None;
        }
        let (span, complete) = part_of(response)?;
        let bytes = span.end - span.start;
        let size = response.body().size_hint();
        // What decompresses a part takes its length away, and leaves the range.
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

    /// How many bytes the caller was promised.
    pub(super) fn expected(&self) -> u64 {
        self.span.end - self.span.start
    }

    pub(super) fn is_done(&self) -> bool {
        self.next == self.span.end
    }

    /// Whether all is delivered, and the present attempt goes on beyond that.
    pub(super) fn goes_on(&self) -> bool {
        self.is_done() && self.part.end > self.span.end
    }

    pub(super) fn failed(&self, reason: StopReason, source: BoxError) -> ResumeError {
        ResumeError::new(self.delivered(), self.expected(), reason, source)
    }

    /// What to ask for next; none if nothing could show that the answer is of the same version.
    pub(super) fn ask(&self) -> Option<Ask> {
        if let Some(condition) = self.version.condition() {
            let range = format!("bytes={}-{}", self.next, self.span.end - 1);
            let range = HeaderValue::try_from(range).expect("digits are a value");
            return Some(Ask::Rest { range, condition });
        }
        self.can_compare().then_some(Ask::All)
    }

    /// Whether there is anything to ask for.
    pub(super) fn can_resume(&self) -> bool {
        self.version.condition().is_some() || self.can_compare()
    }

    fn can_compare(&self) -> bool {
        self.prefix.as_ref().is_some_and(Prefix::is_whole)
    }

    /// Goes on with an answer to what was asked for.
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

    /// The server has ignored the range, or there was none.
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

    /// What of an attempt's data is new to the caller.
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

    /// Compares what was delivered, once all of it was read again.
    fn check(&mut self, start: u64, again: &[u8]) -> Result<(), Unresumable> {
        let Some(check) = &mut self.part.check else {
            return Ok(());
        };
        // What is before the span was never delivered.
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

/// The part of the representation that a response has, and the length of all of it, if that is known.
/// None if the head does not say it, or says two things.
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
