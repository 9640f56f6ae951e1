use http::header::{
    IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE, RANGE, UPGRADE,
};
use http::{Method, Request};
use http_body::Body;

use super::download::Ask;
use crate::head::RequestHead;
use crate::headers::KnownNames;
use crate::kept_head::KeptHead;

/// The head of a request, kept to request the rest of its response.
pub(super) struct Asked {
    kept: KeptHead,
}

impl Asked {
    /// Returns `None` if no response to the request can be resumed.
    pub(super) fn of<B: Body>(request: &Request<B>, known: &KnownNames) -> Option<Self> {
        let can_be = *request.method() == Method::GET
            && request.body().is_end_stream()
            && !request.headers().contains_key(UPGRADE);
        can_be.then(|| Self {
            kept: KeptHead::of(request, known),
        })
    }

    pub(super) fn head<'a>(&'a self, known: &'a KnownNames) -> RequestHead<'a> {
        self.kept.head(known)
    }

    /// Builds the request of a resumption, without the caller's `If-None-Match` and `If-Modified-Since`. If
    /// it is for a part, the caller's other conditions are removed, too, because some of them take precedence
    /// over the condition of the resumption.
    pub(super) fn request<B: Default>(&self, ask: Ask, known: &KnownNames) -> Request<B> {
        let mut request = self.kept.request(B::default(), known);
        let headers = request.headers_mut();
        for own in [IF_NONE_MATCH, IF_MODIFIED_SINCE] {
            headers.remove(own);
        }
        if let Ask::Rest { range, condition } = ask {
            for own in [IF_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE] {
                headers.remove(own);
            }
            let (name, value) = condition;
            headers.insert(RANGE, range);
            headers.insert(name, value);
        }
        request
    }
}
