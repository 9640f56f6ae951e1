use std::fmt;
use std::time::Duration;

use serde::de::{Error, Unexpected, Visitor};
use serde::{Deserializer, Serializer};

use super::{Notation, UNLIMITED};

/// A duration with units, such as `1m 30s`.
pub(crate) struct Time;

/// A duration with units, or `unlimited` for [`Duration::MAX`].
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
        parse(text).ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
    }
}

/// Parses each number with its unit separately, because `humantime` panics if their sum overflows.
fn parse(text: &str) -> Option<Duration> {
    let mut sum = Duration::ZERO;
    let mut rest = text;
    loop {
        let unit = rest.find(char::is_alphabetic).unwrap_or(rest.len());
        let next = rest[unit..].find(|c: char| c.is_ascii_digit());
        let (part, others) = rest.split_at(next.map_or(rest.len(), |next| unit + next));
        sum = sum.checked_add(humantime::parse_duration(part).ok()?)?;
        if others.is_empty() {
            return Some(sum);
        }
        rest = others;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_is_read_as_humantime_reads_it_and_too_large_a_one_is_an_error() {
        for text in [
            "1s",
            "0",
            "1m 30s",
            "1h30m",
            "1 h 30 m",
            " 5m ",
            "1.5h",
            "10 000 ms",
            "2days 3ns",
            "1y 2M 3w",
            "",
            " ",
            "5",
            "5m 3",
            "s",
            "5m s",
            "1s, 2s",
            "1s -2s",
            "5 parsecs",
            "1s 2",
            "18446744073709551616s",
        ] {
            assert_eq!(
                parse(text),
                humantime::parse_duration(text).ok(),
                "{text:?}"
            );
        }
        assert_eq!(
            parse("18446744073709551615s 999999999ns"),
            Some(Duration::MAX)
        );
        assert_eq!(parse("18446744073709551615s 1000000000ns"), None);
        assert_eq!(parse("1ns 18446744073709551615.999999999s"), None);
    }
}
