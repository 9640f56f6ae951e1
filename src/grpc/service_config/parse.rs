//! A service config from its JSON.

use std::collections::HashMap;
use std::str::FromStr;
use std::time::Duration;

use serde::de::{Deserialize, Deserializer, Error as _};
use serde_json::Value;

use super::config::{HedgingPolicy, MethodPolicy, RetryPolicy, ServiceConfig, Throttling};
use super::fields::{Field, Fields, ServiceConfigError};
use crate::backoff::{Backoff, Jitter};
use crate::grpc::by_grpc_status::ByGrpcStatus;
use crate::grpc::code::NAMES;

/// What protobuf's durations can be (10,000 years).
const LONGEST: u64 = 315_576_000_000;

type Parsed<T> = Result<T, ServiceConfigError>;

impl FromStr for ServiceConfig {
    type Err = ServiceConfigError;

    fn from_str(json: &str) -> Result<Self, ServiceConfigError> {
        let value = serde_json::from_str(json);
        service_config(&value.map_err(ServiceConfigError::syntax)?)
    }
}

/// So that it can stand in a config of one's own.
impl<'de> Deserialize<'de> for ServiceConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        service_config(&value).map_err(D::Error::custom)
    }
}

fn service_config(value: &Value) -> Parsed<ServiceConfig> {
    let config = Field::root(value).fields()?;
    let mut methods = HashMap::new();
    for method in config.items("methodConfig")? {
        method_config(&method, &mut methods)?;
    }
    let throttling = config.get("retryThrottling").map(throttling).transpose()?;
    Ok(ServiceConfig::new(methods, throttling))
}

fn method_config(config: &Field<'_>, methods: &mut HashMap<String, MethodPolicy>) -> Parsed<()> {
    let fields = config.clone().fields()?;
    let policy = match (fields.get("retryPolicy"), fields.get("hedgingPolicy")) {
        (Some(_), Some(_)) => {
            return Err(config.wrong("has both a retryPolicy and a hedgingPolicy"));
        }
        (Some(policy), None) => MethodPolicy::Retry(retry_policy(policy)?),
        (None, Some(policy)) => MethodPolicy::Hedge(hedging_policy(policy)?),
        (None, None) => MethodPolicy::Once,
    };
    for name in fields.items("name")? {
        if methods.insert(key(&name)?, policy).is_some() {
            return Err(name.wrong("is configured already"));
        }
    }
    Ok(())
}

/// `service/method`, `service/`, or nothing.
fn key(name: &Field<'_>) -> Parsed<String> {
    let fields = name.clone().fields()?;
    match (fields.text("service")?, fields.text("method")?) {
        ("", "") => Ok(String::new()),
        ("", _) => Err(fields.required("method")?.wrong("has no service")),
        (service, method) => Ok(format!("{service}/{method}")),
    }
}

fn retry_policy(policy: Field<'_>) -> Parsed<RetryPolicy> {
    let fields = policy.fields()?;
    let max_attempts = max_attempts(&fields)?;
    let multiplier = fields.required("backoffMultiplier")?;
    let backoff = Backoff::exponential(wait(&fields, "initialBackoff")?)
        .max_wait(wait(&fields, "maxBackoff")?)
        .factor(above_zero(&multiplier)?)
        .jitter(Jitter::Between(0.8, 1.2));
    Ok(RetryPolicy {
        max_attempts,
        backoff,
        classify: retried(&fields.required("retryableStatusCodes")?)?,
    })
}

fn hedging_policy(policy: Field<'_>) -> Parsed<HedgingPolicy> {
    let fields = policy.fields()?;
    let max_attempts = max_attempts(&fields)?;
    let delay = fields.get("hedgingDelay");
    let delay = delay.map_or(Ok(Duration::ZERO), |delay| duration(&delay))?;
    Ok(HedgingPolicy {
        max_attempts,
        delay,
        classify: codes(fields.items("nonFatalStatusCodes")?)?,
    })
}

fn max_attempts(policy: &Fields<'_>) -> Parsed<u32> {
    let attempts = policy.required("maxAttempts")?;
    match attempts.whole()? {
        0 | 1 => Err(attempts.wrong("is less than 2")),
        count => Ok(u32::try_from(count).unwrap_or(u32::MAX)),
    }
}

fn retried(list: &Field<'_>) -> Parsed<ByGrpcStatus> {
    let items = list.items()?;
    match items.is_empty() {
        true => Err(list.wrong("is empty")),
        false => codes(items),
    }
}

fn codes(codes: Vec<Field<'_>>) -> Parsed<ByGrpcStatus> {
    let mut retried = ByGrpcStatus::none();
    for code in codes {
        retried = retried.also(number(&code)?);
    }
    Ok(retried)
}

fn number(code: &Field<'_>) -> Parsed<i32> {
    let number = match code.is_text() {
        true => {
            let name = code.text()?;
            NAMES
                .iter()
                .position(|known| known.eq_ignore_ascii_case(name))
        }
        false => usize::try_from(code.whole()?).ok(),
    };
    let number = number.filter(|number| *number < NAMES.len());
    number
        .map(|number| number as i32)
        .ok_or_else(|| code.wrong("is no status code"))
}

fn throttling(throttling: Field<'_>) -> Parsed<Throttling> {
    let fields = throttling.fields()?;
    let max_tokens = fields.required("maxTokens")?;
    let token_ratio = fields.required("tokenRatio")?;
    if max_tokens.number()? > 1_000.0 {
        return Err(max_tokens.wrong("is above 1000"));
    }
    Ok(Throttling {
        max_tokens: thousandths(&max_tokens)?,
        token_ratio: thousandths(&token_ratio)?,
    })
}

/// Three decimals count, the others are cut off: 0.5466 is 0.546. (Rounded before that, since the
/// nearest number to 0.57 is a little less.)
fn thousandths(number: &Field<'_>) -> Parsed<u64> {
    let millionths = (above_zero(number)? * 1_000_000.0).round();
    match (millionths / 1_000.0) as u64 {
        0 => Err(number.wrong("is less than 0.001")),
        thousandths => Ok(thousandths),
    }
}

fn above_zero(number: &Field<'_>) -> Parsed<f64> {
    let value = number.number()?;
    match value > 0.0 {
        true => Ok(value),
        false => Err(number.wrong("is not above zero")),
    }
}

fn wait(fields: &Fields<'_>, name: &str) -> Parsed<Duration> {
    let field = fields.required(name)?;
    match duration(&field)? {
        Duration::ZERO => Err(field.wrong("is not above zero")),
        duration => Ok(duration),
    }
}

/// As protobuf's JSON has durations: seconds, with up to nine decimals, and an `s`.
fn duration(field: &Field<'_>) -> Parsed<Duration> {
    let duration = field.text()?.strip_suffix('s').and_then(seconds);
    duration.ok_or_else(|| field.wrong("is not a duration, as in \"0.1s\""))
}

fn seconds(text: &str) -> Option<Duration> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    let digits = [whole, decimals].concat();
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number || decimals.len() > 9 {
        return None;
    }
    let seconds = match whole {
        "" => 0,
        whole => whole.parse().ok()?,
    };
    let nanos = format!("{decimals:0<9}").parse().ok()?;
    (seconds <= LONGEST).then(|| Duration::new(seconds, nanos))
}

#[cfg(test)]
mod tests;
