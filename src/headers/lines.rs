use http::{HeaderMap, HeaderName, HeaderValue};

/// Headers as a sequence of bytes. Each has a flag for a sensitive value, the length of the value, the name
/// with its length (if names are stored), and the value.
pub(super) struct Lines<'a>(&'a [u8]);

pub(super) struct Line<'a> {
    pub(super) is_sensitive: bool,
    pub(super) value: &'a [u8],
    /// The number of bytes that follow it.
    pub(super) rest: usize,
}

/// The size of the flag and the length. A value of 4 GiB does not occur.
const PREFIX: usize = 1 + size_of::<u32>();

impl<'a> Lines<'a> {
    /// Stores the values without their names. `value_bytes` is their total size.
    pub(super) fn without_names(headers: &HeaderMap, value_bytes: usize) -> Vec<u8> {
        let mut lines = Vec::with_capacity(PREFIX * headers.len() + value_bytes);
        for value in headers.values() {
            lines.extend_from_slice(&prefix(value));
            lines.extend_from_slice(value.as_bytes());
        }
        lines
    }

    pub(super) fn with_names(headers: &HeaderMap) -> Vec<u8> {
        let length = |(name, value): (&HeaderName, &HeaderValue)| {
            PREFIX + size_of::<u16>() + name.as_str().len() + value.len()
        };
        let mut lines = Vec::with_capacity(headers.iter().map(length).sum());
        for (name, value) in headers {
            lines.extend_from_slice(&prefix(value));
            // `http` does not allow names of more than 2^16 - 1 bytes.
            let name = name.as_str().as_bytes();
            lines.extend_from_slice(&(name.len() as u16).to_ne_bytes());
            lines.extend_from_slice(name);
            lines.extend_from_slice(value.as_bytes());
        }
        lines
    }

    pub(super) fn of(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Returns the next line and its name. If names are not stored, use `next`.
    pub(super) fn next_with_name(&mut self) -> Option<(&'a [u8], Line<'a>)> {
        let (is_sensitive, length) = self.take_prefix()?;
        let (name_length, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        let name = self.take(u16::from_ne_bytes(*name_length).into());
        let value = self.take(length);
        let line = Line {
            is_sensitive,
            value,
            rest: self.0.len(),
        };
        Some((name, line))
    }

    fn take_prefix(&mut self) -> Option<(bool, usize)> {
        let (&[sensitive, l0, l1, l2, l3], rest) = self.0.split_first_chunk::<PREFIX>()?;
        self.0 = rest;
        Some((
            sensitive != 0,
            u32::from_ne_bytes([l0, l1, l2, l3]) as usize,
        ))
    }

    fn take(&mut self, length: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(length);
        self.0 = rest;
        taken
    }
}

impl<'a> Iterator for Lines<'a> {
    type Item = Line<'a>;

    /// Returns the next line, if names are not stored.
    fn next(&mut self) -> Option<Line<'a>> {
        let (is_sensitive, length) = self.take_prefix()?;
        let value = self.take(length);
        Some(Line {
            is_sensitive,
            value,
            rest: self.0.len(),
        })
    }
}

fn prefix(value: &HeaderValue) -> [u8; PREFIX] {
    let [l0, l1, l2, l3] = (value.len() as u32).to_ne_bytes();
    [u8::from(value.is_sensitive()), l0, l1, l2, l3]
}
