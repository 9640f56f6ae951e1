use http::{HeaderName, Method};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Idempotency, Methods};
use crate::notation::{As, Notation, Table, Text, Word, Words, serde_by_notation};

serde_by_notation!(Idempotency);

impl Words for Methods {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("idempotent", Self::Idempotent),
        ("safe", Self::Safe),
        ("any", Self::Any),
    ];
}

#[derive(Serialize, Deserialize)]
#[serde(
    default,
    deny_unknown_fields,
    expecting = "a map of which requests may be repeated"
)]
struct Fields {
    #[serde(with = "As::<Word<Methods>>")]
    methods: Methods,
    #[serde(with = "As::<Vec<Text<Method>>>")]
    also: Vec<Method>,
    #[serde(with = "As::<Vec<Text<Method>>>")]
    except: Vec<Method>,
    /// None for the default keys of the methods.
    #[serde(with = "As::<Option<Vec<Text<HeaderName>>>>")]
    keys: Option<Vec<HeaderName>>,
}

impl Default for Fields {
    fn default() -> Self {
        Self {
            methods: Methods::Idempotent,
            also: Vec::new(),
            except: Vec::new(),
            keys: None,
        }
    }
}

impl Notation for Idempotency {
    type Value = Self;

    fn write<S: Serializer>(idempotency: &Self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self {
            methods,
            also,
            except,
            keys,
        } = idempotency.clone();
        let keys = Some(keys);
        let fields = Fields {
            methods,
            also,
            except,
            keys,
        };
        fields.serialize(serializer)
    }

    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let fields = Fields::deserialize(Table(deserializer))?;
        let of_both = |method: &&Method| fields.except.contains(method);
        if let Some(method) = fields.also.iter().find(of_both) {
            return Err(D::Error::custom(format_args!(
                "`{method}` is in both `also` and `except`"
            )));
        }
        let of_methods = Self::of(fields.methods);
        Ok(Self {
            also: fields.also,
            except: fields.except,
            keys: fields.keys.unwrap_or(of_methods.keys),
            ..of_methods
        })
    }
}
