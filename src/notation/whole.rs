use std::fmt;
use std::marker::PhantomData;

use serde::de::{Error, Unexpected, Visitor};
use serde::{Deserializer, Serializer};

use super::Notation;

/// The word for the maximum value of a type, which means that there is no limit.
pub(crate) const UNLIMITED: &str = "unlimited";

/// A whole number in a range.
pub(crate) struct Whole<T, const LEAST: u64 = 0, const MOST: u64 = { u64::MAX }>(PhantomData<T>);

/// A whole number, or `unlimited` for the maximum value of its type.
pub(crate) struct OrUnlimited<T>(PhantomData<T>);

/// A type of whole numbers.
pub(crate) trait Unsigned: Copy + PartialEq + TryFrom<u64> {
    const MAX: Self;

    fn number(self) -> u64;
}

macro_rules! unsigned {
    ($($type:ty)*) => {
        $(impl Unsigned for $type {
            const MAX: Self = <$type>::MAX;

            fn number(self) -> u64 {
                self as u64
            }
        })*
    };
}
unsigned!(u32 u64 usize);

impl<T: Unsigned, const LEAST: u64, const MOST: u64> Notation for Whole<T, LEAST, MOST> {
    type Value = T;

    fn write<S: Serializer>(number: &T, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(number.number())
    }

    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
        deserializer.deserialize_any(WholeVisitor {
            least: LEAST,
            most: MOST.min(T::MAX.number()),
            unlimited: None,
        })
    }
}

impl<T: Unsigned> Notation for OrUnlimited<T> {
    type Value = T;

    fn write<S: Serializer>(number: &T, serializer: S) -> Result<S::Ok, S::Error> {
        match *number == T::MAX {
            true => serializer.serialize_str(UNLIMITED),
            false => serializer.serialize_u64(number.number()),
        }
    }

    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
        deserializer.deserialize_any(WholeVisitor {
            least: 0,
            most: T::MAX.number(),
            unlimited: Some(T::MAX),
        })
    }
}

struct WholeVisitor<T> {
    least: u64,
    most: u64,
    /// The value of the word `unlimited`, if it is accepted.
    unlimited: Option<T>,
}

impl<T: Unsigned> Visitor<'_> for WholeVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a whole number")?;
        match (self.least, self.most) {
            (0, u64::MAX) => {}
            (0, most) => write!(f, " of at most {most}")?,
            (least, u64::MAX) => write!(f, " of at least {least}")?,
            (least, most) => write!(f, " from {least} to {most}")?,
        }
        match self.unlimited {
            Some(_) => write!(f, ", or \"{UNLIMITED}\""),
            None => Ok(()),
        }
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<T, E> {
        match T::try_from(number) {
            Ok(value) if (self.least..=self.most).contains(&number) => Ok(value),
            Ok(_) | Err(_) => Err(E::invalid_value(Unexpected::Unsigned(number), &self)),
        }
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<T, E> {
        match u64::try_from(number) {
            Ok(number) => self.visit_u64(number),
            Err(_) => Err(E::invalid_value(Unexpected::Signed(number), &self)),
        }
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        match self.unlimited.filter(|_| text == UNLIMITED) {
            Some(unlimited) => Ok(unlimited),
            None => Err(E::invalid_type(Unexpected::Str(text), &self)),
        }
    }
}
