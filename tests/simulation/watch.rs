//! What stands between the layer and the client: sees each attempt, and its response's head.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use hyper_util::client::legacy::{Client, Error};
use tower::Service;
use tower_http_retry::{Attempt, BoxError, ReplayBody};

use super::journal::{Journal, What};
use super::network::Connector;
use super::payload::Payload;
use super::plan::Plan;
use super::sabotage::Sabotage;
use super::upstream::ATTEMPT;

/// The request's number, as an extension of it.
#[derive(Clone, Copy)]
pub struct Id(pub u32);

#[derive(Clone)]
pub struct Watch {
    pub client: Client<Connector, Sent>,
    pub plan: Arc<Plan>,
    pub journal: Journal,
}

/// An attempt's body.
pub struct Sent {
    body: Option<ReplayBody<Payload>>,
    loses_a_piece: bool,
}

impl Service<Request<ReplayBody<Payload>>> for Watch {
    type Response = Response<Incoming>;
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Incoming>, Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.client.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReplayBody<Payload>>) -> Self::Future {
        let Id(id) = *request.extensions().get().expect("an id");
        let attempt = request.extensions().get().map_or(1, Attempt::number);
        self.journal.write(id, What::Sent { attempt });
        let sabotage = self.plan.sabotage;
        let request = request.map(|body| Sent {
            body: Some(body),
            loses_a_piece: attempt > 1 && sabotage == Some(Sabotage::LosesAPiece),
        });
        if sabotage == Some(Sabotage::SendsTwice) {
            tokio::spawn(self.client.call(without_body(&request)));
        }
        let (response, watch) = (self.client.call(request), self.clone());
        Box::pin(async move {
            let mut response = response.await?;
            let status = response.status().as_u16();
            let hint = watch.plan.answer(id, attempt).hint.map(|(_, hint)| hint);
            let answered = What::Answered {
                attempt,
                status,
                hint,
            };
            watch.journal.write(id, answered);
            if sabotage == Some(Sabotage::KeepsTheFirst) {
                response.headers_mut().insert(ATTEMPT, 1.into());
            }
            Ok(response)
        })
    }
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
        self.body.as_ref().is_none_or(ReplayBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body
            .as_ref()
            .map_or_else(|| SizeHint::with_exact(0), ReplayBody::size_hint)
    }
}
