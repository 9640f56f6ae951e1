use http::header::{CONTENT_RANGE, IF_MATCH, IF_NONE_MATCH, IF_UNMODIFIED_SINCE};
use http::{HeaderMap, HeaderValue, Method, StatusCode, request, response};

use super::unverified::Doubt;

/// What a request does to an item. The existence of the item shows whether it took effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    Create,
    Delete,
}

/// What the response to a probe shows about an operation that may have taken effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Finding {
    Created,
    Deleted,
    /// The operation did not take effect.
    Undone,
    /// An item exists, but not the one that the request creates.
    Conflict,
    /// The probe failed transiently.
    Unavailable,
    Undecidable(Doubt),
}

impl Operation {
    /// Returns `None` for other methods, and for a PUT that replaces or changes an item: the existence
    /// of the item proves nothing then.
    pub(super) fn of(head: &request::Parts, put_creates: bool) -> Option<Self> {
        match head.method {
            Method::PUT if is_change(&head.headers) => None,
            // `If-None-Match` is `*` here: entity tags make the request a change.
            Method::PUT if put_creates || head.headers.contains_key(IF_NONE_MATCH) => {
                Some(Self::Create)
            }
            Method::POST => Some(Self::Create),
            Method::DELETE => Some(Self::Delete),
            _ => None,
        }
    }

    /// Whether this status of a repeated operation can mean that an earlier attempt took effect.
    pub(super) fn is_conflict(self, status: StatusCode) -> bool {
        match self {
            Self::Create => matches!(status.as_u16(), 409 | 412),
            // A delete with `If-Match` is answered 412 if the item no longer exists.
            Self::Delete => matches!(status.as_u16(), 404 | 410 | 412),
        }
    }

    /// Returns what the probe's response shows. `is_same` is called only for a create whose item exists.
    pub(super) fn finding(
        self,
        probed: &response::Parts,
        is_same: impl FnOnce(&response::Parts) -> bool,
    ) -> Finding {
        match (self, probed.status.as_u16()) {
            // Any other 2xx can concern something else than the item: an operation in progress (202), a
            // part of the item (206), or several resources (207).
            (Self::Create, 200 | 203 | 204) => match is_same(probed) {
                true => Finding::Created,
                false => Finding::Conflict,
            },
            (Self::Create, 404 | 410) => Finding::Undone,
            (Self::Delete, 200 | 203 | 204) => Finding::Undone,
            (Self::Delete, 404 | 410) => Finding::Deleted,
            // 408, 421 and 425 are retried if the classifier above classifies them as transient.
            (_, 408 | 421 | 425 | 429 | 500..) => Finding::Unavailable,
            (_, _) => Finding::Undecidable(Doubt::Status),
        }
    }
}

/// Whether a request has a condition that only an existing item can meet, or is for a part of an item.
fn is_change(headers: &HeaderMap) -> bool {
    let is_of_tags = |value: &HeaderValue| value != "*";
    headers.contains_key(IF_MATCH)
        || headers.contains_key(IF_UNMODIFIED_SINCE)
        || headers.contains_key(CONTENT_RANGE)
        || headers.get_all(IF_NONE_MATCH).iter().any(is_of_tags)
}

#[cfg(test)]
mod tests;
