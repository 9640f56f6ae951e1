//! Whatever a config is, it is read as it was written.

use std::time::Duration;

use http::{HeaderName, Method, StatusCode};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use tower_http_retry::config::{BudgetConfig, CooldownConfig, DeadlineHeaderConfig, RetryConfig};
use tower_http_retry::{Backoff, ByStatus, DeadlineUnit, Idempotency, Jitter, RetryAfter};

fn time() -> impl Strategy<Value = Duration> {
    let any = (any::<u64>(), 0..1_000_000_000_u32);
    prop_oneof![
        Just(Duration::MAX),
        Just(Duration::ZERO),
        (0..100_000_u64).prop_map(Duration::from_millis),
        any.prop_map(|(seconds, nanos)| Duration::new(seconds, nanos)),
    ]
}

fn positive() -> impl Strategy<Value = f64> {
    use proptest::num::f64::{NORMAL, POSITIVE, SUBNORMAL};
    prop_oneof![
        (1..100_u32).prop_map(f64::from),
        POSITIVE | NORMAL | SUBNORMAL
    ]
}

fn jitter() -> impl Strategy<Value = Jitter> {
    prop_oneof![
        Just(Jitter::None),
        Just(Jitter::Full),
        Just(Jitter::Equal),
        Just(Jitter::Decorrelated),
        (positive(), positive()).prop_map(|(a, b)| Jitter::Between(a.min(b), a.max(b))),
        positive().prop_map(|a| Jitter::Between(0.0, a)),
    ]
}

fn backoff() -> impl Strategy<Value = Backoff> {
    (time(), positive(), time(), jitter()).prop_map(|(base, factor, max_wait, jitter)| {
        let backoff = Backoff::exponential(base).factor(factor);
        backoff.max_wait(max_wait).jitter(jitter)
    })
}

fn header() -> impl Strategy<Value = HeaderName> {
    "[!#$%&'*+.^_`|~0-9a-z-]{1,20}".prop_map(|name| name.parse().unwrap())
}

fn method() -> impl Strategy<Value = Method> {
    prop_oneof![
        Just(Method::PATCH),
        Just(Method::TRACE),
        "[!#$%&'*+.^_`|~0-9A-Z-]{1,9}".prop_map(|name| name.parse().unwrap()),
    ]
}

fn classify() -> impl Strategy<Value = ByStatus> {
    let status = (100..1_000_u16).prop_map(|status| StatusCode::from_u16(status).unwrap());
    let status = (
        any::<bool>(),
        prop_oneof![status, Just(StatusCode::CONFLICT)],
    );
    let series = (vec(1..10_u16, 0..3), vec(status, 0..5));
    (any::<bool>(), series, option::of(header())).prop_map(|(is_new, (series, statuses), name)| {
        let mut by_status = if is_new {
            ByStatus::new()
        } else {
            ByStatus::none()
        };
        for digit in series {
            for status in digit * 100..(digit + 1) * 100 {
                by_status = by_status.also(StatusCode::from_u16(status).unwrap());
            }
        }
        for (is_also, status) in statuses {
            by_status = match is_also {
                true => by_status.also(status),
                false => by_status.except(status),
            };
        }
        match name {
            Some(name) => by_status.should_retry_header(name),
            None => by_status,
        }
    })
}

fn idempotency() -> impl Strategy<Value = Idempotency> {
    let base = prop_oneof![
        Just(Idempotency::new()),
        Just(Idempotency::safe()),
        Just(Idempotency::any()),
    ];
    let methods = vec((any::<bool>(), method()), 0..4);
    (base, methods, any::<bool>(), vec(header(), 0..3)).prop_map(
        |(base, methods, without_keys, keys)| {
            let base = if without_keys {
                base.without_keys()
            } else {
                base
            };
            let base = methods
                .into_iter()
                .fold(base, |base, (is_also, method)| match is_also {
                    true => base.also(method),
                    false => base.except(method),
                });
            keys.into_iter().fold(base, Idempotency::key)
        },
    )
}

fn budget() -> impl Strategy<Value = BudgetConfig> {
    let each = || option::of(1..usize::MAX);
    let share = prop_oneof![0.0..1.0, 0.0..=1_000.0];
    prop_oneof![
        Just(BudgetConfig::None),
        each().prop_map(|per_authority| BudgetConfig::Earning { per_authority }),
        (share, each()).prop_map(|(ratio, per_authority)| BudgetConfig::Ratio {
            ratio,
            per_authority
        }),
        (1..=1_000_u32, positive(), each()).prop_map(|(max_tokens, token_ratio, per_authority)| {
            BudgetConfig::Throttle {
                max_tokens,
                token_ratio,
                per_authority,
            }
        }),
    ]
}

fn cooldown() -> impl Strategy<Value = CooldownConfig> {
    let each = option::of(1..=usize::MAX);
    (time(), any::<usize>(), time(), each).prop_map(|(max_hold, max_waiting, longest, each)| {
        let mut cooldown = CooldownConfig::default();
        cooldown.max_hold = max_hold;
        cooldown.max_waiting = max_waiting;
        cooldown.longest = longest;
        cooldown.per_authority = each;
        cooldown
    })
}

fn size() -> impl Strategy<Value = usize> {
    prop_oneof![Just(usize::MAX), any::<usize>()]
}

fn waits() -> impl Strategy<Value = RetryConfig> {
    let retries = prop_oneof![Just(u32::MAX), any::<u32>()];
    let times = (time(), option::of(time()), time());
    let hints = prop_oneof![
        Just(RetryAfter::Minimum),
        Just(RetryAfter::Exact),
        Just(RetryAfter::Ignore),
    ];
    let backoffs = (backoff(), option::of(backoff()));
    (retries, times, hints, backoffs, option::of(any::<u64>())).prop_map(
        |(max_retries, (window, attempt_timeout, longest), hints, backoffs, seed)| {
            let mut config = RetryConfig::default();
            config.max_retries = max_retries;
            config.window = window;
            config.attempt_timeout = attempt_timeout;
            config.max_retry_after = longest;
            config.retry_after = hints;
            (config.backoff, config.backoff_after_refusal) = backoffs;
            config.jitter_seed = seed;
            config
        },
    )
}

fn unit() -> impl Strategy<Value = DeadlineUnit> {
    prop_oneof![
        Just(DeadlineUnit::Seconds),
        Just(DeadlineUnit::Milliseconds)
    ]
}

pub fn config() -> impl Strategy<Value = RetryConfig> {
    let parts = (classify(), idempotency(), budget(), option::of(cooldown()));
    let others = (
        size(),
        any::<usize>(),
        option::of(header()),
        option::of((header(), unit())),
        any::<[bool; 4]>(),
    );
    (waits(), parts, others).prop_map(|(mut config, parts, others)| {
        (
            config.classify,
            config.idempotency,
            config.budget,
            config.cooldown,
        ) = parts;
        let (deadline, flags);
        (
            config.max_replay_bytes,
            config.max_drain_bytes,
            config.retry_count_header,
            deadline,
            flags,
        ) = others;
        config.deadline_header = deadline.map(|(name, unit)| DeadlineHeaderConfig::new(name, unit));
        [
            config.rate_limit_headers,
            config.mark_attempts,
            config.mark_responses,
            _,
        ] = flags;
        #[cfg(feature = "metrics")]
        {
            config.metrics_by_authority = flags[3];
        }
        config
    })
}

proptest! {
    #[test]
    fn a_config_is_read_as_it_was_written(config in config()) {
        let toml = toml::to_string(&config).unwrap();
        prop_assert_eq!(&toml::from_str::<RetryConfig>(&toml).unwrap(), &config, "{}", toml);
        let json = serde_json::to_string(&config).unwrap();
        prop_assert_eq!(&serde_json::from_str::<RetryConfig>(&json).unwrap(), &config, "{}", json);
        let value = serde_json::to_value(&config).unwrap();
        prop_assert_eq!(&serde_json::from_value::<RetryConfig>(value).unwrap(), &config);
        let yaml = serde_saphyr::to_string(&config).unwrap();
        prop_assert_eq!(&serde_saphyr::from_str::<RetryConfig>(&yaml).unwrap(), &config, "{}", yaml);
    }
}
