use serde::{Deserializer, Serializer};

use super::DeadlineUnit;
use crate::notation::{Notation, Word, Words, serde_by_notation};

serde_by_notation!(DeadlineUnit);

impl Words for DeadlineUnit {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("seconds", Self::Seconds),
        ("milliseconds", Self::Milliseconds),
    ];
}

impl Notation for DeadlineUnit {
    type Value = Self;

    fn write<S: Serializer>(unit: &Self, serializer: S) -> Result<S::Ok, S::Error> {
        Word::write(unit, serializer)
    }

    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Word::read(deserializer)
    }
}
