//! What a config is read as, in each format, and what is not in it.

use std::time::Duration;

use http::{HeaderName, Method, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tower_http_retry::config::{BudgetConfig, CooldownConfig, DeadlineHeaderConfig, RetryConfig};
use tower_http_retry::{
    Backoff, ByStatus, DeadlineUnit, Idempotency, Jitter, RetryAfter, RetryLayer,
};

const TOML: &str = r#"
max_retries = 3
window = "1m 30s"
attempt_timeout = "10s"
retry_after = "exact"
max_retry_after = "unlimited"
rate_limit_headers = true
max_replay_bytes = 4096
max_drain_bytes = 0
retry_count_header = "X-Retry-Count"
mark_attempts = true
mark_responses = true
jitter_seed = 7

[backoff]
base = "200ms"
factor = 1.5
max_wait = "5s"
jitter = { between = [0.8, 1.2] }

[backoff_after_refusal]
base = "2s"

[classify]
statuses = ["5xx", 408, 429]
should_retry_header = "x-should-retry"
keyed_conflict = false

[idempotency]
methods = "safe"
also = ["PUT"]
except = ["TRACE"]
keys = ["client-request-id"]

[budget]
kind = "throttle"
max_tokens = 10
token_ratio = 0.1
per_authority = 100

[deadline_header]
name = "X-Time-Left"
unit = "milliseconds"

[cooldown]
max_hold = "10s"
max_waiting = 64
longest = "1m"
per_authority = 50
"#;

const SECOND: Duration = Duration::from_secs(1);

/// Each field is another than by default.
pub fn everything() -> RetryConfig {
    let mut config = RetryConfig::default();
    config.max_retries = 3;
    config.window = 90 * SECOND;
    config.backoff = Backoff::exponential(SECOND / 5)
        .factor(1.5)
        .max_wait(5 * SECOND)
        .jitter(Jitter::Between(0.8, 1.2));
    config.backoff_after_refusal = Some(Backoff::exponential(2 * SECOND));
    config.classify = ByStatus::new()
        .also(StatusCode::REQUEST_TIMEOUT)
        .except(StatusCode::CONFLICT)
        .should_retry_header(ByStatus::X_SHOULD_RETRY);
    config.idempotency = Idempotency::safe()
        .also(Method::PUT)
        .except(Method::TRACE)
        .key(HeaderName::from_static("client-request-id"));
    config.budget = BudgetConfig::Throttle {
        max_tokens: 10,
        token_ratio: 0.1,
        per_authority: Some(100),
    };
    let mut cooldown = CooldownConfig::default();
    cooldown.max_hold = 10 * SECOND;
    cooldown.max_waiting = 64;
    cooldown.longest = 60 * SECOND;
    cooldown.per_authority = Some(50);
    config.cooldown = Some(cooldown);
    config.attempt_timeout = Some(10 * SECOND);
    config.retry_after = RetryAfter::Exact;
    config.max_retry_after = Duration::MAX;
    config.rate_limit_headers = true;
    config.max_replay_bytes = 4_096;
    config.max_drain_bytes = 0;
    config.retry_count_header = Some(HeaderName::from_static("x-retry-count"));
    config.deadline_header = Some(DeadlineHeaderConfig::new(
        HeaderName::from_static("x-time-left"),
        DeadlineUnit::Milliseconds,
    ));
    config.mark_attempts = true;
    config.mark_responses = true;
    config.jitter_seed = Some(7);
    #[cfg(feature = "metrics")]
    {
        config.metrics_by_authority = true;
    }
    config
}

/// What the fields are called in a file: that of metrics is there with its feature.
fn toml() -> String {
    match cfg!(feature = "metrics") {
        true => format!("metrics_by_authority = true\n{TOML}"),
        false => TOML.to_owned(),
    }
}

fn of_json(json: serde_json::Value) -> RetryConfig {
    serde_json::from_value(json).unwrap()
}

#[test]
fn each_field_is_read_in_each_format() {
    let read: RetryConfig = toml::from_str(&toml()).unwrap();
    assert_eq!(read, everything());
    // The others' texts are made of the first.
    let value: serde_json::Value = toml::from_str(&toml()).unwrap();
    let json = serde_json::to_string(&value).unwrap();
    assert_eq!(serde_json::from_str::<RetryConfig>(&json).unwrap(), read);
    let yaml = serde_saphyr::to_string(&value).unwrap();
    assert_eq!(serde_saphyr::from_str::<RetryConfig>(&yaml).unwrap(), read);
}

#[test]
fn a_config_of_nothing_makes_the_default_layer() {
    let empty: [RetryConfig; 3] = [
        toml::from_str("").unwrap(),
        serde_json::from_str("{}").unwrap(),
        serde_saphyr::from_str("{}").unwrap(),
    ];
    for config in empty {
        assert_eq!(config, RetryConfig::default());
        let layer = RetryLayer::from(config);
        assert_eq!(format!("{layer:?}"), format!("{:?}", RetryLayer::new()));
    }
}

#[test]
fn a_part_that_is_empty_is_the_parts_default() {
    let parts = json!({ "backoff": {}, "classify": {}, "idempotency": {}, "budget": {} });
    assert_eq!(of_json(parts), RetryConfig::default());
    let config = of_json(json!({ "backoff_after_refusal": {}, "cooldown": {} }));
    assert_eq!(config.backoff_after_refusal, Some(Backoff::default()));
    assert_eq!(config.cooldown, Some(CooldownConfig::default()));
}

#[test]
fn an_optional_field_may_be_null() {
    let config = of_json(json!({
        "backoff_after_refusal": null, "cooldown": null, "attempt_timeout": null,
        "retry_count_header": null, "deadline_header": null, "jitter_seed": null,
        "classify": { "should_retry_header": null }, "idempotency": { "keys": null },
        "budget": { "per_authority": null, "ratio": null },
    }));
    assert_eq!(config, RetryConfig::default());
}

#[test]
fn what_has_no_limit_is_unlimited() {
    let config = of_json(json!({
        "max_retries": "unlimited", "window": "unlimited", "attempt_timeout": "unlimited",
        "max_retry_after": "unlimited", "max_replay_bytes": "unlimited",
        "backoff": { "max_wait": "unlimited" }, "cooldown": { "max_hold": "unlimited" },
    }));
    assert_eq!(config.max_retries, u32::MAX);
    assert_eq!(config.window, Duration::MAX);
    assert_eq!(config.attempt_timeout, Some(Duration::MAX));
    assert_eq!(config.max_retry_after, Duration::MAX);
    assert_eq!(config.max_replay_bytes, usize::MAX);
    assert_eq!(config.backoff, Backoff::default());
    assert_eq!(config.cooldown.unwrap().max_hold, Duration::MAX);
}

#[test]
fn idempotency_keys_go_with_the_methods_unless_they_are_given() {
    let cases = [
        (json!({ "methods": "idempotent" }), Idempotency::new()),
        (json!({ "methods": "safe" }), Idempotency::safe()),
        (json!({ "methods": "any" }), Idempotency::any()),
        (json!({ "keys": [] }), Idempotency::new().without_keys()),
    ];
    for (json, expected) in cases {
        assert_eq!(
            of_json(json!({ "idempotency": json })).idempotency,
            expected
        );
    }
}

#[test]
fn a_budget_is_of_its_kind() {
    let cases = [
        (
            json!({ "per_authority": 9 }),
            BudgetConfig::Earning {
                per_authority: Some(9),
            },
        ),
        (
            json!({ "kind": "ratio", "ratio": 1 }),
            BudgetConfig::Ratio {
                ratio: 1.0,
                per_authority: None,
            },
        ),
        (json!({ "kind": "none" }), BudgetConfig::None),
    ];
    for (json, expected) in cases {
        assert_eq!(of_json(json!({ "budget": json })).budget, expected);
    }
}

#[test]
fn statuses_are_written_as_short_as_can_be() {
    let written = |by_status: ByStatus| serde_json::to_value(by_status).unwrap()["statuses"].take();
    assert_eq!(written(ByStatus::new()), json!([429, "5xx"]));
    assert_eq!(written(ByStatus::none()), json!([]));
    let but_one = written(ByStatus::new().except(StatusCode::NOT_IMPLEMENTED));
    let but_one = but_one.as_array().unwrap();
    assert_eq!(but_one[..3], [json!(429), json!(500), json!(502)]);
    assert_eq!(but_one.len(), 100);
    let again = json!({ "statuses": ["9xx", 100, "1xx", 999] });
    let again = serde_json::from_value::<ByStatus>(again).unwrap();
    assert_eq!(written(again), json!(["1xx", "9xx"]));
}

/// A program's own config.
#[derive(Debug, Serialize, Deserialize, PartialEq)]
struct Nested {
    url: String,
    retry: RetryConfig,
}

#[derive(Debug, Serialize, Deserialize, PartialEq)]
struct Flat {
    url: String,
    #[serde(flatten)]
    retry: RetryConfig,
    #[serde(flatten)]
    more: More,
}

#[derive(Debug, Serialize, Deserialize, PartialEq)]
struct More {
    name: String,
}

#[test]
fn it_can_be_a_part_of_a_bigger_config() {
    let url = "http://service.test".to_owned();
    let nested = Nested {
        url: url.clone(),
        retry: everything(),
    };
    let toml = toml::to_string(&nested).unwrap();
    assert_eq!(toml::from_str::<Nested>(&toml).unwrap(), nested);
    let more = More {
        name: "b".to_owned(),
    };
    let flat = Flat {
        url,
        retry: everything(),
        more,
    };
    let toml = toml::to_string(&flat).unwrap();
    assert_eq!(toml::from_str::<Flat>(&toml).unwrap(), flat);
    let json = serde_json::to_string(&flat).unwrap();
    assert_eq!(serde_json::from_str::<Flat>(&json).unwrap(), flat);
    let yaml = serde_saphyr::to_string(&flat).unwrap();
    assert_eq!(serde_saphyr::from_str::<Flat>(&yaml).unwrap(), flat);
}

#[test]
fn a_mistake_in_what_is_flattened_is_named() {
    let flat = r#"{ "url": "", "name": "", "window": 5 }"#;
    let error = serde_json::from_str::<Flat>(flat).unwrap_err();
    let expected = "window: invalid type: integer `5`, \
        expected a duration with units, such as \"1m 30s\", or \"unlimited\"";
    assert!(error.to_string().starts_with(expected), "{error}");
}
