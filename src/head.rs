use std::fmt;

use http::{
    Extensions, HeaderMap, Method, Request, Response, StatusCode, Uri, Version, request, response,
};

use crate::headers::Headers;

/// The head of a request: its method, URI, headers and extensions, as it was first sent.
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
    /// Creates the head of a request.
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

    /// Returns the method.
    pub fn method(&self) -> &'a Method {
        self.method
    }

    /// Returns the URI.
    pub fn uri(&self) -> &'a Uri {
        self.uri
    }

    /// Returns the first value of a header. Returns none if there is no such header, or if the value contains
    /// anything but visible ASCII characters, spaces and tabs.
    pub fn header(&self, name: &str) -> Option<&'a str> {
        let text = std::str::from_utf8(self.headers.find(name)?).ok()?;
        let is_visible = |byte: u8| byte == b'\t' || (b' '..=b'~').contains(&byte);
        text.bytes().all(is_visible).then_some(text)
    }

    /// Returns all headers.
    ///
    /// In a retry layer, the first call for a request copies them into a map. Use [`header`](Self::header)
    /// to read single headers without a copy.
    pub fn headers(&self) -> &'a HeaderMap {
        self.headers.map()
    }

    /// Returns the extensions.
    pub fn extensions(&self) -> &'a Extensions {
        self.extensions
    }
}

/// Omits the query and the headers, which may contain credentials.
impl fmt::Debug for RequestHead<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestHead")
            .field("method", self.method)
            .field("path", &self.uri.path())
            .finish_non_exhaustive()
    }
}

/// The head of a response: its status, version, headers and extensions.
///
/// # Example
///
/// ```
/// use http::{Request, Response, StatusCode};
/// use tower_http_retry::RetryLayer;
/// use tower_http_retry::classify::{Class, Outcome, Verdict};
///
/// // With this header, a 404 of this service is temporary.
/// fn stale(outcome: &Outcome<'_>) -> Verdict {
///     match outcome.result() {
///         Ok(head)
///             if head.status() == StatusCode::NOT_FOUND
///                 && head.header("x-replica") == Some("stale") =>
///         {
///             Class::Transient.into()
///         }
///         _ => outcome.by_status(),
///     }
/// }
/// let layer = RetryLayer::new().classify_fn(stale);
/// # let _ = layer;
///
/// let request = Request::new(());
/// let response = Response::builder().status(404).header("x-replica", "stale").body(()).unwrap();
/// assert_eq!(stale(&Outcome::response(&request, &response)).class(), Class::Transient);
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

    /// Returns the status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// Returns the HTTP version.
    pub fn version(&self) -> Version {
        self.version
    }

    /// Returns the headers.
    pub fn headers(&self) -> &'a HeaderMap {
        self.headers
    }

    /// Returns the extensions. A layer below can add an extension for the classifier.
    pub fn extensions(&self) -> &'a Extensions {
        self.extensions
    }

    /// Returns the first value of a header. Returns none if there is no such header, or if the value contains
    /// anything but visible ASCII characters, spaces and tabs.
    pub fn header(&self, name: &str) -> Option<&'a str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// Omits the headers, which may contain credentials.
impl fmt::Debug for ResponseHead<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseHead")
            .field("status", &self.status)
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}
