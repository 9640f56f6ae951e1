use std::error::Error;
use std::fmt;

use http::{Method, Request, Uri, response};

use super::probe;
use crate::head::ResponseHead;

/// Error of a probe whose answer does not tell whether the item exists.
///
/// The status is neither one that says so nor one that may pass (401, 403, 202 or a redirection, for
/// example); or the answer is of another resource, because a layer below followed a redirect; or its
/// body is longer than the limit of [`same_body`](crate::VerifyLayer::same_body). The message says
/// which.
///
/// Whether the operation took effect is unknown, and it is not sent again: the error is permanent.
///
/// # Example
///
/// ```
/// use tower_http_retry::verify::Unverified;
/// use tower_http_retry::BoxError;
///
/// fn advice(error: &BoxError) -> Option<String> {
///     let unverified = error.downcast_ref::<Unverified>()?;
///     let status = unverified.response().status();
///     Some(format!("look at {} ({status}) before you try again", unverified.uri()))
/// }
/// # assert_eq!(advice(&"other".into()), None);
/// ```
pub struct Unverified {
    method: Method,
    uri: Uri,
    response: Box<response::Parts>,
    doubt: Doubt,
    conflict: Option<Box<response::Parts>>,
}

/// Why a probe's answer tells nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doubt {
    Status,
    /// It is another resource's.
    Redirected,
    /// Its body is longer than what is read of it.
    Longer {
        limit: usize,
    },
}

impl Unverified {
    pub(super) fn new(
        probe: &Request<()>,
        response: response::Parts,
        doubt: Doubt,
        conflict: Option<response::Parts>,
    ) -> Self {
        Self {
            method: probe.method().clone(),
            uri: probe::tellable(probe.uri()),
            response: Box::new(response),
            doubt,
            conflict: conflict.map(Box::new),
        }
    }

    /// The probe's URI, without query and user info: they may contain credentials.
    pub fn uri(&self) -> &Uri {
        &self.uri
    }

    /// Returns the head of the probe's response. Its body has been dropped.
    pub fn response(&self) -> ResponseHead<'_> {
        ResponseHead::of_parts(&self.response)
    }

    /// The head of the service's own answer to the operation, where it was sent again and answered
    /// with a [conflict](crate::VerifyLayer::conflict_statuses), which the probe was to explain.
    pub fn conflict(&self) -> Option<ResponseHead<'_>> {
        self.conflict.as_deref().map(ResponseHead::of_parts)
    }
}

/// Without the response's headers: they may contain credentials.
impl fmt::Debug for Unverified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unverified")
            .field("method", &self.method)
            .field("uri", &self.uri)
            .field("status", &self.response.status)
            .finish()
    }
}

impl fmt::Display for Unverified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { method, uri, .. } = self;
        let status = self.response.status;
        write!(
            f,
            "cannot tell whether it was done before: the probe {method} {uri} was answered {status}"
        )?;
        match self.doubt {
            Doubt::Status => Ok(()),
            Doubt::Redirected => f.write_str(" by another resource, to which it was redirected"),
            Doubt::Longer { limit } => write!(f, " with a body of more than {limit} bytes"),
        }
    }
}

impl Error for Unverified {}
