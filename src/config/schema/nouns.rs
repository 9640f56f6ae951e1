use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::Value;

use super::field::{
    boolean, field, header, list, map, method, or_null, or_unlimited, text, time, whole,
    with_defaults, words,
};
use crate::backoff::{Backoff, Jitter};
use crate::classify::ByStatus;
use crate::idempotency::Idempotency;
use crate::retry_after::RetryAfter;

impl JsonSchema for Backoff {
    fn schema_name() -> Cow<'static, str> {
        "Backoff".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let factor = json_schema!({ "type": "number", "exclusiveMinimum": 0 });
        let fields = vec![
            field("base", "The wait before the first retry", time()),
            field(
                "factor",
                "The factor from each wait to the next one",
                factor,
            ),
            field("max_wait", "The longest wait", or_unlimited(time())),
            field(
                "jitter",
                "How waits are spread",
                generator.subschema_for::<Jitter>(),
            ),
        ];
        with_defaults(map("A back-off", fields), Backoff::default())
    }
}

impl JsonSchema for Jitter {
    fn schema_name() -> Cow<'static, str> {
        "Jitter".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let multiple = json_schema!({ "type": "number", "minimum": 0 });
        let pair =
            json_schema!({ "type": "array", "items": multiple, "minItems": 2, "maxItems": 2 });
        let between = field(
            "between",
            "Two multiples of the step, the smaller one first",
            pair,
        );
        let mut between = map(
            "A random wait between two multiples of the step",
            vec![between],
        );
        between.insert("required".to_owned(), Value::from(vec!["between"]));
        json_schema!({ "anyOf": [words(&["none", "full", "equal", "decorrelated"]), between] })
    }
}

impl JsonSchema for ByStatus {
    fn schema_name() -> Cow<'static, str> {
        "ByStatus".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let named = json_schema!({ "anyOf": [whole(100, Some(999)), text("^[1-9]xx$")] });
        let fields = vec![
            field(
                "statuses",
                "The statuses and series that are retried",
                list(named),
            ),
            field(
                "should_retry_header",
                "The response header that says whether to retry",
                or_null(header()),
            ),
            field(
                "keyed_conflict",
                "Whether a 409 to the retry of a request with an idempotency key is retried",
                boolean(),
            ),
        ];
        with_defaults(
            map("Which responses are retried", fields),
            ByStatus::default(),
        )
    }
}

impl JsonSchema for Idempotency {
    fn schema_name() -> Cow<'static, str> {
        "Idempotency".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let keys = or_null(list(header()));
        let fields = vec![
            field(
                "methods",
                "Which methods are repeatable",
                words(&["idempotent", "safe", "any"]),
            ),
            field("also", "Methods that are repeatable, too", list(method())),
            field("except", "Methods that are not repeatable", list(method())),
            field("keys", "Headers that make a request repeatable", keys),
        ];
        map("Which requests may be repeated", fields)
    }
}

impl JsonSchema for RetryAfter {
    fn schema_name() -> Cow<'static, str> {
        "RetryAfter".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        words(&["minimum", "exact", "ignore"])
    }
}
