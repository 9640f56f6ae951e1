//! The caller's stack of layers above hyper-util's client.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, Request, Response};
use http_body::Body;
use http_body_util::BodyExt;
use http_body_util::combinators::UnsyncBoxBody;
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tower::limit::ConcurrencyLimitLayer;
use tower::util::BoxCloneService;
use tower::{Layer, ServiceBuilder, ServiceExt};
use tower_http::follow_redirect::policy::Limited;
use tower_http::follow_redirect::{FollowRedirectLayer, RequestUri};
use tower_http_retry::event::Event;
use tower_http_retry::{
    Backoff, BoxError, Budget, CommitLayer, Idempotency, RetryAfter, RetryLayer,
};

use super::hearing::{Attempts, Hearing};
use super::hedging::{AboveHedge, Below, BelowHedge, Outgoing};
use super::journal::{Journal, What};
use super::network::Connector;
use super::parts::Parts;
use super::payload::Payload;
use super::plan::{Plan, Protocol};
use super::policy::{Commit, Hedge};
use super::sabotage::{HedgeJudge, Judge, Sabotage};
use super::upstream::RETRIES;
use super::watch::{Id, Watch};

/// The body of a response above any layer.
pub type Answered = UnsyncBoxBody<Bytes, BoxError>;

pub type Stack = BoxCloneService<Request<Payload>, Response<Answered>, BoxError>;

/// Builds the stack.
pub struct Builder<'a> {
    pub plan: &'a Arc<Plan>,
    pub journal: &'a Journal,
    pub connections: &'a Arc<()>,
    /// The budget of the retry layer.
    pub budget: Option<Budget>,
}

fn out<B>(request: Request<B>) -> Request<Outgoing>
where
    B: Body<Data = Bytes, Error = BoxError> + Send + 'static,
{
    request.map(BodyExt::boxed_unsync)
}

fn boxed<R>(response: Response<R>) -> Response<Answered>
where
    R: Body<Data = Bytes, Error = BoxError> + Send + 'static,
{
    response.map(BodyExt::boxed_unsync)
}

impl Builder<'_> {
    pub fn build(&self) -> Stack {
        let hearing = Hearing {
            inner: self.committed(),
            plan: self.plan.clone(),
            journal: self.journal.clone(),
        };
        let parts = Parts {
            inner: self.retry().layer(hearing).boxed_clone(),
            plan: self.plan.clone(),
            journal: self.journal.clone(),
        };
        let Some(resume) = self.plan.policy.resume else {
            return parts.boxed_clone();
        };
        let layer = resume.layer(self.plan.seed);
        let layer = match self.plan.sabotage {
            Some(Sabotage::NeverResumes) => layer.max_resumes(0),
            Some(Sabotage::OneMoreResumption) => layer.max_resumes(resume.max_resumes + 1),
            _ => layer,
        };
        layer.layer(parts).map_response(boxed).boxed_clone()
    }

    fn committed(&self) -> Attempts {
        let attempts = self.hedged();
        let layer = self.plan.policy.commit.map(Commit::layer);
        let layer = match self.plan.sabotage {
            Some(Sabotage::CommitsTheHead) => None,
            Some(Sabotage::CommitsTheFirst) => layer.map(|_| CommitLayer::first_bytes()),
            _ => layer,
        };
        match layer {
            Some(layer) => layer.layer(attempts).map_response(boxed).boxed_clone(),
            None => attempts,
        }
    }

    fn hedged(&self) -> Attempts {
        let Some(hedge) = self.plan.policy.hedge else {
            return self.attempts().map_request(out).boxed_clone();
        };
        let below = BelowHedge {
            inner: self.attempts(),
            plan: self.plan.clone(),
            journal: self.journal.clone(),
        };
        let below = match self.plan.sabotage {
            Some(Sabotage::HedgesTwice) => self.hedge(hedge, below.boxed_clone()),
            _ => below.boxed_clone(),
        };
        let above = AboveHedge {
            inner: self.hedge(hedge, below),
            plan: self.plan.clone(),
            journal: self.journal.clone(),
        };
        above.boxed_clone()
    }

    fn hedge<B>(
        &self,
        hedge: Hedge,
        below: Below,
    ) -> BoxCloneService<Request<B>, Response<Answered>, BoxError>
    where
        B: Body<Data = Bytes, Error = BoxError> + Send + 'static,
    {
        let sabotage = self.plan.sabotage;
        let journal = self.journal.clone();
        let layer = hedge
            .layer(self.plan.seed)
            .classify(HedgeJudge(sabotage))
            .on_event(move |event| {
                let Id(id) = *event.request().extensions().get().expect("an id");
                journal.write(id, What::HedgeTold(event.kind()));
            });
        let layer = match sabotage {
            Some(Sabotage::HedgesAll) => layer.idempotency(Idempotency::any()),
            Some(Sabotage::HedgesTooSoon) => layer.after(Duration::ZERO),
            Some(Sabotage::Overspends) => layer.extra_load(1.0),
            _ => layer,
        };
        let layer = match &self.budget {
            Some(budget) if hedge.has_retry_budget => layer.retry_budget(budget.clone()),
            _ => layer,
        };
        let below = below.map_request(out);
        let keeps = match sabotage {
            Some(Sabotage::KeepsLosers) => {
                Some(hedge.keeps.unwrap_or_default() + Duration::from_secs(1))
            }
            _ => hedge.keeps,
        };
        match keeps {
            Some(time) => layer.keep_losers(time).layer(below).boxed_clone(),
            None => layer.layer(below).boxed_clone(),
        }
    }

    fn attempts(&self) -> Below {
        let watch = Watch {
            client: self.client(),
            plan: self.plan.clone(),
            journal: self.journal.clone(),
        };
        let concurrency = self.plan.policy.concurrency.map(ConcurrencyLimitLayer::new);
        // The standard policy would drop the extensions with the number of the request.
        let redirects = FollowRedirectLayer::with_policy(Limited::default());
        let hides_redirects = self.plan.sabotage == Some(Sabotage::HidesRedirects);
        ServiceBuilder::new()
            .option_layer(concurrency)
            .map_response(move |mut response| {
                if hides_redirects {
                    let extensions = Response::extensions_mut(&mut response);
                    extensions.remove::<RequestUri>();
                }
                boxed(response)
            })
            .option_layer(self.plan.redirects.then_some(redirects))
            .service(watch)
            .boxed_clone()
    }

    fn client<B>(&self) -> Client<Connector, B>
    where
        B: Body<Data: Send> + Send,
    {
        Client::builder(TokioExecutor::new())
            .timer(TokioTimer::new())
            .http2_only(self.plan.protocol == Protocol::Http2)
            .http2_keep_alive_interval(Duration::from_millis(300))
            .http2_keep_alive_timeout(Duration::from_millis(300))
            .http2_keep_alive_while_idle(true)
            .build(Connector {
                alive: self.connections.clone(),
            })
    }

    fn retry(&self) -> RetryLayer<Judge> {
        let policy = &self.plan.policy;
        let journal = self.journal.clone();
        let layer = RetryLayer::new()
            .mark_attempts()
            .mark_responses()
            .classify(Judge(self.plan.sabotage))
            .max_retries(policy.max_retries)
            .window(policy.window)
            .attempt_timeout(policy.attempt_timeout)
            .backoff(Backoff::exponential(policy.base).jitter(policy.jitter))
            .jitter_seed(self.plan.seed)
            .max_replay_bytes(policy.max_replay_bytes)
            .max_retry_after(policy.max_retry_after)
            .retry_after(policy.hints)
            .retry_count_header(HeaderName::from_static(RETRIES))
            .on_event(move |event| tell(&journal, event));
        let layer = match &self.budget {
            Some(budget) => layer.budget(budget.clone()),
            None => layer.without_budget(),
        };
        match self.plan.sabotage {
            Some(Sabotage::RepeatsAll) => layer.idempotency(Idempotency::any()),
            Some(Sabotage::OneMoreRetry) => layer.max_retries(policy.max_retries + 1),
            Some(Sabotage::LongWindow) => layer.window(policy.window * 3),
            Some(Sabotage::LongTimeout) => layer.attempt_timeout(policy.attempt_timeout * 5),
            Some(Sabotage::IgnoresHints) => layer.retry_after(RetryAfter::Ignore),
            Some(Sabotage::WaitsTooLong) => layer.max_retry_after(Duration::MAX),
            _ => layer,
        }
    }
}

fn tell(journal: &Journal, event: &Event<'_>) {
    let Id(id) = *event.request().extensions().get().expect("an id");
    let told = What::Told {
        step: event.kind(),
        class: event.class(),
        timed_out: event.is_timed_out(),
    };
    journal.write(id, told);
}
