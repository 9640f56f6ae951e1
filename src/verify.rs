use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request, StatusCode, request, response};
use tower::Layer;

mod body;
mod finding;
mod future;
mod leftover;
mod probe;
mod service;
mod settings;
mod step;
mod unverified;
mod verified;
mod verifying;

pub use body::VerifyBody;
pub use future::VerifyFuture;
pub use service::Verify;
pub use unverified::Unverified;
pub use verified::Verified;

use settings::{SameBody, Settings};

/// Layer that applies [`Verify`], which checks whether a create or a delete took effect before
/// sending it again.
///
/// The server may have acted on a request whose response was lost or was a 5xx. If the request is
/// sent again blindly, a create makes a duplicate or is answered 409, and a delete is answered 404:
/// the caller sees a failure that did not happen. This layer goes under a
/// [`RetryLayer`](crate::RetryLayer). It implements the third of Microsoft's retry guidelines: verify
/// that an item does not exist before creating or deleting it again.
///
/// # What is verified
///
/// Only a retry after an attempt that the server may have acted on
/// ([`Attempt::may_have_been_acted_on`](crate::Attempt::may_have_been_acted_on)) is verified, and
/// only these requests:
///
/// | request | verified | probe |
/// |---|---|---|
/// | DELETE | yes | GET on the same URI |
/// | PUT with `If-None-Match: *` | yes | GET on the same URI |
/// | PUT without conditions | only with [`put_creates`](Self::put_creates) | GET on the same URI |
/// | PUT with `If-Match`, `If-Unmodified-Since`, `Content-Range`, or entity tags in `If-None-Match` | no: it changes an item | |
/// | POST | only with [`probe`](Self::probe) | what that closure returns |
/// | any other method | no | |
///
/// The layer sends the probe through the same inner service, and goes by the answer:
///
/// | answer to the probe | create (POST, PUT) | delete |
/// |---|---|---|
/// | 200, 203, 204: the item exists | done: 201 with the probe's response, or a conflict (see [`same`](Self::same)) | it is sent |
/// | 404, 410: there is no item | it is sent | done: 204 |
/// | 408, 421, 425, 429, 5xx; an error | returned, so that the retry above backs off and probes anew if it takes the outcome for transient | the same |
/// | any other status, other 2xx included | the error [`Unverified`], which is permanent | the same |
/// | any status, after a redirect was followed | the error [`Unverified`] | the same |
///
/// 202 says that something is still at work, 206 and 207 speak of parts or of several resources:
/// none of them proves that the item exists. An answer after a redirect is another resource's (see
/// [redirects](Self#redirects)).
///
/// A response that is made from the answer to a probe carries [`Verified`] as an extension. If the
/// operation is sent and answered with a [conflict](Self::conflict_statuses), the layer probes once
/// more before it returns the conflict. It reads the conflict first, to free its connection. A
/// conflict that is longer than 64 KiB, or that takes longer than a second to read, is returned at
/// once.
///
/// Everything else passes through unchanged: first attempts, retries after refusals (the server did
/// not act on those), and requests for which [`probe`](Self::probe) returns none. The layer only acts
/// before a request is sent again. What the retry returns after its last attempt, or because the body
/// cannot be replayed, is the service's own answer.
///
/// | setter | default |
/// |---|---|
/// | [`probe`](Self::probe) | GET on the same URI for PUT and DELETE; none for POST |
/// | [`method`](Self::method) | the probe's own |
/// | [`put_creates`](Self::put_creates) | off: PUT is verified only with `If-None-Match: *` |
/// | [`same`](Self::same), [`same_body`](Self::same_body) | any item that exists is taken for the one that the request creates |
/// | [`conflict_statuses`](Self::conflict_statuses) | 409, 412; for deletes 404, 410, 412 |
///
/// # Example
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() {
/// use std::sync::Mutex;
/// use http::{Method, Request, Response, StatusCode, Uri};
/// use http_body_util::Empty;
/// use tower::{ServiceBuilder, ServiceExt};
/// use tower_http_retry::{
///     Attempts, BoxError, ReplayBody, RetryLayer, RetryOverride, Verified, VerifyLayer,
/// };
///
/// /// Where that is which a POST creates: known to the caller, and so to the probe.
/// #[derive(Clone)]
/// struct Item(Uri);
///
/// // A service that does what it is asked, and then fails to say so.
/// type Body = Empty<bytes::Bytes>;
/// let items = Mutex::new(Vec::new());
/// let service = |request: Request<ReplayBody<Body>>| {
///     let mut items = items.lock().unwrap();
///     let status = match *request.method() {
///         Method::POST => {
///             items.push(request.extensions().get::<Item>().unwrap().0.clone());
///             StatusCode::INTERNAL_SERVER_ERROR
///         }
///         _ if items.contains(request.uri()) => StatusCode::OK,
///         _ => StatusCode::NOT_FOUND,
///     };
///     let response = Response::builder().status(status).body(Body::new());
///     async move { response.map_err(BoxError::from) }
/// };
///
/// let verify = VerifyLayer::new().probe(|head| match head.method {
///     Method::POST => {
///         let Item(uri) = head.extensions.get()?;
///         Request::get(uri).body(()).ok()
///     }
///     _ => Request::get(&head.uri).body(()).ok(),
/// });
/// let client = ServiceBuilder::new()
///     .layer(RetryLayer::new())
///     .layer(verify)
///     .service_fn(service);
///
/// // A POST is sent again only where it says that it may be.
/// let item = Uri::from_static("http://service.test/items/alpha");
/// let create = Request::post("http://service.test/items")
///     .extension(Item(item.clone()))
///     .extension(RetryOverride::new().repeatable(true))
///     .body(Body::new())
///     .unwrap();
/// let response = client.oneshot(create).await.unwrap();
/// assert_eq!(response.status(), StatusCode::CREATED);
/// assert_eq!(response.extensions().get(), Some(&Verified::Created));
/// assert_eq!(response.extensions().get::<Attempts>().unwrap().count, 2);
/// assert_eq!(*items.lock().unwrap(), [item]);
/// # }
/// ```
///
/// # When to verify
///
/// - A create under an id that the server chooses (POST). Sent again blindly, it makes a duplicate,
///   or fails if names are unique. It must be [declared
///   repeatable](crate::RetryOverride::repeatable), or it is not sent again at all. Declare the
///   requests that are verified, one by one, rather than the method.
/// - A create under a name that the client chooses (PUT), if the service refuses it when the item
///   exists. Send `If-None-Match: *` with it. If the service does not know that header, use
///   [`put_creates`](Self::put_creates).
/// - A delete whose caller should not see a 404 for the item that it has just deleted.
///
/// A PUT that replaces an item needs no verification. It can be repeated as it is, and the existence
/// of the item does not show that it was replaced.
///
/// # When another way is better
///
/// If the service takes an idempotency key (`Idempotency-Key`), use it: the service itself
/// recognizes a repeated request, at any time and in any order. If it takes conditions (RFC 9110,
/// section 13), send them as well: `If-None-Match: *` with a create, so that it cannot replace what
/// another client made meanwhile, and `If-Match` with a delete, so that it cannot delete a newer
/// item. The 412 that a repeated create then gets is verified like any conflict.
///
/// # The race with an attempt that still runs
///
/// After a timeout the first attempt may still be at work. A probe that comes too early finds
/// nothing, and the operation is sent: a service without unique names then makes two items. Only
/// the service can close that gap, by the means above. Unique names help (the conflict is then
/// verified), and so does a wait that is longer than the service works.
///
/// # Redirects
///
/// Nothing below this layer may follow redirects. A probe that is redirected to a sign-in page, for
/// example, is answered 200 whether the item exists or not, and a redirected operation may be
/// repeated after an error of another request than its own. tower-http's `FollowRedirect` goes above
/// the retry. reqwest follows redirects by default; turn that off with
/// `redirect(reqwest::redirect::Policy::none())`.
///
/// With the feature `tower-http`, this layer reads the `RequestUri` that a `FollowRedirect` below it
/// leaves on responses. If that is not the probe's URI, the answer is [`Unverified`]. Redirects that
/// reqwest or another client follows by itself cannot be seen.
///
/// # The stack
///
/// Probes are sent with the request's headers and extensions (see [`probe`](Self::probe)); a layer
/// that signs requests goes under this one. An attempt is made of up to three requests: the probe,
/// the operation, and a probe of its conflict. [`Attempts`](crate::Attempts),
/// [`Event`](crate::Event)s and the budget count them as one; an [attempt's
/// time-out](crate::RetryLayer::attempt_timeout) covers all of them, a time-out under this layer each
/// one. The window bounds when an attempt may start, not when its operation is sent.
///
/// The request body can be of any type whose default is an empty body, as
/// [`ReplayBody`](crate::ReplayBody)'s is, and axum's, tonic's and reqwest's are. The response body is
/// a [`VerifyBody`]; to leave the layer out at run time, give it a [`probe`](Self::probe) that returns
/// none.
///
/// Without a retry above, or with the retry under it, the layer does nothing.
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
    /// only for requests that are [verified at all](Self#what-is-verified): for a PUT without
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
    /// too, as in [the example above](Self#example): as a URI that has been parsed already, since a
    /// request whose probe cannot be built is not verified.
    pub fn probe<F>(self, probe: F) -> Self
    where
        F: Fn(&request::Parts) -> Option<Request<()>> + Send + Sync + 'static,
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
    /// If it returns false, the caller gets a conflict ([`Verified::Conflict`]) and the request is
    /// not sent again. Without it, an item of the same name that another client made is taken for the
    /// request's own. It is not asked about deletes.
    ///
    /// ```
    /// use tower_http_retry::VerifyLayer;
    ///
    /// // This service returns the id of the request by which an item was made.
    /// let layer = VerifyLayer::new()
    ///     .same(|request, found| request.headers.get("request-id") == found.headers.get("made-by"));
    /// # let _ = layer;
    /// ```
    pub fn same<F>(self, same: F) -> Self
    where
        F: Fn(&request::Parts, &response::Parts) -> bool + Send + Sync + 'static,
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
    /// - If the body is longer than `limit`, the error is [`Unverified`].
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
    ///     let client = request.headers.get("client-id").map(|id| id.as_bytes());
    ///     let owner = content.split(|byte| *byte == b'\n').find_map(|line| line.strip_prefix(b"owner: "));
    ///     client.is_some() && client == owner
    /// });
    /// # let _ = layer;
    /// ```
    pub fn same_body<F>(self, limit: usize, same: F) -> Self
    where
        F: Fn(&request::Parts, &response::Parts, &Bytes) -> bool + Send + Sync + 'static,
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
