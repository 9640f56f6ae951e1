use std::fmt;
use std::marker::PhantomData;

use serde::de::{Error, Unexpected, Visitor};
use serde::{Deserializer, Serializer};

use super::Notation;

/// One of several words.
pub(crate) struct Word<T>(PhantomData<T>);

pub(crate) trait Words: Copy + PartialEq + 'static {
    /// Each value with its word.
    const WORDS: &'static [(&'static str, Self)];

    /// The end of the error message, for values that are accepted besides the words.
    const OR: &'static str = "";

    fn of_word(word: &str) -> Option<Self> {
        let mut words = Self::WORDS.iter();
        words.find_map(|(other, value)| (*other == word).then_some(*value))
    }

    /// Returns `None` if there is no word for this value.
    fn word(self) -> Option<&'static str> {
        let mut words = Self::WORDS.iter();
        words.find_map(|(word, other)| (*other == self).then_some(*word))
    }

    /// Writes the list of words for error messages.
    fn expected(f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (word, _)) in Self::WORDS.iter().enumerate() {
            let separator = match index {
                0 => "",
                _ if index + 1 == Self::WORDS.len() && Self::OR.is_empty() => " or ",
                _ => ", ",
            };
            write!(f, "{separator}\"{word}\"")?;
        }
        f.write_str(Self::OR)
    }
}

impl<T: Words> Notation for Word<T> {
    type Value = T;

    fn write<S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
        match value.word() {
            Some(word) => serializer.serialize_str(word),
            None => Err(serde::ser::Error::custom("there is no word for this value")),
        }
    }

    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
        deserializer.deserialize_any(WordVisitor(PhantomData))
    }
}

struct WordVisitor<T>(PhantomData<T>);

impl<T: Words> Visitor<'_> for WordVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        T::expected(f)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        T::of_word(text).ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
    }
}
