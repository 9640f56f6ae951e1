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

/// Goes by the response's status, and by the errors in an error's chain of sources.
///
/// Microsoft's retry guidelines, made safe: every 5xx is [`Class::Transient`], 429 is
/// [`Class::Refused`], every other 4xx is [`Class::Permanent`], the rest is [`Class::Success`]. It
/// is sufficient to look at the series of the status; the body is never read to decide. 504 and
/// 408 count as time-outs. An answer to CONNECT, and 101, are final: the connection has changed
/// hands.
///
/// A 409 is transient where it answers a retry of a request with an [idempotency
/// key](crate::Idempotency), after an attempt that the server may have acted on: the service is
/// still at work on that attempt ([draft-ietf-httpapi-idempotency-key-header]).
///
/// | in an error's chain of sources | class | can it be met after the request was read? |
/// |---|---|---|
/// | a failed connect of hyper-util's client, of its connector, of tonic or reqwest | refused | no: there was no connection to send it on |
/// | io `ConnectionRefused`, `AddrInUse`, `AddrNotAvailable` | refused | no: over TCP and Unix sockets only connecting and binding fail so. A connected UDP socket reports an ICMP message as `ConnectionRefused` at any time; quinn does not hand that up |
/// | hyper's canceled message | refused, first retried at once | no: hyper gives it only to a message that it has not begun to send |
/// | HTTP/2 `REFUSED_STREAM` (feature `http2`) | refused, first retried at once | no, by RFC 9113, section 8.7 |
/// | an HTTP/2 `GOAWAY` from the server (feature `http2`), if the client had begun to read the attempt's request body | refused, first retried at once | no: the stream is above the last one that the server processes |
/// | the same, if the request has no body or it was not read | transient, first retried at once | yes: hyper also reports a `GOAWAY` for a request that it has just queued, and that the server then processes |
/// | hyper's "dispatch task is gone" | transient, first retried at once | yes: the stream that the request waited for may have been opened just when the server said GOAWAY |
/// | a time-out: of the attempt, of `tower` (feature `tower`), of `tokio`, of reqwest, io `TimedOut` | transient, a time-out | yes |
/// | io `ConnectionReset`, `ConnectionAborted`, `BrokenPipe`, `UnexpectedEof`, `NotConnected`, `HostUnreachable`, `NetworkUnreachable`, `NetworkDown`; hyper's incomplete message and closed channel; any other HTTP/2 reset by the server (feature `http2`) | transient | yes: `NotConnected` is what QUIC streams say of a connection that was lost |
/// | a broken request body, a certificate (as rustls reports one), a URI that hyper-util's connector does not take, a bad header, parse and user errors | permanent | |
/// | anything else | permanent | |
///
/// All of this is said of the caller's request only if the service under the retry sends that and
/// no other:
///
/// - What follows redirects goes above the retry. Under it, a refused connection or a 429 may come
///   from the target of a redirect, after the request itself was acted on. With feature
///   `tower-http`, a response whose `RequestUri` is not the request's is never refused, but
///   transient, and so is one to anything but GET and HEAD that has a `RequestUri` at all: a
///   redirect from a URI to itself leaves no trace. An error does not say what it is about. For
///   reqwest, build the client with
///   `redirect(Policy::none())`.
/// - What reads the request's body before it is sent, to sign it for instance, goes above the retry
///   as well, or a `GOAWAY` is taken for a refusal that is none. Where it has to stand below, let a
///   classifier say [`Class::Transient`] of such errors.
///
/// # Example
///
/// ```
/// use http::StatusCode;
/// use tower_http_retry::{ByStatus, RetryLayer};
///
/// // 501 will not pass; this gateway's 408 will.
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
    /// Whether a 409 to a keyed request's retry is transient.
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

    /// Responses with this status are retried, too. 429, 421 and 425 are then refused, as RFC 6585,
    /// RFC 9110 and RFC 8470 define them; any other status is transient.
    pub const fn also(mut self, status: StatusCode) -> Self {
        self.retried = self.retried.with(status.as_u16());
        self
    }

    /// Responses with this status are final.
    pub const fn except(mut self, status: StatusCode) -> Self {
        let status = status.as_u16();
        self.retried = self.retried.without(status);
        self.keyed_conflict &= status != 409;
        self
    }

    /// Sets a response header by which the server says whether to retry, in the place of its status.
    ///
    /// On a 4xx or 5xx, `false` makes the response final. `true` makes it retryable: a response that
    /// its status does not make so is then transient. All other rules hold, of idempotency, retries,
    /// window and budget. Any other value is ignored, and so is the header on other responses.
    /// Defaults to none.
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

    /// `x-should-retry`, as several providers of models send it.
    pub const X_SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");

    /// `stripe-should-retry`, as Stripe sends it.
    pub const STRIPE_SHOULD_RETRY: HeaderName = HeaderName::from_static("stripe-should-retry");

    #[inline]
    fn of_response(&self, outcome: &Outcome<'_>, head: &ResponseHead<'_>) -> Verdict {
        let status = head.status.as_u16();
        // Most responses end here: 15 instructions less.
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

    /// What the server says of a failure in the header for it.
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

    /// Whether a 409 says that the service is still at work on an earlier attempt: it knows it by
    /// its key. What a [`VerifyLayer`](crate::VerifyLayer) found out is no such answer.
    fn awaits(&self, outcome: &Outcome<'_>, head: &ResponseHead<'_>) -> bool {
        self.keyed_conflict
            && outcome.may_have_been_acted_on()
            && outcome.has_idempotency_key()
            && head.extensions.get::<Verified>().is_none()
    }
}

/// Then it was another request that was turned away.
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
    /// The verdict of [`ByStatus::new`]: the default that a classifier of one's own falls back to.
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
