use super::*;

/// Goes by the response's status, and by the errors in an error's chain of sources.
///
/// Microsoft's retry guidelines, made safe: every 5xx is [`Class::Transient`], 429 is
/// [`Class::Refused`], every other 4xx is [`Class::Permanent`], the rest is [`Class::Success`]. It
/// is sufficient to look at the series of the status; the body is never read to decide. 504 and
/// 408 count as time-outs. An answer to CONNECT, and 101, are final: the connection has changed
/// hands.
///
/// | in an error's chain of sources | class |
/// |---|---|
/// | a failed connect of hyper-util's client or of reqwest; io `ConnectionRefused`, `NotConnected`, `AddrInUse`, `AddrNotAvailable`; hyper's canceled (the message was never started) | refused |
/// | HTTP/2 `REFUSED_STREAM`, or a remote `GOAWAY` that left the stream out (feature `http2`) | refused, first retried at once |
/// | a time-out: of the attempt, of `tower`, of `tokio`, of reqwest, io `TimedOut` | transient, a time-out |
/// | io `ConnectionReset`, `ConnectionAborted`, `BrokenPipe`, `UnexpectedEof`, `HostUnreachable`, `NetworkUnreachable`, `NetworkDown`; hyper's incomplete message and closed channel; any other HTTP/2 reset by the server (feature `http2`) | transient |
/// | a broken request body, a certificate (as rustls reports one), a URI that hyper-util's connector does not take, a bad header, parse and user errors | permanent |
/// | anything else | permanent |
///
/// # Example
///
/// ```
/// use tower_http_retry::{ByStatus, RetryLayer};
///
/// // 501 will not pass; this gateway's 408 will.
/// let layer = RetryLayer::new().classify(ByStatus::new().except(501).also(408));
/// # let _ = layer;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ByStatus {
    retried: [u64; 16],
    heeds_should_retry: bool,
}

impl ByStatus {
    /// Every 5xx, and 429.
    pub const fn new() -> Self {
        let mut by_status = Self {
            retried: [0; 16],
            heeds_should_retry: false,
        }
        .also(429);
        let mut status = 500;
        while status < 600 {
            by_status = by_status.also(status);
            status += 1;
        }
        by_status
    }

    /// Responses with this status are retried, too. 421 and 425 are then refused, as RFC 9110 and
    /// RFC 8470 define them; any other status is transient. A number that is no status changes
    /// nothing.
    pub const fn also(mut self, status: u16) -> Self {
        if matches!(status, 100..=999) {
            self.retried[status as usize / 64] |= 1 << (status % 64);
        }
        self
    }

    /// Responses with this status are final.
    pub const fn except(mut self, status: u16) -> Self {
        if matches!(status, 100..=999) {
            self.retried[status as usize / 64] &= !(1 << (status % 64));
        }
        self
    }

    /// Heeds `x-should-retry: false`, as several providers send it: a response that says so is
    /// final. `true` makes nothing retryable that its status does not.
    pub const fn heed_should_retry(mut self) -> Self {
        self.heeds_should_retry = true;
        self
    }

    #[inline]
    fn of_response(&self, method: &Method, head: &ResponseHead<'_>) -> Verdict {
        let status = head.status.as_u16();
        let is_final = *method == Method::CONNECT || status == 101;
        if is_final || !self.retries(status) {
            return match status {
                400.. => Class::Permanent.into(),
                _ => Class::Success.into(),
            };
        }
        let verdict = match status {
            408 | 504 => Class::Transient.timed_out(),
            421 | 425 | 429 => Class::Refused.into(),
            _ => Class::Transient.into(),
        };
        if self.heeds_should_retry && head.header("x-should-retry") == Some("false") {
            return verdict.never();
        }
        verdict
    }

    const fn retries(&self, status: u16) -> bool {
        self.retried[status as usize / 64] & (1 << (status % 64)) != 0
    }
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
            Ok(head) => self.of_response(outcome.method, head),
            Err(error) => errors::of_chain(*error),
        }
    }
}
