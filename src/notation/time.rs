use std::fmt;
use std::time::Duration;

use serde::de::{Error, Unexpected, Visitor};
use serde::{Deserializer, Serializer};

use super::{Notation, UNLIMITED};

/// A duration as people write it: `1m 30s`.
pub(crate) struct Time;

/// The same, whose greatest value is no limit.
pub(crate) struct TimeOrUnlimited;

impl Notation for Time {
    type Value = Duration;

    fn write<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&humantime::format_duration(*time))
    }

    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        deserializer.deserialize_any(TimeVisitor {
            may_be_unlimited: false,
        })
    }
}

impl Notation for TimeOrUnlimited {
    type Value = Duration;

    fn write<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        match *time {
            Duration::MAX => serializer.serialize_str(UNLIMITED),
            _ => Time::write(time, serializer),
        }
    }

    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        deserializer.deserialize_any(TimeVisitor {
            may_be_unlimited: true,
        })
    }
}

struct TimeVisitor {
    may_be_unlimited: bool,
}

impl Visitor<'_> for TimeVisitor {
    type Value = Duration;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a duration with units, such as \"1m 30s\"")?;
        match self.may_be_unlimited {
            true => write!(f, ", or \"{UNLIMITED}\""),
            false => Ok(()),
        }
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Duration, E> {
        if self.may_be_unlimited && text == UNLIMITED {
            return Ok(Duration::MAX);
        }
        humantime::parse_duration(text).map_err(|_| E::invalid_value(Unexpected::Str(text), &self))
    }
}
