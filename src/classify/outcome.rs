use std::error::Error;
use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::{Extensions, HeaderMap, HeaderName, Method, Request, Response, StatusCode, Uri};
use tokio::time::Instant;

use crate::body::BodyProgress;
use crate::head::{RequestHead, ResponseHead};
use crate::idempotency::Idempotency;
use crate::whole_body::WholeBody;

/// What an attempt came to: a response's head or an error, with the head of its request.
///
/// Build one with [`Outcome::response`] or [`Outcome::error`] to test a classifier by itself.
///
/// # Example
///
/// ```
/// use http::{Request, Response};
/// use tower_http_retry::classify::{Class, Classify, Outcome};
/// use tower_http_retry::ByStatus;
///
/// let request = Request::get("https://example.com/").body(()).unwrap();
/// let response = Response::builder().status(503).body(()).unwrap();
/// let outcome = Outcome::response(&request, &response);
/// assert_eq!(ByStatus::new().classify(&outcome).class(), Class::Transient);
///
/// let refused = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
/// let outcome = Outcome::error(&request, &refused);
/// assert_eq!(ByStatus::new().classify(&outcome).class(), Class::Refused);
/// ```
pub struct Outcome<'a> {
    pub(crate) request: RequestHead<'a>,
    pub(crate) result: Result<ResponseHead<'a>, &'a (dyn Error + 'static)>,
    pub(crate) attempted: Attempted<'a>,
}

/// What is known of an attempt beside its request's head and what it came to.
#[derive(Clone, Copy)]
pub(crate) struct Attempted<'a> {
    pub(crate) number: u32,
    pub(crate) may_have_been_acted_on: bool,
    pub(crate) elapsed: Elapsed,
    pub(crate) body: RequestBody<'a>,
    /// The response's body, if a classifier is shown it by itself.
    pub(crate) response_body: Option<&'a Bytes>,
    /// Whether the error is that of a response's body, whose head had come.
    pub(crate) is_of_body: bool,
    /// Which headers are idempotency keys; none for the usual ones.
    pub(crate) idempotency: Option<&'a Idempotency>,
}

/// The time since the first attempt's start, or a way to tell it to a classifier that asks.
#[derive(Clone, Copy)]
pub(crate) enum Elapsed {
    Told(Duration),
    Since(Instant),
}

/// How far an attempt's body was read, or a way to tell it to a classifier that asks.
#[derive(Clone, Copy)]
pub(crate) enum RequestBody<'a> {
    Told(BodyProgress),
    Of(&'a dyn Fn() -> BodyProgress),
}

impl<'a> Outcome<'a> {
    /// An attempt that was answered: the first one, at once.
    pub fn response<B, R>(request: &'a Request<B>, response: &'a Response<R>) -> Self {
        Self::new(RequestHead::of(request), Ok(ResponseHead::of(response)))
    }

    /// An attempt that failed: the first one, at once.
    pub fn error<B>(request: &'a Request<B>, error: &'a (dyn Error + 'static)) -> Self {
        Self::new(RequestHead::of(request), Err(error))
    }

    /// A response whose body failed with this error, after its head had come.
    pub(crate) fn of_body(request: RequestHead<'a>, error: &'a (dyn Error + 'static)) -> Self {
        Self::new(request, Err(error)).in_body()
    }

    /// The same outcome, whose error is that of a response's body.
    pub(crate) fn in_body(&self) -> Self {
        let mut attempted = self.attempted;
        attempted.is_of_body = true;
        Self { attempted, ..*self }
    }

    fn new(
        request: RequestHead<'a>,
        result: Result<ResponseHead<'a>, &'a (dyn Error + 'static)>,
    ) -> Self {
        let attempted = Attempted {
            number: 1,
            may_have_been_acted_on: false,
            elapsed: Elapsed::Told(Duration::ZERO),
            body: RequestBody::Told(BodyProgress::Empty),
            response_body: None,
            is_of_body: false,
            idempotency: None,
        };
        Self {
            request,
            result,
            attempted,
        }
    }

    /// The same outcome, of the attempt with this number.
    pub fn on_attempt(mut self, number: u32) -> Self {
        self.attempted.number = number;
        self
    }

    /// The same outcome, so long after the first attempt's start.
    pub fn after(mut self, elapsed: Duration) -> Self {
        self.attempted.elapsed = Elapsed::Told(elapsed);
        self
    }

    /// The same outcome, of an attempt whose body was read so far. [`BodyProgress::Empty`] unless
    /// set.
    pub fn with_request_body(mut self, progress: BodyProgress) -> Self {
        self.attempted.body = RequestBody::Told(progress);
        self
    }

    /// Sets the body of the response, as a [`CommitLayer::whole`](crate::CommitLayer::whole) would.
    pub fn with_body(mut self, body: &'a Bytes) -> Self {
        self.attempted.response_body = Some(body);
        self
    }

    /// The same outcome, after an attempt that the server may have acted on.
    pub fn acted_on_before(mut self) -> Self {
        self.attempted.may_have_been_acted_on = true;
        self
    }

    /// The head of the request.
    pub fn request(&self) -> RequestHead<'a> {
        self.request
    }

    /// The request's method.
    pub fn method(&self) -> &'a Method {
        self.request.method
    }

    /// The request's URI.
    pub fn uri(&self) -> &'a Uri {
        self.request.uri
    }

    /// The request's headers.
    pub fn headers(&self) -> &'a HeaderMap {
        self.request.headers.map()
    }

    /// The request's extensions.
    pub fn extensions(&self) -> &'a Extensions {
        self.request.extensions
    }

    /// The response's head, or the error.
    ///
    /// # Errors
    ///
    /// The attempt's own error, where there was no response.
    pub fn result(&self) -> Result<ResponseHead<'a>, &'a (dyn Error + 'static)> {
        self.result
    }

    /// The response's status, where there was a response.
    pub fn status(&self) -> Option<StatusCode> {
        self.result.ok().map(|head| head.status)
    }

    /// Returns the body of the response, if a [`CommitLayer::whole`](crate::CommitLayer::whole) below has
    /// read all of it.
    ///
    /// Returns none without such a layer, and for a response that it does not read, that is longer than its
    /// limit, or whose body failed. The bytes are those that the layer read: compressed content has to be
    /// decompressed below it, and a layer above it may have changed the body.
    ///
    /// # Example
    ///
    /// ```
    /// use bytes::Bytes;
    /// use http::{Request, Response};
    /// use tower_http_retry::RetryLayer;
    /// use tower_http_retry::classify::{Class, Outcome, Verdict};
    ///
    /// // This service answers 200, and says in the text that it failed.
    /// fn failed(outcome: &Outcome<'_>) -> Verdict {
    ///     match outcome.body() {
    ///         Some(body) if body.starts_with(b"InternalError") => Class::Transient.into(),
    ///         _ => outcome.by_status(),
    ///     }
    /// }
    /// let layer = RetryLayer::new().classify_fn(failed);
    /// # let _ = layer;
    ///
    /// let (request, response) = (Request::new(()), Response::new(()));
    /// let body = Bytes::from("InternalError: try again");
    /// let outcome = Outcome::response(&request, &response).with_body(&body);
    /// assert_eq!(failed(&outcome).class(), Class::Transient);
    /// ```
    pub fn body(&self) -> Option<&'a Bytes> {
        let read = || {
            let WholeBody(body) = self.result.ok()?.extensions.get()?;
            Some(body)
        };
        self.attempted.response_body.or_else(read)
    }

    /// The attempt's number; the first is 1.
    pub fn attempt(&self) -> u32 {
        self.attempted.number
    }

    /// The time since the first attempt's start.
    pub fn elapsed(&self) -> Duration {
        match self.attempted.elapsed {
            Elapsed::Told(elapsed) => elapsed,
            Elapsed::Since(start) => start.elapsed(),
        }
    }

    /// Whether the server may have acted on the request in an attempt before this one.
    pub fn may_have_been_acted_on(&self) -> bool {
        self.attempted.may_have_been_acted_on
    }

    /// How far this attempt's request body was read.
    pub fn request_body(&self) -> BodyProgress {
        match self.attempted.body {
            RequestBody::Told(progress) => progress,
            RequestBody::Of(ask) => ask(),
        }
    }

    /// Whether the request carries an idempotency key: a header of the layer's
    /// [`Idempotency`](crate::Idempotency::key) that is not empty.
    pub fn has_idempotency_key(&self) -> bool {
        let header = |name: &HeaderName| self.request.headers.find(name);
        match self.attempted.idempotency {
            Some(idempotency) => idempotency.has_key(header),
            None => Idempotency::new().has_key(header),
        }
    }
}

impl fmt::Debug for Outcome<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outcome")
            .field("method", self.request.method)
            .field("result", &self.result)
            .field("attempt", &self.attempted.number)
            .finish_non_exhaustive()
    }
}
