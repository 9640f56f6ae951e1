//! A service whose items are created and deleted, and which fails as planned.

// Each test binary uses only a part of this.
#![allow(dead_code)]

use std::collections::VecDeque;
use std::future::Future;
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, Uri};
use http_body::Frame;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use tower::Service;
use tower_http::follow_redirect::RequestUri;
use tower_http_retry::BoxError;

use super::body::{Does, Source, data};

pub type Body = BoxBody<Bytes, BoxError>;

/// The name of the item of a POST, as an extension of the request. For other methods, it is the end of the
/// path.
#[derive(Clone, Copy, Debug)]
pub struct Name(pub &'static str);

/// The fault of one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    Nothing,
    /// The operation is done, and then the call fails in this way.
    Done(Failure),
    /// The operation is not done, and the call fails in this way.
    Undone(Failure),
    /// There is no response, and the operation is done after this time.
    Late(Duration),
    /// Another call that was still running does the same operation first.
    Overtaken,
}

/// How a probe is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    Truth,
    Status(u16),
    /// This status from another resource, as if a layer below had followed a redirect.
    Redirected(u16),
    /// The truth, but the body breaks off with this error.
    Broken(ErrorKind),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    Error(ErrorKind),
    Status(u16),
    /// The body of the response breaks off.
    Body,
}

/// A call that the service received.
#[derive(Clone, Debug)]
pub struct Seen {
    pub method: Method,
    pub uri: String,
    pub headers: HeaderMap,
}

/// The result of a PUT of an item that exists.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Put {
    Conflict,
    Replacement,
}

#[derive(Clone)]
pub struct Management {
    shared: Arc<Shared>,
}

struct Shared {
    put: Put,
    unique_names: bool,
    items: Mutex<Vec<String>>,
    replacements: Mutex<usize>,
    plan: Mutex<VecDeque<Fault>>,
    answers: Mutex<VecDeque<Answer>>,
    seen: Mutex<Vec<Seen>>,
}

impl Management {
    /// Creates a service that follows the plan, one fault for each call of any method. Further calls succeed.
    pub fn new(plan: &[Fault]) -> Self {
        Self::with(Put::Conflict, true, plan)
    }

    /// Creates a service in which PUT replaces an item that exists.
    pub fn replacing(plan: &[Fault]) -> Self {
        Self::with(Put::Replacement, true, plan)
    }

    /// Creates a service in which POST can create several items with the same name.
    pub fn with_duplicates(plan: &[Fault]) -> Self {
        Self::with(Put::Conflict, false, plan)
    }

    fn with(put: Put, unique_names: bool, plan: &[Fault]) -> Self {
        let shared = Shared {
            put,
            unique_names,
            items: Mutex::default(),
            replacements: Mutex::default(),
            plan: Mutex::new(plan.iter().copied().collect()),
            answers: Mutex::default(),
            seen: Mutex::default(),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    pub fn holding(self, name: &str) -> Self {
        self.shared.items.lock().unwrap().push(name.to_owned());
        self
    }

    /// Sets the answers to the first probes. A probe that does not get the truth takes no entry of the plan.
    pub fn answering(self, answers: &[Answer]) -> Self {
        self.shared.answers.lock().unwrap().extend(answers);
        self
    }

    /// Returns how many times an item was replaced.
    pub fn replacements(&self) -> usize {
        *self.shared.replacements.lock().unwrap()
    }

    pub fn items(&self) -> Vec<String> {
        self.shared.items.lock().unwrap().clone()
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.shared.seen.lock().unwrap().clone()
    }

    /// Returns the calls, as in `GET /items/a`.
    pub fn calls(&self) -> Vec<String> {
        let seen = self.seen();
        let call = |seen: &Seen| format!("{} {}", seen.method, seen.uri);
        seen.iter().map(call).collect()
    }

    pub fn operations(&self) -> usize {
        self.seen().len() - self.probes()
    }

    pub fn probes(&self) -> usize {
        let seen = self.seen();
        let probes = seen.iter().filter(|seen| seen.method.is_safe());
        probes.count()
    }
}

impl<B> Service<Request<B>> for Management {
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let head = request.into_parts().0;
        let name = match head.extensions.get() {
            Some(Name(name)) => (*name).to_owned(),
            None => head.uri.path().rsplit('/').next().unwrap().to_owned(),
        };
        self.shared.seen.lock().unwrap().push(Seen {
            method: head.method.clone(),
            uri: head.uri.path_and_query().unwrap().to_string(),
            headers: head.headers,
        });
        let answer = match self.shared.answer_to(&head.method, &name) {
            Some(answer) => Some(Ok(answer)),
            None => {
                let fault = self.shared.plan.lock().unwrap().pop_front();
                self.shared.clone().answer(head.method, name, fault)
            }
        };
        Box::pin(async move {
            match answer {
                Some(answer) => answer,
                None => std::future::pending().await,
            }
        })
    }
}

impl Shared {
    /// Returns the response to a probe, unless the plan determines it.
    fn answer_to(&self, method: &Method, name: &str) -> Option<Response<Body>> {
        if !method.is_safe() {
            return None;
        }
        let answer = self.answers.lock().unwrap().pop_front()?;
        match answer {
            Answer::Truth => None,
            Answer::Status(status) => Some(response(status, "what was answered")),
            Answer::Redirected(status) => {
                let mut response = response(status, "another resource");
                let uri = RequestUri(Uri::from_static("http://service.test/sign-in"));
                response.extensions_mut().insert(uri);
                Some(response)
            }
            Answer::Broken(kind) => {
                let half = Source::streamed([data("half of"), Does::Fail]);
                let half = half.map_err(move |_| io::Error::from(kind).into());
                Some(self.act(method, name).map(|_| half.boxed()))
            }
        }
    }

    /// Performs an operation immediately, so that dropping the future does not undo it.
    fn answer(
        self: Arc<Self>,
        method: Method,
        name: String,
        fault: Option<Fault>,
    ) -> Option<Result<Response<Body>, BoxError>> {
        Some(match fault {
            None | Some(Fault::Nothing) => Ok(self.act(&method, &name)),
            Some(Fault::Done(failure)) => fail(failure, self.act(&method, &name)),
            Some(Fault::Undone(failure)) => fail(failure, response(200, "")),
            Some(Fault::Overtaken) => {
                self.act(&method, &name);
                Ok(self.act(&method, &name))
            }
            Some(Fault::Late(after)) => {
                tokio::spawn(async move {
                    tokio::time::sleep(after).await;
                    self.act(&method, &name);
                });
                return None;
            }
        })
    }

    fn act(&self, method: &Method, name: &str) -> Response<Body> {
        let mut items = self.items.lock().unwrap();
        let held = items.iter().position(|item| item == name);
        match (method.as_str(), held) {
            ("GET", Some(_)) => response(200, "the item"),
            ("HEAD", Some(_)) => {
                let mut response = response(200, "");
                response.headers_mut().insert("content-length", 8.into());
                response
            }
            ("GET" | "HEAD" | "DELETE", None) => response(404, "no such item"),
            ("PUT", Some(_)) if self.put == Put::Replacement => {
                *self.replacements.lock().unwrap() += 1;
                response(200, "replaced by the operation")
            }
            ("PUT", Some(_)) => response(409, "the item exists"),
            ("POST", Some(_)) if self.unique_names => response(409, "the item exists"),
            ("POST" | "PUT", _) => {
                items.push(name.to_owned());
                response(201, "made by the operation")
            }
            ("DELETE", Some(index)) => {
                items.remove(index);
                response(204, "")
            }
            other => panic!("called with {other:?}"),
        }
    }
}

fn fail(failure: Failure, answer: Response<Body>) -> Result<Response<Body>, BoxError> {
    match failure {
        Failure::Error(kind) => Err(io::Error::from(kind).into()),
        Failure::Status(status) => Ok(response(status, "what went wrong")),
        Failure::Body => {
            let half = Source::streamed([data("half of"), Does::Fail]);
            Ok(answer.map(|_| half.map_err(BoxError::from).boxed()))
        }
    }
}

pub fn response(status: u16, body: &'static str) -> Response<Body> {
    let body = Full::from(body).map_err(BoxError::from).boxed();
    let response = Response::builder()
        .status(status)
        .header("x-from", "service");
    response.body(body).unwrap()
}

/// Returns a body that stays pending.
pub fn endless() -> Body {
    struct Endless;

    impl http_body::Body for Endless {
        type Data = Bytes;
        type Error = BoxError;

        fn poll_frame(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
            Poll::Pending
        }
    }

    Endless.boxed()
}
