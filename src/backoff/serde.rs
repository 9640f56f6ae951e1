use std::fmt;
use std::time::Duration;

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, Unexpected, Visitor};
use serde::ser::{SerializeMap, Serializer};

use super::{Backoff, Jitter};
use crate::notation::{
    AboveZero, As, FromZero, Notation, Number, Table, Time, TimeOrUnlimited, Word, Words,
    serde_by_notation,
};

serde_by_notation!(Backoff);
serde_by_notation!(Jitter);

#[derive(serde::Serialize, serde::Deserialize)]
#[serde(
    remote = "Backoff",
    default = "Backoff::default",
    deny_unknown_fields,
    expecting = "a map of a back-off's settings"
)]
struct Fields {
    #[serde(with = "As::<Time>")]
    base: Duration,
    #[serde(with = "As::<Number<AboveZero>>")]
    factor: f64,
    #[serde(with = "As::<TimeOrUnlimited>")]
    max_wait: Duration,
    #[serde(with = "As::<Jitter>")]
    jitter: Jitter,
}

impl Notation for Backoff {
    type Value = Self;

    fn write<S: Serializer>(backoff: &Self, serializer: S) -> Result<S::Ok, S::Error> {
        Fields::serialize(backoff, serializer)
    }

    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Fields::deserialize(Table(deserializer))
    }
}

/// The key of [`Jitter::Between`], which is written as a map. Other jitter is written as a word.
const BETWEEN: &str = "between";

impl Words for Jitter {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("none", Self::None),
        ("full", Self::Full),
        ("equal", Self::Equal),
        ("decorrelated", Self::Decorrelated),
    ];

    const OR: &'static str = ", or a map with \"between\"";
}

impl Notation for Jitter {
    type Value = Self;

    fn write<S: Serializer>(jitter: &Self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self::Between(low, high) = jitter else {
            return Word::write(jitter, serializer);
        };
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry(BETWEEN, &[low, high])?;
        map.end()
    }

    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(JitterVisitor)
    }
}

struct JitterVisitor;

impl<'de> Visitor<'de> for JitterVisitor {
    type Value = Jitter;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Jitter::expected(f)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Jitter, E> {
        Jitter::of_word(text).ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Jitter, A::Error> {
        let mut between = None;
        while let Some(key) = map.next_key::<String>()? {
            if key != BETWEEN {
                map.next_value::<IgnoredAny>()?;
                return Err(A::Error::unknown_field(&key, &[BETWEEN]));
            }
            if between.replace(map.next_value::<Between>()?).is_some() {
                return Err(A::Error::duplicate_field(BETWEEN));
            }
        }
        let Between([low, high]) = between.ok_or_else(|| A::Error::missing_field(BETWEEN))?;
        Ok(Jitter::Between(low, high))
    }
}

/// Two multiples of a step, the smaller one first.
struct Between([f64; 2]);

impl<'de> Deserialize<'de> for Between {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let numbers = <Vec<Number<FromZero>>>::read(deserializer)?;
        match numbers[..] {
            [low, high] if low <= high => Ok(Self([low, high])),
            [low, high] => Err(D::Error::custom(format_args!(
                "{high:?} is below {low:?}: the smaller number goes first"
            ))),
            _ => Err(D::Error::invalid_length(numbers.len(), &"two numbers")),
        }
    }
}
