use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use tower_layer::Layer;

use super::service::Verify;
use super::settings::{SameBody, Settings};
use crate::head::{RequestHead, ResponseHead};

/// Layer that applies [`Verify`], which verifies whether a create or a delete took effect before it is
/// retried.
///
/// See the [module](super) for which requests are verified, and where to put the layer.
///
/// # Example
///
/// ```
/// use tower::ServiceBuilder;
/// use tower_http_retry::{RetryLayer, VerifyLayer};
///
/// let layers = ServiceBuilder::new()
///     .layer(RetryLayer::new())
///     .layer(VerifyLayer::new());
/// # let _ = layers;
/// ```
///
/// The [module](super#example) has a complete example.
#[must_use = "a layer does nothing until it wraps a service"]
#[derive(Clone)]
pub struct VerifyLayer {
    settings: Arc<Settings>,
}

impl VerifyLayer {
    /// Creates a layer that verifies DELETE, and PUT with `If-None-Match: *`, by GET on the same URI.
    ///
    /// See [verification](crate::guide::idempotency#verification) in the guide.
    pub fn new() -> Self {
        Self {
            settings: Arc::default(),
        }
    }

    /// Sets the closure that makes the probe from the head of a POST, PUT or DELETE request. Defaults to
    /// GET on the same URI for PUT and DELETE, and to no probe for POST.
    ///
    /// If the closure returns `None`, the request is not verified and passes through. The closure is called
    /// only for [requests that can be verified](super#which-requests-are-verified). A PUT without conditions
    /// also needs [`put_creates`](Self::put_creates).
    ///
    /// A probe must be answered 404 or 410 if the item does not exist. Do not probe the collection that a
    /// POST goes to, or a search that answers 200 with an empty list: the item would always seem to exist.
    /// The caller gets the body of the probe's response.
    ///
    /// The layer completes the probe with these parts of the request:
    ///
    /// - the host, if the probe's URI has none;
    /// - the HTTP version and the extensions;
    /// - the headers that the probe does not have, except for those about content, conditions, ranges,
    ///   connections, preferences (`Prefer`, RFC 7240), idempotency keys and method overrides. If the probe
    ///   goes to another origin, no headers of the request are added, because they may contain credentials.
    ///
    /// The probe's own headers are sent, except for those about the length of a body. If it has no
    /// `Cache-Control`, `Cache-Control: no-cache` is added, so that no cache answers it.
    ///
    /// If the name of the created item is only in the request's body, put it into the request's extensions,
    /// too, as in the [example of the module](super#example). Use a parsed URI, because a request whose
    /// probe cannot be built is not verified.
    ///
    /// See [verification](crate::guide::idempotency#verification) in the guide.
    ///
    /// ```
    /// use http::{Method, Request};
    /// use tower_http_retry::VerifyLayer;
    ///
    /// // Verifies deletes only.
    /// let layer = VerifyLayer::new().probe(|request| match *request.method() {
    ///     Method::DELETE => Request::get(request.uri()).body(()).ok(),
    ///     _ => None,
    /// });
    /// # let _ = layer;
    /// ```
    pub fn probe<F>(self, probe: F) -> Self
    where
        F: Fn(&RequestHead<'_>) -> Option<Request<()>> + Send + Sync + 'static,
    {
        self.with(|settings| settings.probe = Arc::new(probe))
    }

    /// Sets the method of all probes. Defaults to the method of the probe itself, which is GET without
    /// [`probe`](Self::probe).
    ///
    /// HEAD avoids the transfer of the item. With [`same_body`](Self::same_body), the probe of a create is
    /// sent as GET instead of HEAD, because the body is compared.
    ///
    /// ```
    /// use http::Method;
    /// use tower_http_retry::VerifyLayer;
    /// let layer = VerifyLayer::new().method(Method::HEAD);
    /// # let _ = layer;
    /// ```
    pub fn method(self, method: Method) -> Self {
        self.with(|settings| settings.method = Some(method))
    }

    /// Enables verification of each PUT without conditions, as a create. By default, a PUT is verified only
    /// with `If-None-Match: *`.
    ///
    /// Use it only if each PUT creates an item, and the service refuses a PUT whose item exists. If a PUT
    /// can also replace an item, the probe may find the old item, and a replacement that was lost is
    /// reported as 201 Created.
    ///
    /// A PUT with a condition that only an existing item can meet is never verified.
    ///
    /// ```
    /// use tower_http_retry::VerifyLayer;
    /// let layer = VerifyLayer::new().put_creates();
    /// # let _ = layer;
    /// ```
    pub fn put_creates(self) -> Self {
        self.with(|settings| settings.put_creates = true)
    }

    /// Sets the closure that decides whether an existing item is the one that the request creates. Defaults
    /// to always.
    ///
    /// It gets the heads of the request and of the probe's response. If it returns `false`, the caller gets
    /// a conflict ([`Verified::Conflict`](super::Verified::Conflict)) and the request is not sent again.
    /// Without it, an item with the same name that another client has created is reported as created by
    /// this request. The closure is not called for deletes.
    ///
    /// ```
    /// use tower_http_retry::VerifyLayer;
    ///
    /// // This service returns the id of the request that created an item.
    /// let layer = VerifyLayer::new()
    ///     .same(|request, found| request.header("request-id") == found.header("made-by"));
    /// # let _ = layer;
    /// ```
    pub fn same<F>(self, same: F) -> Self
    where
        F: Fn(&RequestHead<'_>, &ResponseHead<'_>) -> bool + Send + Sync + 'static,
    {
        self.with(|settings| settings.same = Some(Arc::new(same)))
    }

    /// Sets a closure that decides like [`same`](Self::same), but gets the whole response to the probe.
    /// Defaults to always.
    ///
    /// Use it for services that return the owner of an item in its content. If the item exists, up to
    /// `limit` bytes of the body are read and passed to the closure in one piece. The caller then gets the
    /// body unchanged, including trailers. If [`same`](Self::same) is set as well, it is called first. If it
    /// returns `false`, the body is not read; otherwise both must return `true`.
    ///
    /// - If the body is longer than `limit`, the error is [`Unverified`](super::Unverified).
    /// - If the body fails, the attempt fails with its error. The retry above probes again if it classifies
    ///   the error as transient.
    /// - A body that does not end is limited only by a time-out for the attempt
    ///   ([`RetryLayer::attempt_timeout`](crate::RetryLayer::attempt_timeout)) or for the body.
    /// - A 204 has no body, so the closure gets an empty one.
    /// - The probe of a create is sent as GET instead of HEAD.
    /// - The bytes are those of the inner service. If content is compressed, put a layer that decompresses
    ///   it below.
    ///
    /// ```
    /// use tower_http_retry::VerifyLayer;
    ///
    /// // The content of an item has a line with the id of the client that created it.
    /// let layer = VerifyLayer::new().same_body(64 * 1024, |request, _, content| {
    ///     let client = request.header("client-id").map(str::as_bytes);
    ///     let owner = content.split(|byte| *byte == b'\n').find_map(|line| line.strip_prefix(b"owner: "));
    ///     client.is_some() && client == owner
    /// });
    /// # let _ = layer;
    /// ```
    pub fn same_body<F>(self, limit: usize, same: F) -> Self
    where
        F: Fn(&RequestHead<'_>, &ResponseHead<'_>, &Bytes) -> bool + Send + Sync + 'static,
    {
        let is_same = Arc::new(same);
        self.with(|settings| settings.same_body = Some(SameBody { limit, is_same }))
    }

    /// Adds statuses that count as conflicts: the service returns them if a create or a delete already took
    /// effect. Defaults to none.
    ///
    /// They are added to 409 and 412 for creates, and to 404, 410 and 412 for deletes.
    ///
    /// ```
    /// use http::StatusCode;
    /// use tower_http_retry::VerifyLayer;
    ///
    /// // This service answers 400 to a delete whose item does not exist.
    /// let layer = VerifyLayer::new().conflict_statuses([StatusCode::BAD_REQUEST]);
    /// # let _ = layer;
    /// ```
    pub fn conflict_statuses(self, statuses: impl IntoIterator<Item = StatusCode>) -> Self {
        self.with(|settings| settings.conflict_statuses.extend(statuses))
    }

    fn with(self, set: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = Arc::unwrap_or_clone(self.settings);
        set(&mut settings);
        Self {
            settings: Arc::new(settings),
        }
    }
}

impl<S> Layer<S> for VerifyLayer {
    type Service = Verify<S>;

    fn layer(&self, inner: S) -> Verify<S> {
        Verify {
            inner,
            settings: self.settings.clone(),
        }
    }
}

impl Default for VerifyLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for VerifyLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifyLayer")
            .field("settings", &self.settings)
            .finish()
    }
}
