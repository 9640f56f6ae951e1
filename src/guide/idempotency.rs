//! Which requests are retried, idempotency keys, and verification.
//!
//! A failed request may have taken effect anyway: the server acted on it, and then the response was lost or
//! was a 5xx. Sending it again could create a second order. Therefore, whether a failed request is retried
//! depends on two questions: what the outcome says about the server, and whether the request is safe to
//! repeat.
//!
//! # What the outcome says
//!
//! The classifier assigns a [`Class`] to each outcome. These are the classes of the default, [`ByStatus`]:
//!
//! | class | outcomes | retried |
//! |---|---|---|
//! | [`Class::Success`] | 1xx, 2xx, 3xx | no |
//! | [`Class::Permanent`] | 4xx other than 429; an invalid URI or certificate; a request body that failed; unknown errors | no |
//! | [`Class::Refused`] | 429, a refused connection, an HTTP/2 stream that the server refused | any request, since the server did not process it |
//! | [`Class::Transient`] | 5xx, a time-out, a connection that broke | only requests that are safe to repeat |
//!
//! # Requests that are safe to repeat
//!
//! [`Idempotency`] determines which requests are safe to repeat. By default, these are:
//!
//! - requests with an idempotent method: GET, HEAD, OPTIONS, TRACE, PUT and DELETE ([RFC 9110,
//!   section 9.2.2]), and QUERY;
//! - requests with an `Idempotency-Key` or `X-Idempotency-Key` header that is not empty.
//!
//! A CONNECT, or a request with an `Upgrade` header, is never repeated.
//!
//! ```
//! use http::{HeaderName, Method, Request};
//! use tower_http_retry::{Idempotency, RetryLayer, RetryOverride};
//!
//! // For all requests: a PATCH of this service is a merge patch, which is safe to repeat, and the service
//! // has its own header for idempotency keys.
//! let idempotency = Idempotency::new()
//!     .also(Method::PATCH)
//!     .key(HeaderName::from_static("client-request-id"));
//! let layer = RetryLayer::new().idempotency(idempotency);
//! # let _ = layer;
//!
//! // For one request: this POST only starts a search.
//! let search = Request::post("https://service.test/search")
//!     .extension(RetryOverride::new().repeatable(true))
//!     .body(())?;
//! # let _ = search;
//! # Ok::<_, http::Error>(())
//! ```
//!
//! # Idempotency keys
//!
//! Many services recognize a repeated POST by a key, as described in
//! [draft-ietf-httpapi-idempotency-key-header]: they act on the first request with a key, and answer later
//! ones with the same response. This is the best way to retry a create, if the service supports it.
//! [`RetryLayer::idempotency_key`] adds a new key to each POST and PATCH that has none. All attempts of a
//! request have the same key:
//!
//! ```
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), tower_http_retry::BoxError> {
//! use std::collections::HashSet;
//! use std::sync::Mutex;
//! use bytes::Bytes;
//! use http::{HeaderValue, Request, Response, StatusCode};
//! use http_body_util::Full;
//! use tower::ServiceBuilder;
//! use tower_http_retry::{BoxError, ReplayBody, RetryLayer};
//!
//! // A service that acts once for each key. The response to the first attempt is lost.
//! let orders = Mutex::new(HashSet::new());
//! let service = async |request: Request<ReplayBody<Full<Bytes>>>| {
//!     let is_new = orders.lock().unwrap().insert(request.headers()["idempotency-key"].clone());
//!     let status = if is_new { StatusCode::BAD_GATEWAY } else { StatusCode::CREATED };
//!     Ok::<_, BoxError>(Response::builder().status(status).body(Full::<Bytes>::default())?)
//! };
//!
//! let new_key = || HeaderValue::try_from(uuid::Uuid::new_v4().to_string()).unwrap();
//! let client = ServiceBuilder::new()
//!     .layer(RetryLayer::new().idempotency_key(new_key))
//!     .service_fn(service);
//!
//! let order = Request::post("http://service.test/orders").body(Full::from("an order"))?;
//! assert_eq!(client.send(order).await?.status(), StatusCode::CREATED);
//! assert_eq!(orders.lock().unwrap().len(), 1);
//! # Ok(())
//! # }
//! ```
//!
//! If the service is still working on the first attempt, it answers 409 to the second. [`ByStatus`] retries a
//! 409 if it is the response to a retry with a key, after an attempt that the server may have acted on. Any
//! other 409 is permanent.
//!
//! A key does not help if the service ignores it. For such services, use [`Idempotency::without_keys`]: then
//! a key that a caller has set does not make a request repeatable.
//!
//! # Verification
//!
//! Without keys, the client can check whether the first attempt took effect. This is the third of Microsoft's
//! retry guidelines: verify that an item does not exist before creating or deleting it again. A
//! [`VerifyLayer`] below the retry checks this with a GET:
//!
//! | request | the GET finds the item | the GET finds none |
//! |---|---|---|
//! | a create | it took effect: 201 is returned | the request is sent again |
//! | a delete | the request is sent again | it took effect: 204 is returned |
//!
//! Deletes are verified by default. A PUT is verified if it creates, with `If-None-Match: *` or
//! [`put_creates`](crate::VerifyLayer::put_creates). A POST needs a [`probe`](crate::VerifyLayer::probe),
//! which requests the new item, and has to be declared repeatable. The module [`verify`](crate::verify) has
//! the rules and an example.
//!
//! Conditional requests are better, if the service supports them: a PUT with `If-None-Match: *` creates an
//! item at most once, and a PUT with `If-Match` changes a given version at most once.
//!
//! # Redirects
//!
//! These rules apply to the request that failed. If a client follows redirects below the retry, the outcome
//! may belong to another request: see [redirects](crate#redirects).
//!
//! [`ByStatus`]: crate::ByStatus
//! [`Class`]: crate::classify::Class
//! [`Class::Success`]: crate::classify::Class::Success
//! [`Class::Permanent`]: crate::classify::Class::Permanent
//! [`Class::Refused`]: crate::classify::Class::Refused
//! [`Class::Transient`]: crate::classify::Class::Transient
//! [`Idempotency`]: crate::Idempotency
//! [`Idempotency::without_keys`]: crate::Idempotency::without_keys
//! [`RetryLayer::idempotency_key`]: crate::RetryLayer::idempotency_key
//! [`VerifyLayer`]: crate::VerifyLayer
//! [RFC 9110, section 9.2.2]: https://www.rfc-editor.org/rfc/rfc9110.html#section-9.2.2
//! [draft-ietf-httpapi-idempotency-key-header]: https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/
