use serde::{Deserializer, Serializer};

use super::RetryAfter;
use crate::notation::{Notation, Word, Words, serde_by_notation};

serde_by_notation!(RetryAfter);

impl Words for RetryAfter {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("minimum", Self::Minimum),
        ("exact", Self::Exact),
        ("ignore", Self::Ignore),
    ];
}

impl Notation for RetryAfter {
    type Value = Self;

    fn write<S: Serializer>(value: &Self, serializer: S) -> Result<S::Ok, S::Error> {
        Word::write(value, serializer)
    }

    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Word::read(deserializer)
    }
}
