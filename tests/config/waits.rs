//! What each field of a config does to when a layer sends, on the paused clock.

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};
use tower::Layer;
use tower_http_retry::RetryError;

use crate::layer;
use crate::support::upstream::Answer::{Headers, Never, Status};
use crate::support::upstream::{Answer, Upstream, get, request};

/// When a GET is sent, in milliseconds.
async fn sent_at(config: Value, plan: impl Into<Vec<Answer>>) -> Vec<u128> {
    let upstream = Upstream::new(plan);
    let _ = layer(config).layer(upstream.clone()).send(get()).await;
    upstream.millis()
}

fn with(status: u16, name: &'static str, value: &str) -> Answer {
    Headers(status, vec![(name, value.to_owned())])
}

#[tokio::test(start_paused = true)]
async fn retries_and_their_window_are_limited_as_configured() {
    let cases = [
        (json!({}), vec![0, 1_000, 3_000, 7_000, 15_000, 31_000]),
        (json!({ "max_retries": 2 }), vec![0, 1_000, 3_000]),
        (json!({ "max_retries": 0 }), vec![0]),
        (json!({ "window": "2999ms" }), vec![0, 1_000]),
        (json!({ "window": "3001ms" }), vec![0, 1_000, 3_000]),
    ];
    for (config, expected) in cases {
        assert_eq!(
            sent_at(config.clone(), [Status(503)]).await,
            expected,
            "{config}"
        );
    }
    let unlimited = json!({
        "max_retries": "unlimited", "window": "unlimited", "budget": { "kind": "none" },
        "backoff": { "factor": 1, "jitter": "none" },
    });
    let plan = [vec![Status(503); 700], vec![Status(200)]].concat();
    let expected: Vec<_> = (0..=700).map(|second| second * 1_000).collect();
    assert_eq!(sent_at(unlimited, plan).await, expected);
}

#[tokio::test(start_paused = true)]
async fn waits_are_backed_off_as_configured() {
    let cases = [
        (
            json!({ "base": "2s", "jitter": "none" }),
            [2_000, 4_000, 8_000],
        ),
        (
            json!({ "factor": 1.5, "jitter": "none" }),
            [1_000, 1_500, 2_250],
        ),
        (
            json!({ "max_wait": "3s", "jitter": "none" }),
            [1_000, 2_000, 3_000],
        ),
        (
            json!({ "jitter": { "between": [0.5, 0.5] } }),
            [500, 1_000, 2_000],
        ),
    ];
    for (backoff, waits) in cases {
        let config = json!({ "backoff": backoff, "max_retries": 3 });
        let [first, second, third] = waits;
        let expected = [0, first, first + second, first + second + third];
        assert_eq!(sent_at(config, [Status(503)]).await, expected, "{backoff}");
    }
}

#[tokio::test(start_paused = true)]
async fn each_kind_of_jitter_draws_between_its_own_bounds() {
    let cases = [
        ("full", 0..=1_000, 0..=2_000),
        ("equal", 500..=1_000, 1_000..=2_000),
        ("decorrelated", 1_000..=3_000, 1_000..=9_000),
    ];
    for (jitter, first, second) in cases {
        let mut latest = [0, 0];
        let mut earliest = [u128::MAX, u128::MAX];
        for seed in 0..200 {
            let backoff = json!({ "jitter": jitter });
            let config = json!({ "backoff": backoff, "jitter_seed": seed, "max_retries": 2 });
            let times = sent_at(config, [Status(503)]).await;
            let waits = [times[1], times[2] - times[1]];
            for (index, wait) in waits.into_iter().enumerate() {
                latest[index] = latest[index].max(wait);
                earliest[index] = earliest[index].min(wait);
            }
        }
        for (index, bounds) in [first, second].into_iter().enumerate() {
            let width = bounds.end() - bounds.start();
            let drawn = (earliest[index], latest[index]);
            assert!(bounds.contains(&drawn.0), "{jitter} {drawn:?}");
            // A millisecond that was begun counts as a whole one.
            assert!(drawn.1 <= bounds.end() + 1, "{jitter} {drawn:?}");
            assert!(drawn.1 - drawn.0 > width * 8 / 10, "{jitter} {drawn:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_seed_draws_the_waits_that_it_draws_on_a_layer() {
    let mut drawn = Vec::new();
    for seed in [7, 8] {
        let backoff = json!({ "jitter": "full" });
        let config = json!({ "backoff": backoff, "jitter_seed": seed });
        let times = sent_at(config.clone(), [Status(503)]).await;
        let upstream = Upstream::new([Status(503)]);
        let backoff = serde_json::from_value(config["backoff"].clone()).unwrap();
        let set = tower_http_retry::RetryLayer::new()
            .backoff(backoff)
            .jitter_seed(seed);
        set.layer(upstream.clone()).send(get()).await.unwrap();
        assert_eq!(times, upstream.millis());
        drawn.push(times);
    }
    assert_ne!(drawn[0], drawn[1]);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_backs_off_as_configured() {
    let after_refusal = json!({ "base": "7s", "jitter": "none" });
    let config = json!({ "backoff_after_refusal": after_refusal, "max_retries": 1 });
    assert_eq!(sent_at(config.clone(), [Status(429)]).await, [0, 7_000]);
    assert_eq!(sent_at(config, [Status(500)]).await, [0, 1_000]);
}

#[tokio::test(start_paused = true)]
async fn an_attempt_times_out_as_configured() {
    let upstream = Upstream::new([Never]);
    let config = json!({ "attempt_timeout": "3s", "max_retries": 1 });
    let service = layer(config).layer(upstream.clone());
    // One that is not timed out fails this test, and does not hold it up.
    let sent = tokio::time::timeout(Duration::from_secs(60), service.send(get())).await;
    let error = sent.unwrap().unwrap_err();
    assert!(
        matches!(
            error.downcast_ref(),
            Some(RetryError::AttemptTimedOut { .. })
        ),
        "{error}"
    );
    // The wait after a time-out is that of the second step.
    assert_eq!(upstream.millis(), [0, 5_000]);
}

#[tokio::test(start_paused = true)]
async fn hints_are_taken_as_configured() {
    let plan = [with(429, "retry-after", "10"), Status(503), Status(200)];
    let cases = [
        (json!({ "retry_after": "minimum" }), vec![0, 10_000, 12_000]),
        (json!({ "retry_after": "exact" }), vec![0, 10_000, 11_000]),
        (json!({ "retry_after": "ignore" }), vec![0, 1_000, 3_000]),
        (json!({ "max_retry_after": "9s" }), vec![0]),
        (json!({ "max_retry_after": "10s" }), vec![0, 10_000, 12_000]),
    ];
    for (config, expected) in cases {
        assert_eq!(
            sent_at(config.clone(), plan.clone()).await,
            expected,
            "{config}"
        );
    }
    let far = [with(429, "retry-after", "400"), Status(200)];
    let unlimited = json!({ "max_retry_after": "unlimited", "window": "unlimited" });
    assert_eq!(sent_at(unlimited, far).await, [0, 400_000]);
}

#[tokio::test(start_paused = true)]
async fn rate_limit_headers_are_read_as_configured() {
    let plan = [with(429, "ratelimit", r#""default";r=0;t=7"#), Status(200)];
    for (are_read, second) in [(true, 7_000), (false, 1_000)] {
        let config = json!({ "rate_limit_headers": are_read });
        assert_eq!(sent_at(config, plan.clone()).await, [0, second]);
    }
}

/// What becomes of a request that follows one which says that the quota is used up for seven seconds.
async fn second(cooldown: Value) -> Vec<u128> {
    let told = with(200, "ratelimit", r#""default";r=0;t=7"#);
    let upstream = Upstream::new([told, Status(200)]);
    let config = json!({ "rate_limit_headers": true, "cooldown": cooldown });
    let client = layer(config).layer(upstream.clone());
    client.send(get()).await.unwrap();
    let _ = client.send(get()).await;
    upstream.millis()
}

#[tokio::test(start_paused = true)]
async fn a_cooldown_holds_as_configured() {
    let cases = [
        (Value::Null, vec![0, 0]),
        // By default none waits for more than five seconds.
        (json!({}), vec![0]),
        (json!({ "max_hold": "8s" }), vec![0, 7_000]),
        (json!({ "max_hold": "unlimited" }), vec![0, 7_000]),
        (json!({ "max_hold": "8s", "max_waiting": 0 }), vec![0]),
        (json!({ "longest": "4s" }), vec![0, 4_000]),
    ];
    for (cooldown, expected) in cases {
        assert_eq!(second(cooldown.clone()).await, expected, "{cooldown}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_cooldown_is_for_each_upstream_as_configured() {
    let other = || {
        let mut other = request(Method::GET);
        *other.uri_mut() = "http://other.test/".parse().unwrap();
        other
    };
    for (cooldown, is_sent) in [(json!({}), false), (json!({ "per_authority": 2 }), true)] {
        let told = with(200, "ratelimit", r#""default";r=0;t=7"#);
        let upstream = Upstream::new([told, Status(200)]);
        let config = json!({ "rate_limit_headers": true, "cooldown": cooldown });
        let client = layer(config).layer(upstream.clone());
        client.send(get()).await.unwrap();
        assert_eq!(client.send(other()).await.is_ok(), is_sent);
        assert!(client.send(get()).await.is_err());
    }
}
