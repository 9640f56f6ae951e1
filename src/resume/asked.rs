use http::header::{
    IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE, RANGE, UPGRADE,
};
use http::{Extensions, HeaderName, Method, Request, Uri, Version};
use http_body::Body;

use super::download::Ask;
use crate::head::RequestHead;
use crate::headers::{Headers, KeptHeaders, KnownNames};

const CONDITIONS: [HeaderName; 5] = [
    IF_MATCH,
    IF_MODIFIED_SINCE,
    IF_NONE_MATCH,
    IF_RANGE,
    IF_UNMODIFIED_SINCE,
];

/// What is kept of a request, to ask for the rest of its answer.
pub(super) struct Asked {
    uri: Uri,
    version: Version,
    headers: KeptHeaders,
    extensions: Extensions,
}

impl Asked {
    /// None if no answer to it can be resumed.
    pub(super) fn of<B: Body>(request: &Request<B>, known: &KnownNames) -> Option<Self> {
        let can_be = *request.method() == Method::GET
            && request.body().is_end_stream()
            && !request.headers().contains_key(UPGRADE);
        can_be.then(|| Self {
            uri: request.uri().clone(),
            version: request.version(),
            headers: KeptHeaders::of(request.headers(), known),
            extensions: request.extensions().clone(),
        })
    }

    pub(super) fn head<'a>(&'a self, known: &'a KnownNames) -> RequestHead<'a> {
        RequestHead {
            method: &Method::GET,
            uri: &self.uri,
            headers: Headers::Kept(&self.headers, known),
            extensions: &self.extensions,
        }
    }

    /// Asks once more: for the rest without the caller's own conditions, of which some would go before the
    /// one that is asked for it.
    pub(super) fn request<B: Default>(&self, ask: Ask, known: &KnownNames) -> Request<B> {
        let mut request = Request::new(B::default());
        *request.uri_mut() = self.uri.clone();
        *request.version_mut() = self.version;
        *request.extensions_mut() = self.extensions.clone();
        let mut headers = self.headers.unpack(known);
        if let Ask::Rest { range, condition } = ask {
            for own in CONDITIONS {
                headers.remove(own);
            }
            let (name, value) = condition;
            headers.insert(RANGE, range);
            headers.insert(name, value);
        }
        *request.headers_mut() = headers;
        request
    }
}
