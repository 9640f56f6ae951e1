//! The service between the layers and the client, which records each attempt and its failures.

use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use hyper_util::client::legacy::{Client, Error, ResponseFuture};
use tokio::time::timeout;
use tower::Service;
use tower_http_retry::BoxError;

use super::failure::{self, Failure, Overtaken};
use super::heard::Heard;
use super::hedging::{Outgoing, number};
use super::journal::{Journal, What};
use super::network::Connector;
use super::plan::{HEDGES, Plan, TARGETS};
use super::sabotage::Sabotage;

/// The number of a request, as an extension of the request.
#[derive(Clone, Copy)]
pub struct Id(pub u32);

#[derive(Clone)]
pub struct Watch {
    pub client: Client<Connector, Sent>,
    pub plan: Arc<Plan>,
    pub journal: Journal,
}

/// The body of an attempt.
pub struct Sent {
    body: Option<Outgoing>,
    loses_a_piece: bool,
}

impl Service<Request<Outgoing>> for Watch {
    type Response = Response<Heard>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Heard>, BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.client.poll_ready(cx).map_err(BoxError::from)
    }

    fn call(&mut self, request: Request<Outgoing>) -> Self::Future {
        let Id(id) = *request.extensions().get().expect("an id");
        let attempt = number(&request);
        let sabotage = self.plan.sabotage;
        let loses_a_piece = match sabotage {
            Some(Sabotage::LosesAPiece) => attempt > 1,
            Some(Sabotage::LosesAPieceOfHedges) => attempt >= HEDGES,
            _ => false,
        };
        let request = request.map(|body| Sent {
            body: Some(body),
            loses_a_piece,
        });
        let watch = self.clone();
        if is_target(&request) {
            let response = self.client.call(request);
            return Box::pin(async move { watch.hear(id, TARGETS + id, attempt, response.await) });
        }
        if attempt < HEDGES {
            self.journal.write(id, What::Sent { attempt });
        }
        if sabotage == Some(Sabotage::SendsTwice) {
            tokio::spawn(self.client.call(without_body(&request)));
        }
        let response = self.client.call(request);
        if let Some(by) = self.plan.overtakes(id, attempt) {
            return Box::pin(async move { Err(watch.overtake(id, attempt, by, response).await) });
        }
        Box::pin(async move { watch.hear(id, id, attempt, response.await) })
    }
}

impl Watch {
    /// Records the outcome of an attempt of a request, or of the target of a redirect.
    fn hear(
        &self,
        id: u32,
        asked: u32,
        attempt: u32,
        result: Result<Response<Incoming>, Error>,
    ) -> Result<Response<Heard>, BoxError> {
        let response = result.map_err(|error| self.fail(id, asked, attempt, error))?;
        if response.status() == StatusCode::SEE_OTHER {
            self.journal.write(id, What::Redirected { attempt });
            return Ok(Heard::unheard(response));
        }
        Ok(Heard::of(
            response,
            &self.plan,
            &self.journal,
            (id, attempt),
        ))
    }

    fn fail(&self, id: u32, asked: u32, attempt: u32, error: Error) -> BoxError {
        let (how, error): (_, BoxError) = if asked != id {
            // An error does not show that it concerns the target of a redirect, so a refusal by the target
            // would be classified as a refusal of the request. This is a reason to follow redirects above the
            // retry layer.
            (Failure::OfTarget, "the redirect's target failed".into())
        } else if self.plan.is_quic_like && !error.is_connect() && failure::is_lost(&error) {
            let lost = io::Error::from(ErrorKind::NotConnected);
            (Failure::NotConnected, lost.into())
        } else if failure::is_go_away(&error) {
            (Failure::GoAway, error.into())
        } else if failure::is_task_ended(&error) {
            (Failure::TaskEnded, error.into())
        } else {
            return error.into();
        };
        self.journal.write(id, What::Failed { attempt, how });
        error
    }

    /// Sends an attempt whose outcome is overtaken by another thread of hyper. The simulation has only one
    /// thread, so the error is created separately.
    async fn overtake(
        &self,
        id: u32,
        attempt: u32,
        by: Overtaken,
        response: ResponseFuture,
    ) -> BoxError {
        tokio::spawn(timeout(Duration::from_millis(200), response));
        let how = Failure::Overtaken(by);
        self.journal.write(id, What::Failed { attempt, how });
        match by {
            Overtaken::ByGoAway => failure::go_away().await.into(),
            Overtaken::ByEndedTask => failure::task_ended().await.into(),
        }
    }
}

fn is_target<B>(request: &Request<B>) -> bool {
    let id = request.uri().path().trim_start_matches('/').parse();
    id.is_ok_and(|id: u32| id >= TARGETS)
}

fn without_body(request: &Request<Sent>) -> Request<Sent> {
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let mut copy = Request::new(Sent {
        body: None,
        loses_a_piece: false,
    });
    (*copy.method_mut(), *copy.uri_mut()) = (method, uri);
    copy.headers_mut().clone_from(request.headers());
    copy
}

impl Body for Sent {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let Self {
            body,
            loses_a_piece,
        } = &mut *self;
        let Some(body) = body else {
            return Poll::Ready(None);
        };
        let frame = Pin::new(&mut *body).poll_frame(cx);
        if frame.is_ready() && std::mem::take(loses_a_piece) {
            return Pin::new(body).poll_frame(cx);
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Outgoing::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body
            .as_ref()
            .map_or_else(|| SizeHint::with_exact(0), Outgoing::size_hint)
    }
}
