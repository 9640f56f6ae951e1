//! gRPC: the status of a call, its deadline, and what its service's config says of it.

use std::error::Error;
use std::io;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use crate::backoff::{Backoff, Jitter};
use crate::budget::Budget;
use crate::classify::{
    AwaitedCodes, ByStatus, Class, Classify, Outcome, RequestHead, ResponseHead, Verdict,
    errors::chain,
};
use crate::error::AttemptTimedOut;
use crate::hint::whole;
use crate::layer::RetryLayer;
use crate::retry_override::RetryOverride;

mod code;
mod deadline;
mod peek;
#[cfg(feature = "serde")]
mod service_config;

use code::Code;
pub use peek::{PeekFuture, PeekTrailers, PeekTrailersLayer, PeekedBody, PeekedTrailers};
#[cfg(feature = "serde")]
pub use service_config::{ServiceConfig, ServiceConfigError};

const PREVIOUS_ATTEMPTS: HeaderName = HeaderName::from_static("grpc-previous-rpc-attempts");
const PUSHBACK: &str = "grpc-retry-pushback-ms";
const STATUS: &str = "grpc-status";

/// Goes by the gRPC status of a call, as [gRFC A6] has it; [`RetryLayer::grpc`] has all of A6.
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
/// | an attempt's [own time-out](RetryLayer::attempt_timeout) | transient, and repeatable, whatever the codes |
/// | a stream that was refused, a `GOAWAY` that [left it out](ByStatus), a request that was never started | on the first attempt [transparent](Verdict::transparent), whatever the codes |
/// | any other `GOAWAY` | `UNAVAILABLE`: the server may have acted on the call |
///
/// A call's deadline (`grpc-timeout`) is its window: no retry starts after it, a wait that would
/// reach it ends the call at once with the last status, and each retry is sent with what is left.
///
/// A classifier of one's own around this one has to forward [`Classify::overrides`] and
/// [`Classify::renew`] as well, or deadlines are lost.
///
/// A status that comes in trailers after the head is seen only where a [`PeekTrailersLayer`] is
/// stacked under the retry: right after the head it counts as the head's; later, the call is
/// committed, and a [`Budget::throttle`] counts the call by that status. The codes that are retried
/// then take a token, as they do in a head; so they do for a classifier of one's own that hands the
/// verdict of this one on. Without the layer, a throttle counts a committed call as a success.
///
/// # Example
///
/// ```
/// use http::{Request, Response};
/// use tower_http_retry::{ByGrpcStatus, Class, Classify, Outcome};
///
/// let request = Request::post("http://127.0.0.1/hello.Greeter/SayHello").body(()).unwrap();
/// let unavailable = Response::builder().header("grpc-status", "14").body(()).unwrap();
/// let outcome = Outcome::response(&request, &unavailable);
/// assert_eq!(ByGrpcStatus::new().classify(&outcome), Class::Transient.repeatable().without_hint());
///
/// // 10 is ABORTED; `tonic::Code::Aborted as i32`.
/// let aborted = Response::builder().header("grpc-status", "10").body(()).unwrap();
/// let outcome = Outcome::response(&request, &aborted);
/// assert_eq!(ByGrpcStatus::new().classify(&outcome).class(), Class::Permanent);
/// assert_eq!(ByGrpcStatus::new().also(10).classify(&outcome).class(), Class::Transient);
/// ```
///
/// [gRFC A6]: https://github.com/grpc/proposal/blob/master/A6-client-retries.md
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ByGrpcStatus {
    /// A bit for each code.
    retried: u32,
}

impl ByGrpcStatus {
    /// `UNAVAILABLE` alone.
    pub const fn new() -> Self {
        Self::none().also(Code::UNAVAILABLE.number())
    }

    const fn none() -> Self {
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

    fn of_response(&self, head: &ResponseHead<'_>) -> Verdict {
        let trailers = head.extensions.get::<PeekedTrailers>();
        let headers = match trailers {
            Some(peeked) => peeked.trailers(),
            None => head.headers,
        };
        let Some(status) = headers.get(STATUS) else {
            return self.of_http(head.status);
        };
        let code = Code::of_header(status);
        if code.is_ok() {
            return Class::Success.into();
        }
        match pushback(headers) {
            Some(Pushback::Never) => Class::Transient.repeatable().never(),
            Some(Pushback::After(wait)) => self.of_code(code).exactly(wait),
            None => self.of_code(code).without_hint(),
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
        // Who asks for it means it to be retried; gRPC's own time-out of an attempt is.
        if chain(error).any(<dyn Error>::is::<AttemptTimedOut>) {
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

impl Classify for ByGrpcStatus {
    fn classify(&self, outcome: &Outcome<'_>) -> Verdict {
        match outcome.result() {
            Ok(head) => self.of_response(&head),
            Err(error) => self.of_error(outcome, error),
        }
    }

    fn overrides(&self, request: &RequestHead<'_>) -> RetryOverride {
        deadline::of(request).map_or(RetryOverride::new(), |left| {
            RetryOverride::new().within(left)
        })
    }

    fn renew(&self, headers: &mut HeaderMap, elapsed: Duration) {
        deadline::renew(headers, elapsed);
    }
}

impl RetryLayer {
    /// gRPC's retries, as [gRFC A6] has them, for tonic and other clients of gRPC.
    ///
    /// | setting | value |
    /// |---|---|
    /// | [`classify`](Self::classify) | [`ByGrpcStatus::new`]: `UNAVAILABLE` |
    /// | [`max_retries`](Self::max_retries) | 4: five attempts |
    /// | [`backoff`](Self::backoff) | 0.1 s, 0.2 s, 0.4 s, 0.8 s, at most 1 s, each times U(0.8, 1.2) |
    /// | [`budget`](Self::budget) | [`Budget::throttle(10, 0.1)`](Budget::throttle) |
    /// | [`attempt_header`](Self::attempt_header) | `grpc-previous-rpc-attempts` |
    ///
    /// Stack a [`PeekTrailersLayer`] under it if the server, or a proxy before it, sends a head before
    /// it fails. Calls that fail after their head are not retried either way, but without that layer
    /// they are successes for the throttle, and a server that fails all of them does not end the
    /// retries.
    ///
    /// All else is as [`RetryLayer::new`] has it: no retry starts after five minutes
    /// ([`within`](Self::within)) or, where the call has one, after its deadline; and a pushback
    /// above five minutes ends the call at once.
    ///
    /// For a time-out of each attempt use [`attempt_timeout`](Self::attempt_timeout): what tonic's
    /// `Endpoint::timeout` ends is not retried. The caller gets an
    /// [`AttemptTimedOut`](crate::AttemptTimedOut) as `UNKNOWN`. It ends with the response's head,
    /// which many servers send with their first message: give streams that are quiet at first a
    /// longer one of their own ([`RetryOverride::attempt_timeout`]).
    ///
    /// # Example
    ///
    /// ```
    /// use tonic::body::Body;
    /// use tonic::client::GrpcService;
    /// use tonic::transport::Channel;
    /// use tower::ServiceBuilder;
    /// use tower_http::map_request_body::MapRequestBodyLayer;
    /// use tower_http_retry::RetryLayer;
    ///
    /// /// What a generated client takes: `GreeterClient::new(with_retries(channel))`.
    /// fn with_retries(
    ///     channel: Channel,
    /// ) -> impl GrpcService<Body, ResponseBody = Body, Future: Send> + Clone {
    ///     ServiceBuilder::new()
    ///         .layer(RetryLayer::grpc())
    ///         .layer(MapRequestBodyLayer::new(Body::new))
    ///         .service(channel)
    /// }
    /// # use tonic::codegen::{Bytes, StdError};
    /// # fn generated<T>(_: T)
    /// # where
    /// #     T: GrpcService<Body, Error: Into<StdError>>,
    /// #     T::ResponseBody: tonic::codegen::Body<Data = Bytes, Error: Into<StdError> + Send> + Send + 'static,
    /// # {}
    /// # let _ = |channel| generated(with_retries(channel));
    /// ```
    ///
    /// [gRFC A6]: https://github.com/grpc/proposal/blob/master/A6-client-retries.md
    pub fn grpc() -> RetryLayer<ByGrpcStatus> {
        let backoff = Backoff::exponential(Duration::from_millis(100))
            .max_wait(Duration::from_secs(1))
            .jitter(Jitter::Around);
        RetryLayer::new()
            .classify(ByGrpcStatus::new())
            .max_retries(4)
            .backoff(backoff)
            .budget(Budget::throttle(10, 0.1))
            .attempt_header(PREVIOUS_ATTEMPTS)
    }
}

/// What a server says of the next attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pushback {
    After(Duration),
    Never,
}

/// A signed 32-bit integer without leading zeros; what is anything else, or more than one, is a no.
fn pushback(headers: &HeaderMap) -> Option<Pushback> {
    let mut values = headers.get_all(PUSHBACK).iter();
    let value = values.next()?;
    let millis = match values.next() {
        None => number(value).filter(|millis| *millis <= i32::MAX as u64),
        Some(_) => None,
    };
    Some(millis.map_or(Pushback::Never, |millis| {
        Pushback::After(Duration::from_millis(millis))
    }))
}

/// Digits alone, without leading zeros.
fn number(value: &HeaderValue) -> Option<u64> {
    let text = value.to_str().ok()?;
    let has_zeros = text.len() > 1 && text.starts_with('0');
    whole(text).filter(|_| !has_zeros)
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
