//! The service directly below the `RetryLayer`, which records the outcome of each attempt.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Request, Response};
use tower::Service;
use tower::util::BoxCloneService;
use tower_http_retry::commit::BrokenAnswer;
use tower_http_retry::{BoxError, ReplayBody};

use super::journal::{Journal, What};
use super::payload::Payload;
use super::plan::Plan;
use super::sabotage::Sabotage;
use super::stack::Answered;
use super::upstream::{ATTEMPT, attempt_of, number};
use super::watch::Id;

/// The service for attempts.
pub type Attempts = BoxCloneService<Request<ReplayBody<Payload>>, Response<Answered>, BoxError>;

#[derive(Clone)]
pub struct Hearing {
    pub inner: Attempts,
    pub plan: Arc<Plan>,
    pub journal: Journal,
}

impl Service<Request<ReplayBody<Payload>>> for Hearing {
    type Response = Response<Answered>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Answered>, BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReplayBody<Payload>>) -> Self::Future {
        let Id(id) = *request.extensions().get().expect("an id");
        let (plan, journal) = (self.plan.clone(), self.journal.clone());
        let call = self.inner.call(request);
        Box::pin(async move { hear(&plan, &journal, id, call.await) })
    }
}

/// Records the outcome of an attempt.
fn hear(
    plan: &Plan,
    journal: &Journal,
    id: u32,
    outcome: Result<Response<Answered>, BoxError>,
) -> Result<Response<Answered>, BoxError> {
    let mut response = outcome.map_err(|error| {
        let Some(broken) = error.downcast_ref::<BrokenAnswer>() else {
            return error;
        };
        let attempt = number(&broken.response().headers()[ATTEMPT]);
        let hint = hint(plan, id, attempt);
        journal.write(id, What::Broken { attempt, hint });
        match plan.sabotage {
            Some(Sabotage::HidesBrokenAnswers) => "something is wrong".into(),
            _ => error,
        }
    })?;
    let attempt = attempt_of(&response);
    let answered = What::Answered {
        attempt,
        status: response.status().as_u16(),
        hint: hint(plan, id, attempt),
    };
    journal.write(id, answered);
    if plan.sabotage == Some(Sabotage::KeepsTheFirst) {
        response.headers_mut().insert(ATTEMPT, 1.into());
    }
    Ok(response)
}

/// Returns the wait that the response to an attempt asks for.
fn hint(plan: &Plan, id: u32, attempt: u32) -> Option<Duration> {
    plan.last_answer(id, attempt).hint.map(|(_, hint)| hint)
}
