use std::error::Error;
use std::fmt;
use std::io;
use std::time::Duration;

use http::{HeaderMap, StatusCode};

use super::STATUS;
use super::code::Code;
use super::deadline;
use super::peek::PeekedTrailers;
use super::pushback::{Pushback, pushback};
use crate::broken_answer::BrokenAnswer;
use crate::budget::AwaitedCodes;
use crate::class::Class;
use crate::classify::{ByStatus, Classify, Outcome, RequestHead, ResponseHead, Verdict};
use crate::error::{chain, is_attempt_timeout};
use crate::limits::RetryOverride;

/// Classifies gRPC calls by their status, as defined in [gRFC A6].
///
/// It is the classifier of [`RetryLayer::grpc`](crate::RetryLayer::grpc), which also has A6's other settings.
///
/// | outcome | verdict |
/// |---|---|
/// | a 200 without `grpc-status` in its head | success: the call is committed, and not retried |
/// | `grpc-status` in the head (Trailers-Only) with one of the [codes](Self::also) | transient, and repeatable regardless of the method |
/// | `grpc-status` with `OK` | success |
/// | `grpc-status` with any other code | permanent |
/// | `grpc-retry-pushback-ms` of 0 or more beside the status of a failure | as above, and a retry waits for exactly this time; the back-off then starts again |
/// | `grpc-retry-pushback-ms` that is negative or malformed | the call is not retried, regardless of the code |
/// | a response that is not gRPC, such as a proxy's 503 | as for the code that its HTTP status maps to |
/// | an error | as for the code that it maps to: `UNAVAILABLE` for a connection that failed, broke or timed out, `DEADLINE_EXCEEDED` for any other time-out; an HTTP/2 reset maps by its reason |
/// | the [time-out of an attempt](crate::RetryLayer::attempt_timeout) | transient and repeatable, regardless of the codes |
/// | a refused stream, a `GOAWAY` that [excludes the stream](crate::ByStatus), or a request that was never started | [transparent](crate::classify::Verdict::transparent) on the first attempt, regardless of the codes |
/// | any other `GOAWAY` | as for `UNAVAILABLE`: the server may have acted on the call |
///
/// The deadline of a call (`grpc-timeout`) is its window. No retry starts after it. If a wait would reach it,
/// the call ends immediately with the last status. Each retry is sent with the time that is left.
///
/// A custom classifier that calls this one must also forward [`Classify::overrides`] and
/// [`Classify::renew`]; otherwise, deadlines are lost.
///
/// # Statuses in trailers
///
/// A status that arrives in trailers is read only with a
/// [`PeekTrailersLayer`](super::PeekTrailersLayer) below the retry. If it arrives directly after the head, it
/// is treated like a status in the head. If it arrives later, the call is committed, and a
/// [`Budget::throttle`](crate::Budget::throttle) counts the call by this status: the codes that are retried
/// take a token. This also works for a classifier that returns the verdict of this one. Without the layer, a
/// throttle counts a committed call as a success.
///
/// # Example
///
/// ```
/// use http::{Request, Response};
/// use tower_http_retry::classify::{Class, Classify, Outcome};
/// use tower_http_retry::grpc::ByGrpcStatus;
///
/// let request = Request::post("http://127.0.0.1/hello.Greeter/SayHello").body(()).unwrap();
/// let unavailable = Response::builder().header("grpc-status", "14").body(()).unwrap();
/// let outcome = Outcome::response(&request, &unavailable);
/// assert_eq!(ByGrpcStatus::new().classify(&outcome), Class::Transient.repeatable().ignore_retry_after());
///
/// // 10 is ABORTED, or `tonic::Code::Aborted as i32`.
/// let aborted = Response::builder().header("grpc-status", "10").body(()).unwrap();
/// let outcome = Outcome::response(&request, &aborted);
/// assert_eq!(ByGrpcStatus::new().classify(&outcome).class(), Class::Permanent);
/// assert_eq!(ByGrpcStatus::new().also(10).classify(&outcome).class(), Class::Transient);
/// ```
///
/// [gRFC A6]: https://github.com/grpc/proposal/blob/master/A6-client-retries.md
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ByGrpcStatus {
    /// The codes that are retried, with one bit for each.
    retried: u32,
}

impl ByGrpcStatus {
    /// Creates a classifier that retries only `UNAVAILABLE`.
    pub const fn new() -> Self {
        Self::none().also(Code::UNAVAILABLE.number())
    }

    /// Creates a classifier that retries no code.
    ///
    /// ```
    /// use tower_http_retry::RetryLayer;
    /// use tower_http_retry::grpc::ByGrpcStatus;
    ///
    /// // 8 is RESOURCE_EXHAUSTED.
    /// let layer = RetryLayer::grpc().classify(ByGrpcStatus::none().also(8));
    /// # let _ = layer;
    /// ```
    pub const fn none() -> Self {
        Self { retried: 0 }
    }

    /// Adds a code that is retried, by its number. `OK` and numbers that are not codes are ignored.
    pub const fn also(mut self, code: i32) -> Self {
        match Code::new(code) {
            Some(code) if !code.is_ok() => self.retried |= code.bit(),
            _ => {}
        }
        self
    }

    /// Removes a code, by its number. Calls that fail with it are not retried.
    pub const fn except(mut self, code: i32) -> Self {
        if let Some(code) = Code::new(code) {
            self.retried &= !code.bit();
        }
        self
    }

    const fn retries(&self, code: Code) -> bool {
        self.retried & code.bit() != 0
    }

    /// Whether the status in this head, or in its trailers, is a code that is retried.
    pub(super) fn retries_head(&self, head: &ResponseHead<'_>) -> bool {
        let status = status_headers(head).get(STATUS);
        status.is_some_and(|status| self.retries(Code::of_header(status)))
    }

    fn of_response(&self, head: &ResponseHead<'_>) -> Verdict {
        let headers = status_headers(head);
        let Some(status) = headers.get(STATUS) else {
            return self.of_http(head.status);
        };
        let code = Code::of_header(status);
        if code.is_ok() {
            return Class::Success.into();
        }
        match pushback(headers) {
            Some(Pushback::Never) => Class::Transient.repeatable().no_retry(),
            Some(Pushback::After(wait)) => self.of_code(code).retry_after_exactly(wait),
            None => self.of_code(code).ignore_retry_after(),
        }
    }

    /// Classifies a response without a gRPC status.
    fn of_http(&self, status: StatusCode) -> Verdict {
        match Code::of_http(status) {
            Some(code) => self.of_code(code),
            None => self.committed(),
        }
    }

    /// Classifies a call whose status has not arrived yet. It is a success for the retry; a throttle counts
    /// it when its status arrives.
    fn committed(&self) -> Verdict {
        Verdict {
            awaited: AwaitedCodes(self.retried | Code::OK.bit()),
            ..Class::Success.into()
        }
    }

    fn of_code(&self, code: Code) -> Verdict {
        match self.retries(code) {
            true => Class::Transient.repeatable(),
            false => Class::Permanent.into(),
        }
    }

    fn of_error(&self, outcome: &Outcome<'_>, error: &(dyn Error + 'static)) -> Verdict {
        let verdict = ByStatus::new().classify(outcome);
        // A call is committed when its head has arrived (gRFC A6).
        if BrokenAnswer::head_in(error).is_some() {
            return verdict;
        }
        // A time-out that is set for each attempt is meant to be retried. gRPC retries its own, too.
        if chain(error).any(is_attempt_timeout) {
            return verdict.repeatable();
        }
        let code = match verdict.class {
            Class::Success | Class::Permanent => return Class::Permanent.into(),
            Class::Refused => Code::UNAVAILABLE,
            // A GOAWAY, whose reason concerns the connection and not the call.
            Class::Transient if verdict.at_once => Code::UNAVAILABLE,
            Class::Transient if verdict.timed_out && !is_of_connection(error) => {
                Code::DEADLINE_EXCEEDED
            }
            Class::Transient => reset(error).unwrap_or(Code::UNAVAILABLE),
        };
        let is_refused = verdict.class == Class::Refused;
        let is_transparent = is_refused && (verdict.at_once || was_never_started(error));
        match self.retries(code) {
            true if is_transparent => Class::Refused.transparent(),
            // Only transparent retries are sent immediately.
            true => Verdict {
                at_once: false,
                ..verdict.repeatable()
            },
            // A call has at most one transparent retry. A second refusal counts by its code.
            false if is_transparent && outcome.attempt() == 1 => Class::Refused.transparent(),
            false => Class::Permanent.into(),
        }
    }
}

impl Default for ByGrpcStatus {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for ByGrpcStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let retried: Vec<_> = Code::all().filter(|code| self.retries(*code)).collect();
        f.debug_struct("ByGrpcStatus")
            .field("retried", &retried)
            .finish()
    }
}

impl Classify for ByGrpcStatus {
    fn classify(&self, outcome: &Outcome<'_>) -> Verdict {
        match outcome.result() {
            Ok(head) => self.of_response(&head),
            Err(error) => self.of_error(outcome, error),
        }
    }

    fn overrides(&self, request: &RequestHead<'_>) -> RetryOverride {
        deadline::of(request).map_or(RetryOverride::new(), |left| {
            RetryOverride::new().window(left)
        })
    }

    fn renew(&self, headers: &mut HeaderMap, elapsed: Duration) {
        deadline::renew(headers, elapsed);
    }
}

/// Returns the headers or trailers that contain the status of a call, if it has arrived.
fn status_headers<'a>(head: &ResponseHead<'a>) -> &'a HeaderMap {
    match head.extensions.get::<PeekedTrailers>() {
        Some(peeked) => peeked.trailers(),
        None => head.headers,
    }
}

/// Returns the code that the reason of an HTTP/2 reset maps to.
fn reset(error: &(dyn Error + 'static)) -> Option<Code> {
    let reason = |cause: &(dyn Error + 'static)| cause.downcast_ref::<h2::Error>()?.reason();
    chain(error).find_map(reason).map(Code::of_reset)
}

/// Whether the time-out is one of the connection, detected by TCP or HTTP/2, and not of the call.
fn is_of_connection(error: &(dyn Error + 'static)) -> bool {
    chain(error).any(|cause| {
        let io = cause.downcast_ref().map(io::Error::kind);
        let hyper = cause.downcast_ref::<hyper::Error>();
        io == Some(io::ErrorKind::TimedOut) || hyper.is_some_and(hyper::Error::is_timeout)
    })
}

fn was_never_started(error: &(dyn Error + 'static)) -> bool {
    let is_canceled = |cause: &(dyn Error + 'static)| {
        let error = cause.downcast_ref::<hyper::Error>();
        error.is_some_and(hyper::Error::is_canceled)
    };
    chain(error).any(is_canceled)
}

#[cfg(test)]
mod tests;
