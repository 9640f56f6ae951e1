//! What is said of a config that is wrong: the field by its path, and what is expected there.

use serde::Deserialize;
use tower_http_retry::config::RetryConfig;
use tower_http_retry::{Backoff, ByStatus, Idempotency, Jitter, RetryAfter};

/// JSON, and under it what is said, without the place that serde_json adds.
const WRONG: &str = include_str!("wrong.txt");

/// Each JSON, and what is said of it.
pub fn cases() -> impl Iterator<Item = (&'static str, &'static str)> {
    let mut lines = WRONG.lines();
    std::iter::from_fn(move || Some((lines.next()?, lines.next()?.trim())))
}

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
    for (json, expected) in cases() {
        assert_eq!(of_json::<RetryConfig>(json), expected, "{json}");
    }
    assert!(cases().count() > 100);
}

#[test]
fn an_unknown_field_is_named_with_those_there_are() {
    let error = of_json::<RetryConfig>(r#"{"windw":"5m"}"#);
    let expected = "windw: unknown field `windw`, expected one of `max_retries`, `window`, `backoff`, \
        `backoff_after_refusal`, `classify`, `idempotency`, `budget`, `cooldown`, `attempt_timeout`, \
        `retry_after`, `max_retry_after`, `rate_limit_headers`, `max_replay_bytes`, `max_drain_bytes`, \
        `retry_count_header`, `deadline_header`, `mark_attempts`, `mark_responses`, `jitter_seed`";
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
