use http::HeaderName;
use schemars::{Schema, json_schema};
use serde::Serialize;
use serde_json::{Value, json};

use crate::notation::{AddedHeader, UNLIMITED};

/// The durations that the crate humantime accepts: numbers, which may contain blanks, and units.
const TIME: &str = concat!(
    r"^(0|\s*([0-9][0-9\s]*(\.[0-9\s]*[0-9][0-9\s]*)?(nanos|nsec|ns|usec|us|µs|millis|msec|ms|",
    r"seconds|second|secs|sec|s|minutes|minute|min|mins|m|hours|hour|hr|hrs|h|days|day|d|",
    r"weeks|week|wk|wks|w|months|month|M|years|year|yr|yrs|y)\s*)+)$",
);

/// A field's name and schema.
pub(super) type Field = (&'static str, Schema);

pub(super) fn field(name: &'static str, description: &str, mut schema: Schema) -> Field {
    schema.insert("description".to_owned(), description.into());
    (name, schema)
}

/// The schema of a map that has only these fields.
pub(super) fn map(description: &str, fields: Vec<Field>) -> Schema {
    let fields = fields
        .into_iter()
        .map(|(name, schema)| (name.to_owned(), schema.to_value()));
    let fields: serde_json::Map<_, _> = fields.collect();
    json_schema!({
        "type": "object",
        "description": description,
        "properties": fields,
        "additionalProperties": false,
    })
}

/// Adds the default of each field.
pub(super) fn with_defaults(mut schema: Schema, defaults: impl Serialize) -> Schema {
    let fields = schema.get_mut("properties").and_then(Value::as_object_mut);
    let defaults = serde_json::to_value(defaults);
    if let (Some(fields), Ok(Value::Object(defaults))) = (fields, defaults) {
        for (name, default) in defaults {
            fields[&name]["default"] = default;
        }
    }
    schema
}

pub(super) fn or_null(schema: Schema) -> Schema {
    json_schema!({ "anyOf": [schema, { "type": "null" }] })
}

pub(super) fn or_unlimited(schema: Schema) -> Schema {
    json_schema!({ "anyOf": [schema, { "const": UNLIMITED }] })
}

pub(super) fn time() -> Schema {
    text(TIME)
}

/// The name of a header.
pub(super) fn header() -> Schema {
    text("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")
}

/// The name of a header that may be added to requests. The reserved names are excluded in upper and lower
/// case.
pub(super) fn added_header() -> Schema {
    let letters = |name: &HeaderName| -> String {
        let letter = |c: char| match c.is_ascii_lowercase() {
            true => format!("[{}{c}]", c.to_ascii_uppercase()),
            false => c.to_string(),
        };
        name.as_str().chars().map(letter).collect()
    };
    let reserved: Vec<_> = AddedHeader::RESERVED.iter().map(letters).collect();
    let mut schema = header();
    let pattern = format!("^({})$", reserved.join("|"));
    schema.insert("not".to_owned(), json!({ "pattern": pattern }));
    schema
}

/// A method in upper case.
pub(super) fn method() -> Schema {
    text("^[!#$%&'*+.^_`|~0-9A-Z-]+$")
}

pub(super) fn text(pattern: &str) -> Schema {
    json_schema!({ "type": "string", "pattern": pattern })
}

pub(super) fn words(words: &[&str]) -> Schema {
    json_schema!({ "type": "string", "enum": words })
}

pub(super) fn boolean() -> Schema {
    json_schema!({ "type": "boolean" })
}

pub(super) fn list(items: Schema) -> Schema {
    json_schema!({ "type": "array", "items": items })
}

pub(super) fn whole(least: u64, most: Option<u64>) -> Schema {
    let mut schema = json_schema!({ "type": "integer", "minimum": least });
    if let Some(most) = most {
        schema.insert("maximum".to_owned(), most.into());
    }
    schema
}
