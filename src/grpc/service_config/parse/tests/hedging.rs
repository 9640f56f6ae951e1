use super::*;
use crate::grpc::service_config::config::Hedges;

/// Returns a config with a valid `hedgingPolicy` in which some fields are changed.
fn with_hedging(changes: &Value) -> String {
    let policy = json!({
        "maxAttempts": 4,
        "hedgingDelay": "0.5s",
        "nonFatalStatusCodes": ["UNAVAILABLE"],
    });
    with_changed("hedgingPolicy", policy, changes)
}

fn hedging(changes: &Value) -> Hedges {
    let config = with_hedging(changes).parse::<ServiceConfig>();
    match config.unwrap().plan("/a.B/C") {
        Plan::Hedge(policy) => policy,
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_field_of_a_hedging_policy_that_is_wrong_is_named() {
    const WHOLE: &str = "is not a whole number of zero or more";
    const DURATION: &str = "is not a duration, as in \"0.1s\"";
    const OK: &str = "is OK, which is not a failure";
    #[rustfmt::skip]
    let cases = [
        (json!({ "maxAttempts": null }), "maxAttempts", "is missing"),
        (json!({ "maxAttempts": "3" }), "maxAttempts", WHOLE),
        (json!({ "maxAttempts": 2.5 }), "maxAttempts", WHOLE),
        (json!({ "maxAttempts": -1 }), "maxAttempts", WHOLE),
        (json!({ "maxAttempts": 0 }), "maxAttempts", "is less than 2"),
        (json!({ "maxAttempts": 1 }), "maxAttempts", "is less than 2"),
        (json!({ "hedgingDelay": 0 }), "hedgingDelay", "is not a string"),
        (json!({ "hedgingDelay": {} }), "hedgingDelay", "is not a string"),
        (json!({ "hedgingDelay": "" }), "hedgingDelay", DURATION),
        (json!({ "hedgingDelay": "-1s" }), "hedgingDelay", DURATION),
        (json!({ "hedgingDelay": "5ms" }), "hedgingDelay", DURATION),
        (json!({ "nonFatalStatusCodes": "UNAVAILABLE" }), "nonFatalStatusCodes", "is not a list"),
        (json!({ "nonFatalStatusCodes": 14 }), "nonFatalStatusCodes", "is not a list"),
        (json!({ "nonFatalStatusCodes": [14, "SOON"] }), "nonFatalStatusCodes[1]", "is no status code"),
        (json!({ "nonFatalStatusCodes": ["OK"] }), "nonFatalStatusCodes[0]", OK),
        (json!({ "nonFatalStatusCodes": [14, 0] }), "nonFatalStatusCodes[1]", OK),
        (json!({ "nonFatalStatusCodes": [17] }), "nonFatalStatusCodes[0]", "is no status code"),
        (json!({ "nonFatalStatusCodes": [null] }), "nonFatalStatusCodes[0]", WHOLE),
    ];
    for (changes, field, problem) in cases {
        let field = format!("methodConfig[0].hedgingPolicy.{field}");
        let said = format!("{field}: {problem}");
        assert_eq!(wrong(&with_hedging(&changes)), (field, said), "{changes}");
    }
    for policy in ["[]", "3", "true"] {
        let config = format!(r#"{{"methodConfig": [{{"hedgingPolicy": {policy}}}]}}"#);
        let field = "methodConfig[0].hedgingPolicy".to_owned();
        let said = format!("{field}: is not an object");
        assert_eq!(wrong(&config), (field, said));
    }
}

#[test]
fn a_hedging_policy_is_as_it_is_written() {
    let changes = json!({
        "maxAttempts": 3,
        "hedgingDelay": "0.25s",
        "nonFatalStatusCodes": ["internal", 10],
        "perAttemptRecvTimeout": "1s",
    });
    let expected = Hedges {
        max_attempts: super::attempts(3),
        delay: Duration::from_millis(250),
        classify: ByGrpcStatus::none().also(13).also(10),
    };
    assert_eq!(hedging(&changes), expected);
}

#[test]
fn without_a_delay_all_attempts_are_sent_at_once_and_without_codes_all_are_fatal() {
    for delay in [json!(null), json!("0s"), json!("0.000s")] {
        let policy = hedging(&json!({ "hedgingDelay": delay }));
        assert_eq!(policy.delay, Duration::ZERO, "{delay}");
    }
    for codes in [json!(null), json!([])] {
        let policy = hedging(&json!({ "nonFatalStatusCodes": codes }));
        assert_eq!(policy.classify, ByGrpcStatus::none(), "{codes}");
    }
}

#[test]
fn a_number_of_attempts_beyond_all_bounds_is_taken() {
    for attempts in [2, 5, 6, u64::MAX] {
        let policy = hedging(&json!({ "maxAttempts": attempts }));
        let count = u32::try_from(attempts).unwrap_or(u32::MAX);
        assert_eq!(policy.max_attempts, super::attempts(count));
    }
}

#[test]
fn a_method_is_hedged_although_its_service_is_retried_and_the_other_way_round() {
    let hedged = serde_json::from_str::<Value>(&with_hedging(&json!({}))).unwrap();
    let hedged = |names: Value| {
        let policy = hedged["methodConfig"][0]["hedgingPolicy"].clone();
        json!({ "name": names, "hedgingPolicy": policy })
    };
    let config = json!({ "methodConfig": [
        entry(3, &json!([{ "service": "a" }, { "service": "b", "method": "C" }])),
        hedged(json!([{ "service": "a", "method": "C" }, { "service": "b" }])),
    ]});
    let config: ServiceConfig = config.to_string().parse().unwrap();
    let is_hedged = |path| matches!(config.plan(path), Plan::Hedge(_));
    let is_retried = |path| matches!(config.plan(path), Plan::Retry(_));
    assert!(is_hedged("/a/C") && is_hedged("/b/D"));
    assert!(is_retried("/a/D") && is_retried("/b/C"));
    assert_eq!(config.plan("/c/C"), Plan::Once);
}

#[test]
fn clones_of_a_config_share_their_tokens_and_are_equal_whatever_is_left() {
    let config = r#"{ "retryThrottling": { "maxTokens": 10, "tokenRatio": 0.1 } }"#;
    let config: ServiceConfig = config.parse().unwrap();
    let (clone, other) = (config.clone(), config.clone());
    let tokens = |config: &ServiceConfig| config.budget.as_ref().unwrap().tokens();
    let uri = "/a.B/C".parse().unwrap();
    let budget = clone.budget.as_ref().unwrap();
    budget.at(&uri, crate::budget::Rule::failed);
    assert_eq!((tokens(&config), tokens(&other)), (Some(9.0), Some(9.0)));
    let fresh = r#"{ "retryThrottling": { "maxTokens": 10, "tokenRatio": 0.1 } }"#;
    let fresh: ServiceConfig = fresh.parse().unwrap();
    assert_eq!((tokens(&fresh), &fresh), (Some(10.0), &config));
}
