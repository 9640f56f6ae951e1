//! Parses service configs from JSON.

use std::str::FromStr;
use std::time::Duration;

use serde::de::{Deserialize, Deserializer, Error as _};
use serde_json::Value;

use super::builder::ServiceConfigBuilder;
use super::codes::UNKNOWN;
use super::config::ServiceConfig;
use super::error::ServiceConfigError;
use super::hedging_policy::HedgingPolicy;
use super::method_policy::MethodPolicy;
use super::name::Name;
use super::path::Path;
use super::retry_policy::RetryPolicy;
use crate::grpc::code::NAMES;
use fields::{Field, Fields};

mod fields;

/// The longest duration of protobuf, in seconds (10,000 years).
const LONGEST: u64 = 315_576_000_000;

type Parsed<T> = Result<T, ServiceConfigError>;

impl FromStr for ServiceConfig {
    type Err = ServiceConfigError;

    fn from_str(json: &str) -> Result<Self, ServiceConfigError> {
        let syntax = |error| Path::default().wrong(format!("is not JSON: {error}"));
        service_config(&serde_json::from_str(json).map_err(syntax)?)
    }
}

/// Allows a service config to be part of another config.
impl<'de> Deserialize<'de> for ServiceConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        service_config(&value).map_err(D::Error::custom)
    }
}

fn service_config(value: &Value) -> Parsed<ServiceConfig> {
    let config = Field::root(value).fields()?;
    let mut builder = ServiceConfig::builder();
    for entry in config.items("methodConfig")? {
        builder = method_config(builder, entry)?;
    }
    if let Some(throttling) = config.get("retryThrottling") {
        let fields = throttling.fields()?;
        let max_tokens = fields.required("maxTokens")?.number()?;
        let token_ratio = fields.required("tokenRatio")?.number()?;
        builder = builder.retry_throttling(max_tokens, token_ratio);
    }
    builder.build()
}

fn method_config(builder: ServiceConfigBuilder, entry: Field<'_>) -> Parsed<ServiceConfigBuilder> {
    let fields = entry.clone().fields()?;
    let policy = match (fields.get("retryPolicy"), fields.get("hedgingPolicy")) {
        (Some(_), Some(_)) => {
            return Err(entry.wrong("has both a retryPolicy and a hedgingPolicy"));
        }
        (Some(policy), None) => retry_policy(policy)?.into(),
        (None, Some(policy)) => hedging_policy(policy)?.into(),
        (None, None) => MethodPolicy::Once,
    };
    let names = fields.items("name")?.into_iter().map(name);
    Ok(builder.method_config(names.collect::<Parsed<Vec<_>>>()?, policy))
}

/// Parses a name. An empty string counts as missing.
fn name(name: Field<'_>) -> Parsed<Name> {
    let fields = name.fields()?;
    Ok(match (fields.text("service")?, fields.text("method")?) {
        ("", "") => Name::Default,
        (service, "") => Name::Service(service.to_owned()),
        (service, method) => Name::Method {
            service: service.to_owned(),
            method: method.to_owned(),
        },
    })
}

fn retry_policy(policy: Field<'_>) -> Parsed<RetryPolicy> {
    let fields = policy.fields()?;
    Ok(RetryPolicy::new()
        .max_attempts(max_attempts(&fields)?)
        .initial_backoff(duration(&fields.required("initialBackoff")?)?)
        .max_backoff(duration(&fields.required("maxBackoff")?)?)
        .backoff_multiplier(fields.required("backoffMultiplier")?.number()?)
        .retryable_status_codes(codes(fields.required("retryableStatusCodes")?.items()?)?))
}

fn hedging_policy(policy: Field<'_>) -> Parsed<HedgingPolicy> {
    let fields = policy.fields()?;
    let delay = fields.get("hedgingDelay");
    let delay = delay.map_or(Ok(Duration::ZERO), |delay| duration(&delay))?;
    Ok(HedgingPolicy::new(delay)
        .max_attempts(max_attempts(&fields)?)
        .non_fatal_status_codes(codes(fields.items("nonFatalStatusCodes")?)?))
}

fn max_attempts(policy: &Fields<'_>) -> Parsed<u32> {
    let count = policy.required("maxAttempts")?.whole()?;
    Ok(u32::try_from(count).unwrap_or(u32::MAX))
}

fn codes(codes: Vec<Field<'_>>) -> Parsed<Vec<i32>> {
    codes.iter().map(number).collect()
}

/// Returns the number of a code. The builder rejects numbers that are not codes.
fn number(code: &Field<'_>) -> Parsed<i32> {
    if !code.is_text() {
        return Ok(i32::try_from(code.whole()?).unwrap_or(i32::MAX));
    }
    let name = code.text()?;
    let mut names = (0..).zip(NAMES);
    let known = names.find(|(_, known)| known.eq_ignore_ascii_case(name));
    known
        .map(|(number, _)| number)
        .ok_or_else(|| code.wrong(UNKNOWN))
}

/// Parses a duration in protobuf's JSON format: seconds with up to nine decimals, followed by `s`.
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
