//! The caller: a stack of layers over hyper-util's client, over the simulated network.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, Request, Response};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::runtime::Handle;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tower::limit::ConcurrencyLimitLayer;
use tower::util::BoxCloneService;
use tower::{Service, ServiceBuilder, ServiceExt};
use tower_http::follow_redirect::policy::Limited;
use tower_http::follow_redirect::{FollowRedirectLayer, RequestUri};
use tower_http_retry::event::Event;
use tower_http_retry::{
    Attempts, AttemptsHandle, Backoff, BoxError, Idempotency, RetryAfter, RetryLayer,
};

use super::journal::{ALL, Journal, Left, What};
use super::network::Connector;
use super::payload::Payload;
use super::plan::{Ask, Plan, Protocol};
use super::sabotage::{Judge, Sabotage};
use super::upstream::{ATTEMPT, RETRIES, mark, name};
use super::watch::{Id, Watch};

type Stack = BoxCloneService<Request<Payload>, Response<Incoming>, BoxError>;

#[derive(Clone)]
pub struct Caller {
    plan: Arc<Plan>,
    journal: Journal,
    connections: Arc<()>,
    bodies: Arc<()>,
}

impl Caller {
    pub fn new(plan: &Arc<Plan>, journal: &Journal) -> Self {
        Self {
            plan: plan.clone(),
            journal: journal.clone(),
            connections: Arc::default(),
            bodies: Arc::default(),
        }
    }

    /// Makes all requests of the plan, drops everything, and looks at what is left.
    pub async fn call(self) -> turmoil::Result {
        let stack = self.stack();
        let mut requests = JoinSet::new();
        for ask in &self.plan.requests {
            requests.spawn_local(self.clone().ask(ask.clone(), stack.clone()));
        }
        match self.plan.sabotage {
            Some(Sabotage::Leaks) => std::mem::forget(stack.clone()),
            Some(Sabotage::LeaksABody) => std::mem::forget(self.bodies.clone()),
            Some(Sabotage::Panics) => {
                drop(tokio::spawn(async { panic!("as this test wants it to") }));
            }
            _ => {}
        }
        drop(stack);
        while let Some(ended) = requests.join_next().await {
            ended?;
        }
        self.journal.write(ALL, What::Over);
        let left = self.left_in_the_end().await;
        self.journal.write(ALL, What::Left(left));
        Ok(())
    }

    /// Gives what is closing the time to.
    async fn left_in_the_end(&self) -> Left {
        for _ in 0..1_000 {
            if self.left() == Left::default() {
                break;
            }
            sleep(Duration::from_millis(2)).await;
        }
        self.left()
    }

    fn left(&self) -> Left {
        Left {
            connections: Arc::strong_count(&self.connections) - 1,
            // Those of the requests are not among them.
            tasks: Handle::current().metrics().num_alive_tasks(),
            bodies: Arc::strong_count(&self.bodies) - 1,
        }
    }

    fn stack(&self) -> Stack {
        let client = Client::builder(TokioExecutor::new())
            .timer(TokioTimer::new())
            .http2_only(self.plan.protocol == Protocol::Http2)
            .http2_keep_alive_interval(Duration::from_millis(300))
            .http2_keep_alive_timeout(Duration::from_millis(300))
            .http2_keep_alive_while_idle(true)
            .build(Connector {
                alive: self.connections.clone(),
            });
        let watch = Watch {
            client,
            plan: self.plan.clone(),
            journal: self.journal.clone(),
        };
        let concurrency = self.plan.policy.concurrency.map(ConcurrencyLimitLayer::new);
        // The standard policy would drop the request's number.
        let redirects = FollowRedirectLayer::with_policy(Limited::default());
        let hides_redirects = self.plan.sabotage == Some(Sabotage::HidesRedirects);
        ServiceBuilder::new()
            .layer(self.layer())
            .option_layer(concurrency)
            .map_response(move |mut response: Response<Incoming>| {
                if hides_redirects {
                    response.extensions_mut().remove::<RequestUri>();
                }
                response
            })
            .option_layer(self.plan.redirects.then_some(redirects))
            .service(watch)
            .boxed_clone()
    }

    fn layer(&self) -> RetryLayer<Judge> {
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
        let layer = if policy.has_budget {
            layer
        } else {
            layer.without_budget()
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

    async fn ask(self, ask: Ask, mut stack: Stack) {
        sleep(ask.at).await;
        let handle = AttemptsHandle::new();
        let request = self.request(&ask, &handle);
        // What is not ready is not the layer's affair, before the first attempt.
        let Ok(stack) = stack.ready().await else {
            panic!("the client is always ready");
        };
        self.journal.write(ask.id, What::Asked);
        let patience = ask.gives_up.unwrap_or(Duration::MAX);
        match timeout(patience, stack.call(request)).await {
            Err(_) => self.journal.write(ask.id, What::GaveUp),
            Ok(Err(_)) => self.journal.write(ask.id, What::Error),
            Ok(Ok(response)) if self.is_lost(&response) => self.journal.write(ask.id, What::Error),
            Ok(Ok(response)) => self.read(ask.id, response).await,
        }
        let attempts = handle.get().count;
        self.journal.write(ask.id, What::Counted { attempts });
    }

    fn is_lost(&self, response: &Response<Incoming>) -> bool {
        let loses = self.plan.sabotage == Some(Sabotage::LosesTheLast);
        loses && response.status().is_server_error()
    }

    fn request(&self, ask: &Ask, handle: &AttemptsHandle) -> Request<Payload> {
        let mut request = Request::builder()
            .method(ask.method.clone())
            .uri(format!("http://{}/{}", name(ask.server), ask.id))
            .header("te", "trailers")
            .extension(Id(ask.id))
            .extension(handle.clone());
        if ask.has_key {
            request = request.header("idempotency-key", ask.id);
        }
        if ask.body.has_trailers {
            request = request.header("trailer", "x-mark");
        }
        if let Some(own) = ask.own.over() {
            request = request.extension(own);
        }
        let body = Payload::new(&ask.body, mark(ask.id, 0), &self.bodies);
        request.body(body).expect("a request")
    }

    async fn read(&self, id: u32, response: Response<Incoming>) {
        let attempt = attempt_of(&response);
        let count = response
            .extensions()
            .get()
            .map_or(1, |attempts: &Attempts| attempts.count);
        let status = response.status().as_u16();
        self.journal.write(
            id,
            What::Response {
                attempt,
                status,
                count,
            },
        );
        let body = response.into_body().collect();
        match timeout(Duration::from_secs(5), body).await {
            Ok(Ok(whole)) => {
                let sent = self.plan.last_answer(id, attempt).body;
                let is_right = sent.is(mark(self.plan.answers(id, attempt), attempt), whole);
                self.journal.write(id, What::Read { is_right });
            }
            _ => self.journal.write(id, What::BrokeOff { attempt }),
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

fn attempt_of(response: &Response<Incoming>) -> u32 {
    let attempt = &response.headers()[ATTEMPT];
    attempt.to_str().expect("text").parse().expect("a number")
}
