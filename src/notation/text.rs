use std::fmt;
use std::marker::PhantomData;

use http::header::{
    CONNECTION, CONTENT_LENGTH, EXPECT, HOST, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderName, Method};
use serde::de::{Error, Unexpected, Visitor};
use serde::{Deserializer, Serializer};

use super::Notation;

/// A type that is written as text.
pub(crate) struct Text<T>(PhantomData<T>);

pub(crate) trait Textual: Sized {
    /// The description of the type in error messages.
    const EXPECTED: &'static str;

    fn text(&self) -> &str;

    fn parse(text: &str) -> Option<Self>;
}

impl Textual for HeaderName {
    const EXPECTED: &'static str = "the name of a header";

    fn text(&self) -> &str {
        self.as_str()
    }

    fn parse(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

impl Textual for Method {
    const EXPECTED: &'static str = "a method in upper case, such as \"PATCH\"";

    fn text(&self) -> &str {
        self.as_str()
    }

    /// Rejects lower case: methods are case-sensitive, and `patch` is most likely a mistake for `PATCH`.
    fn parse(text: &str) -> Option<Self> {
        let has_lower_case = text.bytes().any(|byte| byte.is_ascii_lowercase());
        text.parse().ok().filter(|_| !has_lower_case)
    }
}

impl<T: Textual> Notation for Text<T> {
    type Value = T;

    fn write<S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(value.text())
    }

    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
        deserializer.deserialize_any(TextVisitor(PhantomData))
    }
}

struct TextVisitor<T>(PhantomData<T>);

impl<T: Textual> Visitor<'_> for TextVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::EXPECTED)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        T::parse(text).ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
    }
}

/// The name of a header that is added to requests. Headers that frame or route requests are excluded.
pub(crate) struct AddedHeader;

impl AddedHeader {
    pub(crate) const RESERVED: [HeaderName; 8] = [
        CONNECTION,
        CONTENT_LENGTH,
        EXPECT,
        HOST,
        TE,
        TRAILER,
        TRANSFER_ENCODING,
        UPGRADE,
    ];
}

impl Notation for AddedHeader {
    type Value = HeaderName;

    fn write<S: Serializer>(name: &HeaderName, serializer: S) -> Result<S::Ok, S::Error> {
        Text::<HeaderName>::write(name, serializer)
    }

    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<HeaderName, D::Error> {
        let name = Text::<HeaderName>::read(deserializer)?;
        let expected = "the name of a header that may be added to requests";
        match Self::RESERVED.contains(&name) {
            true => Err(D::Error::invalid_value(
                Unexpected::Str(name.as_str()),
                &expected,
            )),
            false => Ok(name),
        }
    }
}
