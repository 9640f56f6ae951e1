use http::{Extensions, HeaderMap, Method, Request, Uri, Version};

use crate::head::RequestHead;
use crate::headers::{Headers, KeptHeaders, KnownNames};

/// A copy of a request's head that takes little memory.
pub(crate) struct KeptHead {
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) version: Version,
    pub(crate) headers: KeptHeaders,
    pub(crate) extensions: Extensions,
}

impl KeptHead {
    #[inline(always)]
    pub(crate) fn of<B>(request: &Request<B>, known: &KnownNames) -> Self {
        Self {
            method: request.method().clone(),
            uri: request.uri().clone(),
            version: request.version(),
            headers: KeptHeaders::of(request.headers(), known),
            extensions: request.extensions().clone(),
        }
    }

    pub(crate) fn head<'a>(&'a self, known: &'a KnownNames) -> RequestHead<'a> {
        RequestHead {
            method: &self.method,
            uri: &self.uri,
            headers: Headers::Kept(&self.headers, known),
            extensions: &self.extensions,
        }
    }

    /// Creates the request again, with another body.
    pub(crate) fn request<B>(&self, body: B, known: &KnownNames) -> Request<B> {
        let mut request = Request::new(body);
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = self.uri.clone();
        *request.version_mut() = self.version;
        *request.headers_mut() = match self.headers.is_empty() {
            true => HeaderMap::new(),
            false => self.headers.unpack(known),
        };
        *request.extensions_mut() = self.extensions.clone();
        request
    }
}
