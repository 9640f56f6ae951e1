use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::error::Unplayable;

/// The frames of a source, up to a limit. The first piece is stored separately, because a body in memory has
/// only one.
pub(super) struct Record<C: ?Sized = [u8]> {
    /// Why the record was dropped, if it was.
    unplayable: Option<Unplayable>,
    first: First,
    rest: Vec<Piece>,
    room: usize,
    /// Room for a copy of the first piece.
    copy: C,
}

enum First {
    None,
    Kept(Piece),
    /// The length of a piece whose bytes are at the start of `copy`.
    Copied(usize),
}

#[derive(Clone)]
pub(super) enum Piece {
    Data(Bytes),
    Trailers(Box<HeaderMap>),
}

/// A frame that is passed to a reader.
#[derive(Clone, Copy)]
pub(super) enum Passing<'a> {
    Data(&'a Bytes),
    Trailers(&'a HeaderMap),
    Unknown,
}

impl<C> Record<C> {
    pub(super) fn new(room: usize, copy: C) -> Self {
        Self {
            unplayable: None,
            first: First::None,
            rest: Vec::new(),
            room,
            copy,
        }
    }
}

impl Record {
    pub(super) fn unplayable(&self) -> Option<Unplayable> {
        self.unplayable
    }

    pub(super) fn get(&self, index: usize) -> Result<Piece, Unplayable> {
        if let Some(unplayable) = self.unplayable {
            return Err(unplayable);
        }
        let piece = match (index, &self.first) {
            (0, First::None) => None,
            (0, First::Kept(piece)) => Some(piece.clone()),
            (0, First::Copied(length)) => {
                let copy = Bytes::copy_from_slice(&self.copy[..*length]);
                Some(Piece::Data(copy))
            }
            _ => self.rest.get(index - 1).cloned(),
        };
        piece.ok_or(Unplayable::SourceFailed)
    }

    /// Keeps a piece if there is room for it. A piece that is in memory anyway does not count.
    #[inline]
    pub(super) fn push(&mut self, piece: Passing<'_>, in_memory: bool) -> Result<(), Unplayable> {
        let size = match piece {
            Passing::Data(_) if in_memory => 0,
            Passing::Data(data) => data.len(),
            Passing::Trailers(trailers) => size(trailers),
            Passing::Unknown => return Err(Unplayable::UnknownFrame),
        };
        self.room = self.room.checked_sub(size).ok_or(Unplayable::OverLimit)?;
        self.keep(piece);
        Ok(())
    }

    /// Keeps a piece although there is no room for it, and leaves no room for further pieces.
    pub(super) fn push_last(&mut self, piece: Passing<'_>) {
        self.keep(piece);
        self.fill();
    }

    /// Sets the room for further pieces to zero.
    pub(super) fn fill(&mut self) {
        self.room = 0;
    }

    /// Drops the record.
    pub(super) fn drop_all(&mut self, why: Unplayable) {
        self.unplayable = Some(why);
        self.first = First::None;
        self.rest = Vec::new();
    }

    #[inline]
    fn keep(&mut self, piece: Passing<'_>) {
        let is_first = matches!(self.first, First::None);
        let piece = match piece {
            // Cloning bytes with a single owner takes an allocation, so they are copied instead.
            Passing::Data(data)
                if is_first && data.len() <= self.copy.len() && data.is_unique() =>
            {
                self.copy[..data.len()].copy_from_slice(data);
                self.first = First::Copied(data.len());
                return;
            }
            Passing::Data(data) => Piece::Data(data.clone()),
            Passing::Trailers(trailers) => Piece::Trailers(Box::new(trailers.clone())),
            Passing::Unknown => return,
        };
        match is_first {
            true => self.first = First::Kept(piece),
            false => self.rest.push(piece),
        }
    }
}

impl<'a> Passing<'a> {
    #[inline]
    pub(super) fn data(self) -> Option<&'a Bytes> {
        match self {
            Self::Data(data) => Some(data),
            Self::Trailers(_) | Self::Unknown => None,
        }
    }
}

fn size(trailers: &HeaderMap) -> usize {
    let line = |(name, value): (&HeaderName, &HeaderValue)| name.as_str().len() + value.len();
    trailers.iter().map(line).sum()
}

#[cfg(test)]
mod tests;
