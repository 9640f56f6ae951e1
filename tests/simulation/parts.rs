//! The service between the `ResumeLayer` and the `RetryLayer`. It gives each request of a download a
//! separate number.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::task::{Context, Poll};

use http::header::{ACCEPT_ENCODING, IF_MATCH, IF_NONE_MATCH, IF_UNMODIFIED_SINCE};
use http::{HeaderMap, HeaderValue, Method, Request, Response};
use http_body::Body;
use tower::Service;
use tower::util::BoxCloneService;
use tower_http_retry::commit::BrokenAnswer;
use tower_http_retry::{AttemptsHandle, BoxError};

use super::cheat::Cheat;
use super::file::{File, VERSIONS};
use super::journal::{Condition, Journal, Resumed, What};
use super::payload::Payload;
use super::plan::{Plan, RESUMPTION};
use super::serving::bounds;
use super::stack::Answered;
use super::upstream::{PART, attempt_of, count_of, name};
use super::watch::Id;

type Requests = BoxCloneService<Request<Payload>, Response<Answered>, BoxError>;

/// The progress of a download, as an extension of its requests.
#[derive(Clone, Default)]
pub struct Download {
    requests: Arc<AtomicU32>,
    /// How many bytes the caller has.
    pub had: Arc<AtomicU64>,
}

#[derive(Clone)]
pub struct Parts {
    pub inner: Requests,
    pub plan: Arc<Plan>,
    pub journal: Journal,
}

/// A resumption, until it has ended.
struct Part {
    id: u32,
    journal: Journal,
    handle: AttemptsHandle,
    has_ended: bool,
}

impl Service<Request<Payload>> for Parts {
    type Response = Response<Answered>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Answered>, BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<Payload>) -> Self::Future {
        let Id(id) = *request.extensions().get().expect("an id");
        let download = request.extensions().get::<Download>();
        let part = download.map_or(0, |download| {
            download.requests.fetch_add(1, Ordering::Relaxed)
        });
        let cheat = Cheat::new(self.plan.sabotage, &request, part > 0);
        if part == 0 {
            let call = self.inner.call(request);
            return Box::pin(async move { call.await.map(|response| cheat.answer(response)) });
        }
        cheat.ask(&mut request);
        let resumed = self.resumed(id, &request);
        let part = Part::begin(id + part * RESUMPTION, &self.journal, resumed);
        cheat.send(&mut request);
        request.headers_mut().insert(PART, part.id.into());
        request.extensions_mut().insert(Id(part.id));
        request.extensions_mut().insert(part.handle.clone());
        let call = self.inner.call(request);
        Box::pin(async move {
            let outcome = part.end(call.await);
            outcome.map(|response| cheat.answer(response))
        })
    }
}

impl Parts {
    /// Describes the request of a resumption.
    fn resumed(&self, id: u32, request: &Request<Payload>) -> Resumed {
        let ask = self.plan.ask(id);
        let headers = request.headers();
        let download: Option<&Download> = request.extensions().get();
        let had = download.map_or(0, |download| download.had.load(Ordering::Relaxed));
        let uri = format!("http://{}/{id}", name(ask.server));
        let is_same = request.method() == Method::GET
            && *request.uri() == *uri
            && request.body().is_end_stream()
            && headers.contains_key(ACCEPT_ENCODING)
            && !headers.contains_key(IF_NONE_MATCH);
        Resumed {
            had,
            range: bounds(headers),
            condition: ask
                .file
                .as_ref()
                .map_or(Condition::Unknown, |file| condition(file, headers)),
            is_same,
        }
    }
}

/// Returns the version in the condition of a request.
fn condition(file: &File, headers: &HeaderMap) -> Condition {
    let asked = [IF_MATCH, IF_UNMODIFIED_SINCE].map(|name| headers.get(name));
    if asked == [None, None] {
        return Condition::None;
    }
    let is = |version: &u32| {
        let date = file.dates(*version).map(|(date, _)| date);
        let own = [file.etag(*version), date].map(|own| own.map(HeaderValue::try_from));
        let own = own.map(|own| own.and_then(Result::ok));
        own.each_ref().map(Option::as_ref) == asked
    };
    (0..VERSIONS)
        .find(is)
        .map_or(Condition::Unknown, Condition::Version)
}

impl Part {
    fn begin(id: u32, journal: &Journal, resumed: Resumed) -> Self {
        journal.write(id, What::Resumed(resumed));
        journal.write(id, What::Asked);
        Self {
            id,
            journal: journal.clone(),
            handle: AttemptsHandle::new(),
            has_ended: false,
        }
    }

    fn end<R>(mut self, outcome: Result<Response<R>, BoxError>) -> Result<Response<R>, BoxError> {
        self.has_ended = true;
        let what = match &outcome {
            Ok(response) => What::Response {
                attempt: attempt_of(response),
                status: response.status().as_u16(),
                count: count_of(response),
            },
            Err(error) => What::Error {
                is_broken: error.is::<BrokenAnswer>(),
            },
        };
        self.journal.write(self.id, what);
        outcome
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if !self.has_ended {
            self.journal.write(self.id, What::GaveUp);
        }
        let attempts = self.handle.get().count;
        self.journal.write(self.id, What::Counted { attempts });
    }
}
