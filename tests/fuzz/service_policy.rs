//! gRFC A6 once more: what a service config says of a call, read from its JSON.

use std::time::Duration;

use serde_json::Value;
use tower_http_retry::event::StopReason;

use super::call::{Ended, Limits, Wait};

/// The most attempts that a client makes, whatever a config asks for.
const MAX_ATTEMPTS: u64 = 5;

const CODES: &str = "OK CANCELLED UNKNOWN INVALID_ARGUMENT DEADLINE_EXCEEDED NOT_FOUND \
    ALREADY_EXISTS PERMISSION_DENIED RESOURCE_EXHAUSTED FAILED_PRECONDITION ABORTED OUT_OF_RANGE \
    UNIMPLEMENTED INTERNAL UNAVAILABLE DATA_LOSS UNAUTHENTICATED";

/// The `retryPolicy` of a call, and the `retryThrottling` of all.
pub struct Policy<'a> {
    retry: &'a Value,
    throttling: &'a Value,
}

impl<'a> Policy<'a> {
    /// Of a config that is one.
    pub fn of(config: &'a Value, path: &str) -> Self {
        Self {
            retry: &method(config, path)["retryPolicy"],
            throttling: &config["retryThrottling"],
        }
    }

    /// What becomes of a call that is answered this code each time.
    pub fn check(&self, ended: &Ended, code: u8, limits: &Limits) {
        let attempts = ended.sent.len() as u64;
        for (retry, wait) in (0..).zip(&ended.waits) {
            self.check_wait(retry, wait);
        }
        let stop = ended.stop.expect("a stop");
        let due = (1..=attempts).find_map(|attempt| Some((attempt, self.stop(code, attempt)?)));
        let is_budgets = |due| due == (attempts, StopReason::Budget);
        match due {
            due if stop == StopReason::Window && due.is_none_or(is_budgets) => {
                let (_, most) = self.wait(attempts as i32 - 1);
                // A timer ends with a whole millisecond.
                let most = most.saturating_add(ended.took + Duration::from_millis(1));
                assert!(most > limits.window, "{most:?} of {:?}", limits.window);
            }
            due => assert_eq!(due, Some((attempts, stop))),
        }
    }

    /// Why there is no attempt after this one, if the window does not end before it.
    fn stop(&self, code: u8, attempt: u64) -> Option<StopReason> {
        match code {
            0 => Some(StopReason::Success),
            code if !self.is_retried(code) => Some(StopReason::Permanent),
            _ if attempt >= max_attempts(self.retry) => Some(StopReason::Attempts),
            _ => is_throttled(self.throttling, attempt).then_some(StopReason::Budget),
        }
    }

    fn is_retried(&self, code: u8) -> bool {
        is_among(code, &self.retry["retryableStatusCodes"])
    }

    fn check_wait(&self, retry: i32, wait: &Wait) {
        let (least, most) = self.wait(retry);
        assert!(
            least <= wait.after && wait.after <= most,
            "{wait:?}: {least:?} to {most:?}"
        );
    }

    /// What the wait before a retry, counted from 0, is at least and at most.
    fn wait(&self, retry: i32) -> (Duration, Duration) {
        let seconds = |name: &str| {
            let text = self.retry[name].as_str().expect("a duration");
            text.trim_end_matches('s').parse::<f64>().expect("seconds")
        };
        let multiplier = self.retry["backoffMultiplier"].as_f64().expect("a number");
        let step = seconds("initialBackoff") * multiplier.powi(retry);
        let step = step.min(seconds("maxBackoff"));
        // A little more or less, as numbers are rounded.
        let part = |part: f64, more: f64| {
            Duration::try_from_secs_f64(step * part + more).unwrap_or(Duration::MAX)
        };
        let few = 1e-8 + step * 1e-9;
        (part(0.8, -few.min(step * 0.8)), part(1.2, few))
    }
}

/// The config of a call: its method's, its service's, or the default; null without one.
pub fn method<'a>(config: &'a Value, path: &str) -> &'a Value {
    let (service, method) = path[1..].rsplit_once('/').unwrap_or(("", &path[1..]));
    let names = [(service, method), (service, ""), ("", "")];
    let all = || config["methodConfig"].as_array().into_iter().flatten();
    let is_named = |config: &&Value, (service, method): (&str, &str)| {
        let mut names = config["name"].as_array().into_iter().flatten();
        let part = |name: &Value, part: &str| name[part].as_str().unwrap_or("").to_owned();
        names.any(|name| part(name, "service") == service && part(name, "method") == method)
    };
    let method = names
        .iter()
        .find_map(|name| all().find(|config| is_named(config, *name)));
    method.unwrap_or(&Value::Null)
}

pub fn is_among(code: u8, codes: &Value) -> bool {
    let name = CODES.split(' ').nth(code.into()).expect("a code");
    let mut codes = codes.as_array().into_iter().flatten();
    codes.any(|listed| match listed.as_str() {
        Some(listed) => listed.to_uppercase() == name,
        None => listed.as_u64() == Some(code.into()),
    })
}

pub fn max_attempts(policy: &Value) -> u64 {
    let attempts = policy["maxAttempts"].as_u64().expect("attempts");
    assert!(attempts > 1, "{attempts} attempts");
    attempts.min(MAX_ATTEMPTS)
}

/// Each failure takes a token; from half of them on there is no other attempt.
pub fn is_throttled(throttling: &Value, failures: u64) -> bool {
    let Some(max) = throttling["maxTokens"].as_f64() else {
        return false;
    };
    // Three decimals count.
    let max = ((max * 1e6).round() / 1e3) as u64;
    max.saturating_sub(failures * 1_000) * 2 <= max
}
