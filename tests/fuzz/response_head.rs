//! A response's head: what class it is, and what wait it asks for.

use std::future::ready;
use std::time::{Duration, SystemTime};

use arbitrary::Arbitrary;
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::Empty;
use httpdate::fmt_http_date;
use tower_http_retry::classify::{Class, Classify, Outcome};
use tower_http_retry::event::{StopReason, WaitReason};
use tower_http_retry::grpc::ByGrpcStatus;
use tower_http_retry::{Backoff, ByStatus, RetryAfter, RetryLayer};

use super::call::{Answer, Ended, Limits, call};
use super::input::{status, with_input};

#[derive(Debug, Arbitrary)]
struct Input<'a> {
    #[arbitrary(with = status)]
    status: StatusCode,
    headers: Vec<(Name, Value<'a>)>,
    limits: Limits,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Arbitrary)]
enum Name {
    RetryAfter,
    RetryAfterMs,
    AzureRetryAfterMs,
    Date,
    GrpcStatus,
    GrpcPushback,
    Other,
}

#[derive(Clone, Copy, Debug, Arbitrary)]
enum Value<'a> {
    Number(u64),
    Small(u8),
    /// So many nines.
    Huge(u8),
    /// So many seconds before or after a moment in 2033.
    Time(i32),
    Bytes(&'a [u8]),
}

const MOMENT: Duration = Duration::from_secs(2_000_000_000);

pub fn fuzz(data: &[u8]) {
    with_input(data, run);
}

fn run(input: &Input<'_>) {
    let head = input.head();
    let request = || {
        Request::get("http://upstream.test/item")
            .body(Empty::<bytes::Bytes>::new())
            .unwrap()
    };
    let class = ByStatus::default()
        .classify(&Outcome::response(&request(), &head))
        .class();
    assert_eq!(class, input.class());
    let answer = |_, _| ready(Ok(input.head()));
    let backoff = Backoff::exponential(Duration::from_millis(10)).jitter(input.limits.jitter());
    let layer = RetryLayer::new().backoff(backoff).without_budget();
    let ended = call(input.limits.set(layer), request(), answer);
    input.check(&ended, &head);
    let layer = input.limits.set(RetryLayer::grpc().without_budget());
    let layer = layer.classify(ByGrpcStatus::default());
    let ended = call(layer, request(), answer);
    input.limits.check(&ended, input.limits.retries());
    assert_eq!(handed(&ended).headers(), head.headers());
}

impl Input<'_> {
    fn head(&self) -> Answer {
        let mut head = Response::new(Empty::new());
        *head.status_mut() = self.status;
        for (name, value) in &self.headers {
            if let Some(value) = value.header() {
                head.headers_mut().append(name.header(), value);
            }
        }
        head
    }

    fn class(&self) -> Class {
        match self.status.as_u16() {
            100..400 => Class::Success,
            429 => Class::Refused,
            500..600 => Class::Transient,
            _ => Class::Permanent,
        }
    }

    fn check(&self, ended: &Ended, head: &Answer) {
        let limits = self.limits;
        limits.check(ended, limits.retries());
        let handed = handed(ended);
        assert_eq!(
            (handed.status(), handed.headers()),
            (head.status(), head.headers())
        );
        if matches!(self.class(), Class::Success | Class::Permanent) {
            assert_eq!(ended.sent.len(), 1);
            return;
        }
        let Some(asked) = self
            .asked()
            .filter(|_| limits.hints() != RetryAfter::Ignore)
        else {
            return;
        };
        for wait in &ended.waits {
            assert!(
                asked <= limits.max_retry_after() && wait.after >= asked,
                "{wait:?}"
            );
            // An exact hint is just that; to a floor, jitter adds half of it at most.
            let most = match limits.hints() {
                RetryAfter::Exact => asked,
                _ => asked.saturating_add(asked / 2) + Duration::from_nanos(1),
            };
            assert!(
                wait.reason != WaitReason::Server || wait.after <= most,
                "{wait:?}"
            );
        }
        let is_too_long = ended.stop == Some(StopReason::RetryAfterTooLong);
        let is_due = asked > limits.max_retry_after() && limits.retries() > 0;
        assert_eq!(is_too_long, is_due, "{asked:?}, {:?}", ended.stop);
        let ends = [
            StopReason::Attempts,
            StopReason::Window,
            StopReason::RetryAfterTooLong,
        ]
        .map(Some);
        assert!(ends.contains(&ended.stop), "{:?}", ended.stop);
    }

    /// The wait that is asked for, where that takes no parser to know.
    fn asked(&self) -> Option<Duration> {
        let hints = [
            Name::RetryAfterMs,
            Name::AzureRetryAfterMs,
            Name::RetryAfter,
        ];
        let is_plain = |name| {
            !self
                .values(name)
                .any(|value| matches!(value, Value::Bytes(_)))
        };
        let date = self.values(Name::Date).next().and_then(Value::time);
        let is_dated = self
            .values(Name::RetryAfter)
            .any(|value| value.time().is_some());
        if !hints.into_iter().all(is_plain) || (is_dated && date.is_none()) {
            return None;
        }
        let longest = |name, wait: &dyn Fn(Value<'_>) -> Option<Duration>| {
            self.values(name).filter_map(wait).max()
        };
        let millis = |value: Value<'_>| value.digits().map(Duration::from_millis);
        let retry_after = |value: Value<'_>| {
            let until = || Some(value.time()?.saturating_sub(date?));
            value.digits().map(Duration::from_secs).or_else(until)
        };
        let asked = longest(Name::RetryAfterMs, &millis)
            .or_else(|| longest(Name::AzureRetryAfterMs, &millis))
            .or_else(|| longest(Name::RetryAfter, &retry_after));
        Some(asked.unwrap_or_default())
    }

    fn values(&self, name: Name) -> impl Iterator<Item = Value<'_>> {
        let of_this = self.headers.iter().filter(move |(other, _)| *other == name);
        of_this.map(|(_, value)| *value)
    }
}

impl Name {
    fn header(self) -> &'static str {
        match self {
            Self::RetryAfter => "retry-after",
            Self::RetryAfterMs => "retry-after-ms",
            Self::AzureRetryAfterMs => "x-ms-retry-after-ms",
            Self::Date => "date",
            Self::GrpcStatus => "grpc-status",
            Self::GrpcPushback => "grpc-retry-pushback-ms",
            Self::Other => "server",
        }
    }
}

impl Value<'_> {
    fn header(self) -> Option<HeaderValue> {
        let text = match self {
            Self::Number(number) => number.to_string(),
            Self::Small(number) => number.to_string(),
            Self::Huge(digits) => "9".repeat(digits.into()),
            Self::Time(_) => fmt_http_date(SystemTime::UNIX_EPOCH + self.time()?),
            Self::Bytes(bytes) => return HeaderValue::from_bytes(bytes).ok(),
        };
        HeaderValue::try_from(text).ok()
    }

    fn digits(self) -> Option<u64> {
        match self {
            Self::Number(number) => Some(number),
            Self::Small(number) => Some(number.into()),
            Self::Huge(0) | Self::Time(_) | Self::Bytes(_) => None,
            Self::Huge(digits) => Some("9".repeat(digits.into()).parse().unwrap_or(u64::MAX)),
        }
    }

    /// Since 1970.
    fn time(self) -> Option<Duration> {
        let Self::Time(seconds) = self else {
            return None;
        };
        let distance = Duration::from_secs(seconds.unsigned_abs().into());
        Some(match seconds < 0 {
            true => MOMENT.saturating_sub(distance),
            false => MOMENT + distance,
        })
    }
}

fn handed(ended: &Ended) -> &Answer {
    ended.result.as_ref().expect("the last response")
}
