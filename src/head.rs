use std::fmt;

use http::{
    Extensions, HeaderMap, Method, Request, Response, StatusCode, Uri, Version, request, response,
};

use crate::headers::Headers;

/// The head of a request, as it was first sent.
///
/// # Example
///
/// ```
/// use http::Request;
/// use tower_http_retry::classify::RequestHead;
///
/// let request = Request::get("/items/7").header("x-tenant", "a").body(()).unwrap();
/// let head = RequestHead::of(&request);
/// assert_eq!(head.uri().path(), "/items/7");
/// assert_eq!(head.header("x-tenant"), Some("a"));
/// ```
#[derive(Clone, Copy)]
pub struct RequestHead<'a> {
    pub(crate) method: &'a Method,
    pub(crate) uri: &'a Uri,
    pub(crate) headers: Headers<'a>,
    pub(crate) extensions: &'a Extensions,
}

impl<'a> RequestHead<'a> {
    /// The head of this request.
    pub fn of<B>(request: &'a Request<B>) -> Self {
        Self {
            method: request.method(),
            uri: request.uri(),
            headers: Headers::Map(request.headers()),
            extensions: request.extensions(),
        }
    }

    pub(crate) fn of_parts(head: &'a request::Parts) -> Self {
        Self {
            method: &head.method,
            uri: &head.uri,
            headers: Headers::Map(&head.headers),
            extensions: &head.extensions,
        }
    }

    /// The method.
    pub fn method(&self) -> &'a Method {
        self.method
    }

    /// The URI.
    pub fn uri(&self) -> &'a Uri {
        self.uri
    }

    /// The first value of a header, where it is text: visible ASCII.
    pub fn header(&self, name: &str) -> Option<&'a str> {
        let text = std::str::from_utf8(self.headers.find(name)?).ok()?;
        let is_visible = |byte: u8| byte == b'\t' || (b' '..=b'~').contains(&byte);
        text.bytes().all(is_visible).then_some(text)
    }

    /// All headers. A copy of them is made when a retry layer is first asked for it.
    pub fn headers(&self) -> &'a HeaderMap {
        self.headers.map()
    }

    /// The extensions.
    pub fn extensions(&self) -> &'a Extensions {
        self.extensions
    }
}

/// Without headers: they may contain credentials.
impl fmt::Debug for RequestHead<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestHead")
            .field("method", self.method)
            .field("path", &self.uri.path())
            .finish_non_exhaustive()
    }
}

/// The head of a response.
///
/// # Example
///
/// ```
/// use http::StatusCode;
/// use tower_http_retry::RetryLayer;
/// use tower_http_retry::classify::Class;
///
/// // This service says in a header that a 404 may pass.
/// let layer = RetryLayer::new().classify_fn(|outcome| match outcome.result() {
///     Ok(head)
///         if head.status() == StatusCode::NOT_FOUND && head.header("x-replica") == Some("stale") =>
///     {
///         Class::Transient.into()
///     }
///     _ => outcome.by_status(),
/// });
/// # let _ = layer;
/// ```
#[derive(Clone, Copy)]
pub struct ResponseHead<'a> {
    pub(crate) status: StatusCode,
    pub(crate) version: Version,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) extensions: &'a Extensions,
}

impl<'a> ResponseHead<'a> {
    pub(crate) fn of<R>(response: &'a Response<R>) -> Self {
        Self {
            status: response.status(),
            version: response.version(),
            headers: response.headers(),
            extensions: response.extensions(),
        }
    }

    pub(crate) fn of_parts(head: &'a response::Parts) -> Self {
        Self {
            status: head.status,
            version: head.version,
            headers: &head.headers,
            extensions: &head.extensions,
        }
    }

    /// The status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The version of HTTP.
    pub fn version(&self) -> Version {
        self.version
    }

    /// The headers.
    pub fn headers(&self) -> &'a HeaderMap {
        self.headers
    }

    /// The extensions: a layer below may have left something for the classifier here.
    pub fn extensions(&self) -> &'a Extensions {
        self.extensions
    }

    /// The first value of a header, where it is text.
    pub fn header(&self, name: &str) -> Option<&'a str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// Without the headers: they may contain credentials.
impl fmt::Debug for ResponseHead<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseHead")
            .field("status", &self.status)
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}
