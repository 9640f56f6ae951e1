//! The caller, which sends the requests of the plan through its stack and reads the responses.

use std::sync::Arc;
use std::time::Duration;

use http::header::{ACCEPT_ENCODING, IF_NONE_MATCH, RANGE};
use http::{Request, Response};
use http_body_util::BodyExt;
use tokio::runtime::Handle;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tower::{Service, ServiceExt};
use tower_http_retry::commit::BrokenAnswer;
use tower_http_retry::{AttemptsHandle, Budget};

use super::ask::Ask;
use super::download::{Reader, begun};
use super::file::File;
use super::journal::{ALL, Journal, Left, What};
use super::parts::Download;
use super::payload::Payload;
use super::plan::Plan;
use super::sabotage::Sabotage;
use super::stack::{Answered, Builder, Stack};
use super::upstream::{attempt_of, count_of, mark, name};
use super::watch::Id;

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

    /// Sends all requests of the plan, drops everything, and records what is left.
    pub async fn call(self) -> turmoil::Result {
        let policy = &self.plan.policy;
        let stack = Builder {
            plan: &self.plan,
            journal: &self.journal,
            connections: &self.connections,
            budget: policy
                .has_budget
                .then(|| Budget::earning(policy.max_retries)),
        };
        let stack = stack.build();
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

    /// Returns what is left, after waiting until everything has been closed.
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
            // The tasks of the requests are not among them.
            tasks: Handle::current().metrics().num_alive_tasks(),
            bodies: Arc::strong_count(&self.bodies) - 1,
        }
    }

    async fn ask(self, ask: Ask, mut stack: Stack) {
        sleep(ask.at).await;
        let handle = AttemptsHandle::new();
        let download = Download::default();
        let request = self.request(&ask, &handle, &download);
        // Before the first attempt, the layer does not handle errors of readiness.
        let Ok(stack) = stack.ready().await else {
            panic!("the client is always ready");
        };
        self.journal.write(ask.id, What::Asked);
        let patience = ask.gives_up.unwrap_or(Duration::MAX);
        match timeout(patience, stack.call(request)).await {
            Err(_) => self.journal.write(ask.id, What::GaveUp),
            Ok(Err(error)) => self.fail(ask.id, error.is::<BrokenAnswer>()),
            Ok(Ok(response)) if self.is_lost(&response) => self.fail(ask.id, false),
            Ok(Ok(response)) => self.read(&ask, response, &download).await,
        }
        let attempts = handle.get().count;
        self.journal.write(ask.id, What::Counted { attempts });
    }

    fn fail(&self, id: u32, is_broken: bool) {
        self.journal.write(id, What::Error { is_broken });
    }

    fn is_lost(&self, response: &Response<Answered>) -> bool {
        let loses = self.plan.sabotage == Some(Sabotage::LosesTheLast);
        loses && response.status().is_server_error()
    }

    fn request(&self, ask: &Ask, handle: &AttemptsHandle, download: &Download) -> Request<Payload> {
        let mut request = Request::builder()
            .method(ask.method.clone())
            .uri(format!("http://{}/{}", name(ask.server), ask.id))
            .header("te", "trailers")
            .extension(Id(ask.id))
            .extension(handle.clone())
            .extension(download.clone());
        if ask.has_key {
            request = request.header("idempotency-key", ask.id);
        }
        if ask.body.has_trailers {
            request = request.header("trailer", "x-mark");
        }
        if let Some(file) = &ask.file {
            // The caller has a version that never existed.
            request = request
                .header(IF_NONE_MATCH, "\"none\"")
                .header(ACCEPT_ENCODING, "identity");
            if let Some((first, last)) = file.asked {
                request = request.header(RANGE, format!("bytes={first}-{last}"));
            }
        }
        if let Some(own) = ask.own.over() {
            request = request.extension(own);
        }
        let body = Payload::new(&ask.body, mark(ask.id, 0), &self.bodies);
        let request = request.extension(body.source.clone());
        request.body(body).expect("a request")
    }

    async fn read(&self, ask: &Ask, response: Response<Answered>, download: &Download) {
        let (id, attempt) = (ask.id, attempt_of(&response));
        let status = response.status().as_u16();
        let answered = What::Response {
            attempt,
            status,
            count: count_of(&response),
        };
        self.journal.write(id, answered);
        if let Some(file) = ask.file.as_ref().filter(|_| [200, 206].contains(&status)) {
            return self.download(ask, file, response, download).await;
        }
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

    async fn download(
        &self,
        ask: &Ask,
        file: &File,
        response: Response<Answered>,
        download: &Download,
    ) {
        let begun = begun(&response);
        self.journal.write(ask.id, What::Begun(begun));
        let reader = Reader {
            file,
            enough: ask.has_enough,
            download,
            sabotage: self.plan.sabotage,
        };
        let downloaded = reader.read(response.into_body(), begun).await;
        self.journal.write(ask.id, What::Downloaded(downloaded));
    }
}
