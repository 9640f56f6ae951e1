use std::fmt;

use http::HeaderName;
use serde::de::{Deserialize, Deserializer, Error, Unexpected, Visitor};
use serde::ser::{Serialize, Serializer};

use super::ByStatus;
use super::statuses::{Named, Statuses};
use crate::notation::{As, Notation, Table, Text, serde_by_notation};

serde_by_notation!(ByStatus);

#[derive(serde::Serialize, serde::Deserialize)]
#[serde(
    remote = "ByStatus",
    default = "ByStatus::default",
    deny_unknown_fields,
    expecting = "a map of what is retried"
)]
struct Fields {
    #[serde(rename = "statuses", with = "As::<Statuses>")]
    retried: Statuses,
    #[serde(
        with = "As::<Option<Text<HeaderName>>>",
        skip_serializing_if = "Option::is_none"
    )]
    should_retry_header: Option<HeaderName>,
    keyed_conflict: bool,
}

impl Notation for ByStatus {
    type Value = Self;

    fn write<S: Serializer>(by_status: &Self, serializer: S) -> Result<S::Ok, S::Error> {
        Fields::serialize(by_status, serializer)
    }

    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Fields::deserialize(Table(deserializer))
    }
}

impl Notation for Statuses {
    type Value = Self;

    fn write<S: Serializer>(statuses: &Self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(statuses.named())
    }

    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let named = Vec::<Named>::deserialize(deserializer)?;
        Ok(named
            .iter()
            .fold(Self::none(), |statuses, named| match named {
                Named::Series(digit) => statuses.with_series(*digit),
                Named::One(status) => statuses.with(*status),
            }))
    }
}

impl Serialize for Named {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Series(_) => serializer.collect_str(self),
            Self::One(status) => serializer.serialize_u16(*status),
        }
    }
}

impl<'de> Deserialize<'de> for Named {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NamedVisitor)
    }
}

struct NamedVisitor;

impl Visitor<'_> for NamedVisitor {
    type Value = Named;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a status from 100 to 999, or a series such as \"5xx\"")
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Named, E> {
        let status = u16::try_from(number).ok();
        let status = status.filter(|status| (100..1_000).contains(status));
        status
            .map(Named::One)
            .ok_or_else(|| E::invalid_value(Unexpected::Unsigned(number), &self))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Named, E> {
        match u64::try_from(number) {
            Ok(number) => self.visit_u64(number),
            Err(_) => Err(E::invalid_value(Unexpected::Signed(number), &self)),
        }
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Named, E> {
        match text.as_bytes() {
            [digit @ b'1'..=b'9', b'x', b'x'] => Ok(Named::Series(u16::from(digit - b'0'))),
            _ => Err(E::invalid_value(Unexpected::Str(text), &self)),
        }
    }
}
