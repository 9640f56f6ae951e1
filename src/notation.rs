//! How settings are written in a config, in any self-describing format.

use std::marker::PhantomData;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_path_to_error::Segment;

mod number;
mod table;
mod text;
mod time;
mod whole;
mod word;

pub(crate) use number::{AboveZero, FromZero, Number, UpToThousand};
pub(crate) use table::Table;
pub(crate) use text::{AddedHeader, Text};
pub(crate) use time::{Time, TimeOrUnlimited};
pub(crate) use whole::{OrUnlimited, UNLIMITED, Whole};
pub(crate) use word::{Word, Words};

/// How one kind of setting is written and read.
pub(crate) trait Notation {
    type Value;

    fn write<S: Serializer>(value: &Self::Value, serializer: S) -> Result<S::Ok, S::Error>;

    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self::Value, D::Error>;
}

/// Adapts a notation to serde's `with` attribute.
pub(crate) struct As<N>(PhantomData<N>);

impl<N: Notation> As<N> {
    pub(crate) fn serialize<S: Serializer>(value: &N::Value, to: S) -> Result<S::Ok, S::Error> {
        N::write(value, to)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<N::Value, D::Error> {
        N::read(from)
    }
}

/// A value that was read in a notation.
struct Read<N: Notation>(N::Value);

impl<'de, N: Notation> Deserialize<'de> for Read<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        N::read(deserializer).map(Self)
    }
}

/// A value to write in a notation.
struct Written<'a, N: Notation>(&'a N::Value);

impl<N: Notation> Serialize for Written<'_, N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        N::write(self.0, serializer)
    }
}

impl<N: Notation> Notation for Option<N> {
    type Value = Option<N::Value>;

    fn write<S: Serializer>(value: &Self::Value, serializer: S) -> Result<S::Ok, S::Error> {
        value.as_ref().map(Written::<N>).serialize(serializer)
    }

    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self::Value, D::Error> {
        let value = Option::<Read<N>>::deserialize(deserializer)?;
        Ok(value.map(|read| read.0))
    }
}

impl<N: Notation> Notation for Vec<N> {
    type Value = Vec<N::Value>;

    fn write<S: Serializer>(values: &Self::Value, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(values.iter().map(Written::<N>))
    }

    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self::Value, D::Error> {
        let values = Vec::<Read<N>>::deserialize(deserializer)?;
        Ok(values.into_iter().map(|read| read.0).collect())
    }
}

/// Reads a value. In every format, an error contains the path of the setting.
pub(crate) fn read_named<'de, N: Notation, D>(deserializer: D) -> Result<N::Value, D::Error>
where
    D: Deserializer<'de>,
{
    let read = serde_path_to_error::deserialize::<D, Read<N>>(deserializer);
    read.map(|read| read.0).map_err(|error| {
        let is_known = |segment: &Segment| !matches!(segment, Segment::Unknown);
        // An error before the first field, such as one of the syntax, has no path.
        if error.path().iter().next().is_none() || !error.path().iter().all(is_known) {
            return error.into_inner();
        }
        let path = error.path().to_string();
        let message = error.into_inner().to_string();
        let message = message.trim_end();
        // If the crate toml cannot show the line, it appends the path, too.
        let own_path = format!("\nin `{path}`");
        let message = message.strip_suffix(&own_path).unwrap_or(message);
        D::Error::custom(format_args!("{path}: {message}"))
    })
}

/// Implements serde's traits for a type that is a notation of itself. If such a type contains another one,
/// only the outer one adds the path to an error.
macro_rules! serde_by_notation {
    ($type:ty) => {
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                <$type as $crate::notation::Notation>::write(self, serializer)
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                $crate::notation::read_named::<$type, D>(from)
            }
        }
    };
}
pub(crate) use serde_by_notation;
