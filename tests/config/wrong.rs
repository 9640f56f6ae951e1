//! What is said of a config that is wrong: the field by its path, and what is expected there.

use serde::Deserialize;
use tower_http_retry::config::RetryConfig;
use tower_http_retry::{Backoff, ByStatus, Idempotency, Jitter, RetryAfter};

/// JSON, and under it what is said, without the place that serde_json adds.
const WRONG: &str = r#"
[]
    invalid type: sequence, expected a map of a retry layer's settings
5
    invalid type: integer `5`, expected a map of a retry layer's settings
"5m"
    invalid type: string "5m", expected a map of a retry layer's settings
{"max_retries":-1}
    max_retries: invalid value: integer `-1`, expected a whole number of at most 4294967295, or "unlimited"
{"max_retries":4294967296}
    max_retries: invalid value: integer `4294967296`, expected a whole number of at most 4294967295, or "unlimited"
{"max_retries":1.5}
    max_retries: invalid type: floating point `1.5`, expected a whole number of at most 4294967295, or "unlimited"
{"max_retries":"many"}
    max_retries: invalid type: string "many", expected a whole number of at most 4294967295, or "unlimited"
{"max_retries":"Unlimited"}
    max_retries: invalid type: string "Unlimited", expected a whole number of at most 4294967295, or "unlimited"
{"max_retries":null}
    max_retries: invalid type: null, expected a whole number of at most 4294967295, or "unlimited"
{"max_retries":true}
    max_retries: invalid type: boolean `true`, expected a whole number of at most 4294967295, or "unlimited"
{"window":5}
    window: invalid type: integer `5`, expected a duration with units, such as "1m 30s", or "unlimited"
{"window":"5"}
    window: invalid value: string "5", expected a duration with units, such as "1m 30s", or "unlimited"
{"window":""}
    window: invalid value: string "", expected a duration with units, such as "1m 30s", or "unlimited"
{"window":"-5s"}
    window: invalid value: string "-5s", expected a duration with units, such as "1m 30s", or "unlimited"
{"window":"5 fortnights"}
    window: invalid value: string "5 fortnights", expected a duration with units, such as "1m 30s", or "unlimited"
{"window":"99999999999999999999s"}
    window: invalid value: string "99999999999999999999s", expected a duration with units, such as "1m 30s", or "unlimited"
{"window":"infinite"}
    window: invalid value: string "infinite", expected a duration with units, such as "1m 30s", or "unlimited"
{"window":["5m"]}
    window: invalid type: sequence, expected a duration with units, such as "1m 30s", or "unlimited"
{"window":null}
    window: invalid type: null, expected a duration with units, such as "1m 30s", or "unlimited"
{"attempt_timeout":10}
    attempt_timeout: invalid type: integer `10`, expected a duration with units, such as "1m 30s", or "unlimited"
{"attempt_timeout":"10"}
    attempt_timeout: invalid value: string "10", expected a duration with units, such as "1m 30s", or "unlimited"
{"attempt_timeout":"none"}
    attempt_timeout: invalid value: string "none", expected a duration with units, such as "1m 30s", or "unlimited"
{"max_retry_after":300.0}
    max_retry_after: invalid type: floating point `300.0`, expected a duration with units, such as "1m 30s", or "unlimited"
{"max_retry_after":"5 m 3"}
    max_retry_after: invalid value: string "5 m 3", expected a duration with units, such as "1m 30s", or "unlimited"
{"backoff":"1s"}
    backoff: invalid type: string "1s", expected a map of a back-off's settings
{"backoff":[]}
    backoff: invalid type: sequence, expected a map of a back-off's settings
{"backoff":null}
    backoff: invalid type: null, expected a map of a back-off's settings
{"backoff":{"bse":"1s"}}
    backoff.bse: unknown field `bse`, expected one of `base`, `factor`, `max_wait`, `jitter`
{"backoff":{"base":1}}
    backoff.base: invalid type: integer `1`, expected a duration with units, such as "1m 30s"
{"backoff":{"base":"unlimited"}}
    backoff.base: invalid value: string "unlimited", expected a duration with units, such as "1m 30s"
{"backoff":{"factor":0}}
    backoff.factor: invalid value: integer `0`, expected a number above 0
{"backoff":{"factor":-0.5}}
    backoff.factor: invalid value: floating point `-0.5`, expected a number above 0
{"backoff":{"factor":-2}}
    backoff.factor: invalid value: integer `-2`, expected a number above 0
{"backoff":{"factor":"2"}}
    backoff.factor: invalid type: string "2", expected a number above 0
{"backoff":{"max_wait":30}}
    backoff.max_wait: invalid type: integer `30`, expected a duration with units, such as "1m 30s", or "unlimited"
{"backoff":{"jitter":"some"}}
    backoff.jitter: invalid value: string "some", expected "none", "full", "equal", "decorrelated", or a map with "between"
{"backoff":{"jitter":true}}
    backoff.jitter: invalid type: boolean `true`, expected "none", "full", "equal", "decorrelated", or a map with "between"
{"backoff":{"jitter":{}}}
    backoff.jitter: missing field `between`
{"backoff":{"jitter":{"beween":[0.8,1.2]}}}
    backoff.jitter: unknown field `beween`, expected `between`
{"backoff":{"jitter":{"between":[0.8,1.2],"and":1}}}
    backoff.jitter: unknown field `and`, expected `between`
{"backoff":{"jitter":{"between":[0.8]}}}
    backoff.jitter.between: invalid length 1, expected two numbers
{"backoff":{"jitter":{"between":[0.8,1.0,1.2]}}}
    backoff.jitter.between: invalid length 3, expected two numbers
{"backoff":{"jitter":{"between":0.8}}}
    backoff.jitter.between: invalid type: floating point `0.8`, expected a sequence
{"backoff":{"jitter":{"between":[-0.1,1.2]}}}
    backoff.jitter.between[0]: invalid value: floating point `-0.1`, expected a number of at least 0
{"backoff":{"jitter":{"between":[0.8,-1]}}}
    backoff.jitter.between[1]: invalid value: integer `-1`, expected a number of at least 0
{"backoff":{"jitter":{"between":[1.2,0.8]}}}
    backoff.jitter.between: 0.8 is below 1.2: the smaller number goes first
{"backoff":{"jitter":{"between":[0.8,"1.2"]}}}
    backoff.jitter.between[1]: invalid type: string "1.2", expected a number of at least 0
{"backoff_after_refusal":{"factor":0}}
    backoff_after_refusal.factor: invalid value: integer `0`, expected a number above 0
{"backoff_after_refusal":"5s"}
    backoff_after_refusal: invalid type: string "5s", expected a map of a back-off's settings
{"classify":"5xx"}
    classify: invalid type: string "5xx", expected a map of what is retried
{"classify":{"status":[429]}}
    classify.status: unknown field `status`, expected one of `statuses`, `should_retry_header`, `keyed_conflict`
{"classify":{"statuses":"5xx"}}
    classify.statuses: invalid type: string "5xx", expected a sequence
{"classify":{"statuses":["5xx",99]}}
    classify.statuses[1]: invalid value: integer `99`, expected a status from 100 to 999, or a series such as "5xx"
{"classify":{"statuses":[1000]}}
    classify.statuses[0]: invalid value: integer `1000`, expected a status from 100 to 999, or a series such as "5xx"
{"classify":{"statuses":[-1]}}
    classify.statuses[0]: invalid value: integer `-1`, expected a status from 100 to 999, or a series such as "5xx"
{"classify":{"statuses":["0xx"]}}
    classify.statuses[0]: invalid value: string "0xx", expected a status from 100 to 999, or a series such as "5xx"
{"classify":{"statuses":["5XX"]}}
    classify.statuses[0]: invalid value: string "5XX", expected a status from 100 to 999, or a series such as "5xx"
{"classify":{"statuses":["503"]}}
    classify.statuses[0]: invalid value: string "503", expected a status from 100 to 999, or a series such as "5xx"
{"classify":{"statuses":[503.0]}}
    classify.statuses[0]: invalid type: floating point `503.0`, expected a status from 100 to 999, or a series such as "5xx"
{"classify":{"should_retry_header":"should retry"}}
    classify.should_retry_header: invalid value: string "should retry", expected the name of a header
{"classify":{"keyed_conflict":1}}
    classify.keyed_conflict: invalid type: integer `1`, expected a boolean
{"idempotency":"any"}
    idempotency: invalid type: string "any", expected a map of which requests may be repeated
{"idempotency":{"methods":"all"}}
    idempotency.methods: invalid value: string "all", expected "idempotent", "safe" or "any"
{"idempotency":{"also":"PATCH"}}
    idempotency.also: invalid type: string "PATCH", expected a sequence
{"idempotency":{"also":["PATCH","GET IT"]}}
    idempotency.also[1]: invalid value: string "GET IT", expected a method in upper case, such as "PATCH"
{"idempotency":{"also":["patch"]}}
    idempotency.also[0]: invalid value: string "patch", expected a method in upper case, such as "PATCH"
{"idempotency":{"except":[""]}}
    idempotency.except[0]: invalid value: string "", expected a method in upper case, such as "PATCH"
{"idempotency":{"except":[7]}}
    idempotency.except[0]: invalid type: integer `7`, expected a method in upper case, such as "PATCH"
{"idempotency":{"keys":["idempotency-key","a key"]}}
    idempotency.keys[1]: invalid value: string "a key", expected the name of a header
{"idempotency":{"also":["PATCH"],"except":["TRACE","PATCH"]}}
    idempotency: `PATCH` is in both `also` and `except`
{"idempotency":{"key":"x-key"}}
    idempotency.key: unknown field `key`, expected one of `methods`, `also`, `except`, `keys`
{"budget":"none"}
    budget: invalid type: string "none", expected a map of a budget's settings
{"budget":{"kind":"tower"}}
    budget.kind: invalid value: string "tower", expected "earning", "ratio", "throttle" or "none"
{"budget":{"ratio":0.2}}
    budget: field `ratio` does not belong to kind "earning"
{"budget":{"kind":"ratio"}}
    budget: missing field `ratio`
{"budget":{"kind":"ratio","ratio":-0.1}}
    budget.ratio: invalid value: floating point `-0.1`, expected a number from 0 to 1000
{"budget":{"kind":"ratio","ratio":1000.5}}
    budget.ratio: invalid value: floating point `1000.5`, expected a number from 0 to 1000
{"budget":{"kind":"ratio","ratio":0.2,"max_tokens":10}}
    budget: field `max_tokens` does not belong to kind "ratio"
{"budget":{"kind":"throttle","max_tokens":10}}
    budget: missing field `token_ratio`
{"budget":{"kind":"throttle","token_ratio":0.1}}
    budget: missing field `max_tokens`
{"budget":{"kind":"throttle","max_tokens":0,"token_ratio":0.1}}
    budget.max_tokens: invalid value: integer `0`, expected a whole number from 1 to 1000
{"budget":{"kind":"throttle","max_tokens":1001,"token_ratio":0.1}}
    budget.max_tokens: invalid value: integer `1001`, expected a whole number from 1 to 1000
{"budget":{"kind":"throttle","max_tokens":10,"token_ratio":-1}}
    budget.token_ratio: invalid value: integer `-1`, expected a number of at least 0
{"budget":{"kind":"throttle","max_tokens":10,"token_ratio":0.1,"ratio":0.1}}
    budget: field `ratio` does not belong to kind "throttle"
{"budget":{"kind":"none","per_authority":100}}
    budget: field `per_authority` does not belong to kind "none"
{"budget":{"per_authority":0}}
    budget.per_authority: invalid value: integer `0`, expected a whole number of at least 1
{"budget":{"tokens":10}}
    budget.tokens: unknown field `tokens`, expected one of `kind`, `ratio`, `max_tokens`, `token_ratio`, `per_authority`
{"cooldown":true}
    cooldown: invalid type: boolean `true`, expected a map of a cooldown's settings
{"cooldown":{"max_hold":5}}
    cooldown.max_hold: invalid type: integer `5`, expected a duration with units, such as "1m 30s", or "unlimited"
{"cooldown":{"max_waiting":-1}}
    cooldown.max_waiting: invalid value: integer `-1`, expected a whole number
{"cooldown":{"max_waiting":"unlimited"}}
    cooldown.max_waiting: invalid type: string "unlimited", expected a whole number
{"cooldown":{"longest":"unlimited"}}
    cooldown.longest: invalid value: string "unlimited", expected a duration with units, such as "1m 30s"
{"cooldown":{"per_authority":0}}
    cooldown.per_authority: invalid value: integer `0`, expected a whole number of at least 1
{"cooldown":{"hold":"5s"}}
    cooldown.hold: unknown field `hold`, expected one of `max_hold`, `max_waiting`, `longest`, `per_authority`
{"retry_after":"maximum"}
    retry_after: invalid value: string "maximum", expected "minimum", "exact" or "ignore"
{"retry_after":"Exact"}
    retry_after: invalid value: string "Exact", expected "minimum", "exact" or "ignore"
{"retry_after":5}
    retry_after: invalid type: integer `5`, expected "minimum", "exact" or "ignore"
{"retry_after":{"exact":null}}
    retry_after: invalid type: map, expected "minimum", "exact" or "ignore"
{"rate_limit_headers":"yes"}
    rate_limit_headers: invalid type: string "yes", expected a boolean
{"max_replay_bytes":"1 MiB"}
    max_replay_bytes: invalid type: string "1 MiB", expected a whole number, or "unlimited"
{"max_replay_bytes":-1}
    max_replay_bytes: invalid value: integer `-1`, expected a whole number, or "unlimited"
{"max_drain_bytes":"unlimited"}
    max_drain_bytes: invalid type: string "unlimited", expected a whole number
{"max_drain_bytes":0.5}
    max_drain_bytes: invalid type: floating point `0.5`, expected a whole number
{"retry_count_header":"retry count"}
    retry_count_header: invalid value: string "retry count", expected the name of a header
{"retry_count_header":["x-retry"]}
    retry_count_header: invalid type: sequence, expected the name of a header
{"mark_attempts":1}
    mark_attempts: invalid type: integer `1`, expected a boolean
{"mark_responses":"true"}
    mark_responses: invalid type: string "true", expected a boolean
{"jitter_seed":-7}
    jitter_seed: invalid value: integer `-7`, expected a whole number
{"jitter_seed":"seven"}
    jitter_seed: invalid type: string "seven", expected a whole number
{"window":"5m","window":"6m"}
    duplicate field `window`
{"backoff":{"factor":2,"factor":3}}
    backoff: duplicate field `factor`
{"window":"5m"
    EOF while parsing an object
"#;

fn of_json<'de, T: Deserialize<'de>>(json: &'de str) -> String {
    let Err(error) = serde_json::from_str::<T>(json) else {
        panic!("{json} is read");
    };
    let error = error.to_string();
    let (message, _place) = error.rsplit_once(" at line ").expect("a place");
    message.to_owned()
}

#[test]
fn each_mistake_in_json_is_named_by_its_field() {
    let lines: Vec<_> = WRONG.trim().lines().collect();
    let cases = lines.chunks(2).map(|case| (case[0], case[1].trim()));
    for (json, expected) in cases.clone() {
        assert_eq!(of_json::<RetryConfig>(json), expected, "{json}");
    }
    assert!(cases.len() > 100);
}

#[test]
fn an_unknown_field_is_named_with_those_there_are() {
    let error = of_json::<RetryConfig>(r#"{"windw":"5m"}"#);
    let expected = "windw: unknown field `windw`, expected one of `max_retries`, `window`, `backoff`, \
        `backoff_after_refusal`, `classify`, `idempotency`, `budget`, `cooldown`, `attempt_timeout`, \
        `retry_after`, `max_retry_after`, `rate_limit_headers`, `max_replay_bytes`, `max_drain_bytes`, \
        `retry_count_header`, `mark_attempts`, `mark_responses`, `jitter_seed`";
    let of_metrics = if cfg!(feature = "metrics") {
        ", `metrics_by_authority`"
    } else {
        ""
    };
    assert_eq!(error, format!("{expected}{of_metrics}"));
}

#[test]
fn the_place_of_a_mistake_in_json_is_kept() {
    let error = serde_json::from_str::<RetryConfig>("{\n  \"window\": 5\n}").unwrap_err();
    let expected = "window: invalid type: integer `5`, \
        expected a duration with units, such as \"1m 30s\", or \"unlimited\" at line 2 column 13";
    assert_eq!(error.to_string(), expected);
    assert_eq!((error.line(), error.column()), (2, 13));
}

/// Each with the line that it stands in.
#[test]
fn each_mistake_in_toml_is_named_by_its_field() {
    let cases = [
        (
            "mark_attempts = true\nwindow = 5",
            "window: TOML parse error at line 2, column 10\n  |\n2 | window = 5\n  |          ^\n\
            invalid type: integer `5`, expected a duration with units, such as \"1m 30s\", or \"unlimited\"\n",
        ),
        (
            "[backoff]\nfactor = nan",
            "backoff.factor: TOML parse error at line 2, column 10\n  |\n2 | factor = nan\n  |          ^^^\n\
            invalid value: floating point `NaN`, expected a number above 0\n",
        ),
        (
            "[backoff]\nfactor = inf",
            "backoff.factor: TOML parse error at line 2, column 10\n  |\n2 | factor = inf\n  |          ^^^\n\
            invalid value: floating point `inf`, expected a number above 0\n",
        ),
        (
            "[backoff.jitter]\nbetween = [0.8, nan]",
            "backoff.jitter.between[1]: TOML parse error at line 2, column 17\n  |\n\
            2 | between = [0.8, nan]\n  |                 ^^^\n\
            invalid value: floating point `NaN`, expected a number of at least 0\n",
        ),
        (
            "[backoff]\nbse = '1s'",
            "backoff.bse: TOML parse error at line 2, column 1\n  |\n2 | bse = '1s'\n  | ^^^\n\
            unknown field `bse`, expected one of `base`, `factor`, `max_wait`, `jitter`\n",
        ),
        (
            "[budget]\nkind = 'ratio'\nratio = nan",
            "budget.ratio: TOML parse error at line 3, column 9\n  |\n3 | ratio = nan\n  |         ^^^\n\
            invalid value: floating point `NaN`, expected a number from 0 to 1000\n",
        ),
        (
            "[budget]\nkind = 'ratio'",
            "budget: TOML parse error at line 1, column 1\n  |\n1 | [budget]\n  | ^^^^^^^^\n\
            missing field `ratio`\n",
        ),
        (
            "window = 1979-05-27",
            "window: TOML parse error at line 1, column 10\n  |\n1 | window = 1979-05-27\n  |          ^^^^^^^^^^\n\
            invalid type: map, expected a duration with units, such as \"1m 30s\", or \"unlimited\"\n",
        ),
        (
            "window =",
            "TOML parse error at line 1, column 9\n  |\n1 | window =\n  |         ^\n\
            string values must be quoted, expected literal string\n",
        ),
    ];
    for (toml, expected) in cases {
        let error = toml::from_str::<RetryConfig>(toml).unwrap_err();
        assert_eq!(error.to_string(), expected, "{toml}");
    }
}

#[test]
fn each_mistake_in_yaml_is_named_by_its_field() {
    let cases = [
        (
            "mark_attempts: true\nwindow: 5",
            "window: invalid type: integer `5`, expected a duration with units, such as \"1m 30s\", \
            or \"unlimited\" at line 2, column 1",
        ),
        (
            "backoff:\n  factor: 0",
            "backoff.factor: invalid value: integer `0`, expected a number above 0 at line 2, column 3",
        ),
        (
            "backoff:\n  factor: .nan",
            "backoff.factor: non-finite float `.nan` rejected by the configured policy at line 2, column 11",
        ),
        (
            "backoff:\n  jitter:\n    between: [1.2, 0.8]",
            "backoff.jitter.between: 0.8 is below 1.2: the smaller number goes first at line 3, column 14",
        ),
        (
            "classify:\n  statuses: [5xx, 1000]",
            "classify.statuses[1]: invalid value: integer `1000`, expected a status from 100 to 999, \
            or a series such as \"5xx\" at line 2, column 19",
        ),
        (
            "retry_after: 5",
            "retry_after: invalid type: integer `5`, expected \"minimum\", \"exact\" or \"ignore\" \
            at line 1, column 1",
        ),
        (
            "idempotency:\n  also: [PATCH]\n  except: [PATCH]",
            "idempotency: `PATCH` is in both `also` and `except` at line 2, column 3",
        ),
        (
            "cooldown:\n  hold: 5s",
            "cooldown.hold: unknown field `hold`, expected one of max_hold, max_waiting, longest, \
            per_authority at line 2, column 3",
        ),
    ];
    for (yaml, expected) in cases {
        let error = serde_saphyr::from_str::<RetryConfig>(yaml).unwrap_err();
        assert_eq!(error.to_string(), expected, "{yaml}");
    }
}

#[test]
fn each_type_names_its_own_fields() {
    let jitter = r#"{"between":[1,"x"]}"#;
    let errors = [
        of_json::<Backoff>(r#"{"factor":0}"#),
        of_json::<Jitter>(jitter),
        of_json::<ByStatus>(r#"{"statuses":[99]}"#),
        of_json::<Idempotency>(r#"{"keys":[""]}"#),
        of_json::<RetryAfter>(r#""at least""#),
    ];
    let expected = [
        "factor: invalid value: integer `0`, expected a number above 0",
        "between[1]: invalid type: string \"x\", expected a number of at least 0",
        "statuses[0]: invalid value: integer `99`, expected a status from 100 to 999, \
            or a series such as \"5xx\"",
        "keys[0]: invalid value: string \"\", expected the name of a header",
        "invalid value: string \"at least\", expected \"minimum\", \"exact\" or \"ignore\"",
    ];
    assert_eq!(errors, expected);
}

/// The path starts at the layer's settings, wherever these are.
#[test]
fn a_mistake_is_named_inside_a_bigger_config() {
    #[derive(Debug, Deserialize)]
    struct Client {
        #[serde(rename = "retry")]
        _retry: RetryConfig,
    }
    let error = toml::from_str::<Client>("[retry.backoff]\nfactor = 0").unwrap_err();
    let expected = "TOML parse error at line 1, column 2\n  |\n1 | [retry.backoff]\n  |  ^^^^^\n\
        backoff.factor: invalid value: integer `0`, expected a number above 0\n";
    assert_eq!(error.to_string(), expected);
}
