use http::header::{CONTENT_RANGE, IF_MATCH, IF_NONE_MATCH, IF_UNMODIFIED_SINCE};
use http::{HeaderMap, HeaderValue, Method, StatusCode, request, response};

/// What a request does to an item, so that the item's existence tells whether it was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    Create,
    Delete,
}

/// What a probe's answer says of an operation that may have been done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Finding {
    Created,
    Deleted,
    /// The operation is still to be done.
    Undone,
    /// An item exists, but not the one that was to be created.
    Conflict,
    /// The probe failed in a way that may pass.
    Unavailable,
    Undecidable,
}

impl Operation {
    /// Of a PUT that changes an item, it says nothing that the item exists.
    pub(super) fn of(head: &request::Parts) -> Option<Self> {
        match head.method {
            Method::PUT if is_change(&head.headers) => None,
            Method::POST | Method::PUT => Some(Self::Create),
            Method::DELETE => Some(Self::Delete),
            _ => None,
        }
    }

    /// Whether this status, in answer to the operation sent again, can mean that it was done before.
    pub(super) fn is_conflict(self, status: StatusCode) -> bool {
        match self {
            Self::Create => matches!(status.as_u16(), 409 | 412),
            // What is gone does not meet an `If-Match` either.
            Self::Delete => matches!(status.as_u16(), 404 | 410 | 412),
        }
    }

    /// `is_same` is asked of an item that exists after a create.
    pub(super) fn finding(
        self,
        probed: &response::Parts,
        is_same: impl FnOnce(&response::Parts) -> bool,
    ) -> Finding {
        match (self, probed.status.as_u16()) {
            (Self::Create, 200..=299) if is_same(probed) => Finding::Created,
            (Self::Create, 200..=299) => Finding::Conflict,
            (Self::Create, 404 | 410) => Finding::Undone,
            (Self::Delete, 200..=299) => Finding::Undone,
            (Self::Delete, 404 | 410) => Finding::Deleted,
            // 408, 421 and 425 pass where the classifier above is told that they do.
            (_, 408 | 421 | 425 | 429 | 500..) => Finding::Unavailable,
            (_, _) => Finding::Undecidable,
        }
    }
}

/// Whether it has a condition that only an item which exists can meet, or is of a part of one.
fn is_change(headers: &HeaderMap) -> bool {
    let is_of_tags = |value: &HeaderValue| value != "*";
    headers.contains_key(IF_MATCH)
        || headers.contains_key(IF_UNMODIFIED_SINCE)
        || headers.contains_key(CONTENT_RANGE)
        || headers.get_all(IF_NONE_MATCH).iter().any(is_of_tags)
}

#[cfg(test)]
mod tests;
