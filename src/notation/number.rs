use std::fmt;
use std::marker::PhantomData;

use serde::de::{Error, Unexpected, Visitor};
use serde::{Deserializer, Serializer};

use super::Notation;

/// A finite number in a range.
pub(crate) struct Number<R>(PhantomData<R>);

/// The numbers that a setting accepts.
pub(crate) trait Range {
    /// The description of the range in error messages.
    const EXPECTED: &'static str;

    fn contains(number: f64) -> bool;
}

pub(crate) struct AboveZero;

impl Range for AboveZero {
    const EXPECTED: &'static str = "a number above 0";

    fn contains(number: f64) -> bool {
        number > 0.0
    }
}

pub(crate) struct FromZero;

impl Range for FromZero {
    const EXPECTED: &'static str = "a number of at least 0";

    fn contains(number: f64) -> bool {
        number >= 0.0
    }
}

pub(crate) struct UpToThousand;

impl Range for UpToThousand {
    const EXPECTED: &'static str = "a number from 0 to 1000";

    fn contains(number: f64) -> bool {
        (0.0..=1_000.0).contains(&number)
    }
}

impl<R: Range> Notation for Number<R> {
    type Value = f64;

    fn write<S: Serializer>(number: &f64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(*number)
    }

    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
        deserializer.deserialize_any(NumberVisitor::<R>(PhantomData))
    }
}

struct NumberVisitor<R>(PhantomData<R>);

impl<R: Range> Visitor<'_> for NumberVisitor<R> {
    type Value = f64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(R::EXPECTED)
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<f64, E> {
        match number.is_finite() && R::contains(number) {
            true => Ok(number),
            false => Err(E::invalid_value(Unexpected::Float(number), &self)),
        }
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<f64, E> {
        match R::contains(number as f64) {
            true => Ok(number as f64),
            false => Err(E::invalid_value(Unexpected::Unsigned(number), &self)),
        }
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<f64, E> {
        match R::contains(number as f64) {
            true => Ok(number as f64),
            false => Err(E::invalid_value(Unexpected::Signed(number), &self)),
        }
    }
}
