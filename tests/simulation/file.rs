//! The file of a download, with its versions, and how the servers respond to requests for it.

use std::time::Duration;

use bytes::Bytes;
use fastrand::Rng;

use super::payload::BYTES;
use super::plan::{millis, one_in};

/// The maximum number of versions of a file.
pub const VERSIONS: u32 = 10;

/// A file. It is the same on both servers, except for changes by a restart.
#[derive(Clone, Debug)]
pub struct File {
    /// The number of the request that downloads it.
    pub id: u32,
    len: usize,
    /// The times at which the version changes.
    changes: Vec<Duration>,
    /// Whether the version also changes when a server restarts.
    changes_with_restarts: bool,
    /// How many bytes at the beginning are the same in all versions.
    alike: usize,
    /// By how many bytes each version is longer than the previous one.
    grows: usize,
    pub validator: Validator,
    pub length: Length,
    pub is_event_stream: bool,
    pub ranges: Ranges,
    /// Whether the servers evaluate `If-Match` and `If-Unmodified-Since`. If not, each part has the validator
    /// of its version.
    pub heeds_conditions: bool,
    pub says_in_parts: bool,
    /// The first and the last byte that the caller requests, if it does not request the whole file.
    pub asked: Option<(u64, u64)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Validator {
    Etag,
    WeakEtag,
    /// A `Last-Modified` one minute before the `Date` of the response.
    Date,
    /// A `Last-Modified` in the same second as the `Date` of the response.
    FreshDate,
    Nothing,
}

/// Which responses have a `Content-Length`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    OfAll,
    /// Only those with the whole file.
    NotOfParts,
    Never,
}

/// How the servers handle `Range`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ranges {
    Honoured,
    Ignored,
    /// Parts begin this many bytes too early.
    Early(u64),
    /// Parts begin one byte too late.
    Late,
    /// Parts have at most this many bytes.
    Segments(u64),
}

impl File {
    pub fn draw(random: &mut Rng, id: u32) -> Self {
        let len = match random.u8(..6) {
            0 => random.usize(100_000..200_000),
            1 => random.usize(1..200),
            _ => random.usize(2_000..40_000),
        };
        let changes = match random.u8(..5) {
            0..=2 => random.usize(1..=3),
            _ => 0,
        };
        let heeds_conditions = random.u8(..3) > 0;
        let asked = |random: &mut Rng| {
            let first = random.u64(..len as u64);
            (first, random.u64(first..len as u64 + 10))
        };
        Self {
            id,
            len,
            changes: (0..changes).map(|_| millis(random, 50..=1_300)).collect(),
            changes_with_restarts: random.u8(..3) == 0,
            alike: one_in(random, 3, len / 2).unwrap_or_default(),
            grows: one_in(random, 5, 100).unwrap_or_default(),
            validator: Validator::draw(random),
            length: match random.u8(..8) {
                0 => Length::Never,
                1 | 2 => Length::NotOfParts,
                _ => Length::OfAll,
            },
            is_event_stream: random.u8(..10) == 0,
            ranges: Ranges::draw(random),
            heeds_conditions,
            says_in_parts: !heeds_conditions || random.u8(..4) > 0,
            asked: (random.u8(..6) == 0).then(|| asked(random)),
        }
    }

    /// Returns the version of a server that has restarted this many times.
    pub fn version(&self, at: Duration, restarts: u32) -> u32 {
        let changes = self.changes.iter().filter(|change| **change <= at).count() as u32;
        let restarts = if self.changes_with_restarts {
            restarts
        } else {
            0
        };
        (changes + restarts).min(VERSIONS - 1)
    }

    pub fn len(&self, version: u32) -> u64 {
        (self.len + self.grows * version as usize) as u64
    }

    /// Returns these bytes of a version, in up to two pieces.
    pub fn pieces(&self, version: u32, first: u64, end: u64) -> impl Iterator<Item = Bytes> {
        let own = self.place(version);
        let alike = (self.alike as u64).clamp(first, end);
        let slice = |start: usize, first: u64, end: u64| {
            BYTES.slice(start + first as usize..start + end as usize)
        };
        let pieces = [slice(self.place(0), first, alike), slice(own, alike, end)];
        pieces.into_iter().filter(|piece| !piece.is_empty())
    }

    /// Whether a version has these bytes at the place `first`.
    pub fn has(&self, version: u32, first: u64, bytes: &[u8]) -> bool {
        let end = first + bytes.len() as u64;
        let mut rest = bytes;
        end <= self.len(version)
            && self.pieces(version, first, end).all(|piece| {
                let (these, others) = rest.split_at(piece.len());
                rest = others;
                these == piece
            })
    }

    fn place(&self, version: u32) -> usize {
        (self.id * 7_919 + version * 1_009) as usize % 60_000
    }

    pub fn etag(&self, version: u32) -> Option<String> {
        match self.validator {
            Validator::Etag => Some(format!("\"{version}\"")),
            Validator::WeakEtag => Some(format!("W/\"{version}\"")),
            Validator::Date | Validator::FreshDate | Validator::Nothing => None,
        }
    }

    /// Returns the `Last-Modified` of a version, and the `Date` of a response with it.
    pub fn dates(&self, version: u32) -> Option<(String, String)> {
        let of = |minute: u32| format!("Sun, 06 Nov 1994 08:{minute:02}:37 GMT");
        match self.validator {
            Validator::Date => Some((of(version), of(version + 1))),
            Validator::FreshDate => Some((of(version), of(version))),
            Validator::Etag | Validator::WeakEtag | Validator::Nothing => None,
        }
    }
}

impl Validator {
    fn draw(random: &mut Rng) -> Self {
        match random.u8(..10) {
            0 => Self::WeakEtag,
            1 => Self::FreshDate,
            2 => Self::Nothing,
            3 | 4 => Self::Date,
            _ => Self::Etag,
        }
    }

    /// Whether no two versions have the same validator.
    pub fn is_strong(self) -> bool {
        matches!(self, Self::Etag | Self::Date)
    }
}

impl Ranges {
    fn draw(random: &mut Rng) -> Self {
        match random.u8(..12) {
            0 | 1 => Self::Ignored,
            2 => Self::Early(random.u64(1..3_000)),
            3 => Self::Late,
            4 => Self::Segments(random.u64(500..20_000)),
            _ => Self::Honoured,
        }
    }
}
