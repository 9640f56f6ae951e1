use http::header::{CONTENT_RANGE, IF_MATCH, IF_NONE_MATCH, IF_UNMODIFIED_SINCE};
use http::{HeaderMap, HeaderValue, Method, StatusCode, request, response};

use super::unverified::Doubt;

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
    Undecidable(Doubt),
}

impl Operation {
    /// Of a PUT that replaces or changes an item, it says nothing that the item exists.
    pub(super) fn of(head: &request::Parts, put_creates: bool) -> Option<Self> {
        match head.method {
            Method::PUT if is_change(&head.headers) => None,
            // What is left of the header is `*`.
            Method::PUT if put_creates || head.headers.contains_key(IF_NONE_MATCH) => {
                Some(Self::Create)
            }
            Method::POST => Some(Self::Create),
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
            // Each other 2xx can be said of something else than the item: that it is being made
            // (202), a part of it (206), or several things (207).
            (Self::Create, 200 | 203 | 204) => match is_same(probed) {
                true => Finding::Created,
                false => Finding::Conflict,
            },
            (Self::Create, 404 | 410) => Finding::Undone,
            (Self::Delete, 200 | 203 | 204) => Finding::Undone,
            (Self::Delete, 404 | 410) => Finding::Deleted,
            // 408, 421 and 425 pass where the classifier above is told that they do.
            (_, 408 | 421 | 425 | 429 | 500..) => Finding::Unavailable,
            (_, _) => Finding::Undecidable(Doubt::Status),
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
