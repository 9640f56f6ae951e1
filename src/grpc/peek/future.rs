use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::header::CONTENT_TYPE;
use http::{HeaderValue, Response};
use http_body::Body;
use pin_project_lite::pin_project;

use super::body::PeekedBody;
use super::trailers::PeekedTrailers;
use crate::budget::CommittedCall;
use crate::grpc::STATUS;
use crate::read_ahead::Answering;

pin_project! {
    /// Response future of [`PeekTrailers`](crate::grpc::PeekTrailers).
    ///
    /// # Panics
    ///
    /// Panics when polled again after it has completed.
    pub struct PeekFuture<F, R>
    where
        R: Body,
    {
        #[pin]
        answering: Answering<F, R>,
        waits: bool,
    }
}

impl<F, R: Body + Unpin> PeekFuture<F, R> {
    pub(super) fn new(call: F, waits: bool) -> Self {
        Self {
            answering: Answering::new(call),
            waits,
        }
    }
}

impl<F, R, E> Future for PeekFuture<F, R>
where
    F: Future<Output = Result<Response<R>, E>>,
    R: Body + Unpin,
{
    type Output = Result<Response<PeekedBody<R>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut awaits = false;
        let answer = this.answering.poll_read(cx, |response, cx| {
            awaits = awaits_status(response);
            match awaits && *this.waits {
                true => response.body_mut().poll_first(cx),
                false => Poll::Ready(()),
            }
        });
        let (mut head, body) = ready!(answer)?.into_parts();
        if let Some(trailers) = body.first_trailers().cloned() {
            head.extensions.insert(PeekedTrailers { trailers });
        }
        let call = awaits.then(CommittedCall::default);
        if let Some(call) = &call {
            head.extensions.insert(call.clone());
        }
        let body = PeekedBody::new(body, call);
        Poll::Ready(Ok(Response::from_parts(head, body)))
    }
}

fn awaits_status<R>(response: &Response<R>) -> bool {
    let headers = response.headers();
    // `application/grpc+proto` matches, for example, but gRPC-Web, whose trailers are data, does not.
    let is_grpc = |value: &HeaderValue| {
        let rest = value.as_bytes().strip_prefix(b"application/grpc");
        rest.is_some_and(|rest| matches!(rest.first(), None | Some(b'+' | b';' | b' ')))
    };
    headers.get(CONTENT_TYPE).is_some_and(is_grpc) && !headers.contains_key(STATUS)
}

impl<F, R: Body> fmt::Debug for PeekFuture<F, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PeekFuture").finish_non_exhaustive()
    }
}
