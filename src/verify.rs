//! Verifying whether a create or a delete took effect before it is retried.
//!
//! If the response to a request is lost or is a 5xx, the server may nevertheless have acted on the request.
//! If the request is then repeated blindly, a create adds a duplicate or is answered 409, and a delete is
//! answered 404, so that the caller sees a failure although the operation succeeded.
//!
//! A [`VerifyLayer`] directly below a [`RetryLayer`](crate::RetryLayer) sends a *probe* before it repeats
//! such a request, usually a GET that shows whether the item exists. It implements the third of Microsoft's
//! retry guidelines: verify that an item does not exist before creating or deleting it again.
//!
//! # Which requests are verified
//!
//! A request is verified only if it is a retry, and the server may have acted on an earlier attempt
//! ([`Attempt::may_have_been_acted_on`](crate::Attempt::may_have_been_acted_on)). The method decides, too:
//!
//! | request | verified | probe |
//! |---|---|---|
//! | DELETE | yes | GET on the same URI |
//! | PUT with `If-None-Match: *` | yes | GET on the same URI |
//! | PUT without conditions | only with [`put_creates`](VerifyLayer::put_creates) | GET on the same URI |
//! | PUT with `If-Match`, `If-Unmodified-Since`, `Content-Range`, or entity tags in `If-None-Match` | no, because it changes an item | |
//! | POST | only with [`probe`](VerifyLayer::probe) | the request that this closure returns |
//! | any other method | no | |
//!
//! All other requests pass through unchanged: first attempts, retries after refusals (the server did not act
//! on those), and requests for which the closure of [`probe`](VerifyLayer::probe) returns `None`. The layer
//! acts only before a request is repeated. If the retry returns an outcome without a further attempt,
//! for example because the number of retries is reached or the body cannot be replayed, that outcome is
//! returned unverified.
//!
//! # What the probe decides
//!
//! The probe is sent through the same inner service. Its response decides what happens:
//!
//! | response to the probe | create (POST, PUT) | delete |
//! |---|---|---|
//! | 200, 203, 204: the item exists | done: 201 with the probe's response, or a conflict (see [`same`](VerifyLayer::same)) | the request is sent |
//! | 404, 410: there is no item | the request is sent | done: 204 |
//! | 408, 421, 425, 429, 5xx; an error | returned, so that the retry above backs off and probes again if it classifies the outcome as transient | the same |
//! | any other status, including other 2xx | the error [`Unverified`], which is permanent | the same |
//! | any status, after a redirect was followed | the error [`Unverified`] | the same |
//!
//! Other 2xx do not prove that the item exists: 202 means that an operation is still in progress, and 206
//! and 207 concern a part of a resource or several resources. A response after a redirect concerns
//! another resource (see [redirects](self#redirects)).
//!
//! A response that is made from the response to a probe carries [`Verified`] as an extension.
//!
//! If the request is sent and answered with a [conflict](VerifyLayer::conflict_statuses), such as 409 for a
//! create or 404 for a delete, the layer probes once more before it returns the conflict. It reads the body
//! of the conflict first, which frees its connection. A conflict whose body is longer than 64 KiB, or takes
//! longer than one second, is returned immediately. The conflict is also returned if the second probe cannot
//! be sent, or if it fails on the last attempt (with an error, 408, 421, 425, 429 or 5xx).
//!
//! # Settings
//!
//! | setter | what it sets | default |
//! |---|---|---|
//! | [`probe`](VerifyLayer::probe) | the request that checks whether the item exists | GET on the same URI for PUT and DELETE, none for POST |
//! | [`method`](VerifyLayer::method) | the method of all probes | that of the probe |
//! | [`put_creates`](VerifyLayer::put_creates) | verifies each PUT without conditions | off: only with `If-None-Match: *` |
//! | [`same`](VerifyLayer::same), [`same_body`](VerifyLayer::same_body) | whether an existing item is the one that the request creates | always |
//! | [`conflict_statuses`](VerifyLayer::conflict_statuses) | further statuses that are conflicts | 409 and 412; 404, 410 and 412 for deletes |
//!
//! # Example
//!
//! ```
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() {
//! use std::sync::Mutex;
//! use http::{Method, Request, Response, StatusCode, Uri};
//! use http_body_util::Empty;
//! use tower::{ServiceBuilder, ServiceExt};
//! use tower_http_retry::verify::Verified;
//! use tower_http_retry::{Attempts, BoxError, ReplayBody, RetryLayer, RetryOverride, VerifyLayer};
//!
//! /// The URI of the item that a POST creates. The caller chooses it, so the probe knows it.
//! #[derive(Clone)]
//! struct Item(Uri);
//!
//! // The service creates the item, but answers 500.
//! type Body = Empty<bytes::Bytes>;
//! let items = Mutex::new(Vec::new());
//! let service = |request: Request<ReplayBody<Body>>| {
//!     let mut items = items.lock().unwrap();
//!     let status = match *request.method() {
//!         Method::POST => {
//!             items.push(request.extensions().get::<Item>().unwrap().0.clone());
//!             StatusCode::INTERNAL_SERVER_ERROR
//!         }
//!         _ if items.contains(request.uri()) => StatusCode::OK,
//!         _ => StatusCode::NOT_FOUND,
//!     };
//!     let response = Response::builder().status(status).body(Body::new());
//!     async move { response.map_err(BoxError::from) }
//! };
//!
//! let verify = VerifyLayer::new().probe(|request| match *request.method() {
//!     Method::POST => {
//!         let Item(uri) = request.extensions().get()?;
//!         Request::get(uri).body(()).ok()
//!     }
//!     _ => Request::get(request.uri()).body(()).ok(),
//! });
//! let client = ServiceBuilder::new()
//!     .layer(RetryLayer::new().mark_responses())
//!     .layer(verify)
//!     .service_fn(service);
//!
//! // A POST is retried only if it is declared repeatable.
//! let item = Uri::from_static("http://service.test/items/alpha");
//! let create = Request::post("http://service.test/items")
//!     .extension(Item(item.clone()))
//!     .extension(RetryOverride::new().repeatable(true))
//!     .body(Body::new())
//!     .unwrap();
//! let response = client.oneshot(create).await.unwrap();
//! assert_eq!(response.status(), StatusCode::CREATED);
//! assert_eq!(response.extensions().get(), Some(&Verified::Created));
//! assert_eq!(response.extensions().get::<Attempts>().unwrap().count, 2);
//! assert_eq!(*items.lock().unwrap(), [item]);
//! # }
//! ```
//!
//! # When to verify
//!
//! - **A create for which the server chooses the id (POST).** If it is repeated blindly, it makes a
//!   duplicate, or fails if names are unique. The request must be [declared
//!   repeatable](crate::RetryOverride::repeatable), because a POST is not retried otherwise after the server
//!   may have acted on it. Declare single requests that are verified, rather than the method.
//! - **A create under a name that the client chooses (PUT)**, if the service refuses it when the item
//!   exists. Send `If-None-Match: *` with it. If the service does not support this header, use
//!   [`put_creates`](VerifyLayer::put_creates).
//! - **A delete** whose caller should not see a 404 for the item that it has just deleted.
//!
//! A PUT that replaces an item needs no verification. It can be repeated as it is, and the existence of the
//! item does not prove that it was replaced.
//!
//! # Alternatives
//!
//! If the service supports an idempotency key (`Idempotency-Key`), use it instead: the service then
//! recognizes a repeated request itself, at any time and in any order.
//!
//! If the service supports conditions (RFC 9110, section 13), send them in addition. With
//! `If-None-Match: *`, a create cannot replace an item that another client has created meanwhile. With
//! `If-Match`, a delete cannot delete a newer item. If a repeated create is then answered 412, this is
//! verified like any other conflict.
//!
//! # Race with an earlier attempt
//!
//! After a time-out, the server may still be working on the first attempt. If the probe arrives too early,
//! it finds no item, and the request is sent again. A service without unique names then creates two items.
//! Only the service can prevent this, with an idempotency key or conditions. Two things make it less likely:
//! unique names, because the conflict is then verified, and a wait that is longer than the service takes.
//!
//! # Redirects
//!
//! No layer or client below this layer may follow redirects. For example, a probe that is redirected to a
//! sign-in page is answered 200 whether the item exists or not. A redirected operation may be repeated
//! because of an error of another request.
//!
//! - Put tower-http's `FollowRedirect` above the retry.
//! - reqwest follows redirects by default. Turn this off with `redirect(reqwest::redirect::Policy::none())`.
//!
//! With the feature `tower-http`, this layer reads the `RequestUri` that a `FollowRedirect` below it adds to
//! responses. If it differs from the probe's URI, the error is [`Unverified`]. It also differs if a layer
//! between the two rewrites the URI; put such a layer above this one. Redirects that reqwest or another
//! client follows internally are not detected.
//!
//! # Stacking
//!
//! Put this layer directly below the retry. Its request body is a [`ReplayBody`](crate::ReplayBody), which
//! contains the number of the attempt, so a stack in which the layer has no effect does not compile. Put
//! layers that convert the body, and layers that sign requests, below it: probes are sent with the
//! request's headers and extensions (see [`probe`](VerifyLayer::probe)).
//!
//! One attempt can consist of up to three requests: the probe, the operation, and a probe for its conflict.
//!
//! - [`Attempts`](crate::Attempts), [`Event`](crate::event::Event)s and the budget count them as one attempt.
//! - The retry's [attempt time-out](crate::RetryLayer::attempt_timeout) covers all of them together. A
//!   time-out below this layer covers each one.
//! - The retry's window limits when an attempt may start, not when its operation is sent.
//!
//! The response body is a [`VerifyBody`]. To turn the layer off at run time, use a
//! [`probe`](VerifyLayer::probe) that returns `None`.
//!
//! If there are two retry layers above this layer, it takes the attempts of the upper one into account only
//! if that layer [marks them](crate::RetryLayer::mark_attempts).

mod answer;
mod body;
mod finding;
mod future;
mod layer;
mod leftover;
mod probe;
mod service;
mod settings;
mod step;
mod unverified;
mod verifying;

pub use body::VerifyBody;
pub use future::VerifyFuture;
pub use layer::VerifyLayer;
pub use service::Verify;
pub use unverified::Unverified;

pub use crate::verified::Verified;
