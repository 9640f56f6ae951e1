//! Recipes for common clients.
//!
//! Each recipe is a function to copy. It takes the client that sends the requests, and returns a service
//! with the retries. The code below each function shows what it does, with services in memory or servers
//! on the local host.
//!
//! - [OAuth 2.0 tokens with `oauth2`](#oauth-20-tokens-with-oauth2)
//! - [reqwest with `tower-reqwest`](#reqwest-with-tower-reqwest)
//! - [A token that is renewed on 401](#a-token-that-is-renewed-on-401)
//! - [Another replica for each attempt](#another-replica-for-each-attempt)
//! - [Your own error type](#your-own-error-type)
//! - [An axum router as the inner service](#an-axum-router-as-the-inner-service)
//! - [A retry inside an axum server](#a-retry-inside-an-axum-server)
//! - [A reverse proxy](#a-reverse-proxy)
//! - [GitHub's rate limits](#githubs-rate-limits)
//! - [Reset headers of Anthropic and OpenAI](#reset-headers-of-anthropic-and-openai)
//! - [A service that is not `Clone`, and two time-outs](#a-service-that-is-not-clone-and-two-time-outs)
//!
//! Another page covers the [layers of tower-http](super::tower_http).
//!
//! # OAuth 2.0 tokens with `oauth2`
//!
//! The crate [`oauth2`] (version 5) calls a closure to send a request. A token request is a POST. By default,
//! it is only repeated if the server did not process it, such as after a 429 or a refused connection.
//! Microsoft's guidelines for token issuance say to retry on any 5xx as well. That is safe for a
//! client-credentials request: at worst, the server issues an additional token. It is not safe for an
//! authorization code or a single-use refresh token: the first attempt may have used it, and many servers
//! treat a second use as theft and revoke all tokens (RFC 6749, section 4.1.2; RFC 9700, section 4.14.2).
//! Therefore this client declares only client-credentials requests repeatable.
//!
//! ```
//! use std::error::Error;
//! use std::sync::Arc;
//!
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::{BodyExt, Full};
//! use oauth2::{AsyncHttpClient, HttpRequest};
//! use tower::{Service, ServiceBuilder};
//! use tower_http_retry::{BoxError, ReplayBody, RetryLayer, RetryOverride};
//!
//! type TokenError = Arc<dyn Error + Send + Sync>; // a `BoxError` does not implement `Error`
//!
//! /// The HTTP client that `oauth2` calls.
//! fn token_client<S, R>(
//!     client: S,
//! ) -> impl for<'c> AsyncHttpClient<'c, Error = TokenError, Future: Send> + Send + Sync
//! where
//!     S: Service<Request<ReplayBody<Full<Bytes>>>, Response = Response<R>> + Clone,
//!     S: Send + Sync + 'static,
//!     S::Error: Into<BoxError>,
//!     S::Future: Send,
//!     R: http_body::Body<Data: Send, Error: Into<BoxError> + Send> + Send + 'static,
//! {
//!     let client = ServiceBuilder::new().layer(RetryLayer::new()).service(client);
//!     move |request: HttpRequest| {
//!         let only_issues = only_issues(request.body());
//!         let mut request = request.map(Full::from);
//!         if only_issues {
//!             request.extensions_mut().insert(RetryOverride::new().repeatable(true));
//!         }
//!         let response = client.send(request);
//!         async move {
//!             let (head, body) = response.await?.into_parts();
//!             let body = body.collect().await.map_err(Into::into)?.to_bytes();
//!             Ok::<_, TokenError>(Response::from_parts(head, body.to_vec()))
//!         }
//!     }
//! }
//!
//! /// Whether a token request only issues a token, and does not use up a code or a refresh token.
//! fn only_issues(form: &[u8]) -> bool {
//!     let mut fields = form.split(|byte| *byte == b'&');
//!     fields.any(|field| field == b"grant_type=client_credentials")
//! }
//! # use std::sync::Mutex;
//! # use oauth2::basic::BasicClient;
//! # use oauth2::{AuthorizationCode, ClientId, ClientSecret, RefreshToken, TokenResponse, TokenUrl};
//! #
//! # const TOKEN: &str = r#"{"access_token": "t1", "token_type": "bearer"}"#;
//! #
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), BoxError> {
//! # // The statuses of the next responses, and the forms that were received.
//! # let statuses = Arc::new(Mutex::new(Vec::new()));
//! # let received = Arc::new(Mutex::new(Vec::new()));
//! # let respond_with = |next: &[u16]| {
//! #     *statuses.lock().unwrap() = next.iter().rev().copied().collect();
//! #     received.lock().unwrap().clear();
//! # };
//! # let issuer = {
//! #     let (statuses, received) = (statuses.clone(), received.clone());
//! #     tower::service_fn(move |request: Request<ReplayBody<Full<Bytes>>>| {
//! #         let (statuses, received) = (statuses.clone(), received.clone());
//! #         async move {
//! #             let form = request.into_body().collect().await?.to_bytes();
//! #             received.lock().unwrap().push(String::from_utf8(form.to_vec())?);
//! #             let status = statuses.lock().unwrap().pop().unwrap();
//! #             let body = if status == 200 { TOKEN } else { r#"{"error": "later"}"# };
//! #             Ok::<_, BoxError>(Response::builder().status(status).body(Full::<Bytes>::from(body))?)
//! #         }
//! #     })
//! # };
//! # let attempts = || received.lock().unwrap().len();
//!
//! let http = token_client(issuer);
//! let client = BasicClient::new(ClientId::new("app".to_owned()))
//!     .set_client_secret(ClientSecret::new("secret".to_owned()))
//!     .set_token_uri(TokenUrl::new("https://login.test/token".to_owned())?);
//!
//! // A client-credentials request is retried until it succeeds.
//! respond_with(&[503, 500, 200]);
//! let token = client.exchange_client_credentials().request_async(&http).await?;
//! assert_eq!(token.access_token().secret(), "t1");
//! assert_eq!(attempts(), 3);
//!
//! // A refresh token or a code is sent only once if the server may have acted on the request ..
//! let refresh_token = RefreshToken::new("r1".to_owned());
//! respond_with(&[503]);
//! assert!(client.exchange_refresh_token(&refresh_token).request_async(&http).await.is_err());
//! assert_eq!(attempts(), 1);
//!
//! respond_with(&[503]);
//! let code = AuthorizationCode::new("c1".to_owned());
//! assert!(client.exchange_code(code).request_async(&http).await.is_err());
//! assert_eq!(attempts(), 1);
//!
//! // .. and is sent again only if the server has not.
//! respond_with(&[429, 200]);
//! # fn is_send<T: Send>(future: T) -> T {
//! #     future
//! # }
//! # let _ = is_send(client.exchange_refresh_token(&refresh_token).request_async(&http));
//! client.exchange_refresh_token(&refresh_token).request_async(&http).await?;
//! assert_eq!(attempts(), 2);
//! # assert!(received.lock().unwrap().iter().all(|form| form.contains("refresh_token=r1")));
//! # Ok(())
//! # }
//! ```
//!
//! A client that only requests client credentials can use
//! [`Idempotency::also`](crate::Idempotency::also)`(Method::POST)` instead. Do not follow redirects in this
//! client: a redirect could send the secret to another server.
//!
//! # reqwest with `tower-reqwest`
//!
//! The crate [`tower-reqwest`](https://docs.rs/tower-reqwest) turns a reqwest client into a service that
//! takes requests of the crate `http`. Build the client without redirects and without retries: a redirect
//! below the retry hides [which request failed](crate#redirects), and two levels of retries multiply. With
//! the feature `reqwest`, this crate classifies reqwest's errors. That feature also has another service for a
//! reqwest client, `reqwest::Service`.
//!
#![cfg_attr(feature = "reqwest", doc = "```")]
#![cfg_attr(not(feature = "reqwest"), doc = "```ignore")]
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::Full;
//! use tower::{Service, ServiceBuilder};
//! use tower_http::map_request_body::MapRequestBodyLayer;
//! use tower_http_retry::{BoxError, RetryLayer};
//! use tower_reqwest::HttpClientLayer;
//!
//! fn client(
//!     builder: reqwest::ClientBuilder,
//! ) -> reqwest::Result<
//!     impl Service<
//!         Request<Full<Bytes>>,
//!         Response = Response<reqwest::Body>,
//!         Error = BoxError,
//!         Future: Send,
//!     > + Clone,
//! > {
//!     let client = builder
//!         .redirect(reqwest::redirect::Policy::none())
//!         .retry(reqwest::retry::never())
//!         .build()?;
//!     Ok(ServiceBuilder::new()
//!         .layer(RetryLayer::new().mark_responses())
//!         .layer(MapRequestBodyLayer::new(reqwest::Body::wrap))
//!         .layer(HttpClientLayer)
//!         .service(client))
//! }
//! # use std::sync::Arc;
//! # use std::sync::atomic::{AtomicU32, Ordering};
//! # use axum::Router;
//! # use axum::routing::{post, put};
//! # use http::{StatusCode, header::LOCATION};
//! # use http_body_util::BodyExt;
//! # use tokio::net::TcpListener;
//! # use tower::ServiceExt;
//! # use tower_http_retry::{Attempts, AttemptsHandle};
//! #
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), BoxError> {
//! # let orders = Arc::new(AtomicU32::new(0));
//! # let posts = orders.clone();
//! # let puts = Arc::new(AtomicU32::new(0));
//! # let put = put(async move |item: String| match puts.fetch_add(1, Ordering::Relaxed) {
//! #     0 => (StatusCode::SERVICE_UNAVAILABLE, String::new()),
//! #     _ => (StatusCode::OK, item),
//! # });
//! # let post = post(async move || {
//! #     posts.fetch_add(1, Ordering::Relaxed);
//! #     (StatusCode::SEE_OTHER, [(LOCATION, "/items/7")])
//! # });
//! # let router = Router::new().route("/items/7", put).route("/orders", post);
//! # let listener = TcpListener::bind("127.0.0.1:0").await?;
//! # let server = format!("http://{}", listener.local_addr()?);
//! # tokio::spawn(async { axum::serve(listener, router).await });
//! # let unused = TcpListener::bind("127.0.0.1:0").await?.local_addr()?;
//!
//! let client = client(reqwest::Client::builder())?;
//!
//! // A server that answers 503 once: the second attempt has the same body.
//! let request = Request::put(format!("{server}/items/7")).body(Full::from("an item"))?;
//! let response = client.clone().oneshot(request).await?;
//! assert_eq!(response.extensions().get::<Attempts>().unwrap().count, 2);
//! assert_eq!(response.into_body().collect().await?.to_bytes(), "an item");
//!
//! // A redirect is returned, not followed.
//! let request = Request::post(format!("{server}/orders")).body(Full::from("an order"))?;
//! let response = client.clone().oneshot(request).await?;
//! assert_eq!(response.status(), StatusCode::SEE_OTHER);
//! # assert_eq!(orders.load(Ordering::Relaxed), 1);
//!
//! // Nothing listens here. Even a POST is sent again, and the error is reqwest's.
//! let attempts = AttemptsHandle::new();
//! let request = Request::post(format!("http://{unused}/orders")).extension(attempts.clone());
//! # let request = request.extension(tower_http_retry::RetryOverride::new().max_retries(1));
//! let error = client.oneshot(request.body(Full::from("an order"))?).await.unwrap_err();
//! assert!(error.downcast::<reqwest::Error>()?.is_connect());
//! assert!(attempts.get().count > 1);
//! # Ok(())
//! # }
//! ```
//!
//! To follow redirects, put tower-http's `FollowRedirectLayer` above the retry, as on the page
//! [`tower_http`](super::tower_http).
//!
//! # A token that is renewed on 401
//!
//! A token can expire, or be revoked before that. A 401 means that the server did not process the request, so
//! the request can be sent again with a new token, regardless of its method. The classifier treats the first
//! 401 of a request as a refusal. A second 401 is returned. Each attempt is signed below the retry, with the
//! current token. If many requests get a 401 at the same time, one of them fetches the new token, and the
//! others wait for it.
//!
//! ```
//! use std::future::Future;
//! use std::sync::Arc;
//! use std::sync::atomic::{AtomicBool, Ordering};
//!
//! use bytes::Bytes;
//! use http::header::AUTHORIZATION;
//! use http::{HeaderValue, Request, Response, StatusCode};
//! use http_body_util::Full;
//! use tokio::sync::Mutex;
//! use tower::{Service, ServiceBuilder, ServiceExt};
//! use tower_http_retry::classify::{Class, Outcome, Verdict};
//! use tower_http_retry::{BoxError, ReplayBody, RetryLayer};
//!
//! type Body = Full<Bytes>;
//!
//! /// The token that all requests share.
//! struct Tokens<F> {
//!     fetch: F,
//!     current: Mutex<Option<HeaderValue>>,
//! }
//!
//! impl<F, Fetch> Tokens<F>
//! where
//!     F: Fn() -> Fetch,
//!     Fetch: Future<Output = Result<HeaderValue, BoxError>>,
//! {
//!     async fn get(&self) -> Result<HeaderValue, BoxError> {
//!         let mut current = self.current.lock().await; // one request fetches it, the others wait
//!         if let Some(token) = &*current {
//!             return Ok(token.clone());
//!         }
//!         let mut token = (self.fetch)().await?;
//!         token.set_sensitive(true);
//!         Ok(current.insert(token).clone())
//!     }
//!
//!     /// Discards a token that was rejected, unless it has been replaced already.
//!     async fn forget(&self, token: &HeaderValue) {
//!         let mut current = self.current.lock().await;
//!         current.take_if(|current| current == token);
//!     }
//! }
//!
//! /// Whether there was a 401. All attempts of a request share this flag.
//! #[derive(Clone, Default)]
//! struct Renewed(Arc<AtomicBool>);
//!
//! fn once_more_on_401(outcome: &Outcome<'_>) -> Verdict {
//!     let is_first = || {
//!         let renewed = outcome.extensions().get::<Renewed>();
//!         renewed.is_some_and(|renewed| !renewed.0.swap(true, Ordering::Relaxed))
//!     };
//!     match outcome.status() {
//!         Some(StatusCode::UNAUTHORIZED) if is_first() => Class::Refused.at_once(),
//!         _ => outcome.by_status(),
//!     }
//! }
//!
//! /// `fetch` returns the value of an `Authorization` header.
//! fn signed<S, R, F, Fetch>(
//!     client: S,
//!     fetch: F,
//! ) -> impl Service<Request<Body>, Response = Response<R>, Error = BoxError, Future: Send> + Clone
//! where
//!     S: Service<Request<ReplayBody<Body>>, Response = Response<R>> + Clone,
//!     S: Send + Sync + 'static,
//!     S::Error: Into<BoxError>,
//!     S::Future: Send,
//!     R: http_body::Body + Send + 'static,
//!     F: Fn() -> Fetch + Send + Sync + 'static,
//!     Fetch: Future<Output = Result<HeaderValue, BoxError>> + Send,
//! {
//!     let tokens = Arc::new(Tokens { fetch, current: Mutex::new(None) });
//!     ServiceBuilder::new()
//!         .map_request(|mut request: Request<Body>| {
//!             request.extensions_mut().insert(Renewed::default());
//!             request
//!         })
//!         .layer(RetryLayer::new().classify_fn(once_more_on_401))
//!         .service_fn(move |mut request: Request<_>| {
//!             let (client, tokens) = (client.clone(), tokens.clone());
//!             async move {
//!                 let token = tokens.get().await?;
//!                 request.headers_mut().insert(AUTHORIZATION, token.clone());
//!                 let response = client.oneshot(request).await.map_err(Into::into)?;
//!                 if response.status() == StatusCode::UNAUTHORIZED {
//!                     tokens.forget(&token).await;
//!                 }
//!                 Ok::<_, BoxError>(response)
//!             }
//!         })
//! }
//! # use std::sync::atomic::AtomicU32;
//! # use http_body_util::BodyExt;
//! # use tokio::task::JoinSet;
//! #
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), BoxError> {
//! # let valid = Arc::new(std::sync::Mutex::new("token 1".to_owned()));
//! # let acted_on = Arc::new(std::sync::Mutex::new(Vec::new()));
//! # let received = Arc::new(AtomicU32::new(0));
//! # let server = {
//! #     let (valid, acted_on, received) = (valid.clone(), acted_on.clone(), received.clone());
//! #     tower::service_fn(move |request: Request<ReplayBody<Body>>| {
//! #         let (valid, acted_on) = (valid.clone(), acted_on.clone());
//! #         received.fetch_add(1, Ordering::Relaxed);
//! #         async move {
//! #             let token = request.headers()[AUTHORIZATION].clone();
//! #             assert!(token.is_sensitive());
//! #             // Some responses take longer than fetching another token.
//! #             let body = request.into_body().collect().await?.to_bytes();
//! #             let order: u64 = std::str::from_utf8(&body)?.parse()?;
//! #             let is_valid = token == *valid.lock().unwrap();
//! #             tokio::time::sleep(std::time::Duration::from_secs(1 + order)).await;
//! #             let mut response = Response::new(Body::default());
//! #             match is_valid {
//! #                 true => acted_on.lock().unwrap().push(order),
//! #                 false => *response.status_mut() = StatusCode::UNAUTHORIZED,
//! #             }
//! #             Ok::<_, BoxError>(response)
//! #         }
//! #     })
//! # };
//! # let fetches = Arc::new(AtomicU32::new(0));
//! # let fetch = {
//! #     let fetches = fetches.clone();
//! #     move || {
//! #         let number = fetches.fetch_add(1, Ordering::Relaxed) + 1;
//! #         async move {
//! #             tokio::time::sleep(std::time::Duration::from_secs(1)).await;
//! #             Ok(HeaderValue::try_from(format!("token {number}"))?)
//! #         }
//! #     }
//! # };
//! # let order = |number: u64| Request::post("https://api.test/orders").body(Body::from(number.to_string()));
//! # let send_ten = async |client: &_| {
//! #     fn all<S>(client: &S, orders: impl Iterator<Item = Request<Body>>) -> JoinSet<StatusCode>
//! #     where
//! #         S: Service<Request<Body>, Response = Response<Body>, Error = BoxError, Future: Send>,
//! #         S: Clone + Send + 'static,
//! #     {
//! #         let mut requests = JoinSet::new();
//! #         for order in orders {
//! #             let response = client.clone().oneshot(order);
//! #             requests.spawn(async move { response.await.unwrap().status() });
//! #         }
//! #         requests
//! #     }
//! #     all(client, (0..10).map(|number| order(number).unwrap())).join_all().await
//! # };
//!
//! let client = signed(server, fetch);
//! let response = client.clone().oneshot(order(0)?).await?;
//! assert_eq!(response.status(), StatusCode::OK);
//! # assert_eq!(fetches.load(Ordering::Relaxed), 1);
//! # received.store(0, Ordering::Relaxed);
//! # acted_on.lock().unwrap().clear();
//!
//! // The token is revoked, and ten POSTs are sent at the same time. The server receives each of them twice,
//! // and acts on it once. Only one new token is fetched.
//! *valid.lock().unwrap() = "token 2".to_owned();
//! assert_eq!(send_ten(&client).await, [StatusCode::OK; 10]);
//! assert_eq!(received.swap(0, Ordering::Relaxed), 20);
//! assert_eq!(fetches.load(Ordering::Relaxed), 2);
//! # let mut orders = std::mem::take(&mut *acted_on.lock().unwrap());
//! # orders.sort();
//! # assert_eq!(orders, (0..10).collect::<Vec<_>>());
//!
//! // The server accepts no token: the second 401 is returned.
//! *valid.lock().unwrap() = "none".to_owned();
//! assert_eq!(client.oneshot(order(1)?).await?.status(), StatusCode::UNAUTHORIZED);
//! assert_eq!(received.load(Ordering::Relaxed), 2);
//! # Ok(())
//! # }
//! ```
//!
//! - `fetch` should have its own retries, for example those of the
//!   [first recipe](#oauth-20-tokens-with-oauth2). An error that it returns is classified as an error of the
//!   request.
//! - If a layer above follows redirects, sign only requests to the hosts that the token is for: redirected
//!   requests pass through this layer, too.
//!
//! # Another replica for each attempt
//!
//! A load balancer below the retry may send a retry to the same replica. tower's `Balance` compares the loads
//! of two random replicas. An attempt that has failed no longer counts as load, and if the load is measured
//! by response times (`PeakEwma`), a replica that fails fast is even preferred. `Balance` excludes only
//! replicas that fail in `poll_ready`. To use another replica for each attempt, choose it by the number of
//! the attempt:
//!
//! ```
//! use std::sync::Arc;
//! use std::sync::atomic::{AtomicUsize, Ordering};
//!
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::Full;
//! use tower::{Service, ServiceBuilder, ServiceExt};
//! use tower_http_retry::{BoxError, ReplayBody, RetryLayer};
//!
//! type Body = Full<Bytes>;
//!
//! /// The replica for the first attempt of a request.
//! #[derive(Clone, Copy)]
//! struct First(usize);
//!
//! fn over_replicas<S, R>(
//!     replicas: Arc<[S]>,
//! ) -> impl Service<Request<Body>, Response = Response<R>, Error = BoxError, Future: Send> + Clone
//! where
//!     S: Service<Request<ReplayBody<Body>>, Response = Response<R>> + Clone + Send + Sync,
//!     S::Error: Into<BoxError>,
//!     S::Future: Send,
//!     R: http_body::Body + Send,
//! {
//!     let requests = Arc::new(AtomicUsize::new(0));
//!     ServiceBuilder::new()
//!         .map_request(move |mut request: Request<Body>| {
//!             let first = First(requests.fetch_add(1, Ordering::Relaxed));
//!             request.extensions_mut().insert(first); // each attempt has this extension
//!             request
//!         })
//!         .layer(RetryLayer::new())
//!         .service_fn(move |request: Request<ReplayBody<Body>>| {
//!             let First(first) = *request.extensions().get().expect("set above");
//!             let retries = request.body().attempt().number() as usize - 1;
//!             let replica = &replicas[(first + retries) % replicas.len()];
//!             replica.clone().oneshot(request)
//!         })
//! }
//! # use std::sync::Mutex;
//! # use http::StatusCode;
//! #
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), BoxError> {
//! # let received = Arc::new(Mutex::new(Vec::new()));
//! # let replica = |number: usize, status: StatusCode| {
//! #     let received = received.clone();
//! #     tower::service_fn(move |_: Request<ReplayBody<Body>>| {
//! #         received.lock().unwrap().push(number);
//! #         let response = Response::builder().status(status).body(Body::default());
//! #         async move { response.map_err(BoxError::from) }
//! #     })
//! # };
//! # let (fails, works) = (StatusCode::BAD_GATEWAY, StatusCode::OK);
//!
//! // Two of three replicas fail. No request is sent to one of them twice.
//! let replicas = [replica(0, fails), replica(1, fails), replica(2, works)];
//! let client = over_replicas(replicas.into());
//! for _ in 0..3 {
//!     let request = Request::get("http://service.test/items/7").body(Body::default())?;
//!     assert_eq!(client.clone().oneshot(request).await?.status(), StatusCode::OK);
//! }
//! assert_eq!(*received.lock().unwrap(), [0, 1, 2, 1, 2, 2]);
//! # Ok(())
//! # }
//! ```
//!
//! If one client serves all hosts, change the authority of the request's URI there instead of choosing a
//! service.
//!
//! # Your own error type
//!
//! A retry returns a [`BoxError`](crate::BoxError): the error of the inner service, or one of this crate's.
//! Convert it to your type above the retry. If it is converted below, the classifier does not recognize the
//! error, and does not retry it.
//!
//! ```
//! use std::fmt;
//!
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::Full;
//! use hyper_util::client::legacy::Error as TransportError;
//! use tower::{Service, ServiceBuilder};
//! use tower_http_retry::{BoxError, ReplayBody, RetryError, RetryLayer};
//!
//! type Body = Full<Bytes>;
//!
//! #[derive(Debug)]
//! enum ClientError {
//!     Transport(TransportError),
//!     Retry(RetryError),
//!     Other(BoxError),
//! }
//!
//! impl From<BoxError> for ClientError {
//!     fn from(error: BoxError) -> Self {
//!         error
//!             .downcast()
//!             .map(|error| Self::Transport(*error))
//!             .or_else(|error| error.downcast().map(|error| Self::Retry(*error)))
//!             .unwrap_or_else(Self::Other)
//!     }
//! }
//!
//! fn client<S, R>(
//!     client: S,
//!     layer: RetryLayer,
//! ) -> impl Service<Request<Body>, Response = Response<R>, Error = ClientError, Future: Send> + Clone
//! where
//!     S: Service<Request<ReplayBody<Body>>, Response = Response<R>> + Clone + Send,
//!     S::Error: Into<BoxError>,
//!     S::Future: Send,
//!     R: http_body::Body + Send,
//! {
//!     ServiceBuilder::new().map_err(ClientError::from).layer(layer).service(client)
//! }
//!
//! impl fmt::Display for ClientError {
//!     fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
//!         match self {
//!             Self::Transport(_) => f.write_str("the request could not be sent"),
//!             Self::Retry(error) => error.fmt(f),
//!             Self::Other(error) => error.fmt(f),
//!         }
//!     }
//! }
//! # impl std::error::Error for ClientError {}
//! # use std::time::Duration;
//! # use http_body_util::Empty;
//! # use hyper_util::{client::legacy::Client, rt::TokioExecutor};
//! # use tower::ServiceExt;
//! #
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), BoxError> {
//! # let unused = tokio::net::TcpListener::bind("127.0.0.1:0").await?.local_addr()?;
//! # let hyper = Client::builder(TokioExecutor::new()).build_http();
//! # let get = |uri: &str| Request::get(uri).body(Body::default());
//! # let silent = tower::service_fn(async |_: Request<_>| -> Result<Response<Body>, BoxError> {
//! #     std::future::pending().await
//! # });
//! # let failing = tower::service_fn(async |_: Request<_>| -> Result<Response<Body>, BoxError> {
//! #     Err("no such account".into())
//! # });
//! # let layer = RetryLayer::new().max_retries(0).attempt_timeout(Duration::from_millis(5));
//!
//! // Nothing listens there.
//! let error = client(hyper, RetryLayer::new().max_retries(0)).oneshot(get(&format!("http://{unused}"))?);
//! assert!(matches!(error.await, Err(ClientError::Transport(error)) if error.is_connect()));
//!
//! // A service that does not respond in time.
//! let error = client(silent, layer.clone()).oneshot(get("http://service.test/")?).await.unwrap_err();
//! assert!(matches!(error, ClientError::Retry(RetryError::AttemptTimedOut { .. })));
//!
//! // Any other error of the inner service.
//! let error = client(failing, layer).oneshot(get("http://service.test/")?).await.unwrap_err();
//! assert_eq!(error.to_string(), "no such account");
//! # Ok(())
//! # }
//! ```
//!
//! # An axum router as the inner service
//!
//! A `Router` takes any body, and its error is `Infallible`, so no conversion is needed. This retries
//! requests to a server in the same process, for example in a test.
//!
//! ```
//! use axum::Router;
//! use axum::body::Body;
//! use http::{Request, Response};
//! use tower::{Service, ServiceBuilder};
//! use tower_http_retry::{BoxError, RetryLayer};
//!
//! fn client(
//!     router: Router,
//! ) -> impl Service<Request<Body>, Response = Response<Body>, Error = BoxError, Future: Send> + Clone {
//!     ServiceBuilder::new().layer(RetryLayer::new()).service(router)
//! }
//! # use std::sync::Arc;
//! # use std::sync::atomic::{AtomicU32, Ordering};
//! # use axum::routing::put;
//! # use http::StatusCode;
//! # use http_body_util::BodyExt;
//! # use tower::ServiceExt;
//! #
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), BoxError> {
//! # let count = Arc::new(AtomicU32::new(0));
//! # let counted = count.clone();
//!
//! // A handler that fails twice, and then returns the body that it receives.
//! let router = Router::new().route("/items/7", put(async move |item: String| {
//!     match counted.fetch_add(1, Ordering::Relaxed) {
//!         0 | 1 => Err(StatusCode::SERVICE_UNAVAILABLE),
//!         _ => Ok(item),
//!     }
//! }));
//! let request = Request::put("/items/7").body(Body::from("an item"))?;
//! let response = client(router).oneshot(request).await?;
//! assert_eq!(response.into_body().collect().await?.to_bytes(), "an item");
//! assert_eq!(count.load(Ordering::Relaxed), 3);
//! # Ok(())
//! # }
//! ```
//!
//! # A retry inside an axum server
//!
//! A server that forwards requests to another one can use the whole stack as a service of its router. A
//! service of an axum router must not fail, so a `HandleErrorLayer` above the retry turns its error into a
//! response. The example `proxy` also has request ids, spans and metrics.
//!
//! ```
//! use axum::Router;
//! use axum::body::Body;
//! use axum::error_handling::HandleErrorLayer;
//! use bytes::Bytes;
//! use http::{Request, Response, StatusCode};
//! use tower::{Service, ServiceBuilder};
//! use tower_http_retry::{BoxError, ReplayBody, RetryLayer};
//!
//! /// `upstream` forwards a request: it sets the authority of the URI, and the HTTP version.
//! fn gateway<S, R>(upstream: S) -> Router
//! where
//!     S: Service<Request<ReplayBody<Body>>, Response = Response<R>> + Clone,
//!     S: Send + Sync + 'static,
//!     S::Error: Into<BoxError>,
//!     S::Future: Send,
//!     R: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
//! {
//!     let stack = ServiceBuilder::new()
//!         .layer(HandleErrorLayer::new(async |_: BoxError| StatusCode::BAD_GATEWAY))
//!         .layer(RetryLayer::new().max_retries(2))
//!         .service(upstream);
//!     Router::new().fallback_service(stack)
//! }
//! # use std::io::{Error, ErrorKind};
//! # use std::sync::Arc;
//! # use std::sync::atomic::{AtomicU32, Ordering};
//! # use tower::ServiceExt;
//! #
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), BoxError> {
//! # let count = Arc::new(AtomicU32::new(0));
//! # let counted = count.clone();
//! # let upstream = tower::service_fn(move |_: Request<ReplayBody<Body>>| {
//! #     counted.fetch_add(1, Ordering::Relaxed);
//! #     async { Err::<Response<Body>, _>(Error::from(ErrorKind::ConnectionReset)) }
//! # });
//!
//! // An upstream whose connections break: a GET is sent three times, a POST once.
//! let router = gateway(upstream);
//! let response = router.clone().oneshot(Request::get("/items/7").body(Body::empty())?).await?;
//! assert_eq!(response.status(), StatusCode::BAD_GATEWAY);
//! assert_eq!(count.swap(0, Ordering::Relaxed), 3);
//!
//! let response = router.oneshot(Request::post("/items").body(Body::from("an item"))?).await?;
//! assert_eq!(response.status(), StatusCode::BAD_GATEWAY);
//! assert_eq!(count.load(Ordering::Relaxed), 1);
//! # // As a layer of the router.
//! # let counted = count.clone();
//! # let handler = axum::routing::get(async move || match counted.fetch_add(1, Ordering::Relaxed) {
//! #     1 => StatusCode::SERVICE_UNAVAILABLE,
//! #     _ => StatusCode::OK,
//! # });
//! # let layers = ServiceBuilder::new()
//! #     .layer(HandleErrorLayer::new(async |_: BoxError| StatusCode::BAD_GATEWAY))
//! #     .layer(RetryLayer::new())
//! #     .layer(tower_http::map_request_body::MapRequestBodyLayer::new(Body::new));
//! # let router = Router::new().route("/items/7", handler).layer(layers);
//! # let response = router.oneshot(Request::get("/items/7").body(Body::empty())?).await?;
//! # assert_eq!((response.status(), count.load(Ordering::Relaxed)), (StatusCode::OK, 3));
//! # Ok(())
//! # }
//! ```
//!
//! To retry the handlers of the server itself, pass the same layers to `Router::layer`, with
//! `MapRequestBodyLayer::new(Body::new)` below the retry.
//!
//! # A reverse proxy
//!
//! The bodies of requests and responses are streamed. Each request gets the host and the HTTP version of the
//! upstream. The example `proxy` also has request ids, spans, metrics and a page that shows the retries.
//!
//! ```
//! use axum::Router;
//! use axum::body::Body;
//! use axum::extract::Request;
//! use axum::http::uri::{Scheme, Uri};
//! use axum::http::{StatusCode, Version};
//! use hyper_util::client::legacy::Client;
//! use hyper_util::rt::TokioExecutor;
//! use tower::{ServiceBuilder, ServiceExt};
//! use tower_http_retry::RetryLayer;
//!
//! /// Passes all requests on to this host and port.
//! fn proxy(upstream: &'static str) -> Router {
//!     let client = ServiceBuilder::new()
//!         .layer(RetryLayer::new())
//!         .service(Client::builder(TokioExecutor::new()).build_http());
//!     Router::new().fallback(async move |mut request: Request| {
//!         let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
//!         let uri = Uri::builder().scheme(Scheme::HTTP).authority(upstream).path_and_query(path);
//!         *request.uri_mut() = uri.build().map_err(|_| StatusCode::BAD_REQUEST)?;
//!         *request.version_mut() = Version::HTTP_11; // the upstream's, whatever the client's is
//!         let response = client.clone().oneshot(request).await;
//!         let response = response.map_err(|_| StatusCode::BAD_GATEWAY)?;
//!         Ok::<_, StatusCode>(response.map(Body::new))
//!     })
//! }
//! # let _ = proxy("127.0.0.1:3000");
//! ```
//!
//! # GitHub's rate limits
//!
//! GitHub answers 403 or 429 to requests above its [rate limits]. If the primary limit is exceeded, a header
//! has the time at which it is renewed. If a secondary limit is exceeded, only the body says so, and without
//! a `Retry-After`, a client has to wait for at least a minute. A [`CommitLayer`](crate::CommitLayer) reads
//! the body for the classifier. For a 429, it does so only with
//! [`read_failures`](crate::CommitLayer::read_failures).
//!
//! ```
//! use std::time::{Duration, SystemTime};
//!
//! use bytes::Bytes;
//! use http::{Request, Response, StatusCode};
//! use http_body_util::Full;
//! use tower::{Service, ServiceBuilder};
//! use tower_http_retry::classify::{Class, Outcome, Verdict};
//! use tower_http_retry::{BoxError, CommitLayer, ReplayBody, RetryLayer};
//!
//! type Body = Full<Bytes>;
//!
//! fn by_github(outcome: &Outcome<'_>) -> Verdict {
//!     let verdict = outcome.by_status();
//!     let Ok(head) = outcome.result() else {
//!         return verdict;
//!     };
//!     if !matches!(head.status(), StatusCode::FORBIDDEN | StatusCode::TOO_MANY_REQUESTS) {
//!         return verdict;
//!     }
//!     let text = outcome.body().and_then(|body| std::str::from_utf8(body).ok());
//!     let is_primary = head.header("x-ratelimit-remaining") == Some("0");
//!     let is_secondary = text.is_some_and(|text| text.contains("secondary rate limit"));
//!     let limited = Verdict::from(Class::Refused); // GitHub did not act on the request
//!     if head.headers().contains_key("retry-after") && (is_primary || is_secondary) {
//!         limited
//!     } else if is_primary {
//!         let reset = head.header("x-ratelimit-reset").and_then(|unix| unix.parse().ok());
//!         let reset = Duration::from_secs(reset.unwrap_or(0)); // since 1970
//!         let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
//!         limited.exhausted(reset.saturating_sub(now.unwrap_or_default()))
//!     } else if is_secondary {
//!         limited.retry_after(Duration::from_secs(60))
//!     } else {
//!         verdict
//!     }
//! }
//!
//! fn github<S, R>(
//!     client: S,
//! ) -> impl Service<
//!     Request<Body>,
//!     Response = Response<impl http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send>,
//!     Error = BoxError,
//!     Future: Send,
//! > + Clone
//! where
//!     S: Service<Request<ReplayBody<Body>>, Response = Response<R>> + Clone + Send,
//!     S::Error: Into<BoxError>,
//!     S::Future: Send,
//!     R: http_body::Body<Data = Bytes, Error: Into<BoxError> + Send> + Send + Unpin,
//! {
//!     ServiceBuilder::new()
//!         .layer(RetryLayer::new().classify_fn(by_github))
//!         .layer(CommitLayer::whole(64 * 1024).read_failures(true))
//!         .service(client)
//! }
//! # use std::collections::VecDeque;
//! # use std::sync::Mutex;
//! # use http_body_util::BodyExt;
//! # use tokio::time::Instant;
//! # use tower::ServiceExt;
//! #
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), BoxError> {
//! # const LIMITED: &str = r#"{"message": "You have exceeded a secondary rate limit."}"#;
//! # const FORBIDDEN: &str = r#"{"message": "Resource not accessible by integration"}"#;
//! # type Answer = (u16, Option<(&'static str, String)>, &'static str);
//! # // Sends a request to a server that gives these answers, one after the other.
//! # let send = async |answers: Vec<Answer>| {
//! #     let answers = std::sync::Arc::new(Mutex::new(VecDeque::from(answers)));
//! #     let left = answers.clone();
//! #     let server = tower::service_fn(move |_: Request<ReplayBody<Body>>| {
//! #         let (status, header, text) = left.lock().unwrap().pop_front().unwrap();
//! #         let mut response = Response::builder().status(status);
//! #         if let Some((name, value)) = header {
//! #             response = response.header(name, value);
//! #             if name == "x-ratelimit-reset" {
//! #                 response = response.header("x-ratelimit-remaining", "0");
//! #             }
//! #         }
//! #         let response = response.body(Body::from(text));
//! #         async move { response.map_err(BoxError::from) }
//! #     });
//! #     let start = Instant::now();
//! #     let request = Request::post("https://api.github.test/issues").body(Body::from("{}")).unwrap();
//! #     let response = github(server).oneshot(request).await.unwrap();
//! #     assert!(answers.lock().unwrap().is_empty());
//! #     let status = response.status().as_u16();
//! #     let body = response.into_body().collect().await.map_err(Into::into).unwrap().to_bytes();
//! #     (status, body, start.elapsed().as_secs())
//! # };
//! # let created = (201, None, "{}");
//!
//! // The status, the body, and the seconds that a POST took. With jitter, the wait is up to half as long
//! // again as the server asks for.
//! let minute = send(vec![(403, None, LIMITED), created.clone()]).await;
//! assert!(matches!(minute, (201, _, 60..=90)));
//! let minute = send(vec![(429, None, LIMITED), created.clone()]).await;
//! assert!(matches!(minute, (201, _, 60..=90)));
//!
//! let told = send(vec![(403, Some(("retry-after", "20".to_owned())), LIMITED), created.clone()]).await;
//! assert!(matches!(told, (201, _, 20..=30)));
//!
//! // Any other 403 is returned, with its body.
//! let forbidden = send(vec![(403, None, FORBIDDEN)]).await;
//! assert_eq!(forbidden, (403, Bytes::from(FORBIDDEN), 0));
//! # // The primary limit, which is renewed in a minute and a half.
//! # let unix = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_secs() + 90;
//! # let reset = Some(("x-ratelimit-reset", unix.to_string()));
//! # let renewed = send(vec![(403, reset, "{}"), created]).await;
//! # assert!(matches!(renewed, (201, _, 88..=136)), "{renewed:?}");
//! # Ok(())
//! # }
//! ```
//!
//! The primary limit is renewed once an hour, and the default
//! [`max_retry_after`](crate::RetryLayer::max_retry_after) and [`window`](crate::RetryLayer::window) are five
//! minutes. If the wait would be longer, the response is returned immediately. With a
//! [`Cooldown`](crate::Cooldown), other requests also wait until the primary limit is renewed.
//!
//! # Reset headers of Anthropic and OpenAI
//!
//! Each of these providers has its own headers for the time at which a quota is renewed. The module
//! [`classify`](crate::classify) has a classifier for each, under
//! [rate-limit headers of one provider](crate::classify#rate-limit-headers-of-one-provider).
//!
//! # A service that is not `Clone`, and two time-outs
//!
//! tower's `RateLimit` is not `Clone`, so it goes below a `buffer`, whose handles are `Clone`. A time-out
//! above the retry limits the whole request, including its waits. A time-out below the retry limits each
//! attempt. The one at the bottom starts after the wait for the rate limit. In contrast,
//! [`RetryLayer::attempt_timeout`](crate::RetryLayer::attempt_timeout) includes the time in the buffer.
//!
#![cfg_attr(feature = "tower", doc = "```")]
#![cfg_attr(not(feature = "tower"), doc = "```ignore")]
//! use std::time::Duration;
//!
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::Full;
//! use tower::{Service, ServiceBuilder};
//! use tower_http_retry::{BoxError, ReplayBody, RetryLayer};
//!
//! type Body = Full<Bytes>;
//!
//! /// Has to be called inside a tokio runtime, because the buffer spawns a task.
//! fn limited<S, R>(
//!     client: S,
//! ) -> impl Service<Request<Body>, Response = Response<R>, Error = BoxError, Future: Send> + Clone
//! where
//!     S: Service<Request<ReplayBody<Body>>, Response = Response<R>> + Send + 'static,
//!     S::Error: Into<BoxError> + Send + Sync,
//!     S::Future: Send,
//!     R: http_body::Body + Send + 'static,
//! {
//!     ServiceBuilder::new()
//!         .timeout(Duration::from_secs(60)) // the whole request
//!         .layer(RetryLayer::new())
//!         .buffer(64)
//!         .rate_limit(10, Duration::from_secs(1))
//!         .timeout(Duration::from_secs(5)) // each attempt; needs this crate's feature `tower`
//!         .service(client)
//! }
//! # use std::sync::Arc;
//! # use std::sync::atomic::{AtomicU32, Ordering};
//! # use tokio::time::Instant;
//! # use tower::ServiceExt;
//! #
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), BoxError> {
//! # let count = Arc::new(AtomicU32::new(0));
//! # // Hangs for this number of attempts, and is not `Clone`.
//! # struct Client(Arc<AtomicU32>, u32);
//! # impl Service<Request<ReplayBody<Body>>> for Client {
//! #     type Response = Response<Body>;
//! #     type Error = BoxError;
//! #     type Future = std::pin::Pin<Box<dyn Future<Output = Result<Response<Body>, BoxError>> + Send>>;
//! #     fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), BoxError>> {
//! #         std::task::Poll::Ready(Ok(()))
//! #     }
//! #     fn call(&mut self, _: Request<ReplayBody<Body>>) -> Self::Future {
//! #         let hangs = self.0.fetch_add(1, Ordering::Relaxed) < self.1;
//! #         Box::pin(async move {
//! #             match hangs {
//! #                 true => std::future::pending().await,
//! #                 false => Ok(Response::new(Body::default())),
//! #             }
//! #         })
//! #     }
//! # }
//! # let get = || Request::get("http://service.test/").body(Body::default()).unwrap();
//! # let hangs = |times| Client(count.clone(), times);
//!
//! // The first attempt gets no response.
//! let start = Instant::now();
//! limited(hangs(1)).oneshot(get()).await?;
//! assert_eq!(count.swap(0, Ordering::Relaxed), 2);
//! assert!((6..=7).contains(&start.elapsed().as_secs())); // 5 s, and a wait of 1 to 2 s
//!
//! // No attempt gets a response.
//! let start = Instant::now();
//! let error = limited(hangs(u32::MAX)).oneshot(get()).await.unwrap_err();
//! assert!(error.is::<tower::timeout::error::Elapsed>());
//! assert_eq!(start.elapsed().as_secs(), 60);
//! # count.store(0, Ordering::Relaxed);
//!
//! // 25 concurrent requests are sent at 10 per second.
//! let start = Instant::now();
//! let client = limited(hangs(0));
//! # let mut requests = tokio::task::JoinSet::new();
//! # for _ in 0..25 {
//! #     requests.spawn(client.clone().oneshot(get()));
//! # }
//! # requests.join_all().await;
//! assert_eq!(start.elapsed().as_secs(), 2);
//! # assert_eq!(count.load(Ordering::Relaxed), 25);
//! # Ok(())
//! # }
//! ```
//!
//! [`oauth2`]: https://docs.rs/oauth2
//! [rate limits]: https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api
