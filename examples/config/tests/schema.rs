//! The schema that the example prints takes what the program takes, and hardly anything else.

use std::process::Command;

use jsonschema::Validator;
use serde_json::Value;
use tower_http_retry::config::RetryConfig;

const WRONG: &str = include_str!("../../../tests/config/wrong.txt");

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

fn schema() -> Validator {
    let mut program = Command::new(env!("CARGO_BIN_EXE_config"));
    let printed = program.arg("--schema").output().unwrap();
    assert!(printed.status.success());
    let schema: Value = serde_json::from_slice(&printed.stdout).unwrap();
    jsonschema::draft202012::meta::validate(&schema).unwrap();
    jsonschema::validator_for(&schema).unwrap()
}

fn assert_valid(schema: &Validator, value: &Value) {
    if let Err(error) = schema.validate(value) {
        panic!("{}: {error}", error.instance_path());
    }
}

#[test]
fn the_documented_examples_are_valid() {
    let schema = schema();
    let examples: [Value; 4] = [
        toml::from_str(include_str!("../retry.toml")).unwrap(),
        toml::from_str(include_str!("../../../src/config/example.toml")).unwrap(),
        serde_json::from_str(include_str!("../../../src/config/example.json")).unwrap(),
        serde_saphyr::from_str(include_str!("../../../src/config/example.yaml")).unwrap(),
    ];
    for example in examples {
        assert_valid(&schema, &example);
        let config: RetryConfig = serde_json::from_value(example).unwrap();
        assert_valid(&schema, &serde_json::to_value(config).unwrap());
    }
    assert_valid(
        &schema,
        &serde_json::to_value(RetryConfig::default()).unwrap(),
    );
}

#[test]
fn what_is_wrong_is_not_valid() {
    let schema = schema();
    let mut unsaid = Vec::new();
    let wrong: Vec<_> = WRONG.lines().step_by(2).collect();
    for json in &wrong {
        // One breaks off.
        let Ok(value) = serde_json::from_str(json) else {
            continue;
        };
        if schema.is_valid(&value) {
            unsaid.push(*json);
        }
    }
    unsaid.sort_unstable();
    let mut expected = UNSAID;
    expected.sort_unstable();
    assert_eq!(unsaid, expected);
    assert!(wrong.len() > 100);
}

/// Durations as the program takes them, and as it does not.
#[test]
fn a_duration_is_valid_if_it_is_read() {
    let schema = schema();
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
        assert_eq!(schema.is_valid(&value), read.is_ok(), "{text:?}");
        valid += usize::from(read.is_ok());
    }
    assert!(valid > 12 && valid < texts.len() - 12, "{valid}");
}
