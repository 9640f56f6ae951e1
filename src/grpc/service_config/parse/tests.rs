use http::Request;
use serde_json::json;

use super::*;
use crate::backoff::{Backoff, Jitter};
use crate::classify::{Classify, RequestHead};
use crate::grpc::by_grpc_status::ByGrpcStatus;
use crate::grpc::service_config::config::{Plan, Retries};
use crate::grpc::service_config::max_attempts::MaxAttempts;
use crate::grpc::service_config::throttling::Throttling;
use crate::limits::RetryOverride;

mod hedging;

/// Returns a config with a valid `retryPolicy` in which some fields are changed.
fn with_policy(changes: &Value) -> String {
    let policy = json!({
        "maxAttempts": 4,
        "initialBackoff": "0.1s",
        "maxBackoff": "1s",
        "backoffMultiplier": 2,
        "retryableStatusCodes": ["UNAVAILABLE"],
    });
    with_changed("retryPolicy", policy, changes)
}

/// Returns a config with a policy under this name, in which some fields are changed, or removed with null.
fn with_changed(name: &str, mut policy: Value, changes: &Value) -> String {
    for (name, value) in changes.as_object().unwrap() {
        policy[name] = value.clone();
    }
    json!({ "methodConfig": [{ "name": [{}], name: policy }] }).to_string()
}

fn wrong(json: &str) -> (String, String) {
    let Err(error) = json.parse::<ServiceConfig>() else {
        panic!("{json} is taken");
    };
    (error.field().to_owned(), error.to_string())
}

/// Returns the policy of all calls, in which some fields are changed.
fn policy(changes: &Value) -> Retries {
    let config = with_policy(changes).parse::<ServiceConfig>();
    retry(&config.unwrap(), "/a.B/C").expect("a policy")
}

fn retry(config: &ServiceConfig, path: &str) -> Option<Retries> {
    match config.plan(path) {
        Plan::Retry(policy) => Some(policy),
        Plan::Once => None,
        Plan::Hedge(policy) => panic!("{policy:?}"),
    }
}

fn backoff(base: Duration, most: Duration, factor: f64) -> Backoff {
    let backoff = Backoff::exponential(base).max_wait(most).factor(factor);
    backoff.jitter(Jitter::Between(0.8, 1.2))
}

fn attempts(count: u32) -> MaxAttempts {
    MaxAttempts::new(count, &Path::default()).unwrap()
}

#[test]
fn every_field_of_a_policy_that_is_wrong_is_named() {
    const WHOLE: &str = "is not a whole number of zero or more";
    const DURATION: &str = "is not a duration, as in \"0.1s\"";
    const OK: &str = "is OK, which is not a failure";
    #[rustfmt::skip]
    let cases = [
        (json!({ "maxAttempts": null }), "maxAttempts", "is missing"),
        (json!({ "maxAttempts": "3" }), "maxAttempts", WHOLE),
        (json!({ "maxAttempts": 1.5 }), "maxAttempts", WHOLE),
        (json!({ "maxAttempts": -1 }), "maxAttempts", WHOLE),
        (json!({ "maxAttempts": true }), "maxAttempts", WHOLE),
        (json!({ "maxAttempts": [] }), "maxAttempts", WHOLE),
        (json!({ "maxAttempts": 0 }), "maxAttempts", "is less than 2"),
        (json!({ "maxAttempts": 1 }), "maxAttempts", "is less than 2"),
        (json!({ "initialBackoff": null }), "initialBackoff", "is missing"),
        (json!({ "initialBackoff": 0.1 }), "initialBackoff", "is not a string"),
        (json!({ "initialBackoff": {} }), "initialBackoff", "is not a string"),
        (json!({ "initialBackoff": "0s" }), "initialBackoff", "is not above zero"),
        (json!({ "initialBackoff": "soon" }), "initialBackoff", DURATION),
        (json!({ "maxBackoff": null }), "maxBackoff", "is missing"),
        (json!({ "maxBackoff": 1 }), "maxBackoff", "is not a string"),
        (json!({ "maxBackoff": "0.000s" }), "maxBackoff", "is not above zero"),
        (json!({ "maxBackoff": "1m" }), "maxBackoff", DURATION),
        (json!({ "backoffMultiplier": null }), "backoffMultiplier", "is missing"),
        (json!({ "backoffMultiplier": "2" }), "backoffMultiplier", "is not a number"),
        (json!({ "backoffMultiplier": [2] }), "backoffMultiplier", "is not a number"),
        (json!({ "backoffMultiplier": 0 }), "backoffMultiplier", "is not above zero"),
        (json!({ "backoffMultiplier": -0.5 }), "backoffMultiplier", "is not above zero"),
        (json!({ "retryableStatusCodes": null }), "retryableStatusCodes", "is missing"),
        (json!({ "retryableStatusCodes": [] }), "retryableStatusCodes", "is empty"),
        (json!({ "retryableStatusCodes": "UNAVAILABLE" }), "retryableStatusCodes", "is not a list"),
        (json!({ "retryableStatusCodes": 14 }), "retryableStatusCodes", "is not a list"),
        (json!({ "retryableStatusCodes": { "0": 14 } }), "retryableStatusCodes", "is not a list"),
        (json!({ "retryableStatusCodes": [14, "SOON"] }), "retryableStatusCodes[1]", "is no status code"),
        (json!({ "retryableStatusCodes": [""] }), "retryableStatusCodes[0]", "is no status code"),
        (json!({ "retryableStatusCodes": ["14"] }), "retryableStatusCodes[0]", "is no status code"),
        (json!({ "retryableStatusCodes": [" UNAVAILABLE"] }), "retryableStatusCodes[0]", "is no status code"),
        (json!({ "retryableStatusCodes": [0] }), "retryableStatusCodes[0]", OK),
        (json!({ "retryableStatusCodes": [14, "OK"] }), "retryableStatusCodes[1]", OK),
        (json!({ "retryableStatusCodes": ["ok", 17] }), "retryableStatusCodes[0]", OK),
        (json!({ "retryableStatusCodes": [17] }), "retryableStatusCodes[0]", "is no status code"),
        (json!({ "retryableStatusCodes": [u64::MAX] }), "retryableStatusCodes[0]", "is no status code"),
        (json!({ "retryableStatusCodes": [14, 4, -1] }), "retryableStatusCodes[2]", WHOLE),
        (json!({ "retryableStatusCodes": [14.5] }), "retryableStatusCodes[0]", WHOLE),
        (json!({ "retryableStatusCodes": [null] }), "retryableStatusCodes[0]", WHOLE),
        (json!({ "retryableStatusCodes": [[14]] }), "retryableStatusCodes[0]", WHOLE),
    ];
    for (changes, field, problem) in cases {
        let field = format!("methodConfig[0].retryPolicy.{field}");
        let said = format!("{field}: {problem}");
        assert_eq!(wrong(&with_policy(&changes)), (field, said), "{changes}");
    }
}

#[test]
fn every_other_field_that_is_wrong_is_named() {
    #[rustfmt::skip]
    let cases = [
        // The config as a whole.
        ("[]", "", "the service config is not an object"),
        ("null", "", "the service config is not an object"),
        ("3", "", "the service config is not an object"),
        ("\"{}\"", "", "the service config is not an object"),
        ("", "", "the service config is not JSON: EOF while parsing a value at line 1 column 0"),
        ("{", "", "the service config is not JSON: EOF while parsing an object at line 1 column 1"),
        ("{} {}", "", "the service config is not JSON: trailing characters at line 1 column 4"),
        ("methodConfig", "", "the service config is not JSON: expected value at line 1 column 1"),
        // A list where an object is expected, and the other way round.
        (r#"{"methodConfig": {}}"#, "methodConfig", "methodConfig: is not a list"),
        (r#"{"methodConfig": "a.B"}"#, "methodConfig", "methodConfig: is not a list"),
        (r#"{"methodConfig": [[]]}"#, "methodConfig[0]", "methodConfig[0]: is not an object"),
        (r#"{"methodConfig": [{}, null]}"#, "methodConfig[1]", "methodConfig[1]: is not an object"),
        (r#"{"methodConfig": [{}, {"retryPolicy": []}]}"#, "methodConfig[1].retryPolicy", "methodConfig[1].retryPolicy: is not an object"),
        (r#"{"methodConfig": [{"retryPolicy": false}]}"#, "methodConfig[0].retryPolicy", "methodConfig[0].retryPolicy: is not an object"),
        (r#"{"methodConfig": [{"name": {}}]}"#, "methodConfig[0].name", "methodConfig[0].name: is not a list"),
        (r#"{"methodConfig": [{"name": ["a.B"]}]}"#, "methodConfig[0].name[0]", "methodConfig[0].name[0]: is not an object"),
        (r#"{"methodConfig": [{"name": [{"service": 1}]}]}"#, "methodConfig[0].name[0].service", "methodConfig[0].name[0].service: is not a string"),
        (r#"{"methodConfig": [{"name": [{"service": "a", "method": []}]}]}"#, "methodConfig[0].name[0].method", "methodConfig[0].name[0].method: is not a string"),
        // Names.
        (r#"{"methodConfig": [{"name": [{}, {"method": "C"}]}]}"#, "methodConfig[0].name[1].method", "methodConfig[0].name[1].method: has no service"),
        (r#"{"methodConfig": [{"name": [{"service": "", "method": "C"}]}]}"#, "methodConfig[0].name[0].method", "methodConfig[0].name[0].method: has no service"),
        (r#"{"methodConfig": [{"name": [{"service": "a"}, {"service": "a"}]}]}"#, "methodConfig[0].name[1]", "methodConfig[0].name[1]: is configured already"),
        (r#"{"methodConfig": [{"name": [{"service": "a"}]}, {"name": [{"service": "a", "method": ""}]}]}"#, "methodConfig[1].name[0]", "methodConfig[1].name[0]: is configured already"),
        (r#"{"methodConfig": [{"name": [{"service": "a", "method": "C"}]}, {"name": [{}, {"service": "a", "method": "C"}]}]}"#, "methodConfig[1].name[1]", "methodConfig[1].name[1]: is configured already"),
        (r#"{"methodConfig": [{"name": [{}]}, {"name": [{"service": null}]}]}"#, "methodConfig[1].name[0]", "methodConfig[1].name[0]: is configured already"),
        // Both.
        (r#"{"methodConfig": [{"retryPolicy": {}, "hedgingPolicy": {}}]}"#, "methodConfig[0]", "methodConfig[0]: has both a retryPolicy and a hedgingPolicy"),
        // A policy without a name is checked, too.
        (r#"{"methodConfig": [{"retryPolicy": {}}]}"#, "methodConfig[0].retryPolicy.maxAttempts", "methodConfig[0].retryPolicy.maxAttempts: is missing"),
        // Throttling.
        (r#"{"retryThrottling": []}"#, "retryThrottling", "retryThrottling: is not an object"),
        (r#"{"retryThrottling": 10}"#, "retryThrottling", "retryThrottling: is not an object"),
        (r#"{"retryThrottling": {}}"#, "retryThrottling.maxTokens", "retryThrottling.maxTokens: is missing"),
        (r#"{"retryThrottling": {"tokenRatio": 0.1}}"#, "retryThrottling.maxTokens", "retryThrottling.maxTokens: is missing"),
        (r#"{"retryThrottling": {"maxTokens": 10}}"#, "retryThrottling.tokenRatio", "retryThrottling.tokenRatio: is missing"),
        (r#"{"retryThrottling": {"maxTokens": "10", "tokenRatio": 0.1}}"#, "retryThrottling.maxTokens", "retryThrottling.maxTokens: is not a number"),
        (r#"{"retryThrottling": {"maxTokens": 0, "tokenRatio": 0.1}}"#, "retryThrottling.maxTokens", "retryThrottling.maxTokens: is not above zero"),
        (r#"{"retryThrottling": {"maxTokens": -10, "tokenRatio": 0.1}}"#, "retryThrottling.maxTokens", "retryThrottling.maxTokens: is not above zero"),
        (r#"{"retryThrottling": {"maxTokens": 0.0001, "tokenRatio": 0.1}}"#, "retryThrottling.maxTokens", "retryThrottling.maxTokens: is less than 0.001"),
        (r#"{"retryThrottling": {"maxTokens": 1000.5, "tokenRatio": 0.1}}"#, "retryThrottling.maxTokens", "retryThrottling.maxTokens: is above 1000"),
        (r#"{"retryThrottling": {"maxTokens": 1e300, "tokenRatio": 0.1}}"#, "retryThrottling.maxTokens", "retryThrottling.maxTokens: is above 1000"),
        (r#"{"retryThrottling": {"maxTokens": 10, "tokenRatio": true}}"#, "retryThrottling.tokenRatio", "retryThrottling.tokenRatio: is not a number"),
        (r#"{"retryThrottling": {"maxTokens": 10, "tokenRatio": 0}}"#, "retryThrottling.tokenRatio", "retryThrottling.tokenRatio: is not above zero"),
        (r#"{"retryThrottling": {"maxTokens": 10, "tokenRatio": -0.1}}"#, "retryThrottling.tokenRatio", "retryThrottling.tokenRatio: is not above zero"),
        (r#"{"retryThrottling": {"maxTokens": 10, "tokenRatio": 0.0004}}"#, "retryThrottling.tokenRatio", "retryThrottling.tokenRatio: is less than 0.001"),
    ];
    for (json, field, said) in cases {
        assert_eq!(wrong(json), (field.to_owned(), said.to_owned()), "{json}");
    }
}

#[test]
fn an_error_in_a_later_entry_names_that_entry() {
    let mut config: Value = serde_json::from_str(&with_policy(&json!({}))).unwrap();
    let mut second = config["methodConfig"][0].clone();
    second["name"] = json!([{ "service": "a.B" }]);
    second["retryPolicy"]["maxBackoff"] = json!("0s");
    config["methodConfig"].as_array_mut().unwrap().push(second);
    let error = config.to_string().parse::<ServiceConfig>().unwrap_err();
    let field = "methodConfig[1].retryPolicy.maxBackoff";
    assert_eq!(error.to_string(), format!("{field}: is not above zero"));
    assert_eq!(error.field(), field);
}

#[test]
fn every_form_of_a_duration() {
    let second = Duration::from_secs(1);
    #[rustfmt::skip]
    let cases = [
        ("0.1s", Some(Duration::from_millis(100))),
        (".1s", Some(Duration::from_millis(100))),
        ("1s", Some(second)),
        ("1.s", Some(second)),
        ("007s", Some(second * 7)),
        ("1.5s", Some(Duration::from_millis(1_500))),
        ("1.050s", Some(Duration::from_millis(1_050))),
        ("0.000000001s", Some(Duration::from_nanos(1))),
        ("1.123456789s", Some(Duration::new(1, 123_456_789))),
        ("315576000000s", Some(second * 1_000 * 315_576_000)),
        // More than nine decimals, even if they are zero.
        ("0.0000000001s", None),
        ("1.0000000000s", None),
        // Not a number.
        ("1", None),
        ("1 s", None),
        (" 1s", None),
        ("1s ", None),
        ("1S", None),
        ("1ss", None),
        ("1ms", None),
        ("-1s", None),
        ("+1s", None),
        ("1e3s", None),
        ("1_000s", None),
        ("0x1s", None),
        ("1,5s", None),
        ("1.2.3s", None),
        ("1.-1s", None),
        ("١s", None),
        ("s", None),
        (".s", None),
        ("", None),
        // Longer than ten thousand years.
        ("315576000001s", None),
        ("99999999999999999999s", None),
    ];
    for (text, expected) in cases {
        let changes = json!({ "initialBackoff": text, "maxBackoff": "315576000000s" });
        let config = with_policy(&changes).parse::<ServiceConfig>();
        let most = second * 1_000 * 315_576_000;
        let expected = match expected {
            Some(base) => Ok(backoff(base, most, 2.0)),
            None => Err("methodConfig[0].retryPolicy.initialBackoff: \
                is not a duration, as in \"0.1s\""
                .to_owned()),
        };
        let got = config.map(|config| retry(&config, "/").unwrap().backoff);
        let got = got.map_err(|error| error.to_string());
        assert_eq!(got, expected, "{text:?}");
    }
}

#[test]
fn codes_are_told_by_name_in_any_case_or_by_number() {
    let codes = |codes: Value| policy(&json!({ "retryableStatusCodes": codes })).classify;
    let none = ByGrpcStatus::none();
    assert_eq!(codes(json!(["UNAVAILABLE"])), ByGrpcStatus::new());
    assert_eq!(codes(json!(["unavailable"])), ByGrpcStatus::new());
    assert_eq!(codes(json!(["UnAvailable"])), ByGrpcStatus::new());
    assert_eq!(codes(json!([14])), ByGrpcStatus::new());
    assert_eq!(codes(json!([14, "UNAVAILABLE", 14])), ByGrpcStatus::new());
    assert_eq!(codes(json!(["aborted", 4])), none.also(10).also(4));
    #[rustfmt::skip]
    let names = [
        "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND",
        "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
        "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS",
        "UNAUTHENTICATED",
    ];
    for (number, name) in (1..).zip(names) {
        assert_eq!(codes(json!([name])), none.also(number), "{name}");
        assert_eq!(codes(json!([number])), none.also(number), "{number}");
    }
}

#[test]
fn an_attempt_limit_above_five_counts_as_five() {
    let request = Request::post("http://upstream.test/a.B/C");
    let request = request.body(()).unwrap();
    for (attempts, retries) in [(2, 1), (3, 2), (5, 4), (6, 4), (u64::MAX, 4)] {
        let changes = json!({ "maxAttempts": attempts });
        let config: ServiceConfig = with_policy(&changes).parse().unwrap();
        let second = Duration::from_secs(1);
        let expected =
            RetryOverride::new()
                .max_retries(retries)
                .backoff(backoff(second / 10, second, 2.0));
        let overrides = config.overrides(&RequestHead::of(&request));
        assert_eq!(overrides, expected, "{attempts} attempts");
    }
}

#[test]
fn a_policy_is_as_it_is_written() {
    let changes = json!({
        "maxAttempts": 3,
        "initialBackoff": "0.25s",
        "maxBackoff": "0.1s",
        "backoffMultiplier": 0.5,
        "retryableStatusCodes": [8, "ABORTED"],
        "retryableStatusMessages": ["try again"],
    });
    let expected = Retries {
        max_attempts: attempts(3),
        backoff: backoff(Duration::from_millis(250), Duration::from_millis(100), 0.5),
        classify: ByGrpcStatus::none().also(8).also(10),
    };
    assert_eq!(policy(&changes), expected);
}

#[test]
fn the_bounds_of_throttling() {
    #[rustfmt::skip]
    let cases = [
        ("10", "0.1", 10_000, 100),
        ("1000", "1000", 1_000_000, 1_000_000),
        ("1000.0", "1", 1_000_000, 1_000),
        ("1", "0.001", 1_000, 1),
        ("0.001", "0.5", 1, 500),
        ("2.5", "0.1", 2_500, 100),
        ("10", "0.57", 10_000, 570),
        ("10", "1.001", 10_000, 1_001),
        ("10", "2.01", 10_000, 2_010),
    ];
    for (tokens, ratio, max_tokens, token_ratio) in cases {
        let throttling = format!("{{ \"maxTokens\": {tokens}, \"tokenRatio\": {ratio} }}");
        let config = format!("{{ \"retryThrottling\": {throttling} }}");
        let config: ServiceConfig = config.parse().unwrap();
        let expected = Throttling {
            max_tokens,
            token_ratio,
        };
        assert_eq!(config.throttling, Some(expected), "{throttling}");
        let tokens = expected.budget().tokens();
        assert_eq!(tokens, Some(max_tokens as f64 / 1_000.0), "it starts full");
    }
}

#[test]
fn more_decimals_than_three_are_cut_off() {
    // gRFC A6: "Decimal places beyond 3 are ignored. E.g. 0.5466 is treated as 0.546."
    for (ratio, thousandths) in [(0.5466, 546), (0.1239, 123), (0.999_999, 999)] {
        let throttling = json!({ "maxTokens": 10, "tokenRatio": ratio });
        let config = json!({ "retryThrottling": throttling }).to_string();
        let config: ServiceConfig = config.parse().unwrap();
        assert_eq!(config.throttling.unwrap().token_ratio, thousandths);
    }
}

#[test]
fn a_config_that_says_nothing_of_retries_is_none() {
    #[rustfmt::skip]
    let cases = [
        "{}",
        " { } ",
        r#"{"methodConfig": []}"#,
        r#"{"methodConfig": null, "retryThrottling": null}"#,
        r#"{"methodConfig": [{}]}"#,
        r#"{"methodConfig": [{"name": []}]}"#,
        r#"{"methodConfig": [{"name": null, "retryPolicy": null, "hedgingPolicy": null}]}"#,
        r#"{"loadBalancingConfig": [{"round_robin": {}}], "retrythrottling": 3}"#,
    ];
    let nothing = ServiceConfig::builder().build().unwrap();
    for json in cases {
        assert_eq!(json.parse().as_ref(), Ok(&nothing), "{json}");
    }
}

#[test]
fn what_is_not_known_or_is_null_is_ignored() {
    let plain = with_policy(&json!({})).parse::<ServiceConfig>().unwrap();
    let mut config: Value = serde_json::from_str(&with_policy(&json!({ "x": [1] }))).unwrap();
    config["healthCheckConfig"] = json!({ "serviceName": 3 });
    config["retryThrottling"] = Value::Null;
    let method = &mut config["methodConfig"][0];
    method["name"] = json!([{ "service": null, "method": null, "verb": "GET" }]);
    method["timeout"] = json!("not a duration");
    method["hedgingPolicy"] = Value::Null;
    assert_eq!(config.to_string().parse(), Ok(plain));
}

/// Returns an entry for these names with a number of attempts.
fn entry(attempts: u32, names: &Value) -> Value {
    let config: Value =
        serde_json::from_str(&with_policy(&json!({ "maxAttempts": attempts }))).unwrap();
    let mut entry = config["methodConfig"][0].clone();
    entry["name"] = names.clone();
    entry
}

fn retried(config: &ServiceConfig, path: &str) -> Option<MaxAttempts> {
    retry(config, path).map(|policy| policy.max_attempts)
}

#[test]
fn a_call_goes_by_its_method_else_by_its_service_else_by_the_default() {
    let config = json!({ "methodConfig": [
        entry(2, &json!([{}])),
        entry(3, &json!([{ "service": "a.B" }, { "service": "d", "method": "" }])),
        entry(4, &json!([{ "service": "a.B", "method": "C" }])),
        // An entry without a policy: its calls are not retried, even if a less specific entry has a policy.
        { "name": [{ "service": "a.B", "method": "Once" }, { "service": "once" }] },
    ]});
    let config: ServiceConfig = config.to_string().parse().unwrap();
    #[rustfmt::skip]
    let cases = [
        ("/a.B/C", Some(4)),
        ("/a.B/D", Some(3)),
        ("/a.B/Once", None),
        ("/d/C", Some(3)),
        ("/once/C", None),
        ("/e/C", Some(2)),
        // Names are case-sensitive.
        ("/a.b/C", Some(2)),
        ("/a.B/c", Some(3)),
        // A name that only begins or ends like another one does not match.
        ("/a.BB/C", Some(2)),
        ("/x.a.B/C", Some(2)),
        ("/a.B/CC", Some(3)),
        // Odd paths.
        ("a.B/C", Some(4)),
        ("/a.B/", Some(3)),
        ("/a.B", Some(2)),
        ("//a.B/C", Some(2)),
        ("/a.B//C", Some(2)),
        ("/a.B/C/", Some(2)),
        ("/a.B/C/D", Some(2)),
        ("/", Some(2)),
        ("", Some(2)),
        ("*", Some(2)),
    ];
    for (path, expected) in cases {
        assert_eq!(retried(&config, path), expected.map(attempts), "{path:?}");
    }
}

#[test]
fn without_a_default_a_call_that_is_not_named_has_no_policy() {
    let config = json!({ "methodConfig": [
        entry(3, &json!([{ "service": "a.B", "method": "C" }])),
    ]});
    let config: ServiceConfig = config.to_string().parse().unwrap();
    assert_eq!(retried(&config, "/a.B/C"), Some(attempts(3)));
    for path in ["/a.B/D", "/a.B/", "/C", "/", ""] {
        assert_eq!(retried(&config, path), None, "{path:?}");
    }
}

#[test]
fn one_entry_may_stand_for_several_names() {
    let names = json!([{ "service": "a" }, { "service": "b", "method": "C" }, {}]);
    let config = json!({ "methodConfig": [entry(3, &names)] });
    let config: ServiceConfig = config.to_string().parse().unwrap();
    for path in ["/a/D", "/b/C", "/b/D"] {
        assert_eq!(retried(&config, path), Some(attempts(3)), "{path}");
    }
}

#[test]
fn it_can_stand_in_a_config_of_ones_own() {
    let mut config = json!({ "listen": "[::1]:50051" });
    config["grpc"] = serde_json::from_str(&with_policy(&json!({}))).unwrap();
    let grpc = serde_json::from_value::<ServiceConfig>(config["grpc"].take());
    let expected = with_policy(&json!({})).parse::<ServiceConfig>();
    assert_eq!(grpc.unwrap(), expected.unwrap());

    let wrong = json!([{ "retryThrottling": { "maxTokens": 10 } }]);
    let error = serde_json::from_value::<Vec<ServiceConfig>>(wrong).unwrap_err();
    assert_eq!(error.to_string(), "retryThrottling.tokenRatio: is missing");
    let text = r#"{ "methodConfig": 3 }"#;
    let error = serde_json::from_str::<ServiceConfig>(text).unwrap_err();
    assert!(error.to_string().starts_with("methodConfig: is not a list"));
}
