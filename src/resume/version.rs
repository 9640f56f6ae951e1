use std::time::Duration;

use http::header::{CONTENT_ENCODING, DATE, ETAG, IF_MATCH, IF_UNMODIFIED_SINCE, LAST_MODIFIED};
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::retry_after::{date, text};

/// The version of a representation, as described by the head of a response.
#[derive(Clone, Debug)]
pub(super) struct Version {
    etag: Option<HeaderValue>,
    last_modified: Option<HeaderValue>,
    dated: Dated,
    /// Whether one of the two headers occurs more than once, so that it cannot be used.
    is_doubled: bool,
    encodings: Vec<HeaderValue>,
    /// The length of the whole representation, if it is known.
    complete: Option<u64>,
}

/// Whether `Last-Modified` is a strong validator, judged by `Date`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Dated {
    /// It identifies one version.
    Strong,
    /// A later version can have the same date.
    Weak,
    /// One of the two headers is missing, or is not a date.
    Unknown,
}

impl Version {
    pub(super) fn of(headers: &HeaderMap, complete: Option<u64>) -> Self {
        Self {
            etag: only(headers, &ETAG).cloned(),
            last_modified: only(headers, &LAST_MODIFIED).cloned(),
            dated: dated(headers),
            is_doubled: [ETAG, LAST_MODIFIED]
                .iter()
                .any(|name| headers.get_all(name).iter().nth(1).is_some()),
            encodings: headers.get_all(CONTENT_ENCODING).iter().cloned().collect(),
            complete,
        }
    }

    /// Returns the condition to request only this version. `None` without a strong validator.
    pub(super) fn condition(&self) -> Option<(HeaderName, HeaderValue)> {
        match (self.strong_etag(), &self.last_modified) {
            (Some(etag), _) => Some((IF_MATCH, etag.clone())),
            (None, Some(date)) if self.dated == Dated::Strong => {
                Some((IF_UNMODIFIED_SINCE, date.clone()))
            }
            (None, _) => None,
        }
    }

    /// Whether no header of the other version differs from those of this one. A version that has a
    /// validator twice does not count as the same.
    pub(super) fn does_not_contradict(&self, other: &Self) -> bool {
        let validators = match (&self.etag, &other.etag) {
            (Some(one), Some(etag)) if one != etag => false,
            // A strong ETag takes precedence over the date.
            (Some(_), Some(_)) if self.strong_etag().is_some() => true,
            _ => is_same(self.last_modified.as_ref(), other.last_modified.as_ref()),
        };
        validators && !other.is_doubled && self.has_same_length_and_encodings(other)
    }

    /// Whether a part is proven to be of this version: it repeats the validator (RFC 9110, section 15.3.7.3).
    /// The condition of the request proves nothing, because caches do not evaluate it (RFC 9111, section
    /// 4.3.2), and because an older version also meets a condition with a date.
    pub(super) fn is_repeated_by(&self, other: &Self) -> bool {
        let is_repeated = match self.strong_etag() {
            Some(_) => other.etag.is_some(),
            None => other.last_modified.is_some() && other.dated != Dated::Weak,
        };
        is_repeated && self.does_not_contradict(other)
    }

    /// Whether the strong validator of another version proves that it is this one.
    pub(super) fn is_proven_to_be(&self, other: &Self) -> bool {
        let condition = self.condition();
        condition.is_some() && condition == other.condition() && self.does_not_contradict(other)
    }

    /// Takes over the length of another version if its own is unknown.
    pub(super) fn with_length_of(mut self, other: &Self) -> Self {
        self.complete = self.complete.or(other.complete);
        self
    }

    /// Whether both have the same encodings and the same length, as far as it is known.
    pub(super) fn has_same_length_and_encodings(&self, other: &Self) -> bool {
        is_same(self.complete, other.complete) && self.encodings == other.encodings
    }

    fn strong_etag(&self) -> Option<&HeaderValue> {
        self.etag.as_ref().filter(|etag| is_strong(etag))
    }
}

/// Whether two values are equal, if both are known.
fn is_same<T: PartialEq>(one: Option<T>, other: Option<T>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => one == other,
        (Some(_) | None, _) => true,
    }
}

/// The value of a header that occurs exactly once.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a HeaderValue> {
    let mut values = headers.get_all(name).iter();
    values.next().filter(|_| values.next().is_none())
}

/// Whether an ETag is strong: a quoted string without the prefix `W/` (RFC 9110, section 8.8.3).
fn is_strong(etag: &HeaderValue) -> bool {
    let inside = etag.as_bytes().strip_prefix(b"\"");
    let inside = inside.and_then(|rest| rest.strip_suffix(b"\""));
    let is_part = |byte: &u8| *byte == b'!' || (0x23..=0x7e).contains(byte) || *byte >= 0x80;
    inside.is_some_and(|inside| inside.iter().all(is_part))
}

/// Whether `Last-Modified` is strong: the response was sent at least a second after it, so that a later
/// change has a later date (RFC 9110, section 8.8.2.2).
fn dated(headers: &HeaderMap) -> Dated {
    let time = |name| date(text(only(headers, name)?)?);
    let (Some(modified), Some(sent)) = (time(&LAST_MODIFIED), time(&DATE)) else {
        return Dated::Unknown;
    };
    match sent.duration_since(modified) {
        Ok(age) if age >= Duration::from_secs(1) => Dated::Strong,
        Ok(_) | Err(_) => Dated::Weak,
    }
}

#[cfg(test)]
mod tests;
