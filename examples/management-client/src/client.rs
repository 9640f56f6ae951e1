//! The client: hyper-util's, below the retry layer, with or without a `VerifyLayer` in between.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{Method, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Body;
use hyper_util::rt::TokioExecutor;
use serde_json::json;
use tower::util::BoxCloneService;
use tower::{Layer, Service, ServiceBuilder};
use tower_http_retry::classify::RequestHead;
use tower_http_retry::{Backoff, BoxError, ReplayBody, RetryLayer, RetryOverride, VerifyLayer};

/// How long each attempt of an operation, and each probe, may take until the head of its response arrives.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long one request may take in total, with all attempts, probes and waits, and the body of the
/// response.
const TOTAL_TIMEOUT: Duration = Duration::from_secs(25);

/// Short, so that this program ends soon. A real client keeps the default of one second, which is that of the
/// guideline.
const FIRST_WAIT: Duration = Duration::from_millis(100);

/// A limit far above the size of an item, so that a faulty service cannot fill the memory.
const LARGEST_ANSWER: usize = 64 * 1024;

/// Sends requests, with retries and within [`TOTAL_TIMEOUT`].
pub(crate) type Client = BoxCloneService<Request<Full<Bytes>>, Response<Bytes>, BoxError>;

/// Creates a client with a retry, and with the given `VerifyLayer` below it, if any.
pub(crate) fn with_retries(verification: Option<VerifyLayer>) -> Client {
    let client = ServiceBuilder::new()
        .timeout(ATTEMPT_TIMEOUT)
        .service(hyper_util::client::legacy::Client::builder(TokioExecutor::new()).build_http());
    match verification {
        Some(verification) => stack(verification.layer(client)),
        None => stack(client),
    }
}

/// Builds the layers above the given service, from the outside in.
fn stack<S, R>(sending: S) -> Client
where
    S: Service<Request<ReplayBody<Full<Bytes>>>, Response = Response<R>, Error = BoxError>,
    S: Clone + Send + 'static,
    S::Future: Send,
    R: Body<Data = Bytes, Error = hyper::Error> + Send + 'static,
{
    let client = ServiceBuilder::new()
        .timeout(TOTAL_TIMEOUT)
        // Below the total time-out, which therefore also covers reading the response.
        .and_then(read_whole)
        .layer(RetryLayer::new().backoff(Backoff::exponential(FIRST_WAIT)))
        .service(sending);
    BoxCloneService::new(client)
}

/// Creates a layer that checks whether an item exists before it is created or deleted again.
pub(crate) fn verification() -> VerifyLayer {
    // A PUT to this service never replaces an item. If it could, only a PUT with `If-None-Match: *` should be
    // verified.
    VerifyLayer::new().put_creates().probe(probe)
}

/// Creates a GET of the item. The service answers 404 if no item has the name.
fn probe(head: &RequestHead<'_>) -> Option<Request<()>> {
    let item = match *head.method() {
        // A GET of the collection itself would always succeed, so the name is needed.
        Method::POST => {
            let Name(name) = head.extensions().get()?;
            path_by_name(head.uri().path(), name)
        }
        _ => head.uri().path().to_owned(),
    };
    // The layer adds the host of the request.
    Request::get(item).body(()).ok()
}

/// An extension of a POST with the name of the new item. The probe is made from the head of the request,
/// which does not contain the name.
#[derive(Clone)]
struct Name(&'static str);

/// An operation on an item.
pub(crate) struct Operation {
    method: Method,
    /// The path of the collection.
    collection: &'static str,
    name: &'static str,
}

impl Operation {
    pub(crate) const fn new(method: Method, collection: &'static str, name: &'static str) -> Self {
        Self {
            method,
            collection,
            name,
        }
    }

    /// The status that the caller should get if the operation was done.
    pub(crate) fn success(&self) -> StatusCode {
        match self.method {
            Method::DELETE => StatusCode::NO_CONTENT,
            _ => StatusCode::CREATED,
        }
    }

    pub(crate) fn request(&self, service: &Uri) -> Result<Request<Full<Bytes>>, BoxError> {
        let mut uri = service.clone().into_parts();
        uri.path_and_query = Some(self.path().try_into()?);
        let request = Request::builder()
            .method(&self.method)
            .uri(Uri::from_parts(uri)?)
            .header(ACCEPT, "application/json");
        let request = match self.method {
            // By default, a POST is not repeated if the server may have acted on it. If it is verified, it
            // can be repeated. Without verification, this is the mistake that this example shows.
            Method::POST => request
                .extension(RetryOverride::new().repeatable(true))
                .extension(Name(self.name)),
            _ => request,
        };
        Ok(match self.body() {
            Some(body) => request
                .header(CONTENT_TYPE, "application/json")
                .body(body.into())?,
            None => request.body(Full::default())?,
        })
    }

    fn path(&self) -> String {
        match self.method {
            Method::POST => self.collection.to_owned(),
            _ => path_by_name(self.collection, self.name),
        }
    }

    fn body(&self) -> Option<String> {
        let is_create = self.method != Method::DELETE;
        is_create.then(|| json!({ "name": self.name }).to_string())
    }
}

/// The request in one line.
impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.path())?;
        match self.body() {
            Some(body) => write!(f, " {body}"),
            None => Ok(()),
        }
    }
}

/// The names in this example have only letters and hyphens, which need no percent-encoding.
fn path_by_name(collection: &str, name: &str) -> String {
    format!("{collection}/by-name/{name}")
}

async fn read_whole<R>(response: Response<R>) -> Result<Response<Bytes>, BoxError>
where
    R: Body<Data = Bytes, Error = hyper::Error>,
{
    let (head, body) = response.into_parts();
    let body = Limited::new(body, LARGEST_ANSWER).collect().await?;
    Ok(Response::from_parts(head, body.to_bytes()))
}
