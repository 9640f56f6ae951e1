use std::error::Error;
use std::fmt;

use http::{Method, Request, Uri, response};

use super::probe;
use crate::head::ResponseHead;

/// Error of a probe whose response does not show whether the item exists.
///
/// It is unknown whether the operation took effect. The operation is not sent again, and the error is
/// permanent. The message contains the cause, which is one of these:
///
/// - The status shows neither whether the item exists nor a transient failure. Examples are 401, 403, 202
///   and redirections.
/// - A layer below followed a redirect, so the response concerns another resource.
/// - The body is longer than the limit of [`same_body`](crate::VerifyLayer::same_body).
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
///     Some(format!("check {} (it answered {status}) before you try again", unverified.uri()))
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

/// Why the response to a probe is inconclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doubt {
    Status,
    /// The response concerns another resource.
    Redirected,
    /// The body is longer than the limit.
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

    /// Returns the probe's URI, without its query and user info, which may contain credentials.
    pub fn uri(&self) -> &Uri {
        &self.uri
    }

    /// Returns the head of the probe's response. Its body has been dropped.
    pub fn response(&self) -> ResponseHead<'_> {
        ResponseHead::of_parts(&self.response)
    }

    /// Returns the head of the response to the operation, if it was sent again and answered with a
    /// [conflict](crate::VerifyLayer::conflict_statuses).
    pub fn conflict(&self) -> Option<ResponseHead<'_>> {
        self.conflict.as_deref().map(ResponseHead::of_parts)
    }
}

/// Omits the response's headers, which may contain credentials.
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
            "cannot verify whether the request took effect: the probe {method} {uri} was answered {status}"
        )?;
        match self.doubt {
            Doubt::Status => Ok(()),
            Doubt::Redirected => f.write_str(" after a redirect to another resource"),
            Doubt::Longer { limit } => write!(f, " with a body of more than {limit} bytes"),
        }
    }
}

impl Error for Unverified {}
