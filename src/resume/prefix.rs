use std::hash::{BuildHasher, DefaultHasher, Hasher, RandomState};

/// A hash of the delivered bytes, with a random key so that a server cannot provoke collisions.
pub(super) struct Prefix {
    key: RandomState,
    hash: DefaultHasher,
    /// How many bytes can be added.
    left: u64,
    is_over_limit: bool,
}

impl Prefix {
    /// Creates a hash that covers at most `limit` bytes.
    pub(super) fn new(limit: u64) -> Self {
        let key = RandomState::new();
        Self {
            hash: key.build_hasher(),
            key,
            left: limit,
            is_over_limit: false,
        }
    }

    pub(super) fn add(&mut self, data: &[u8]) {
        match self.left.checked_sub(data.len() as u64) {
            Some(left) if !self.is_over_limit => {
                self.left = left;
                self.hash.write(data);
            }
            _ => self.is_over_limit = true,
        }
    }

    /// Whether all bytes that were added are hashed.
    pub(super) fn is_whole(&self) -> bool {
        !self.is_over_limit
    }

    /// A hash of no bytes yet, under the same key.
    pub(super) fn begin(&self) -> DefaultHasher {
        self.key.build_hasher()
    }

    pub(super) fn is(&self, read: &DefaultHasher) -> bool {
        self.is_whole() && self.hash.finish() == read.finish()
    }
}

#[cfg(test)]
mod tests;
