use http::{HeaderName, Method, StatusCode};

use super::classifier::Classify;
use super::errors;
use super::outcome::Outcome;
use super::verdict::Verdict;
use crate::class::Class;
use crate::head::ResponseHead;
use crate::redirected::may_be_redirected;
use crate::verified::Verified;

#[cfg(feature = "config")]
mod serde;
mod statuses;

use statuses::Statuses;

/// Classifies responses by their status, and errors by the errors in their chain of sources.
///
/// This is the default classifier. It follows Microsoft's retry guidelines: the series of the status is
/// sufficient, and the body is not read. A request is not repeated if the server may have acted on it,
/// unless it is safe to repeat.
///
/// | response | class |
/// |---|---|
/// | 1xx, 2xx, 3xx | [`Class::Success`] |
/// | 429 | [`Class::Refused`] |
/// | 5xx | [`Class::Transient`]; 504 is a time-out |
/// | 409 to a retry of a request with an [idempotency key](crate::Idempotency), after an attempt that the server may have acted on | [`Class::Transient`]: the service is still working on that attempt ([draft-ietf-httpapi-idempotency-key-header]) |
/// | any other 4xx | [`Class::Permanent`] |
/// | 101, and any response to CONNECT | returned: the connection is used for another protocol |
///
/// For an error, the first known error in its chain of sources decides:
///
/// | error | class | may the server have acted on the request? |
/// |---|---|---|
/// | a failed connection attempt of hyper-util's client or its connector, tonic or reqwest | refused | no: there was no connection |
/// | io `ConnectionRefused`, `AddrInUse`, `AddrNotAvailable` | refused | no: with TCP and Unix sockets, only connecting and binding fail in this way. A connected UDP socket can report `ConnectionRefused` at any time, but quinn does not pass it on |
/// | hyper's canceled message | refused, retried immediately once | no: hyper had not begun to send the message |
/// | HTTP/2 `REFUSED_STREAM` (feature `http2`) | refused, retried immediately once | no, by RFC 9113, section 8.7 |
/// | HTTP/2 `GOAWAY` from the server (feature `http2`), if reading the attempt's request body had begun | refused, retried immediately once | no: the stream is above the last one that the server processes |
/// | the same, if the request has no body or it was not read | transient, retried immediately once | yes: hyper also reports a `GOAWAY` for a request that it has just queued and that the server then processes |
/// | hyper's "dispatch task is gone" | transient, retried immediately once | yes: the request's stream may have been opened just before the `GOAWAY` |
/// | a time-out: of the attempt, of tower (feature `tower`), of tokio, of reqwest, io `TimedOut` | transient, a time-out | yes |
/// | io `ConnectionReset`, `ConnectionAborted`, `BrokenPipe`, `UnexpectedEof`, `NotConnected`, `HostUnreachable`, `NetworkUnreachable`, `NetworkDown`; hyper's incomplete message and closed channel; any other HTTP/2 reset by the server (feature `http2`) | transient | yes: QUIC streams report a lost connection as `NotConnected` |
/// | a request body that failed, an invalid certificate, a URI that hyper-util's connector does not support, an invalid header, parse errors and user errors | permanent | |
/// | any other error | permanent | |
///
/// # Layers below the retry
///
/// The tables hold if the service below the retry sends the caller's request and no other, and reads its
/// body only to send it:
///
/// - Put layers that follow redirects above the retry. Below it, a refused connection or a 429 may come
///   from the target of a redirect, after the request itself was acted on. With feature `tower-http`, a
///   response of tower-http's `FollowRedirect` is recognized: it is transient instead of refused if it
///   comes from another URI, and for all methods but GET and HEAD, because a redirect from a URI to itself
///   cannot be recognized. Errors are not recognized.
/// - Put layers that read the request's body before it is sent, to sign it for example, above the retry.
///   Below it, a `GOAWAY` would be classified as a refusal by mistake. If this is not possible, use a
///   classifier that returns [`Class::Transient`] for these errors.
///
/// # Example
///
/// ```
/// use http::StatusCode;
/// use tower_http_retry::{ByStatus, RetryLayer};
///
/// // 501 is permanent, and this gateway's 408 is transient.
/// let by_status = ByStatus::new()
///     .except(StatusCode::NOT_IMPLEMENTED)
///     .also(StatusCode::REQUEST_TIMEOUT);
/// let layer = RetryLayer::new().classify(by_status);
/// # let _ = layer;
/// ```
///
/// [draft-ietf-httpapi-idempotency-key-header]: https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ByStatus {
    retried: Statuses,
    should_retry_header: Option<HeaderName>,
    /// Whether a 409 to a retry of a request with an idempotency key is transient.
    keyed_conflict: bool,
}

impl ByStatus {
    /// Creates a classifier that retries 429 and every 5xx.
    pub const fn new() -> Self {
        Self {
            retried: Statuses::none().with(429).with_series(5),
            should_retry_header: None,
            keyed_conflict: true,
        }
    }

    /// Creates a classifier that retries no status, only errors.
    ///
    /// ```
    /// use http::StatusCode;
    /// use tower_http_retry::{ByStatus, RetryLayer};
    ///
    /// let by_status = ByStatus::none().also(StatusCode::SERVICE_UNAVAILABLE);
    /// let layer = RetryLayer::new().classify(by_status);
    /// # let _ = layer;
    /// ```
    pub const fn none() -> Self {
        Self {
            retried: Statuses::none(),
            should_retry_header: None,
            keyed_conflict: false,
        }
    }

    /// Adds a status that is retried.
    ///
    /// 429, 421 and 425 are refusals, as RFC 6585, RFC 9110 and RFC 8470 define them. 408 and 504 are
    /// time-outs, after which the back-off is one step longer. Any other status is transient.
    pub const fn also(mut self, status: StatusCode) -> Self {
        self.retried = self.retried.with(status.as_u16());
        self
    }

    /// Removes a status: responses with it are returned.
    ///
    /// If the status is 409, this includes the 409 to a retry of a request with an idempotency key.
    pub const fn except(mut self, status: StatusCode) -> Self {
        let status = status.as_u16();
        self.retried = self.retried.without(status);
        self.keyed_conflict &= status != 409;
        self
    }

    /// Sets a response header with which the server says whether to retry. Defaults to none.
    ///
    /// It is read on 4xx and 5xx responses. If it is `false`, the response is returned. If it is `true`, the
    /// response is retried: it is transient, unless its status has another class that is retried. The rules
    /// for idempotency, the number of retries, the window and the budget apply. Any other value is ignored.
    ///
    /// ```
    /// use tower_http_retry::{ByStatus, RetryLayer};
    ///
    /// let by_status = ByStatus::new().should_retry_header(ByStatus::X_SHOULD_RETRY);
    /// let layer = RetryLayer::new().classify(by_status);
    /// # let _ = layer;
    /// ```
    pub fn should_retry_header(mut self, name: HeaderName) -> Self {
        self.should_retry_header = Some(name);
        self
    }

    /// The header name `x-should-retry`, which several providers of language models use.
    pub const X_SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");

    /// The header name `stripe-should-retry`, which Stripe uses.
    pub const STRIPE_SHOULD_RETRY: HeaderName = HeaderName::from_static("stripe-should-retry");

    #[inline]
    fn of_response(&self, outcome: &Outcome<'_>, head: &ResponseHead<'_>) -> Verdict {
        let status = head.status.as_u16();
        // Most responses end here, which saves 15 instructions.
        if status < 400 && !self.retried.contain(status) {
            return Class::Success.into();
        }
        let told = self.told(head);
        let is_final = *outcome.method() == Method::CONNECT || status == 101;
        let is_retried = told.unwrap_or(false)
            || self.retried.contain(status)
            || (status == 409 && self.awaits(outcome, head));
        if is_final || !is_retried {
            return match status {
                400.. => Class::Permanent.into(),
                _ => Class::Success.into(),
            };
        }
        let verdict = match status {
            408 | 504 => Class::Transient.timed_out(),
            421 | 425 | 429 if self.retried.contain(status) && !is_of_other(outcome, head) => {
                Class::Refused.into()
            }
            _ => Class::Transient.into(),
        };
        match told {
            Some(false) => verdict.no_retry(),
            Some(true) | None => verdict,
        }
    }

    /// Returns whether the server asks for a retry of a failure, if it sends the `should_retry_header`.
    fn told(&self, head: &ResponseHead<'_>) -> Option<bool> {
        let name = self.should_retry_header.as_ref()?;
        let status = head.status;
        if !(status.is_client_error() || status.is_server_error()) {
            return None;
        }
        match head.headers.get(name)?.as_bytes() {
            b"true" => Some(true),
            b"false" => Some(false),
            _ => None,
        }
    }

    /// Whether a 409 means that the service is still working on an earlier attempt, which it recognizes by
    /// the idempotency key. The 409 of a [`VerifyLayer`](crate::VerifyLayer) does not mean this.
    fn awaits(&self, outcome: &Outcome<'_>, head: &ResponseHead<'_>) -> bool {
        self.keyed_conflict
            && outcome.may_have_been_acted_on()
            && outcome.has_idempotency_key()
            && head.extensions.get::<Verified>().is_none()
    }
}

/// Whether the response may be that of a redirect, so that another request was refused.
fn is_of_other(outcome: &Outcome<'_>, head: &ResponseHead<'_>) -> bool {
    may_be_redirected(outcome.method(), outcome.uri(), head.extensions)
}

impl Default for ByStatus {
    fn default() -> Self {
        Self::new()
    }
}

impl Classify for ByStatus {
    #[inline]
    fn classify(&self, outcome: &Outcome<'_>) -> Verdict {
        match &outcome.result {
            Ok(head) => self.of_response(outcome, head),
            Err(error) => errors::of_chain(*error, outcome),
        }
    }
}

impl Outcome<'_> {
    /// Returns the verdict of [`ByStatus::new`], which a custom classifier can use as its default.
    ///
    /// ```
    /// use http::StatusCode;
    /// use tower_http_retry::RetryLayer;
    /// use tower_http_retry::classify::Class;
    ///
    /// let layer = RetryLayer::new().classify_fn(|outcome| match outcome.status() {
    ///     Some(StatusCode::CONFLICT) => Class::Transient.repeatable(),
    ///     _ => outcome.by_status(),
    /// });
    /// # let _ = layer;
    /// ```
    pub fn by_status(&self) -> Verdict {
        ByStatus::new().classify(self)
    }
}
