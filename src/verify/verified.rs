use http::header::IF_NONE_MATCH;
use http::{StatusCode, request, response};

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
    /// The item exists: 201, with the probe's response.
    Created,
    /// The item is gone: 204, without headers.
    Deleted,
    /// An item exists that is [not the one](crate::VerifyLayer::same) that was to be created: 409, or 412
    /// where the request has `If-None-Match`, with the probe's response. It was not sent again.
    Conflict,
}

impl Verified {
    /// Makes the probe's answer that of the operation.
    pub(super) fn mark(self, answer: &mut response::Parts, operation: &request::Parts) {
        answer.status = match self {
            Self::Created => StatusCode::CREATED,
            Self::Deleted => StatusCode::NO_CONTENT,
            Self::Conflict if operation.headers.contains_key(IF_NONE_MATCH) => {
                StatusCode::PRECONDITION_FAILED
            }
            Self::Conflict => StatusCode::CONFLICT,
        };
        if self == Self::Deleted {
            answer.headers.clear();
        }
        answer.extensions.insert(self);
    }
}
