use http::header::{IF_NONE_MATCH, LOCATION};
use http::{HeaderValue, Request, StatusCode, request, response};

use super::probe;

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
    /// probe's URI, if that is not the request's own (RFC 9110, section 15.3.2).
    Created,
    /// The item is gone: 204, without headers.
    Deleted,
    /// An item exists that is [not the one](crate::VerifyLayer::same) that was to be created: 409,
    /// or 412 where the request has `If-None-Match`, with the probe's response. It was not sent
    /// again.
    Conflict,
}

impl Verified {
    /// Makes the probe's answer that of the operation.
    pub(super) fn mark(
        self,
        answer: &mut response::Parts,
        operation: &request::Parts,
        probe: &Request<()>,
    ) {
        answer.status = match self {
            Self::Created => StatusCode::CREATED,
            Self::Deleted => StatusCode::NO_CONTENT,
            Self::Conflict if operation.headers.contains_key(IF_NONE_MATCH) => {
                StatusCode::PRECONDITION_FAILED
            }
            Self::Conflict => StatusCode::CONFLICT,
        };
        match self {
            // Without one, it is the request's own URI that the client takes for the item's.
            Self::Created if *probe.uri() != operation.uri => {
                let uri = probe::without_user_info(probe.uri()).to_string();
                if let Ok(uri) = HeaderValue::try_from(uri) {
                    answer.headers.entry(LOCATION).or_insert(uri);
                }
            }
            Self::Deleted => answer.headers.clear(),
            Self::Created | Self::Conflict => {}
        }
        answer.extensions.insert(self);
    }
}
