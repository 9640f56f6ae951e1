//! The schema that the example prints is that of the settings, which the library's own tests check.

use std::process::Command;

use schemars::schema_for;
use serde_json::Value;
use tower_http_retry::config::RetryConfig;

fn printed() -> Value {
    let mut program = Command::new(env!("CARGO_BIN_EXE_config"));
    let printed = program.arg("--schema").output().unwrap();
    assert!(printed.status.success());
    serde_json::from_slice(&printed.stdout).unwrap()
}

#[test]
fn the_schema_of_the_settings_is_printed() {
    assert_eq!(printed(), schema_for!(RetryConfig).to_value());
}

#[test]
fn the_file_of_the_demo_is_valid() {
    let schema = jsonschema::validator_for(&printed()).unwrap();
    let file: Value = toml::from_str(include_str!("../retry.toml")).unwrap();
    let config: RetryConfig = serde_json::from_value(file.clone()).unwrap();
    for value in [file, serde_json::to_value(config).unwrap()] {
        if let Err(error) = schema.validate(&value) {
            panic!("{}: {error}", error.instance_path());
        }
    }
}
