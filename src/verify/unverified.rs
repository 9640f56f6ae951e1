use std::error::Error;
use std::fmt;

use http::{Method, Request, Uri, response};

use super::probe;

/// A probe was answered in a way that does not tell whether the item exists: 401, 403 or a
/// redirection, say.
///
/// Whether the operation was done is not known, and it is not sent again: a retry takes this error
/// for permanent.
///
/// # Example
///
/// ```
/// use tower_http_retry::{BoxError, Unverified};
///
/// fn advice(error: &BoxError) -> Option<String> {
///     let unverified = error.downcast_ref::<Unverified>()?;
///     let status = unverified.response().status;
///     Some(format!("look at {} ({status}) before you try again", unverified.uri()))
/// }
/// # assert_eq!(advice(&"other".into()), None);
/// ```
pub struct Unverified {
    method: Method,
    uri: Uri,
    response: Box<response::Parts>,
    conflict: Option<Box<response::Parts>>,
}

impl Unverified {
    pub(super) fn new(
        probe: &Request<()>,
        response: response::Parts,
        conflict: Option<response::Parts>,
    ) -> Self {
        Self {
            method: probe.method().clone(),
            uri: probe::tellable(probe.uri()),
            response: Box::new(response),
            conflict: conflict.map(Box::new),
        }
    }

    /// The probe's URI, without query and user info: secrets stand there.
    pub fn uri(&self) -> &Uri {
        &self.uri
    }

    /// The head of the probe's response. Its body is gone.
    pub fn response(&self) -> &response::Parts {
        &self.response
    }

    /// The head of the service's own answer to the operation, where it was sent again and answered
    /// with a [conflict](crate::VerifyLayer::conflict_statuses), which the probe was to explain.
    pub fn conflict(&self) -> Option<&response::Parts> {
        self.conflict.as_deref()
    }
}

/// Without the response's headers: secrets stand there.
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
        )
    }
}

impl Error for Unverified {}
