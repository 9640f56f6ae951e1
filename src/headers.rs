use std::iter;
use std::sync::OnceLock;

use bytes::Bytes;
use http::header::AsHeaderName;
use http::{HeaderMap, HeaderName, HeaderValue};

mod known;
mod lines;

pub(crate) use known::KnownNames;
use lines::{Line, Lines};

/// The headers of a request: its map, or the copy that is kept for retries.
#[derive(Clone, Copy)]
pub(crate) enum Headers<'a> {
    Map(&'a HeaderMap),
    Kept(&'a KeptHeaders, &'a KnownNames),
}

impl<'a> Headers<'a> {
    /// Returns the first value of a header. The name is text or a `&HeaderName`, which costs less.
    pub(crate) fn find<N>(self, name: N) -> Option<&'a [u8]>
    where
        N: AsHeaderName + AsRef<str> + Copy,
        HeaderName: PartialEq<N>,
    {
        match self {
            Self::Map(map) => map.get(name).map(HeaderValue::as_bytes),
            Self::Kept(kept, known) => kept.find(name, known),
        }
    }

    /// Returns all headers as a map, which is created if necessary.
    pub(crate) fn map(self) -> &'a HeaderMap {
        match self {
            Self::Map(map) => map,
            Self::Kept(kept, known) => kept.map.get_or_init(|| Box::new(kept.unpack(known))),
        }
    }
}

/// Headers in one allocation of the exact size, regardless of their number. Cloning a map takes an allocation
/// for each value that was not cloned before: 14 allocations and 6,500 instructions for 12 headers.
#[derive(Default)]
pub(crate) struct KeptHeaders {
    lines: Bytes,
    names: Names,
    map: OnceLock<Box<HeaderMap>>,
}

/// Where the names of kept headers are stored.
#[derive(Clone, Copy)]
enum Names {
    /// In the lines. This is the number of different names, which is below 2^15 in any map.
    Own(u16),
    /// At this index of the layer's known names.
    Known(u8),
}

impl Default for Names {
    fn default() -> Self {
        Self::Own(0)
    }
}

impl KeptHeaders {
    #[inline]
    pub(crate) fn of(headers: &HeaderMap, known: &KnownNames) -> Self {
        match headers.is_empty() {
            true => Self::default(),
            false => Self::pack(headers, known),
        }
    }

    fn pack(headers: &HeaderMap, known: &KnownNames) -> Self {
        let (names, lines) = match known.look_up(headers) {
            Some((place, value_bytes)) => {
                let lines = Lines::without_names(headers, value_bytes);
                (Names::Known(place), lines)
            }
            None => {
                known.learn(headers);
                (
                    Names::Own(headers.keys_len() as u16),
                    Lines::with_names(headers),
                )
            }
        };
        Self {
            lines: lines.into(),
            names,
            map: OnceLock::new(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Returns a map whose values are slices of the one allocation. Names that are not known are created
    /// again.
    pub(crate) fn unpack(&self, known: &KnownNames) -> HeaderMap {
        let mut lines = Lines::of(&self.lines);
        match self.names {
            Names::Known(place) => {
                let mut headers = known.at(place).map.clone();
                for value in headers.values_mut() {
                    *value = self.value(lines.next().expect("a line for each name"));
                }
                headers
            }
            Names::Own(count) => {
                let mut headers = HeaderMap::with_capacity(count.into());
                while let Some((name, line)) = lines.next_with_name() {
                    let name = HeaderName::from_bytes(name).expect("packed from a name");
                    headers.append(name, self.value(line));
                }
                headers
            }
        }
    }

    fn value(&self, line: Line<'_>) -> HeaderValue {
        // `slice_ref`, which computes the position, takes 20 more instructions.
        let end = self.lines.len() - line.rest;
        let value = self.lines.slice(end - line.value.len()..end);
        let value = HeaderValue::from_maybe_shared(value);
        let mut value = value.expect("packed from a value");
        value.set_sensitive(line.is_sensitive);
        value
    }

    fn find<N>(&self, name: N, known: &KnownNames) -> Option<&[u8]>
    where
        N: AsRef<str> + Copy,
        HeaderName: PartialEq<N>,
    {
        let mut lines = Lines::of(&self.lines);
        let line = match self.names {
            Names::Known(place) => lines.nth(known.at(place).position(name)?),
            Names::Own(_) => iter::from_fn(|| lines.next_with_name())
                .find(|(own, _)| own.eq_ignore_ascii_case(name.as_ref().as_bytes()))
                .map(|(_, line)| line),
        };
        line.map(|line| line.value)
    }
}

#[cfg(test)]
mod tests;
