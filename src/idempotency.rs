use http::header::UPGRADE;
use http::{HeaderName, Method};

/// Which requests may be sent again after an attempt that the server may have acted on.
///
/// By default those whose method is idempotent ([RFC 9110, section 9.2.2]: GET, HEAD, OPTIONS,
/// TRACE, PUT, DELETE, and QUERY), and those that carry an `Idempotency-Key` or
/// `X-Idempotency-Key` header that is not empty. A single request can say otherwise with
/// [`RetryOverride::repeatable`]. CONNECT, and a request with an `Upgrade` header, never may: the
/// connection itself changes hands.
///
/// A request that nobody acted on (a refused connection, a 429) is sent again whatever this says.
///
/// # Example
///
/// ```
/// use http::Method;
/// use tower_http_retry::{Idempotency, RetryLayer};
///
/// // A service whose PATCH is a merge patch, and which counts every TRACE.
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

/// Which methods are repeatable, but for those that are named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Methods {
    Idempotent,
    Safe,
    Any,
}

impl Idempotency {
    /// RFC 9110's idempotent methods, and requests with an idempotency key.
    pub fn new() -> Self {
        Self::of(Methods::Idempotent)
    }

    /// Only requests with a safe method may be sent again ([RFC 9110, section 9.2.1]: GET, HEAD, OPTIONS,
    /// TRACE, and QUERY). Idempotency keys do not count.
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

    /// Every request may be sent again: for services known to recognize a repeated request.
    ///
    /// ```
    /// use tower_http_retry::{Idempotency, RetryLayer};
    /// let layer = RetryLayer::new().idempotency(Idempotency::any());
    /// # let _ = layer;
    /// ```
    pub fn any() -> Self {
        Self::of(Methods::Any)
    }

    /// These methods, with the keys that count beside them.
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

    /// Requests with this method may be sent again, too.
    pub fn also(mut self, method: Method) -> Self {
        self.except.retain(|other| *other != method);
        self.also.push(method);
        self
    }

    /// Requests with this method may not be sent again, unless they carry a key.
    pub fn except(mut self, method: Method) -> Self {
        self.also.retain(|other| *other != method);
        self.except.push(method);
        self
    }

    /// A request that carries this header, with a value that is not empty, may be sent again,
    /// whatever its method.
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

    /// No header makes a request safe to repeat: for services that do not know idempotency keys.
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

    /// Whether a request may be sent again; `declared` is what the request says of itself, and
    /// `header` looks up the first value of a header.
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

    /// The header that a new key goes into.
    pub(crate) fn key_header(&self) -> Option<&HeaderName> {
        self.keys.first()
    }

    /// Whether a request carries an idempotency key. An empty one does not tell requests apart.
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
        // `http` knows QUERY only since version 1.5.
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
