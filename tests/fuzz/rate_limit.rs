//! Rate-limit headers: how long they ask for.

use std::future::ready;
use std::time::{Duration, SystemTime};

use arbitrary::Arbitrary;
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::Empty;
use httpdate::fmt_http_date;
use tower_http_retry::event::{StopReason, WaitReason};
use tower_http_retry::{Backoff, RetryAfter, RetryLayer};

use super::call::{Answer, Ended, Limits, call};
use super::input::with_input;

#[derive(Debug, Arbitrary)]
struct Input<'a> {
    is_refusal: bool,
    age: Option<u8>,
    has_date: bool,
    kinds: [Option<Kind>; 3],
    field: Vec<Quota>,
    raw: Vec<(Name, &'a [u8])>,
    limits: Limits,
}

/// Well-formed headers of one kind.
#[derive(Clone, Copy, Debug, Arbitrary)]
struct Kind {
    remaining: Option<u8>,
    reset: Option<Reset>,
    after: Option<u32>,
}

#[derive(Clone, Copy, Debug, Arbitrary)]
enum Reset {
    In(u32),
    /// So many seconds after the response.
    At(i32),
    AtMillis(i32),
}

#[derive(Clone, Copy, Debug, Arbitrary)]
struct Quota {
    remaining: u8,
    reset: Option<u32>,
}

#[derive(Clone, Copy, Debug, Arbitrary)]
enum Name {
    Field,
    Remaining(u8),
    Reset(u8),
    ResetAfter(u8),
    Date,
    RetryAfter,
}

const PREFIXES: [&str; 3] = ["ratelimit", "x-ratelimit", "x-rate-limit"];
/// From here on, a reset is a Unix time.
const UNIX: u64 = 1_000_000_000;
/// Of the response, in 2033.
const MOMENT: u64 = 2_000_000_000;
const YEAR: Duration = Duration::from_secs(366 * 24 * 60 * 60);

pub fn fuzz(data: &[u8]) {
    with_input(data, run);
}

fn run(input: &Input<'_>) {
    let request = Request::get("http://upstream.test/item")
        .body(Empty::<bytes::Bytes>::new())
        .unwrap();
    let backoff = Backoff::exponential(Duration::from_millis(10)).jitter(input.limits.jitter());
    let layer = RetryLayer::new().backoff(backoff).without_budget();
    let layer = input.limits.set(layer).rate_limit_headers(true);
    let ended = call(layer, request, |_, _| ready(Ok(input.head())));
    input.check(&ended);
}

impl Input<'_> {
    fn head(&self) -> Answer {
        let mut head = Response::new(Empty::new());
        *head.status_mut() = match self.is_refusal {
            true => StatusCode::TOO_MANY_REQUESTS,
            false => StatusCode::SERVICE_UNAVAILABLE,
        };
        let mut lines = Vec::new();
        if let Some(age) = self.age {
            lines.push(("age".to_owned(), age.to_string()));
        }
        if self.has_date {
            let sent = SystemTime::UNIX_EPOCH + Duration::from_secs(MOMENT);
            lines.push(("date".to_owned(), fmt_http_date(sent)));
        }
        for (prefix, kind) in PREFIXES.iter().zip(&self.kinds) {
            lines.extend(kind.iter().flat_map(|kind| kind.lines(prefix)));
        }
        if !self.field.is_empty() {
            let items: Vec<_> = self.field.iter().map(Quota::item).collect();
            lines.push(("ratelimit".to_owned(), items.join(",")));
        }
        let headers = head.headers_mut();
        for (name, value) in lines {
            let name: http::HeaderName = name.parse().unwrap();
            headers.append(name, value.parse().unwrap());
        }
        for (name, value) in &self.raw {
            let name: http::HeaderName = name.text().parse().unwrap();
            if let Ok(value) = HeaderValue::from_bytes(value) {
                headers.append(name, value);
            }
        }
        head
    }

    fn check(&self, ended: &Ended) {
        let limits = self.limits;
        limits.check(ended, limits.retries());
        let handed = ended.result.as_ref().expect("the last response");
        assert_eq!(handed.headers(), self.head().headers());
        let is_raw = self
            .raw
            .iter()
            .any(|(_, value)| HeaderValue::from_bytes(value).is_ok());
        for wait in &ended.waits {
            let is_asked_for = wait.reason == WaitReason::Server;
            assert!(limits.hints() != RetryAfter::Ignore || !is_asked_for);
            let says_retry_after = self
                .raw
                .iter()
                .any(|(name, _)| matches!(name, Name::RetryAfter));
            assert!(
                says_retry_after || wait.after <= YEAR + YEAR / 2 || !is_asked_for,
                "{wait:?}"
            );
        }
        // What the local clock says is not known here.
        let is_local = |kind: &Kind| kind.reset.is_some_and(|reset| reset.number() >= UNIX);
        let is_local = !self.has_date && self.kinds.iter().flatten().any(is_local);
        if is_raw || is_local || limits.hints() == RetryAfter::Ignore {
            return;
        }
        let asked = self.asked();
        for wait in &ended.waits {
            let asked = asked.unwrap_or_default();
            assert!(
                asked <= limits.max_retry_after() && wait.after >= asked,
                "{wait:?} {asked:?}"
            );
            assert!(wait.reason != WaitReason::Server || !asked.is_zero());
        }
        let is_too_long = ended.stop == Some(StopReason::RetryAfterTooLong);
        let is_due = asked > Some(limits.max_retry_after()) && limits.retries() > 0;
        assert_eq!(is_too_long, is_due, "{asked:?}, {:?}", ended.stop);
    }

    /// As the documentation has it, where all is well-formed.
    fn asked(&self) -> Option<Duration> {
        if self.age.is_some_and(|age| age != 0) {
            return None;
        }
        let used_up = self.field.iter().filter(|quota| quota.remaining == 0);
        let field = used_up.filter_map(|quota| Some(Duration::from_secs(quota.reset?.into())));
        let kinds = self.kinds.iter().flatten();
        let kinds = kinds.filter_map(|kind| kind.asked(self.is_refusal));
        let is_near = |wait: &Duration| !wait.is_zero() && *wait <= YEAR;
        kinds.chain(field).filter(is_near).max()
    }
}

impl Kind {
    fn lines(self, prefix: &str) -> Vec<(String, String)> {
        let remaining = self
            .remaining
            .map(|number| ("remaining", number.to_string()));
        let reset = self
            .reset
            .map(|reset| ("reset", reset.number().to_string()));
        let after = self
            .after
            .map(|seconds| ("reset-after", seconds.to_string()));
        let lines = [remaining, reset, after].into_iter().flatten();
        lines
            .map(|(name, value)| (format!("{prefix}-{name}"), value))
            .collect()
    }

    fn asked(self, is_refusal: bool) -> Option<Duration> {
        let is_used_up = self
            .remaining
            .map_or(is_refusal, |remaining| remaining == 0);
        if !is_used_up {
            return None;
        }
        if let Some(seconds) = self.after {
            return Some(Duration::from_secs(seconds.into()));
        }
        let number = self.reset?.number();
        let millis = match number {
            0..UNIX => return Some(Duration::from_secs(number)),
            UNIX..1_000_000_000_000 => number * 1_000,
            _ => number,
        };
        let left = millis.checked_sub(MOMENT * 1_000)?;
        Some(Duration::from_millis(left + 1_000))
    }
}

impl Reset {
    fn number(self) -> u64 {
        match self {
            Self::In(seconds) => seconds.into(),
            Self::At(seconds) => MOMENT.saturating_add_signed(seconds.into()),
            Self::AtMillis(millis) => (MOMENT * 1_000).saturating_add_signed(millis.into()),
        }
    }
}

impl Quota {
    fn item(&self) -> String {
        let reset = self.reset.map(|seconds| format!(";t={seconds}"));
        format!(
            r#""quota";r={}{}"#,
            self.remaining,
            reset.unwrap_or_default()
        )
    }
}

impl Name {
    fn text(self) -> String {
        let of_kind = |kind: u8, what| format!("{}-{what}", PREFIXES[usize::from(kind) % 3]);
        match self {
            Self::Field => "ratelimit".to_owned(),
            Self::Remaining(kind) => of_kind(kind, "remaining"),
            Self::Reset(kind) => of_kind(kind, "reset"),
            Self::ResetAfter(kind) => of_kind(kind, "reset-after"),
            Self::Date => "date".to_owned(),
            Self::RetryAfter => "retry-after".to_owned(),
        }
    }
}
