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

/// Goes by the gRPC status of a call, as [gRFC A6] has it; [`RetryLayer::grpc`](crate::RetryLayer::grpc) has all of A6.
///
/// | outcome | verdict |
/// |---|---|
/// | a 200 whose head has no `grpc-status` | success: the call is committed, and is not retried |
/// | `grpc-status` in the head (Trailers-Only), one of the [codes](Self::also) | transient, and repeatable whatever the method |
/// | any other code | permanent; `OK`: success |
/// | `grpc-retry-pushback-ms` beside a failure's `grpc-status`: 0 or more | the wait is exactly that; then the back-off starts again |
/// | any other value, negative or malformed | the server asks not to be sent the call again, whatever the code |
/// | a response that is no gRPC (a proxy's 503, say) | by the code that its HTTP status stands for |
/// | an error | by the code that it stands for: `UNAVAILABLE` for a connection that failed, broke or timed out, `DEADLINE_EXCEEDED` for any other time-out; an HTTP/2 reset by its reason |
/// | an attempt's [own time-out](crate::RetryLayer::attempt_timeout) | transient, and repeatable, whatever the codes |
/// | a stream that was refused, a `GOAWAY` that [left it out](crate::ByStatus), a request that was never started | on the first attempt [transparent](crate::classify::Verdict::transparent), whatever the codes |
/// | any other `GOAWAY` | `UNAVAILABLE`: the server may have acted on the call |
///
/// A call's deadline (`grpc-timeout`) is its window: no retry starts after it, a wait that would
/// reach it ends the call at once with the last status, and each retry is sent with what is left.
///
/// A classifier of one's own around this one has to forward [`Classify::overrides`] and
/// [`Classify::renew`] as well, or deadlines are lost.
///
/// A status that comes in trailers after the head is seen only where a [`PeekTrailersLayer`](super::PeekTrailersLayer) is
/// stacked under the retry: right after the head it counts as the head's; later, the call is
/// committed, and a [`Budget::throttle`](crate::Budget::throttle) counts the call by that status. The codes that are retried
/// then take a token, as they do in a head; so they do for a classifier of one's own that hands the
/// verdict of this one on. Without the layer, a throttle counts a committed call as a success.
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
/// // 10 is ABORTED; `tonic::Code::Aborted as i32`.
/// let aborted = Response::builder().header("grpc-status", "10").body(()).unwrap();
/// let outcome = Outcome::response(&request, &aborted);
/// assert_eq!(ByGrpcStatus::new().classify(&outcome).class(), Class::Permanent);
/// assert_eq!(ByGrpcStatus::new().also(10).classify(&outcome).class(), Class::Transient);
/// ```
///
/// [gRFC A6]: https://github.com/grpc/proposal/blob/master/A6-client-retries.md
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ByGrpcStatus {
    /// A bit for each code.
    retried: u32,
}

impl ByGrpcStatus {
    /// Creates a classifier that retries `UNAVAILABLE` alone.
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

    /// A call with this code, by its number, may be sent again, too. `OK`, and a number that is no
    /// code, change nothing.
    pub const fn also(mut self, code: i32) -> Self {
        match Code::new(code) {
            Some(code) if !code.is_ok() => self.retried |= code.bit(),
            _ => {}
        }
        self
    }

    /// A call with this code is final.
    pub const fn except(mut self, code: i32) -> Self {
        if let Some(code) = Code::new(code) {
            self.retried &= !code.bit();
        }
        self
    }

    const fn retries(&self, code: Code) -> bool {
        self.retried & code.bit() != 0
    }

    /// Whether a call with this head has one of the codes.
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

    /// An answer that is no gRPC.
    fn of_http(&self, status: StatusCode) -> Verdict {
        match Code::of_http(status) {
            Some(code) => self.of_code(code),
            None => self.committed(),
        }
    }

    /// A call whose status is still to come: a success for the retry, and for a throttle what its
    /// status will be.
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
        // A call is committed when its head has come (gRFC A6).
        if BrokenAnswer::head_in(error).is_some() {
            return verdict;
        }
        // Who asks for it means it to be retried; gRPC's own time-out of an attempt is.
        if chain(error).any(is_attempt_timeout) {
            return verdict.repeatable();
        }
        let code = match verdict.class {
            Class::Success | Class::Permanent => return Class::Permanent.into(),
            Class::Refused => Code::UNAVAILABLE,
            // A GOAWAY, whose reason is the connection's.
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
            // Only a transparent retry is made at once.
            true => Verdict {
                at_once: false,
                ..verdict.repeatable()
            },
            // The second time, it is the failure that it stands for.
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

/// Where the status of a call is, if it has come.
fn status_headers<'a>(head: &ResponseHead<'a>) -> &'a HeaderMap {
    match head.extensions.get::<PeekedTrailers>() {
        Some(peeked) => peeked.trailers(),
        None => head.headers,
    }
}

/// The code that the reason of an HTTP/2 reset stands for.
fn reset(error: &(dyn Error + 'static)) -> Option<Code> {
    let reason = |cause: &(dyn Error + 'static)| cause.downcast_ref::<h2::Error>()?.reason();
    chain(error).find_map(reason).map(Code::of_reset)
}

/// Whether it is the connection that timed out, by TCP's or HTTP/2's means, and not the call.
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
