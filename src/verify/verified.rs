use http::header::{
    CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, IF_NONE_MATCH, LOCATION, TRAILER,
    TRANSFER_ENCODING,
};
use http::{HeaderName, HeaderValue, Method, Request, StatusCode, request, response};

use super::probe;

/// What says how content is sent: an answer to HEAD has none.
const OF_CONTENT: [HeaderName; 5] = [
    CONTENT_ENCODING,
    CONTENT_LENGTH,
    CONTENT_RANGE,
    TRAILER,
    TRANSFER_ENCODING,
];

/// What a probe found: an extension of the response that was made from its answer.
///
/// # Example
///
/// ```
/// use http::Response;
/// use tower_http_retry::Verified;
///
/// /// Whether the item was made by an attempt whose answer was lost.
/// fn was_made_before<R>(response: &Response<R>) -> bool {
///     response.extensions().get() == Some(&Verified::Created)
/// }
/// # assert!(!was_made_before(&Response::new(())));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verified {
    /// The item exists: 201, with the probe's response. Its `Location`, where it has none, is the
    /// probe's URI, if that is not the request's own (RFC 9110, section 15.3.2) and has no query.
    Created,
    /// The item is gone: 204, without headers.
    Deleted,
    /// An item exists that is [not the one](crate::VerifyLayer::same) that was to be created: 409,
    /// or 412 where the request has `If-None-Match`, with the probe's response. It was not sent
    /// again.
    Conflict,
    /// The probe failed in a way that may pass: its own response, with its status. It is what the
    /// caller gets where the retry above does not ask anew.
    Unavailable,
}

impl Verified {
    /// Makes the probe's answer that of the operation.
    pub(super) fn mark(
        self,
        answer: &mut response::Parts,
        operation: &request::Parts,
        probe: &Request<()>,
    ) {
        if *probe.method() == Method::HEAD {
            for name in OF_CONTENT {
                answer.headers.remove(name);
            }
        }
        match self {
            Self::Created => {
                answer.status = StatusCode::CREATED;
                let location = location(operation, probe);
                let is_told = answer.headers.contains_key(LOCATION);
                if let Some(location) = location.filter(|_| !is_told) {
                    // Left out of an answer that has no room for another header.
                    let _ = answer.headers.try_insert(LOCATION, location);
                }
            }
            Self::Deleted => {
                answer.status = StatusCode::NO_CONTENT;
                answer.headers.clear();
            }
            Self::Conflict if operation.headers.contains_key(IF_NONE_MATCH) => {
                answer.status = StatusCode::PRECONDITION_FAILED;
            }
            Self::Conflict => answer.status = StatusCode::CONFLICT,
            Self::Unavailable => {}
        }
        answer.extensions.insert(self);
    }
}

/// Without one, it is the request's own URI that stands for the item. Secrets stand in queries.
fn location(operation: &request::Parts, probe: &Request<()>) -> Option<HeaderValue> {
    let uri = probe.uri();
    if *uri == operation.uri || uri.query().is_some() {
        return None;
    }
    HeaderValue::try_from(probe::without_user_info(uri).to_string()).ok()
}
