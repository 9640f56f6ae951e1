//! The services directly above and below the `HedgeLayer`, which record its attempts and their outcomes.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::TE;
use http::{HeaderMap, Method, Request, Response, Uri};
use http_body_util::combinators::UnsyncBoxBody;
use tower::util::BoxCloneService;
use tower::{Service, ServiceExt};
use tower_http_retry::classify::{ByStatus, Class, Classify, Outcome};
use tower_http_retry::{Attempt, BoxError, ReplayBody};

use super::journal::{Fate, Journal, What};
use super::payload::Payload;
use super::plan::{HEDGES, Plan};
use super::sabotage::Sabotage;
use super::stack::Answered;
use super::upstream::{ATTEMPT, HEDGE, attempt_of};
use super::watch::Id;

/// The body of a request below the layers.
pub type Outgoing = UnsyncBoxBody<Bytes, BoxError>;

pub type Below = BoxCloneService<Request<Outgoing>, Response<Answered>, BoxError>;

type Call = Pin<Box<dyn Future<Output = Result<Response<Answered>, BoxError>> + Send>>;

/// Whether the source of a request body has reached its end, as an extension of the request.
#[derive(Clone, Default)]
pub struct Source(pub Arc<AtomicBool>);

/// The head of a request above the layer, as an extension of the request.
#[derive(Clone)]
struct Original(Arc<(Method, Uri, HeaderMap)>);

#[derive(Clone)]
pub struct AboveHedge<S> {
    pub inner: S,
    pub plan: Arc<Plan>,
    pub journal: Journal,
}

#[derive(Clone)]
pub struct BelowHedge {
    pub inner: Below,
    pub plan: Arc<Plan>,
    pub journal: Journal,
}

/// Records an entry when a future is dropped.
struct UnderWay {
    id: u32,
    gone: What,
    journal: Journal,
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.journal.write(self.id, self.gone);
    }
}

/// Returns the number of an attempt.
pub fn number<B>(request: &Request<B>) -> u32 {
    let attempt = request.extensions().get();
    attempt.map_or(1, |attempt: &Attempt| match attempt.is_hedge() {
        true => HEDGES + attempt.number(),
        false => attempt.number(),
    })
}

/// Returns the number of the retry layer's attempt to which a first attempt or a hedge belongs.
pub fn beside(attempt: u32) -> u32 {
    attempt % HEDGES
}

fn fate(class: Class) -> Fate {
    match class {
        Class::Success => Fate::Success,
        Class::Permanent => Fate::Permanent,
        _ => Fate::MayPass,
    }
}

/// Classifies the outcome of an attempt.
fn fate_of(original: &Original, outcome: &Result<Response<Answered>, BoxError>) -> Fate {
    let (method, uri, _) = &*original.0;
    let mut request = Request::new(());
    (*request.method_mut(), *request.uri_mut()) = (method.clone(), uri.clone());
    let outcome = match outcome {
        Ok(response) => Outcome::response(&request, response),
        Err(error) => Outcome::error(&request, &**error),
    };
    fate(ByStatus::new().classify(&outcome).class())
}

impl<S> Service<Request<ReplayBody<Payload>>> for AboveHedge<S>
where
    S: Service<Request<ReplayBody<Payload>>, Response = Response<Answered>, Error = BoxError>,
    S::Future: Send + 'static,
{
    type Response = Response<Answered>;
    type Error = BoxError;
    type Future = Call;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<ReplayBody<Payload>>) -> Call {
        let Id(id) = *request.extensions().get().expect("an id");
        let attempt = number(&request);
        let head = (request.method(), request.uri(), request.headers());
        let head = (head.0.clone(), head.1.clone(), head.2.clone());
        let original = Original(Arc::new(head));
        request.extensions_mut().insert(original.clone());
        let call = self.inner.call(request);
        let (plan, journal) = (self.plan.clone(), self.journal.clone());
        let under_way = UnderWay {
            id,
            gone: What::Settled { beside: attempt },
            journal: journal.clone(),
        };
        Box::pin(async move {
            let _under_way = under_way;
            let mut outcome = call.await;
            let chosen = What::Chosen {
                beside: attempt,
                attempt: outcome.as_ref().ok().map(attempt_of),
                fate: fate_of(&original, &outcome),
            };
            journal.write(id, chosen);
            if let (Some(Sabotage::MixesAttempts), Ok(response)) = (plan.sabotage, &mut outcome) {
                response.headers_mut().insert(ATTEMPT, attempt.into());
            }
            outcome
        })
    }
}

impl Service<Request<Outgoing>> for BelowHedge {
    type Response = Response<Answered>;
    type Error = BoxError;
    type Future = Call;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<Outgoing>) -> Call {
        let Id(id) = *request.extensions().get().expect("an id");
        let attempt = number(&request);
        if attempt >= HEDGES {
            self.hedge(id, attempt, &mut request);
        } else if self.plan.sabotage == Some(Sabotage::HedgesEarly) {
            self.hedge_early(&request);
        }
        let original = request.extensions().get::<Original>().cloned();
        let original = original.expect("the head");
        let (call, journal) = (self.inner.call(request), self.journal.clone());
        let under_way = UnderWay {
            id,
            gone: What::Gone { attempt },
            journal: journal.clone(),
        };
        Box::pin(async move {
            let _under_way = under_way;
            let outcome = call.await;
            let fate = match fate_of(&original, &outcome) {
                // An error of a hedge does not end the request.
                Fate::Permanent if outcome.is_err() && attempt > HEDGES => Fate::MayPass,
                fate => fate,
            };
            journal.write(id, What::Ended { attempt, fate });
            outcome
        })
    }
}

impl BelowHedge {
    /// Records a hedge, and adds its number for the server.
    fn hedge(&self, id: u32, attempt: u32, request: &mut Request<Outgoing>) {
        if self.plan.sabotage == Some(Sabotage::ChangesTheHedge) {
            request.headers_mut().remove(TE);
        }
        let Original(original) = request.extensions().get().expect("the head");
        let (method, uri, headers) = &**original;
        let is_same =
            (request.method(), request.uri(), request.headers()) == (method, uri, headers);
        let is_whole = is_whole(request);
        let hedged = What::Hedged {
            attempt,
            is_same,
            is_whole,
        };
        self.journal.write(id, hedged);
        request.headers_mut().insert(HEDGE, attempt.into());
    }

    /// Sends a hedge with the part of the body that has been read so far, which is empty.
    fn hedge_early(&self, request: &Request<Outgoing>) {
        let attempt: Option<&Attempt> = request.extensions().get();
        if is_whole(request) || attempt.is_none() {
            return;
        }
        let mut hedge = Request::new(Outgoing::default());
        (*hedge.method_mut(), *hedge.uri_mut()) = (request.method().clone(), request.uri().clone());
        hedge.headers_mut().clone_from(request.headers());
        hedge.extensions_mut().clone_from(request.extensions());
        let Id(id) = *request.extensions().get().expect("an id");
        self.hedge(id, HEDGES + number(request), &mut hedge);
        tokio::spawn(self.inner.clone().oneshot(hedge));
    }
}

fn is_whole<B>(request: &Request<B>) -> bool {
    let source: Option<&Source> = request.extensions().get();
    source.is_none_or(|Source(is_whole)| is_whole.load(Ordering::Relaxed))
}
