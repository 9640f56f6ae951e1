//! Sends a second attempt beside a slow one, according to a rule. The peers have this in common.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Empty;
use tokio::time::{Instant, timeout};
use tower::{Service, ServiceExt};
use tower_http_retry::BoxError;

type Outcome = Result<Response<Empty<Bytes>>, BoxError>;

/// When a second attempt is sent, and what the rule learns from attempts that end.
pub trait Rule: Send + Sync + 'static {
    /// Whether the caller gets the first outcome even if it is a failure, without waiting for the other
    /// attempt.
    const TAKES_FAILURES: bool;

    /// Is called when a request begins. Returns the delay of its second attempt, or `None` if there is none.
    fn begin(&self) -> Option<Duration>;

    /// Whether a second attempt that is due is sent.
    fn allows(&self) -> bool;

    fn attempt_ended(&self, end: End);
}

/// How an attempt ended.
pub struct End {
    pub is_second: bool,
    /// How long the attempt took.
    pub took: Duration,
    /// How long the caller waited.
    pub waited: Duration,
    pub how: How,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    Success,
    TimedOut,
    Refused,
    /// It was dropped because the other attempt won.
    Dropped,
}

/// The service of one client.
pub struct Backup<S, R> {
    inner: S,
    rule: Arc<R>,
}

impl<S, R> Backup<S, R> {
    pub fn new(inner: S, rule: R) -> Self {
        Self {
            inner,
            rule: Arc::new(rule),
        }
    }
}

impl<S: Clone, R> Clone for Backup<S, R> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            rule: Arc::clone(&self.rule),
        }
    }
}

impl<S, R> Service<Request<Empty<Bytes>>> for Backup<S, R>
where
    S: Service<Request<Empty<Bytes>>, Response = Response<Empty<Bytes>>, Error = BoxError>,
    S: Clone + Send + 'static,
    S::Future: Send,
    R: Rule,
{
    type Response = Response<Empty<Bytes>>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Outcome> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Empty<Bytes>>) -> Self::Future {
        let Self { inner, rule } = self.clone();
        Box::pin(hedge(inner, rule, request))
    }
}

async fn hedge<S, R>(inner: S, rule: Arc<R>, request: Request<Empty<Bytes>>) -> Outcome
where
    S: Service<Request<Empty<Bytes>>, Response = Response<Empty<Bytes>>, Error = BoxError> + Clone,
    R: Rule,
{
    let start = Instant::now();
    let end = |is_second, begin: Instant, how| {
        rule.attempt_ended(End {
            is_second,
            took: begin.elapsed(),
            waited: start.elapsed(),
            how,
        });
    };
    let delay = rule.begin();
    let mut first = pin!(inner.clone().oneshot(request.clone()));
    let alone = match delay {
        Some(delay) => timeout(delay, first.as_mut()).await.ok(),
        None => None,
    };
    // A second attempt that is not allowed is not sent later either.
    let is_due = delay.is_some() && alone.is_none();
    if !is_due || !rule.allows() {
        let outcome = match alone {
            Some(outcome) => outcome,
            None => first.await,
        };
        end(false, start, how(&outcome));
        return outcome;
    }
    let second_start = Instant::now();
    let mut second = pin!(inner.oneshot(request));
    let (is_second, outcome) = race(first.as_mut(), second.as_mut()).await;
    let starts = [start, second_start];
    end(is_second, starts[usize::from(is_second)], how(&outcome));
    let other_start = starts[usize::from(!is_second)];
    if R::TAKES_FAILURES || how(&outcome) == How::Success {
        end(!is_second, other_start, How::Dropped);
        return outcome;
    }
    let other = if is_second { first } else { second };
    let outcome = other.await;
    end(!is_second, other_start, how(&outcome));
    outcome
}

/// Returns the outcome of the attempt that ends first, and whether it is the second one.
async fn race<F: Future>(mut first: Pin<&mut F>, mut second: Pin<&mut F>) -> (bool, F::Output) {
    poll_fn(|cx| {
        if let Poll::Ready(outcome) = first.as_mut().poll(cx) {
            return Poll::Ready((false, outcome));
        }
        second.as_mut().poll(cx).map(|outcome| (true, outcome))
    })
    .await
}

/// Classifies an outcome. All errors in these simulations are time-outs.
fn how(outcome: &Outcome) -> How {
    match outcome {
        Ok(response) if response.status().is_success() => How::Success,
        Ok(_) => How::Refused,
        Err(_) => How::TimedOut,
    }
}
