//! A service config that is built in code is the one that is written in JSON, and so is its error.

use std::ops::Range;
use std::time::Duration;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value, json};
use tower_http_retry::grpc::{
    HedgingPolicy, MethodPolicy, RetryPolicy, ServiceConfig, ServiceConfigError,
};

/// What both forms say.
#[derive(Clone, Debug)]
struct Config {
    entries: Vec<(Name, Policy)>,
    throttling: Option<(f64, f64)>,
}

#[derive(Clone, Copy, Debug)]
enum Name {
    Default,
    Service(&'static str),
    Method(&'static str, &'static str),
}

#[derive(Clone, Debug)]
enum Policy {
    Once,
    Retry {
        attempts: u32,
        /// Waits are in milliseconds.
        initial: u64,
        most: u64,
        multiplier: f64,
        codes: Vec<i32>,
    },
    Hedge {
        attempts: u32,
        delay: u64,
        codes: Vec<i32>,
    },
}

type Checked = Result<ServiceConfig, ServiceConfigError>;

impl Config {
    fn in_code(&self) -> Checked {
        let mut builder = ServiceConfig::builder();
        for (name, policy) in &self.entries {
            let policy = policy.in_code();
            builder = match *name {
                Name::Default => builder.default_policy(policy),
                Name::Service(service) => builder.service(service, policy),
                Name::Method(service, method) => builder.method(service, method, policy),
            };
        }
        if let Some((tokens, ratio)) = self.throttling {
            builder = builder.retry_throttling(tokens, ratio);
        }
        builder.build()
    }

    fn in_json(&self) -> Checked {
        let entry = |(name, policy): &(Name, Policy)| {
            let mut entry = policy.in_json();
            entry.insert("name".into(), json!([name.in_json()]));
            Value::Object(entry)
        };
        let mut config = Map::new();
        config.insert(
            "methodConfig".into(),
            self.entries.iter().map(entry).collect(),
        );
        if let Some((tokens, ratio)) = self.throttling {
            let throttling = json!({ "maxTokens": tokens, "tokenRatio": ratio });
            config.insert("retryThrottling".into(), throttling);
        }
        Value::Object(config).to_string().parse()
    }
}

impl Name {
    fn in_json(self) -> Value {
        match self {
            Self::Default => json!({}),
            Self::Service(service) => json!({ "service": service }),
            Self::Method(service, method) => json!({ "service": service, "method": method }),
        }
    }
}

impl Policy {
    fn in_code(&self) -> MethodPolicy {
        match self {
            Self::Once => MethodPolicy::Once,
            Self::Retry {
                attempts,
                initial,
                most,
                multiplier,
                codes,
            } => RetryPolicy::new()
                .max_attempts(*attempts)
                .initial_backoff(Duration::from_millis(*initial))
                .max_backoff(Duration::from_millis(*most))
                .backoff_multiplier(*multiplier)
                .retryable_status_codes(codes.clone())
                .into(),
            Self::Hedge {
                attempts,
                delay,
                codes,
            } => HedgingPolicy::new(Duration::from_millis(*delay))
                .max_attempts(*attempts)
                .non_fatal_status_codes(codes.clone())
                .into(),
        }
    }

    fn in_json(&self) -> Map<String, Value> {
        let seconds = |millis: u64| format!("{}.{:03}s", millis / 1_000, millis % 1_000);
        let policy = match self {
            Self::Once => json!({}),
            Self::Retry {
                attempts,
                initial,
                most,
                multiplier,
                codes,
            } => json!({ "retryPolicy": {
                "maxAttempts": attempts,
                "initialBackoff": seconds(*initial),
                "maxBackoff": seconds(*most),
                "backoffMultiplier": multiplier,
                "retryableStatusCodes": codes,
            } }),
            Self::Hedge {
                attempts,
                delay,
                codes,
            } => json!({ "hedgingPolicy": {
                "maxAttempts": attempts,
                "hedgingDelay": seconds(*delay),
                "nonFatalStatusCodes": codes,
            } }),
        };
        match policy {
            Value::Object(policy) => policy,
            other => panic!("{other}"),
        }
    }
}

fn retry() -> Policy {
    Policy::Retry {
        attempts: 4,
        initial: 100,
        most: 1_500,
        multiplier: 1.5,
        codes: vec![14, 10],
    }
}

fn hedge() -> Policy {
    Policy::Hedge {
        attempts: 3,
        delay: 250,
        codes: vec![13],
    }
}

#[test]
fn a_config_in_json_equals_the_one_built_in_code() {
    let every = |policy: Policy| vec![(Name::Default, policy)];
    #[rustfmt::skip]
    let cases = [
        (vec![], None),
        (vec![], Some((10.0, 0.1))),
        (vec![], Some((2.5, 0.5466))),
        (every(Policy::Once), None),
        (every(retry()), None),
        (every(hedge()), Some((1_000.0, 1.0))),
        (every(Policy::Hedge { attempts: 2, delay: 0, codes: vec![] }), None),
        (vec![(Name::Service("a.B"), retry()), (Name::Method("a.B", "C"), hedge())], None),
        (vec![(Name::Method("a.B", "C"), Policy::Once), (Name::Default, retry())], None),
    ];
    let mut before = Vec::new();
    for (entries, throttling) in cases {
        let config = Config {
            entries,
            throttling,
        };
        let built = config.in_code().unwrap();
        assert_eq!(config.in_json().as_ref(), Ok(&built), "{config:?}");
        // Each of them says something else.
        assert!(!before.contains(&built), "{config:?}");
        before.push(built);
    }
}

fn name() -> impl Strategy<Value = Name> {
    let service = || select(vec!["a.B", "d"]);
    let method = (select(vec!["", "a.B", "d"]), select(vec!["C", "E"]));
    prop_oneof![
        1 => Just(Name::Default),
        3 => service().prop_map(Name::Service),
        6 => method.prop_map(|(service, method)| Name::Method(service, method)),
    ]
}

/// JSON gives them back as they are, without a digit that is rounded.
fn thousandths(range: Range<i32>) -> impl Strategy<Value = f64> {
    range.prop_map(|thousandths| f64::from(thousandths) / 1_000.0)
}

/// One value in eight is wrong.
fn policy() -> impl Strategy<Value = Policy> {
    let attempts = || prop_oneof![7 => 2..8_u32, 1 => 0..2_u32];
    let wait = || prop_oneof![7 => 1..5_000_u64, 1 => Just(0)];
    let multiplier = prop_oneof![7 => thousandths(1..4_000), 1 => thousandths(-1_000..1)];
    let code = || prop_oneof![15 => 1..17_i32, 1 => select(vec![0, 17, 18])];
    let retry = (attempts(), wait(), wait(), multiplier, vec(code(), 0..6));
    let retry = retry.prop_map(
        |(attempts, initial, most, multiplier, codes)| Policy::Retry {
            attempts,
            initial,
            most,
            multiplier,
            codes,
        },
    );
    let hedge = (attempts(), 0..5_000_u64, vec(code(), 0..6));
    let hedge = hedge.prop_map(|(attempts, delay, codes)| Policy::Hedge {
        attempts,
        delay,
        codes,
    });
    prop_oneof![1 => Just(Policy::Once), 3 => retry, 3 => hedge]
}

fn config() -> impl Strategy<Value = Config> {
    let tokens =
        prop_oneof![7 => thousandths(1..1_000_001), 1 => select(vec![0.0, -1.0, 0.000_4, 1_000.5])];
    let ratio = prop_oneof![7 => thousandths(1..2_000), 1 => select(vec![0.0, -0.1, 0.000_9])];
    let config = (vec((name(), policy()), 0..4), option::of((tokens, ratio)));
    config.prop_map(|(entries, throttling)| Config {
        entries,
        throttling,
    })
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(4_000)
    })]

    #[test]
    fn both_forms_of_a_config_have_the_same_result(config in config()) {
        prop_assert_eq!(config.in_code(), config.in_json());
    }
}
