//! What an upstream does with one attempt after the other, against what is decided.

use std::io::{self, ErrorKind};
use std::time::Duration;

use arbitrary::{Arbitrary, Unstructured};
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body::Body;
use http_body_util::{BodyExt, Empty, Full};
use tokio::time::sleep;
use tower_http_retry::classify::Class;
use tower_http_retry::event::{StopReason, WaitReason};
use tower_http_retry::{
    Backoff, BoxError, Budget, Jitter, ReplayBody, RetryAfter, RetryLayer, RetryOverride,
};

use super::body::{Does::Data, Source};
use super::call::{Answer, Ended, Limits, Wait, call};
use super::input::{millis, status, with_input};

#[derive(Debug, Arbitrary)]
struct Input {
    limits: Limits,
    #[arbitrary(with = millis)]
    base: Duration,
    #[arbitrary(with = millis)]
    longest: Duration,
    #[arbitrary(with = some_millis)]
    attempt_timeout: Option<Duration>,
    budget: u8,
    #[arbitrary(with = method)]
    method: Method,
    has_key: bool,
    repeatable: Option<bool>,
    retries: Option<u8>,
    /// A streamed body of so many bytes, of which so many are kept.
    body: Option<(u8, u8)>,
    outcomes: Vec<What>,
}

/// After the last of them, all is well.
#[derive(Clone, Copy, Debug, Arbitrary)]
struct What {
    after: u16,
    reads: bool,
    comes: Comes,
}

#[derive(Clone, Copy, Debug, Arbitrary)]
enum Comes {
    Status(#[arbitrary(with = status)] StatusCode),
    Hint(#[arbitrary(with = status)] StatusCode, u16),
    Error(u8),
    Nothing,
}

pub const ERRORS: [(ErrorKind, Class); 11] = [
    (ErrorKind::ConnectionRefused, Class::Refused),
    (ErrorKind::NotConnected, Class::Transient),
    (ErrorKind::AddrInUse, Class::Refused),
    (ErrorKind::AddrNotAvailable, Class::Refused),
    (ErrorKind::ConnectionReset, Class::Transient),
    (ErrorKind::ConnectionAborted, Class::Transient),
    (ErrorKind::BrokenPipe, Class::Transient),
    (ErrorKind::UnexpectedEof, Class::Transient),
    (ErrorKind::TimedOut, Class::Transient),
    (ErrorKind::PermissionDenied, Class::Permanent),
    (ErrorKind::Other, Class::Permanent),
];

/// What an attempt came to.
#[derive(Clone, Copy, Debug)]
struct Outcome {
    class: Class,
    timed_out: bool,
    status: Option<StatusCode>,
    hint: Duration,
}

pub fn fuzz(data: &[u8]) {
    with_input(data, run);
}

fn run(input: &Input) {
    let ended = match input.body {
        Some((length, _)) => input.send(Source::streamed([Data(vec![7; length.into()].into())])),
        None => input.send(Full::new(Bytes::from_static(b"whole"))),
    };
    input.limits.check(&ended, input.max_retries());
    for (attempt, wait) in (1..).zip(&ended.waits) {
        input.check_wait(attempt, wait);
    }
    input.check_stop(&ended);
}

impl Input {
    fn send<B>(&self, body: B) -> Ended
    where
        B: Body<Data = Bytes, Error: Into<BoxError>>,
    {
        let mut request = Request::new(body);
        *request.method_mut() = self.method.clone();
        if self.has_key {
            request.headers_mut().insert("idempotency-key", 1.into());
        }
        let mut own = RetryOverride::new();
        if let Some(repeatable) = self.repeatable {
            own = own.repeatable(repeatable);
        }
        if self.retries.is_some() {
            own = own.max_retries(self.max_retries());
        }
        request.extensions_mut().insert(own);
        call(self.layer(), request, |attempt, body| {
            answer(self.what(attempt), body)
        })
    }

    fn layer(&self) -> RetryLayer {
        let backoff = Backoff::exponential(self.base)
            .max_wait(self.longest())
            .jitter(self.limits.jitter());
        let kept = self.body.map_or(usize::MAX, |(_, kept)| kept.into());
        let layer = RetryLayer::new().backoff(backoff).max_replay_bytes(kept);
        let layer = match self.budget % 4 {
            0 => layer,
            1 => layer.budget(Budget::ratio(0.2)),
            2 => layer.budget(Budget::throttle(10, 0.1)),
            _ => layer.without_budget(),
        };
        let layer = match self.attempt_timeout {
            Some(timeout) => layer.attempt_timeout(timeout),
            None => layer,
        };
        self.limits.set(layer)
    }

    fn longest(&self) -> Duration {
        self.limits.bounded(self.longest)
    }

    fn max_retries(&self) -> u32 {
        self.retries
            .map_or(self.limits.retries(), |retries| u32::from(retries % 12))
    }

    /// Which nobody waits for in vain.
    fn what(&self, attempt: u32) -> What {
        let well = What {
            after: 0,
            reads: true,
            comes: Comes::Status(StatusCode::OK),
        };
        let mut what = self
            .outcomes
            .get(attempt as usize - 1)
            .copied()
            .unwrap_or(well);
        if matches!(what.comes, Comes::Nothing) && self.attempt_timeout.is_none() {
            what.comes = Comes::Error(8);
        }
        what
    }

    fn outcome(&self, attempt: u32) -> Outcome {
        let what = self.what(attempt);
        let late = self
            .attempt_timeout
            .is_some_and(|timeout| what.delay() > timeout);
        let (class, timed_out) = match what.comes {
            _ if late => (Class::Transient, true),
            Comes::Nothing => (Class::Transient, true),
            Comes::Error(error) => {
                let (kind, class) = ERRORS[usize::from(error) % ERRORS.len()];
                (class, kind == ErrorKind::TimedOut)
            }
            Comes::Status(status) | Comes::Hint(status, _) => match status.as_u16() {
                100..400 => (Class::Success, false),
                // Whatever is answered to it is final.
                _ if self.method == Method::CONNECT => (Class::Permanent, false),
                429 => (Class::Refused, false),
                504 => (Class::Transient, true),
                500..600 => (Class::Transient, false),
                _ => (Class::Permanent, false),
            },
        };
        let hint = match what.comes {
            Comes::Hint(_, hint) if !late => Duration::from_millis(hint.into()),
            _ => Duration::ZERO,
        };
        let status = match what.comes {
            Comes::Status(status) | Comes::Hint(status, _) if !late => Some(status),
            _ => None,
        };
        let is_read = self.limits.hints() != RetryAfter::Ignore;
        Outcome {
            class,
            timed_out,
            status,
            hint: if is_read { hint } else { Duration::ZERO },
        }
    }

    /// What the wait after this attempt is at least and at most.
    fn wait(&self, attempt: u32) -> (Duration, Duration) {
        let Outcome {
            timed_out, hint, ..
        } = self.outcome(attempt);
        if !hint.is_zero() && self.limits.hints() == RetryAfter::Exact {
            return (hint, hint);
        }
        let exact = |before: &u32| {
            let hint = self.outcome(*before).hint;
            self.limits.hints() == RetryAfter::Exact && !hint.is_zero()
        };
        // After an exact hint the series starts again.
        let steps = (1..attempt)
            .rev()
            .take_while(|before| !exact(before))
            .count();
        let mut step = self.base;
        for _ in 0..steps + usize::from(timed_out) {
            step = step.saturating_mul(2).min(self.longest());
        }
        let step = step.min(self.longest());
        let (least, most) = match self.limits.jitter() {
            Jitter::None => return (step.max(hint), step.max(hint)),
            Jitter::Equal => (step / 2, step),
            Jitter::Between(..) => (step / 5 * 4, step.saturating_add(step / 5)),
            Jitter::Decorrelated => (Duration::ZERO, self.longest()),
            _ => (Duration::ZERO, step),
        };
        // By a nanosecond or a few, as parts are rounded.
        let few = Duration::from_nanos(5);
        let most = most.saturating_add(few).max(hint + hint / 2);
        (least.saturating_sub(few).max(hint), most)
    }

    fn check_wait(&self, attempt: u32, wait: &Wait) {
        let (least, most) = self.wait(attempt);
        assert!(
            least <= wait.after && wait.after <= most,
            "{wait:?}: {least:?} to {most:?}"
        );
        let outcome = self.outcome(attempt);
        assert_eq!(wait.class, Some(outcome.class));
        if wait.reason == WaitReason::TimedOut {
            assert!(outcome.timed_out);
        }
    }

    /// Each reason not to go on, in the design's order: the first that holds is told.
    fn check_stop(&self, ended: &Ended) {
        let attempts = ended.sent.len() as u32;
        let last = self.outcome(attempts);
        let stop = ended.stop.expect("a stop");
        let due = (1..=attempts).find_map(|attempt| Some((attempt, self.stop(attempt)?)));
        match due {
            Some(due) => assert_eq!((attempts, stop), due),
            None if stop == StopReason::Window => {
                let (_, most) = self.wait(attempts);
                let most = most.saturating_add(ended.took + Duration::from_millis(1));
                assert!(
                    most > self.limits.window,
                    "{most:?} of {:?}",
                    self.limits.window
                );
            }
            None => {
                assert!(
                    stop == StopReason::Budget && self.budget % 4 != 3,
                    "{stop:?}"
                );
                assert!(attempts > 1, "a new budget covers a retry");
            }
        }
        let status = ended.result.as_ref().ok().map(Response::status);
        assert_eq!(status, last.status, "the last outcome");
    }

    /// Why there is no attempt after this one, if neither window nor budget ends it.
    fn stop(&self, attempt: u32) -> Option<StopReason> {
        let Outcome { class, hint, .. } = self.outcome(attempt);
        let has_read = (1..=attempt).any(|attempt| self.what(attempt).reads);
        let is_lost = has_read && self.body.is_some_and(|(length, kept)| length > kept);
        let safe = ["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE", "QUERY"];
        let by_itself = self.has_key || safe.contains(&self.method.as_str());
        let may_repeat = self.method != Method::CONNECT && self.repeatable.unwrap_or(by_itself);
        let stops = [
            (StopReason::Success, class == Class::Success),
            (StopReason::Permanent, class == Class::Permanent),
            (StopReason::Attempts, attempt > self.max_retries()),
            (StopReason::NotReplayable, is_lost),
            (
                StopReason::NotIdempotent,
                class == Class::Transient && !may_repeat,
            ),
            (
                StopReason::RetryAfterTooLong,
                hint > self.limits.max_retry_after(),
            ),
        ];
        stops
            .into_iter()
            .find(|(_, holds)| *holds)
            .map(|(stop, _)| stop)
    }
}

impl What {
    /// Even, so that no time-out ends at the same moment.
    fn delay(self) -> Duration {
        Duration::from_millis(2 * u64::from(self.after))
    }
}

async fn answer<B>(what: What, body: ReplayBody<B>) -> Result<Answer, BoxError>
where
    B: Body<Data = Bytes, Error: Into<BoxError>>,
{
    if what.reads {
        let _ = Box::pin(body).collect().await;
    }
    sleep(what.delay()).await;
    let mut response = Response::new(Empty::new());
    match what.comes {
        Comes::Status(status) => *response.status_mut() = status,
        Comes::Hint(status, hint) => {
            *response.status_mut() = status;
            response.headers_mut().insert("retry-after-ms", hint.into());
        }
        Comes::Error(error) => {
            return Err(io::Error::from(ERRORS[usize::from(error) % ERRORS.len()].0).into());
        }
        Comes::Nothing => std::future::pending().await,
    }
    Ok(response)
}

fn method(input: &mut Unstructured<'_>) -> arbitrary::Result<Method> {
    let methods = [
        "GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE", "QUERY", "POST", "PATCH", "CONNECT",
        "X",
    ];
    Ok(input.choose(&methods)?.parse().expect("a method"))
}

/// Odd, so that no answer comes at the same moment.
fn some_millis(input: &mut Unstructured<'_>) -> arbitrary::Result<Option<Duration>> {
    let timeout = |millis: u16| Duration::from_millis(2 * u64::from(millis) + 1);
    Ok(input.arbitrary::<Option<u16>>()?.map(timeout))
}
