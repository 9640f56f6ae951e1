use http::header::UPGRADE;
use http::{HeaderName, Method};

/// Which requests are safe to repeat after the server may have acted on them.
///
/// By default, these are requests with an idempotent method ([RFC 9110, section 9.2.2]: GET, HEAD, OPTIONS,
/// TRACE, PUT and DELETE; also QUERY, which has a separate specification), and requests with an
/// `Idempotency-Key` or `X-Idempotency-Key` header that is not empty. [`RetryOverride::repeatable`] overrides
/// this for a single request.
///
/// A CONNECT and a request with an `Upgrade` header are never safe to repeat, because the connection is then
/// used for another protocol. A request that the server did not process, for example because the connection
/// was refused or the response was 429, is retried in any case.
///
/// # Example
///
/// ```
/// use http::Method;
/// use tower_http_retry::{Idempotency, RetryLayer};
///
/// // The PATCH of this service is a merge patch, and it counts each TRACE.
/// let idempotency = Idempotency::new().also(Method::PATCH).except(Method::TRACE);
/// let layer = RetryLayer::new().idempotency(idempotency);
/// # let _ = layer;
/// ```
///
/// [RFC 9110, section 9.2.2]: https://www.rfc-editor.org/rfc/rfc9110.html#section-9.2.2
/// [`RetryOverride::repeatable`]: crate::RetryOverride::repeatable
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Idempotency {
    methods: Methods,
    also: Vec<Method>,
    except: Vec<Method>,
    keys: Vec<HeaderName>,
}

/// Which methods are repeatable, apart from those that are added or removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Methods {
    Idempotent,
    Safe,
    Any,
}

impl Idempotency {
    /// Creates the default: idempotent methods, and requests with an idempotency key.
    pub fn new() -> Self {
        Self::of(Methods::Idempotent)
    }

    /// Creates a setting with which only safe methods may be repeated ([RFC 9110, section 9.2.1]: GET, HEAD,
    /// OPTIONS and TRACE; and QUERY). Idempotency keys are ignored.
    ///
    /// ```
    /// use http::Method;
    /// use tower_http_retry::{Idempotency, RetryLayer};
    ///
    /// let idempotency = Idempotency::safe().also(Method::PUT);
    /// let layer = RetryLayer::new().idempotency(idempotency);
    /// # let _ = layer;
    /// ```
    ///
    /// [RFC 9110, section 9.2.1]: https://www.rfc-editor.org/rfc/rfc9110.html#section-9.2.1
    pub fn safe() -> Self {
        Self::of(Methods::Safe)
    }

    /// Creates a setting with which all methods may be repeated. Use it only for services that recognize a
    /// repeated request.
    ///
    /// ```
    /// use tower_http_retry::{Idempotency, RetryLayer};
    /// let layer = RetryLayer::new().idempotency(Idempotency::any());
    /// # let _ = layer;
    /// ```
    pub fn any() -> Self {
        Self::of(Methods::Any)
    }

    /// Creates a setting with these methods, and the idempotency keys that are the default with them.
    fn of(methods: Methods) -> Self {
        let keys: &[_] = match methods {
            Methods::Idempotent | Methods::Any => &["idempotency-key", "x-idempotency-key"],
            Methods::Safe => &[],
        };
        Self {
            methods,
            also: Vec::new(),
            except: Vec::new(),
            keys: keys.iter().copied().map(HeaderName::from_static).collect(),
        }
    }

    /// Adds a method that may be repeated.
    pub fn also(mut self, method: Method) -> Self {
        self.except.retain(|other| *other != method);
        self.also.push(method);
        self
    }

    /// Removes a method: requests with it may be repeated only with an idempotency key.
    pub fn except(mut self, method: Method) -> Self {
        self.also.retain(|other| *other != method);
        self.except.push(method);
        self
    }

    /// Adds a header that is recognized as an idempotency key. A request in which this header is not empty
    /// may be repeated regardless of its method.
    ///
    /// ```
    /// use http::HeaderName;
    /// use tower_http_retry::Idempotency;
    /// let idempotency = Idempotency::new().key(HeaderName::from_static("client-request-id"));
    /// # let _ = idempotency;
    /// ```
    pub fn key(mut self, header: HeaderName) -> Self {
        self.keys.push(header);
        self
    }

    /// Removes all headers that are recognized as idempotency keys. Use it for services that ignore keys.
    ///
    /// ```
    /// use tower_http_retry::{Idempotency, RetryLayer};
    /// let layer = RetryLayer::new().idempotency(Idempotency::new().without_keys());
    /// # let _ = layer;
    /// ```
    pub fn without_keys(mut self) -> Self {
        self.keys.clear();
        self
    }

    /// Whether a request may be repeated after the server may have acted on it. `declared` is true or false
    /// if the request, the classifier or the protocol declares it. `header` looks up the first value of a
    /// header.
    pub(crate) fn may_repeat<'h>(
        &self,
        method: &Method,
        header: impl Fn(&HeaderName) -> Option<&'h [u8]>,
        declared: Option<bool>,
    ) -> bool {
        if method == Method::CONNECT || header(&UPGRADE).is_some() {
            return false;
        }
        let by_method = || {
            let is_among = self.methods.include(method) || self.also.contains(method);
            is_among && !self.except.contains(method)
        };
        declared.unwrap_or_else(|| by_method() || self.has_key(header))
    }

    /// Returns the header in which a new key is sent.
    pub(crate) fn key_header(&self) -> Option<&HeaderName> {
        self.keys.first()
    }

    /// Whether a request has an idempotency key. An empty one does not identify a request.
    pub(crate) fn has_key<'h>(&self, header: impl Fn(&HeaderName) -> Option<&'h [u8]>) -> bool {
        let is_key = |value: &[u8]| !value.trim_ascii().is_empty();
        self.keys
            .iter()
            .any(|name| header(name).is_some_and(is_key))
    }
}

impl Default for Idempotency {
    fn default() -> Self {
        Self::new()
    }
}

impl Methods {
    fn include(self, method: &Method) -> bool {
        // `http` has QUERY only since version 1.5.
        let is_query = || method.as_str() == "QUERY";
        match self {
            Self::Idempotent => method.is_idempotent() || is_query(),
            Self::Safe => method.is_safe() || is_query(),
            Self::Any => true,
        }
    }
}

#[cfg(feature = "config")]
mod serde;
#[cfg(test)]
mod tests;
