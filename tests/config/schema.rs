//! The JSON schema of a config: what it has room for is what is read.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use jsonschema::Validator;
use proptest::prelude::*;
use schemars::schema_for;
use serde_json::{Map, Value};
use tower_http_retry::config::{BudgetConfig, RetryConfig};

use crate::read::everything;
use crate::round_trips::config;
use crate::wrong;

fn schema() -> Value {
    schema_for!(RetryConfig).to_value()
}

static VALIDATOR: LazyLock<Validator> =
    LazyLock::new(|| jsonschema::validator_for(&schema()).unwrap());

/// What no schema can say.
const UNSAID: [&str; 7] = [
    // Numbers that depend on one another.
    r#"{"backoff":{"jitter":{"between":[1.2,0.8]}}}"#,
    r#"{"idempotency":{"also":["PATCH"],"except":["TRACE","PATCH"]}}"#,
    // Too many digits.
    r#"{"window":"99999999999999999999s"}"#,
    r#"{"window":"18446744073709551615s 1000000000ns"}"#,
    // To a schema, 503.0 is an integer.
    r#"{"classify":{"statuses":[503.0]}}"#,
    // The parser of JSON takes the last one.
    r#"{"window":"5m","window":"6m"}"#,
    r#"{"backoff":{"factor":2,"factor":3}}"#,
];

fn assert_valid(value: &Value) {
    if let Err(error) = VALIDATOR.validate(value) {
        panic!("{}: {error}", error.instance_path());
    }
}

#[test]
fn a_schema_is_one_of_json_schema_2020_12() {
    jsonschema::draft202012::meta::validate(&schema()).unwrap();
}

#[test]
fn the_documented_examples_are_valid() {
    let examples: [Value; 3] = [
        toml::from_str(include_str!("../../src/config/example.toml")).unwrap(),
        serde_json::from_str(include_str!("../../src/config/example.json")).unwrap(),
        serde_saphyr::from_str(include_str!("../../src/config/example.yaml")).unwrap(),
    ];
    for example in examples {
        assert_valid(&example);
        let config: RetryConfig = serde_json::from_value(example).unwrap();
        assert_valid(&serde_json::to_value(config).unwrap());
    }
    assert_valid(&serde_json::to_value(RetryConfig::default()).unwrap());
}

#[test]
fn what_is_wrong_is_not_valid() {
    // One of them breaks off.
    let is_valid = |json: &str| {
        let value = serde_json::from_str(json);
        value.is_ok_and(|value| VALIDATOR.is_valid(&value))
    };
    let wrong = wrong::cases().map(|(json, _)| json);
    let unsaid: BTreeSet<_> = wrong.filter(|json| is_valid(json)).collect();
    assert_eq!(unsaid, BTreeSet::from(UNSAID));
}

/// Durations as they are read, and as they are not.
#[test]
fn a_duration_is_valid_if_it_is_read() {
    let texts = [
        "5m",
        "1m 30s",
        "1m30s",
        "250ms",
        "1.5h",
        " 5 s ",
        "1M",
        "2 years 1 month",
        "3wk",
        "7µs",
        "0s",
        "1 000ms",
        "1 . 5s",
        "unlimited",
        "",
        "5",
        "0",
        "s",
        "5 fortnights",
        "-5s",
        "+5s",
        "1e3s",
        "1.s",
        ".5s",
        "5S",
        "5m 3",
        "5,5s",
        "Unlimited",
        "infinite",
        "1m, 30s",
        "5m\n",
        "5m\t3s",
        "５s",
    ];
    let mut valid = 0;
    for text in texts {
        let value = serde_json::json!({ "window": text });
        let read = serde_json::from_value::<RetryConfig>(value.clone());
        assert_eq!(VALIDATOR.is_valid(&value), read.is_ok(), "{text:?}");
        valid += usize::from(read.is_ok());
    }
    assert!(valid > 12 && valid < texts.len() - 12, "{valid}");
}

proptest! {
    #[test]
    fn what_is_written_is_valid(config in config()) {
        assert_valid(&serde_json::to_value(config).unwrap());
    }
}

/// All objects of a schema that say what fields there are.
fn maps<'a>(schema: &'a Value, maps: &mut Vec<&'a Map<String, Value>>) {
    match schema {
        Value::Object(object) => {
            if object.get("type").is_some_and(|kind| kind == "object") {
                maps.push(object);
            }
            object.values().for_each(|value| maps_of(value, maps));
        }
        Value::Array(values) => values.iter().for_each(|value| maps_of(value, maps)),
        _ => {}
    }
}

use maps as maps_of;

/// The schemas that one stands for, by reference or as one of several.
fn resolved<'a>(root: &'a Value, schema: &'a Value) -> Vec<&'a Value> {
    if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
        return resolved(root, root.pointer(&reference[1..]).expect(reference));
    }
    match schema.get("anyOf").and_then(Value::as_array) {
        Some(schemas) => schemas
            .iter()
            .flat_map(|schema| resolved(root, schema))
            .collect(),
        None => vec![schema],
    }
}

fn names(value: &Value) -> BTreeSet<&str> {
    value
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect()
}

/// The fields of a value, and of those in it, are those of the schema.
fn assert_same_fields(root: &Value, schemas: &[&Value], values: &[Value], path: &str) {
    let maps = values.iter().filter(|value| value.is_object());
    let written: BTreeSet<_> = maps.flat_map(names).collect();
    let described = schemas.iter().filter_map(|schema| schema.get("properties"));
    let described: BTreeSet<_> = described.flat_map(names).collect();
    assert_eq!(written, described, "{path}");
    for name in written {
        let field = |schema: &&Value| schema.pointer(&format!("/properties/{name}")).cloned();
        let fields: Vec<_> = schemas.iter().filter_map(field).collect();
        let fields: Vec<_> = fields
            .iter()
            .flat_map(|field| resolved(root, field))
            .map(Value::clone)
            .collect();
        let fields: Vec<_> = fields.iter().collect();
        let values = values.iter().filter_map(|value| value.get(name).cloned());
        assert_same_fields(
            root,
            &fields,
            &values.collect::<Vec<_>>(),
            &format!("{path}.{name}"),
        );
    }
}

#[test]
fn a_schema_has_each_field_that_is_written_and_no_other() {
    let root = schema();
    let budgets = [
        BudgetConfig::None,
        BudgetConfig::Earning {
            per_authority: Some(1),
        },
        BudgetConfig::Ratio {
            ratio: 0.5,
            per_authority: Some(1),
        },
        BudgetConfig::Throttle {
            max_tokens: 1,
            token_ratio: 0.5,
            per_authority: Some(1),
        },
    ];
    let configs = budgets.map(|budget| {
        let mut config = everything();
        config.backoff_after_refusal = Some(config.backoff);
        config.budget = budget;
        serde_json::to_value(config).unwrap()
    });
    assert_same_fields(&root, &[&root], &configs, "config");
}

#[test]
fn a_schema_has_no_room_for_unknown_fields() {
    let schema = schema();
    let mut found = Vec::new();
    maps(&schema, &mut found);
    // The config, two of jitter's and the back-off's, four of a budget's kinds, and four other parts.
    assert_eq!(found.len(), 11);
    for map in found {
        assert_eq!(map["additionalProperties"], false, "{map:?}");
    }
}

#[test]
fn a_schema_has_the_defaults() {
    let schema = schema();
    let default = serde_json::to_value(RetryConfig::default()).unwrap();
    for (name, field) in schema["properties"].as_object().unwrap() {
        assert_eq!(field.get("default"), default.get(name), "{name}");
        assert!(field["description"].is_string(), "{name}");
    }
    assert_eq!(
        schema.pointer("/$defs/Backoff/properties/max_wait/default"),
        Some(&"unlimited".into())
    );
}

/// A field that may be left out is read without it, and one that may not is not.
#[test]
fn a_schema_requires_what_has_no_default() {
    let schema = schema();
    let kinds = schema.pointer("/$defs/BudgetConfig/anyOf").unwrap();
    let required = |kind: &Value| kind["required"].clone();
    let required: Vec<_> = kinds.as_array().unwrap().iter().map(required).collect();
    let expected = serde_json::json!([
        [],
        ["kind", "ratio"],
        ["kind", "max_tokens", "token_ratio"],
        ["kind"],
    ]);
    assert_eq!(Value::from(required), expected);
    let values = [
        serde_json::json!({}),
        serde_json::json!({ "kind": "ratio", "ratio": 0.2 }),
        serde_json::json!({ "kind": "throttle", "max_tokens": 10, "token_ratio": 0.1 }),
        serde_json::json!({ "kind": "none" }),
    ];
    for value in values {
        let read = |value: Value| serde_json::from_value::<BudgetConfig>(value);
        assert!(read(value.clone()).is_ok(), "{value}");
        for name in names(&value).into_iter().filter(|name| *name != "kind") {
            let mut less = value.clone();
            less.as_object_mut().unwrap().remove(name);
            assert!(read(less).is_err(), "{value} without {name}");
        }
    }
    let header = schema.pointer("/$defs/DeadlineHeaderConfig/required");
    assert_eq!(header, Some(&serde_json::json!(["name", "unit"])));
    assert_eq!(schema.get("required"), None);
}

#[test]
fn a_schema_and_its_parts_are_named_as_their_types() {
    let schema = schema();
    assert_eq!(schema["title"], "RetryConfig");
    let parts = schema["$defs"].as_object().unwrap();
    let mut names: Vec<_> = parts.keys().map(String::as_str).collect();
    names.sort_unstable();
    let expected = [
        "Backoff",
        "BudgetConfig",
        "ByStatus",
        "CooldownConfig",
        "DeadlineHeaderConfig",
        "Idempotency",
        "Jitter",
        "RetryAfter",
    ];
    assert_eq!(names, expected);
}

/// Each list of words is that of what is read.
#[test]
fn each_word_of_a_schema_is_read() {
    let schema = schema();
    let words = |pointer: &str| {
        let words = schema.pointer(pointer).and_then(Value::as_array);
        words.unwrap_or_else(|| panic!("{pointer}")).clone()
    };
    let read = |field: &str, value: Value| {
        let (outer, inner) = field.split_once('.').unwrap_or((field, ""));
        let value = match inner {
            "" => value,
            inner => serde_json::json!({ inner: value }),
        };
        serde_json::from_value::<RetryConfig>(serde_json::json!({ outer: value })).unwrap();
    };
    let cases = [
        ("retry_after", "/$defs/RetryAfter/enum", 3),
        ("backoff.jitter", "/$defs/Jitter/anyOf/0/enum", 4),
        (
            "idempotency.methods",
            "/$defs/Idempotency/properties/methods/enum",
            3,
        ),
    ];
    for (field, pointer, count) in cases {
        let words = words(pointer);
        assert_eq!(words.len(), count);
        words.into_iter().for_each(|word| read(field, word));
    }
}
