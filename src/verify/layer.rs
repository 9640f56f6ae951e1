use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use tower_layer::Layer;

use super::service::Verify;
use super::settings::{SameBody, Settings};
use crate::head::{RequestHead, ResponseHead};

/// Layer that applies [`Verify`], which checks whether a create or a delete took effect before
/// sending it again. See the [module](super).
#[must_use = "a layer does nothing until it wraps a service"]
#[derive(Clone)]
pub struct VerifyLayer {
    settings: Arc<Settings>,
}

impl VerifyLayer {
    /// Creates a layer that verifies DELETE, and PUT with `If-None-Match: *`, by GET on the same URI.
    pub fn new() -> Self {
        Self {
            settings: Arc::default(),
        }
    }

    /// Sets the closure that makes the probe of a POST, PUT or DELETE from the request's head.
    /// Defaults to GET on the same URI for PUT and DELETE.
    ///
    /// A request for which it returns none is not verified and passes through. The closure is asked
    /// only for requests that are [verified at all](super#what-is-verified): for a PUT without
    /// conditions, [`put_creates`](Self::put_creates) is needed as well.
    ///
    /// A probe must be answered 404 or 410 where there is no such item. The collection that a POST
    /// goes to, or a search that answers 200 with an empty list, does not tell: the item would be
    /// taken for created. The body of the probe's answer is the one that the caller gets.
    ///
    /// The layer completes the probe with the request's host, if the probe's URI has none; the
    /// version of HTTP; the extensions; and the headers that the probe does not have itself. Headers
    /// about content, conditions, ranges, preferences (`Prefer`, RFC 7240), idempotency keys and the
    /// like are left out. If the probe goes to another origin, none of the request's headers are
    /// sent: they may contain credentials. The probe's own headers are sent, except for those about
    /// the length of a body. `Cache-Control: no-cache` is added unless the probe has a
    /// `Cache-Control`, so that no cache answers it.
    ///
    /// The name of what is created is often in the body only. Put it among the request's extensions,
    /// too, as in [the example of the module](super#example): as a URI that has been parsed already, since a
    /// request whose probe cannot be built is not verified.
    pub fn probe<F>(self, probe: F) -> Self
    where
        F: Fn(&RequestHead<'_>) -> Option<Request<()>> + Send + Sync + 'static,
    {
        self.with(|settings| settings.probe = Arc::new(probe))
    }

    /// Sets the method of all probes. Defaults to the method of the probe itself, which is GET
    /// without [`probe`](Self::probe).
    ///
    /// HEAD saves the transfer of the item. The probe of a create stays a GET with
    /// [`same_body`](Self::same_body), which needs a body to look at.
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

    /// Verifies every PUT without conditions as a create. By default a PUT is verified only with
    /// `If-None-Match: *`.
    ///
    /// Use it only where each PUT creates an item and the service refuses one whose item exists. If a
    /// PUT can also replace an item, the item that is found may be the old one, and a replacement
    /// that was lost is reported as 201 Created.
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

    /// Sets the closure that decides whether an item that exists is the one that the request creates,
    /// by the heads of the request and of the probe's response. Defaults to any item.
    ///
    /// If it returns false, the caller gets a conflict ([`Verified::Conflict`](super::Verified::Conflict)) and the request is
    /// not sent again. Without it, an item of the same name that another client made is taken for the
    /// request's own. It is not asked about deletes.
    ///
    /// ```
    /// use tower_http_retry::VerifyLayer;
    ///
    /// // This service returns the id of the request by which an item was made.
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

    /// Sets a closure that decides as [`same`](Self::same) does, by the whole answer to the probe:
    /// for services that name an item's owner in its content.
    ///
    /// The body of the answer is read up to `limit` bytes and passed to the closure in one piece; the
    /// caller then gets it unchanged, trailers included. It is read only if the item exists. With
    /// [`same`](Self::same) as well, both must agree; `same` is asked first, and if it returns false,
    /// the body is not read.
    ///
    /// - If the body is longer than `limit`, the error is [`Unverified`](super::Unverified).
    /// - If the body fails, its error is the attempt's, and the retry above probes anew if it takes
    ///   the error for transient.
    /// - A body that does not end is bounded only by a time-out for the attempt
    ///   ([`RetryLayer::attempt_timeout`](crate::RetryLayer::attempt_timeout)) or for the body.
    /// - A 204 has no body: the closure gets no bytes.
    /// - The probe of a create is sent as GET where it would be HEAD.
    /// - The bytes are those of the inner service. Compressed content has to be decompressed by a
    ///   layer below.
    ///
    /// ```
    /// use tower_http_retry::VerifyLayer;
    ///
    /// // The content of an item has a line with the id of the client that made it.
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

    /// Adds statuses by which the service says that a create or a delete was done before. Defaults to
    /// 409 and 412 for creates, and 404, 410 and 412 for deletes, which these are added to.
    ///
    /// ```
    /// use http::StatusCode;
    /// use tower_http_retry::VerifyLayer;
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
