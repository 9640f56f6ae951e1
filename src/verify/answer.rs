use http::header::{
    CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, IF_NONE_MATCH, LOCATION, TRAILER,
    TRANSFER_ENCODING,
};
use http::{HeaderName, HeaderValue, Method, Request, StatusCode, request, response};

use super::probe;
use crate::verified::Verified;
use crate::whole_body::WholeBody;

/// Headers about the content, which a response to HEAD does not have.
const OF_CONTENT: [HeaderName; 5] = [
    CONTENT_ENCODING,
    CONTENT_LENGTH,
    CONTENT_RANGE,
    TRAILER,
    TRANSFER_ENCODING,
];

impl Verified {
    /// Turns the probe's response into the operation's response.
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
                    // Left out if the response has no room for another header.
                    let _ = answer.headers.try_insert(LOCATION, location);
                }
            }
            Self::Deleted => {
                answer.status = StatusCode::NO_CONTENT;
                answer.headers.clear();
                // The probe's body is not returned.
                answer.extensions.remove::<WholeBody>();
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

/// Returns the URI of the item for the `Location` header. `None` if it is the URI of the request, which is
/// the default for a 201, or if it has a query, which may contain credentials.
fn location(operation: &request::Parts, probe: &Request<()>) -> Option<HeaderValue> {
    let uri = probe.uri();
    if *uri == operation.uri || uri.query().is_some() {
        return None;
    }
    HeaderValue::try_from(probe::without_user_info(uri).to_string()).ok()
}
