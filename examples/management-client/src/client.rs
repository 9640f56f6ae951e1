//! The client: hyper-util's, under the retry layer, with or without a verification between.

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

/// How long one sending may take until its response's head, of an operation as of a probe.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long one request may take altogether: attempts, probes, waits, and reading the answer.
const TOTAL_TIMEOUT: Duration = Duration::from_secs(25);

/// Short, so that this program is: a real client leaves the guideline's one second.
const FIRST_WAIT: Duration = Duration::from_millis(100);

/// Far more than an item needs, so that a broken service cannot fill the memory.
const LARGEST_ANSWER: usize = 64 * 1024;

/// Sends requests, with retries and within [`TOTAL_TIMEOUT`].
pub(crate) type Client = BoxCloneService<Request<Full<Bytes>>, Response<Bytes>, BoxError>;

/// The client with a retry, and with a verification under it or without.
pub(crate) fn with_retries(verification: Option<VerifyLayer>) -> Client {
    let client = ServiceBuilder::new()
        .timeout(ATTEMPT_TIMEOUT)
        .service(hyper_util::client::legacy::Client::builder(TokioExecutor::new()).build_http());
    match verification {
        Some(verification) => stack(verification.layer(client)),
        None => stack(client),
    }
}

/// What is above the sending, from the outside in.
fn stack<S, R>(sending: S) -> Client
where
    S: Service<Request<ReplayBody<Full<Bytes>>>, Response = Response<R>, Error = BoxError>,
    S: Clone + Send + 'static,
    S::Future: Send,
    R: Body<Data = Bytes, Error = hyper::Error> + Send + 'static,
{
    let client = ServiceBuilder::new()
        .timeout(TOTAL_TIMEOUT)
        // Under the total time-out, which therefore covers the reading of the answer, too.
        .and_then(read_whole)
        .layer(RetryLayer::new().backoff(Backoff::exponential(FIRST_WAIT)))
        .service(sending);
    BoxCloneService::new(client)
}

/// Checks whether what is to be created or deleted exists, before it is done again.
pub(crate) fn verification() -> VerifyLayer {
    // This service never replaces an item by a PUT. With one that may, a PUT is verified only if
    // it has `If-None-Match: *`.
    VerifyLayer::new().put_creates().probe(probe)
}

/// The service answers 404 where no item has the name.
fn probe(head: &RequestHead<'_>) -> Option<Request<()>> {
    let item = match *head.method() {
        // To ask for the collection, for want of a name, would find it there in any case.
        Method::POST => {
            let Name(name) = head.extensions().get()?;
            path_by_name(head.uri().path(), name)
        }
        _ => head.uri().path().to_owned(),
    };
    // On the host that the request went to.
    Request::get(item).body(()).ok()
}

/// What a POST creates, as one of the request's extensions: the probe is made from the request's
/// head, and there the name of a new item does not stand.
#[derive(Clone)]
struct Name(&'static str);

/// What the client asks for.
pub(crate) struct Operation {
    method: Method,
    /// Its path.
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

    /// What the caller should be told once the operation is done.
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
            // By default a POST is not sent again once the server may have acted on it. Where it
            // is verified it can be; without the verification, this is the mistake to be shown.
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

/// The request, in one line.
impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.path())?;
        match self.body() {
            Some(body) => write!(f, " {body}"),
            None => Ok(()),
        }
    }
}

/// Names here are of letters and hyphens, which need no percent-encoding.
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
