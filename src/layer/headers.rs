use std::sync::Arc;

use http::{HeaderName, HeaderValue};

use super::RetryLayer;
use crate::deadline_header::{DeadlineHeader, DeadlineUnit};

/// Request headers.
impl<C> RetryLayer<C> {
    /// Sets a function that creates idempotency keys. Defaults to none: no key is added.
    ///
    /// It is called once for each POST and PATCH that has no key yet, and the key is the same on all
    /// attempts of the request. A request with a key is retried like one with an idempotent method: use
    /// this only for services that recognize a repeated key, as described in
    /// [draft-ietf-httpapi-idempotency-key-header].
    ///
    /// The key is sent in the first header that [`Idempotency`](crate::Idempotency) recognizes as a key. By
    /// default, this is `Idempotency-Key`. If there is no such header, no key is added. The function must
    /// return a new, unguessable value on each call, such as a random UUID of the crate `uuid` (feature
    /// `v4`). A request is not repeated if its key is empty, or if its header map has no room for one.
    ///
    /// See [idempotency keys](crate::guide::idempotency#idempotency-keys) in the guide.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), tower_http_retry::BoxError> {
    /// use bytes::Bytes;
    /// use http::{HeaderValue, Request, Response};
    /// use http_body_util::Full;
    /// use tower::ServiceBuilder;
    /// use tower_http_retry::{BoxError, ReplayBody, RetryLayer};
    ///
    /// fn new_key() -> HeaderValue {
    ///     let uuid = uuid::Uuid::new_v4().to_string();
    ///     HeaderValue::try_from(uuid).expect("hexadecimal digits and hyphens")
    /// }
    ///
    /// // Fails once; then it answers with the key that it was sent.
    /// let client = ServiceBuilder::new()
    ///     .layer(RetryLayer::new().idempotency_key(new_key))
    ///     .service_fn(async |request: Request<ReplayBody<Full<Bytes>>>| {
    ///         let status = if request.body().attempt().number() == 1 { 503 } else { 201 };
    ///         let response = Response::builder().status(status);
    ///         let response = response.header("key", &request.headers()["idempotency-key"]);
    ///         Ok::<_, BoxError>(response.body(Full::<Bytes>::default())?)
    ///     });
    ///
    /// let response = client.send(Request::post("/orders").body(Full::from("an order"))?).await?;
    /// assert_eq!(response.status(), 201);
    /// assert_eq!(response.headers()["key"].len(), 36);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// [draft-ietf-httpapi-idempotency-key-header]: https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/
    pub fn idempotency_key(
        self,
        new_key: impl Fn() -> HeaderValue + Send + Sync + 'static,
    ) -> Self {
        self.with(|settings| settings.new_key = Some(Arc::new(new_key)))
    }

    /// Sets the header in which the time that is left is sent. Defaults to none.
    ///
    /// Its value is the smaller of the rest of the [window](Self::window) and the
    /// [time-out of the attempt](Self::attempt_timeout). It is updated on each attempt. It is a whole number,
    /// rounded down, and at least 1. It is not added if there is no limit, or if the header map has no room
    /// for it.
    ///
    /// If a request already has the header, for example because a proxy forwards it, that deadline limits the
    /// window of the request and the value that is sent. If there are several values, the least is used. A
    /// value that is zero or not a whole number is ignored, and replaced if there is a limit.
    ///
    /// Layers below that send further requests for an attempt, such as a [`HedgeLayer`](crate::HedgeLayer) or
    /// a [`VerifyLayer`](crate::VerifyLayer), send the value of that attempt. If a layer above follows a
    /// redirect, the window and the time in the header start again.
    ///
    /// Do not use a header that frames or routes requests, such as `Content-Length`. gRPC's `grpc-timeout`
    /// does not need this setting: see `RetryLayer::grpc`.
    ///
    /// ```
    /// use http::HeaderName;
    /// use std::time::Duration;
    /// use tower_http_retry::{DeadlineUnit, RetryLayer};
    ///
    /// let header = HeaderName::from_static("x-envoy-expected-rq-timeout-ms");
    /// let layer = RetryLayer::new()
    ///     .window(Duration::from_secs(20))
    ///     .attempt_timeout(Duration::from_secs(5))
    ///     .deadline_header(header, DeadlineUnit::Milliseconds);
    /// # let _ = layer;
    /// ```
    #[doc(alias = "timeout_header")]
    pub fn deadline_header(self, name: HeaderName, unit: DeadlineUnit) -> Self {
        let header = DeadlineHeader { name, unit };
        self.with(|settings| settings.deadline_header = Some(header))
    }

    /// Sets the header in which the number of retries so far is sent. Defaults to none.
    ///
    /// The first attempt does not have the header. On retries, its value is 1, 2, and so on.
    /// [Transparent](crate::classify::Verdict::transparent) retries do not count: before any other retry, they
    /// do not have the header either. A value set by the caller is removed. If the header map of an attempt
    /// has no room, the header is left out.
    ///
    /// Do not use a header that frames or routes requests, such as `Content-Length`.
    pub fn retry_count_header(self, name: HeaderName) -> Self {
        self.with(|settings| settings.retry_count_header = Some(name))
    }
}
