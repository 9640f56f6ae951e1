//! Checking whether a create or a delete took effect before sending it again.
//!
//! The server may have acted on a request whose response was lost or was a 5xx. If the request is
//! sent again blindly, a create makes a duplicate or is answered 409, and a delete is answered 404:
//! the caller sees a failure that did not happen. A [`VerifyLayer`] goes right under a
//! [`RetryLayer`](crate::RetryLayer). It implements the third of Microsoft's retry guidelines: verify
//! that an item does not exist before creating or deleting it again.
//!
//! # What is verified
//!
//! Only a retry after an attempt that the server may have acted on
//! ([`Attempt::may_have_been_acted_on`](crate::Attempt::may_have_been_acted_on)) is verified, and
//! only these requests:
//!
//! | request | verified | probe |
//! |---|---|---|
//! | DELETE | yes | GET on the same URI |
//! | PUT with `If-None-Match: *` | yes | GET on the same URI |
//! | PUT without conditions | only with [`put_creates`](VerifyLayer::put_creates) | GET on the same URI |
//! | PUT with `If-Match`, `If-Unmodified-Since`, `Content-Range`, or entity tags in `If-None-Match` | no: it changes an item | |
//! | POST | only with [`probe`](VerifyLayer::probe) | what that closure returns |
//! | any other method | no | |
//!
//! The layer sends the probe through the same inner service, and goes by the answer:
//!
//! | answer to the probe | create (POST, PUT) | delete |
//! |---|---|---|
//! | 200, 203, 204: the item exists | done: 201 with the probe's response, or a conflict (see [`same`](VerifyLayer::same)) | it is sent |
//! | 404, 410: there is no item | it is sent | done: 204 |
//! | 408, 421, 425, 429, 5xx; an error | returned, so that the retry above backs off and probes anew if it takes the outcome for transient | the same |
//! | any other status, other 2xx included | the error [`Unverified`], which is permanent | the same |
//! | any status, after a redirect was followed | the error [`Unverified`] | the same |
//!
//! 202 says that something is still at work, 206 and 207 speak of parts or of several resources:
//! none of them proves that the item exists. An answer after a redirect is another resource's (see
//! [redirects](self#redirects)).
//!
//! A response that is made from the answer to a probe carries [`Verified`] as an extension. If the
//! operation is sent and answered with a [conflict](VerifyLayer::conflict_statuses), the layer probes once
//! more before it returns the conflict. It reads the conflict first, to free its connection. A
//! conflict that is longer than 64 KiB, or that takes longer than a second to read, is returned at
//! once.
//!
//! Everything else passes through unchanged: first attempts, retries after refusals (the server did
//! not act on those), and requests for which [`probe`](VerifyLayer::probe) returns none. The layer only acts
//! before a request is sent again. What the retry returns after its last attempt, or because the body
//! cannot be replayed, is the service's own answer.
//!
//! | setter | default |
//! |---|---|
//! | [`probe`](VerifyLayer::probe) | GET on the same URI for PUT and DELETE; none for POST |
//! | [`method`](VerifyLayer::method) | the probe's own |
//! | [`put_creates`](VerifyLayer::put_creates) | off: PUT is verified only with `If-None-Match: *` |
//! | [`same`](VerifyLayer::same), [`same_body`](VerifyLayer::same_body) | any item that exists is taken for the one that the request creates |
//! | [`conflict_statuses`](VerifyLayer::conflict_statuses) | 409, 412; for deletes 404, 410, 412 |
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
//! /// Where that is which a POST creates: known to the caller, and so to the probe.
//! #[derive(Clone)]
//! struct Item(Uri);
//!
//! // A service that does what it is asked, and then fails to say so.
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
//! // A POST is sent again only where it says that it may be.
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
//! - A create under an id that the server chooses (POST). Sent again blindly, it makes a duplicate,
//!   or fails if names are unique. It must be [declared
//!   repeatable](crate::RetryOverride::repeatable), or it is not sent again at all. Declare the
//!   requests that are verified, one by one, rather than the method.
//! - A create under a name that the client chooses (PUT), if the service refuses it when the item
//!   exists. Send `If-None-Match: *` with it. If the service does not know that header, use
//!   [`put_creates`](VerifyLayer::put_creates).
//! - A delete whose caller should not see a 404 for the item that it has just deleted.
//!
//! A PUT that replaces an item needs no verification. It can be repeated as it is, and the existence
//! of the item does not show that it was replaced.
//!
//! # When another way is better
//!
//! If the service takes an idempotency key (`Idempotency-Key`), use it: the service itself
//! recognizes a repeated request, at any time and in any order. If it takes conditions (RFC 9110,
//! section 13), send them as well: `If-None-Match: *` with a create, so that it cannot replace what
//! another client made meanwhile, and `If-Match` with a delete, so that it cannot delete a newer
//! item. The 412 that a repeated create then gets is verified like any conflict.
//!
//! # The race with an attempt that still runs
//!
//! After a timeout the first attempt may still be at work. A probe that comes too early finds
//! nothing, and the operation is sent: a service without unique names then makes two items. Only
//! the service can close that gap, by the means above. Unique names help (the conflict is then
//! verified), and so does a wait that is longer than the service works.
//!
//! # Redirects
//!
//! Nothing below this layer may follow redirects. A probe that is redirected to a sign-in page, for
//! example, is answered 200 whether the item exists or not, and a redirected operation may be
//! repeated after an error of another request than its own. tower-http's `FollowRedirect` goes above
//! the retry. reqwest follows redirects by default; turn that off with
//! `redirect(reqwest::redirect::Policy::none())`.
//!
//! With the feature `tower-http`, this layer reads the `RequestUri` that a `FollowRedirect` below it
//! leaves on responses. If that is not the probe's URI, the answer is [`Unverified`]; so it is if a
//! layer between the two rewrites the URI, which belongs above this one. Redirects that reqwest or
//! another client follows by itself cannot be seen.
//!
//! # The stack
//!
//! Probes are sent with the request's headers and extensions (see [`probe`](VerifyLayer::probe)); a layer
//! that signs requests goes under this one. An attempt is made of up to three requests: the probe,
//! the operation, and a probe of its conflict. [`Attempts`](crate::Attempts),
//! [`Event`](crate::event::Event)s and the budget count them as one; an [attempt's
//! time-out](crate::RetryLayer::attempt_timeout) covers all of them, a time-out under this layer each
//! one. The window bounds when an attempt may start, not when its operation is sent.
//!
//! The layer stands right under the retry: its request body is a
//! [`ReplayBody`](crate::ReplayBody), which knows the number of the attempt, so that a stack in which
//! it could do nothing does not compile. What converts the body goes under it. The response body is a
//! [`VerifyBody`]; to leave the layer out at run time, give it a [`probe`](VerifyLayer::probe) that
//! returns none.
//!
//! Where one retry layer stands above another, the layer under the lower one knows of the attempts of
//! the upper one only if that [marks them](crate::RetryLayer::mark_attempts).

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
