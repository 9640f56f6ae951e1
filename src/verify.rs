use std::fmt;
use std::sync::Arc;

use http::{Method, Request, StatusCode, request, response};
use tower::Layer;

mod body;
mod finding;
mod future;
mod probe;
mod service;
mod unverified;
mod verified;
mod verifying;

pub use body::VerifyBody;
pub use future::VerifyFuture;
pub use service::Verify;
pub use unverified::Unverified;
pub use verified::Verified;

use finding::{Finding, Operation};

/// Asks whether a create or a delete was done, before it is done again.
///
/// The server may have acted on a request whose answer was lost, or was a 5xx. Sent again blindly,
/// a create makes a duplicate or is answered 409, and a delete 404: the caller is told of a failure
/// that did not happen. This layer goes under a [`RetryLayer`](crate::RetryLayer), and follows the
/// third of Microsoft's retry guidelines: verify that an item does not exist before it is created
/// or deleted again.
///
/// It acts on POST, PUT and DELETE, and only on a retry of a request that may have been acted on
/// ([`Attempt::may_have_been_acted_on`](crate::Attempt::may_have_been_acted_on)): it sends a probe, through the same service.
///
/// | the probe is answered | create (POST, PUT) | delete |
/// |---|---|---|
/// | 2xx | done: 201, with the probe's response; or a conflict, see [`same`](Self::same) | it is sent |
/// | 404, 410 | it is sent | done: 204 |
/// | 408, 421, 425, 429, 5xx; an error | handed up: where the retry takes it for passing, it backs off and asks anew | the same |
/// | anything else | the error [`Unverified`], which is permanent | the same |
///
/// A response that comes of a probe carries [`Verified`] as an extension. Where the operation is
/// sent and answered with a [conflict](Self::conflict_statuses), the item is asked for once more
/// before that is handed up as a failure. (To free its connection meanwhile, the conflict is read
/// first. One that is longer than 64 KiB, or takes longer than a second, is handed up at once.)
///
/// All else passes through as it is: first attempts, retries after a refusal (nobody acted on
/// those), other methods, and requests that the probe's maker has no probe for; and a PUT that
/// changes an item, of which it says nothing that the item exists: one with `If-Match`,
/// `If-Unmodified-Since`, `Content-Range`, or `If-None-Match` other than `*`.
///
/// Only what is sent again is verified. What the retry hands over after its last attempt, or
/// because the body cannot be replayed, is as the service answered it.
///
/// | setter | default |
/// |---|---|
/// | [`probe`](Self::probe) | GET on the same URI, for PUT and DELETE; nothing for POST |
/// | [`method`](Self::method) | as the probe says |
/// | [`same`](Self::same) | any item is the one |
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
/// - A create under an id that the server makes (POST): sent again blindly, it makes a duplicate,
///   or fails where names are unique. It must be [declared
///   repeatable](crate::RetryOverride::repeatable), or it is not sent again at all; declare
///   creates that are verified, one by one, rather than the method.
/// - A create under the client's own name (PUT) that the service refuses when the item exists.
///   **Where PUT replaces**, it may be repeated as it is, and an item that exists does not show
///   that it was replaced: with the default, a change that was not made is told as made. Let
///   [`probe`](Self::probe) answer none, give [`same`](Self::same), or send `If-Match`.
/// - A delete whose caller should not be told 404 of what it has just deleted.
///
/// # When another way is better
///
/// Where the service takes an idempotency key (`Idempotency-Key`), use it: the service itself
/// recognizes a repeated request, at any time and in any order. Where it takes conditions (RFC
/// 9110, section 13), send them as well: `If-None-Match: *` with a create, so that it cannot
/// replace what another client made meanwhile, and `If-Match` with a delete, so that it cannot
/// delete what was made anew. The 412 that a repeated create then gets is verified as any conflict.
///
/// # The race with an attempt that still runs
///
/// After a time-out the first attempt may still be at work. A probe that comes too early finds
/// nothing, and the operation is sent: a service without unique names then makes two items. Only
/// the service can close that gap, by the means above. What helps: names that are unique (the
/// conflict is then verified), and a wait that is longer than the service works.
///
/// # The stack
///
/// Probes are sent with the request's headers and extensions (see [`probe`](Self::probe)); what
/// signs requests goes under this layer. An attempt is made of up to three requests: the probe, the
/// operation, and a probe of its conflict. For [`Attempts`](crate::Attempts),
/// [`Event`](crate::Event)s and the budget they are one; an [attempt's
/// time-out](crate::RetryLayer::attempt_timeout) is for all of them, a time-out under this layer is
/// for each. The window says when an attempt may start, not when its operation is sent.
///
/// The request's body can be of any type whose default is an empty body, as
/// [`ReplayBody`](crate::ReplayBody)'s is, and axum's, tonic's and reqwest's are. The response's
/// comes as a [`VerifyBody`]; to leave the layer out at run time, give it a [`probe`](Self::probe)
/// that is none.
///
/// Without a retry above, or with the retry under it, the layer does nothing.
#[must_use = "a layer does nothing until it wraps a service"]
#[derive(Clone)]
pub struct VerifyLayer {
    settings: Arc<Settings>,
}

#[derive(Clone)]
struct Settings {
    probe: Arc<Probe>,
    method: Option<Method>,
    same: Option<Arc<Same>>,
    conflict_statuses: Vec<StatusCode>,
}

type Probe = dyn Fn(&request::Parts) -> Option<Request<()>> + Send + Sync;
type Same = dyn Fn(&request::Parts, &response::Parts) -> bool + Send + Sync;

impl VerifyLayer {
    /// Verifies PUT and DELETE, by GET on the same URI.
    pub fn new() -> Self {
        Self {
            settings: Arc::new(Settings {
                probe: Arc::new(probe::on_the_same_uri),
                method: None,
                same: None,
                conflict_statuses: Vec::new(),
            }),
        }
    }

    /// What makes the probe of a POST, PUT or DELETE from the request's head; none for a request
    /// that is not to be verified, and so is sent again as it is. It replaces the default for PUT
    /// and DELETE.
    ///
    /// A probe must be answered 404 or 410 where there is no such item. The collection that a POST
    /// goes to, or a search that answers 200 with an empty list, does not tell: bodies are not read
    /// to decide, and a create that was not done would be taken for done. The body that the caller
    /// gets is the one that the probe is answered with.
    ///
    /// What is left to the request: the host, where the probe's URI names none; the version of
    /// HTTP; the extensions; and the headers that the probe does not have, but for those about
    /// content, conditions, ranges, idempotency keys and the like. To another host no headers of
    /// the request are sent: credentials may stand there. What the probe has itself is sent, but
    /// for the length of a body. No cache may answer it (`Cache-Control: no-cache`).
    ///
    /// The name of what is created is often in the body only. Put it among the request's
    /// extensions, too, as in [the example above](Self#example): as a URI that is known to be one,
    /// since a probe that cannot be made is none.
    pub fn probe<F>(self, probe: F) -> Self
    where
        F: Fn(&request::Parts) -> Option<Request<()>> + Send + Sync + 'static,
    {
        self.with(|settings| settings.probe = Arc::new(probe))
    }

    /// The method of all probes: HEAD, where the item itself is not wanted.
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

    /// Whether the item that exists is the one that the request creates, by the heads of the
    /// request and of the probe's response. If not, the caller is told of a conflict
    /// ([`Verified::Conflict`]); the request is not sent again.
    ///
    /// ```
    /// use tower_http_retry::VerifyLayer;
    ///
    /// // This service tells by which request an item was made.
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

    /// Further statuses by which the service says that a create or a delete was done before: beside
    /// 409 and 412 for creates, 404, 410 and 412 for deletes.
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

impl Settings {
    /// What is to be verified of a request, and the probe that asks for it.
    fn question(&self, head: &request::Parts) -> Option<(Operation, Request<()>)> {
        let operation = Operation::of(head)?;
        let mut probe = probe::complete((self.probe)(head)?, head);
        if let Some(method) = &self.method {
            *probe.method_mut() = method.clone();
        }
        Some((operation, probe))
    }

    fn finding(
        &self,
        operation: Operation,
        head: &request::Parts,
        probed: &response::Parts,
    ) -> Finding {
        let same = self.same.as_ref();
        operation.finding(probed, |probed| same.is_none_or(|same| same(head, probed)))
    }

    fn is_conflict(&self, operation: Operation, status: StatusCode) -> bool {
        operation.is_conflict(status) || self.conflict_statuses.contains(&status)
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

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("method", &self.method)
            .field("conflict_statuses", &self.conflict_statuses)
            .finish_non_exhaustive()
    }
}
