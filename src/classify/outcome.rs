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

/// The outcome of an attempt: the head of its response or its error, with the head of its request.
///
/// To test a classifier, create one with [`Outcome::response`] or [`Outcome::error`].
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

/// The facts of an attempt besides the head of its request and its result.
#[derive(Clone, Copy)]
pub(crate) struct Attempted<'a> {
    pub(crate) number: u32,
    pub(crate) may_have_been_acted_on: bool,
    pub(crate) elapsed: Elapsed,
    pub(crate) body: RequestBody<'a>,
    /// The body of the response, if it is given here and not as an extension of the response.
    pub(crate) response_body: Option<&'a Bytes>,
    /// Whether the error is that of a response's body, after its head had arrived.
    pub(crate) is_of_body: bool,
    /// Determines which headers are idempotency keys; none for the default headers.
    pub(crate) idempotency: Option<&'a Idempotency>,
}

/// The time since the first attempt's start, which is computed only if a classifier needs it.
#[derive(Clone, Copy)]
pub(crate) enum Elapsed {
    Told(Duration),
    Since(Instant),
}

/// How far an attempt's body was read, which is computed only if a classifier needs it.
#[derive(Clone, Copy)]
pub(crate) enum RequestBody<'a> {
    Told(BodyProgress),
    Of(&'a dyn Fn() -> BodyProgress),
}

impl<'a> Outcome<'a> {
    /// Creates the outcome of an attempt that got a response. It is the first attempt, with no time elapsed.
    pub fn response<B, R>(request: &'a Request<B>, response: &'a Response<R>) -> Self {
        Self::new(RequestHead::of(request), Ok(ResponseHead::of(response)))
    }

    /// Creates the outcome of an attempt that failed with an error. It is the first attempt, with no time
    /// elapsed.
    pub fn error<B>(request: &'a Request<B>, error: &'a (dyn Error + 'static)) -> Self {
        Self::new(RequestHead::of(request), Err(error))
    }

    /// Creates the outcome of a response whose body failed with this error, after its head had arrived.
    pub(crate) fn of_body(request: RequestHead<'a>, error: &'a (dyn Error + 'static)) -> Self {
        Self::new(request, Err(error)).in_body()
    }

    /// Returns the same outcome, with its error marked as that of a response's body.
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

    /// Sets the number of the attempt. Defaults to 1.
    pub fn on_attempt(mut self, number: u32) -> Self {
        self.attempted.number = number;
        self
    }

    /// Sets the time since the start of the first attempt. Defaults to zero.
    pub fn after(mut self, elapsed: Duration) -> Self {
        self.attempted.elapsed = Elapsed::Told(elapsed);
        self
    }

    /// Sets how far the attempt's request body was read. Defaults to [`BodyProgress::Empty`].
    pub fn with_request_body(mut self, progress: BodyProgress) -> Self {
        self.attempted.body = RequestBody::Told(progress);
        self
    }

    /// Sets the body of the response, as if a [`CommitLayer::whole`](crate::CommitLayer::whole) had read it.
    /// Defaults to none.
    pub fn with_body(mut self, body: &'a Bytes) -> Self {
        self.attempted.response_body = Some(body);
        self
    }

    /// Marks the request as one that the server may have acted on in an earlier attempt.
    pub fn acted_on_before(mut self) -> Self {
        self.attempted.may_have_been_acted_on = true;
        self
    }

    /// Returns the head of the request.
    pub fn request(&self) -> RequestHead<'a> {
        self.request
    }

    /// Returns the method of the request.
    pub fn method(&self) -> &'a Method {
        self.request.method
    }

    /// Returns the URI of the request.
    pub fn uri(&self) -> &'a Uri {
        self.request.uri
    }

    /// Returns the headers of the request.
    ///
    /// In a retry layer, the first call for a request copies them into a map. Use [`RequestHead::header`]
    /// to read single headers without a copy.
    pub fn headers(&self) -> &'a HeaderMap {
        self.request.headers.map()
    }

    /// Returns the extensions of the request.
    pub fn extensions(&self) -> &'a Extensions {
        self.request.extensions
    }

    /// Returns the head of the response, or the error.
    ///
    /// # Errors
    ///
    /// Returns the error of the attempt if there was no response.
    pub fn result(&self) -> Result<ResponseHead<'a>, &'a (dyn Error + 'static)> {
        self.result
    }

    /// Returns the status of the response, if there was a response.
    pub fn status(&self) -> Option<StatusCode> {
        self.result.ok().map(|head| head.status)
    }

    /// Returns the body of the response, if a [`CommitLayer::whole`](crate::CommitLayer::whole) below has
    /// read all of it.
    ///
    /// Returns none without this layer, and for a response that it does not read, that is longer than its
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
    /// // This service responds with status 200 and an error in the body.
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

    /// Returns the number of the attempt, starting at 1: the first retry is attempt 2.
    pub fn attempt(&self) -> u32 {
        self.attempted.number
    }

    /// Returns the time since the start of the first attempt.
    pub fn elapsed(&self) -> Duration {
        match self.attempted.elapsed {
            Elapsed::Told(elapsed) => elapsed,
            Elapsed::Since(start) => start.elapsed(),
        }
    }

    /// Returns whether the server may have acted on the request in an attempt before this one.
    pub fn may_have_been_acted_on(&self) -> bool {
        self.attempted.may_have_been_acted_on
    }

    /// Returns how far the attempt's request body was read.
    pub fn request_body(&self) -> BodyProgress {
        match self.attempted.body {
            RequestBody::Told(progress) => progress,
            RequestBody::Of(ask) => ask(),
        }
    }

    /// Returns whether the request has an idempotency key, which is a non-empty value of a header that the
    /// layer's [`Idempotency`](crate::Idempotency::key) recognizes as a key.
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
