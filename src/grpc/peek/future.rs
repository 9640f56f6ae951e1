use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Buf;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Response};
use http_body::{Body, Frame};
use pin_project_lite::pin_project;

use super::body::{Given, PeekedBody};
use super::trailers::PeekedTrailers;
use crate::budget::CommittedCall;
use crate::grpc::STATUS;

/// So many frames without data are read in a row; one more stands for data. Nobody waits for a
/// server that sends nothing else.
const EMPTY_FRAMES: usize = 64;

pin_project! {
    /// The future of a [`PeekTrailers`](crate::grpc::PeekTrailers).
    ///
    /// # Panics
    ///
    /// When polled again after it has completed.
    pub struct PeekFuture<F, R> {
        // None once its response is there: what it holds, as a permit, is let go.
        #[pin]
        inner: Option<F>,
        // The response, until its first frame has come.
        peeking: Option<Response<R>>,
        waits: bool,
    }
}

impl<F, R> PeekFuture<F, R> {
    pub(super) fn new(inner: F, waits: bool) -> Self {
        Self {
            inner: Some(inner),
            peeking: None,
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
        let mut this = self.project();
        if let Some(inner) = this.inner.as_mut().as_pin_mut() {
            *this.peeking = Some(ready!(inner.poll(cx))?);
            this.inner.set(None);
        }
        let mut response = this
            .peeking
            .take()
            .expect("`PeekFuture` polled after completion");
        let awaits_status = awaits_status(&response);
        let (mut first, mut ended) = (None, false);
        if awaits_status && *this.waits {
            let Poll::Ready(frame) = poll_first(response.body_mut(), cx) else {
                *this.peeking = Some(response);
                return Poll::Pending;
            };
            ended = frame.is_none();
            first = frame;
        }
        let extensions = response.extensions_mut();
        if let Some(trailers) = first.as_ref().and_then(trailers).cloned() {
            extensions.insert(PeekedTrailers { trailers });
        }
        let call = awaits_status.then(CommittedCall::default);
        if let Some(call) = &call {
            extensions.insert(call.clone());
        }
        Poll::Ready(Ok(
            response.map(|rest| PeekedBody::new(first, ended, rest, call))
        ))
    }
}

fn awaits_status<R>(response: &Response<R>) -> bool {
    let headers = response.headers();
    // As in `application/grpc+proto`; gRPC-Web's trailers are data.
    let is_grpc = |value: &HeaderValue| {
        let rest = value.as_bytes().strip_prefix(b"application/grpc");
        rest.is_some_and(|rest| matches!(rest.first(), None | Some(b'+' | b';' | b' ')))
    };
    headers.get(CONTENT_TYPE).is_some_and(is_grpc) && !headers.contains_key(STATUS)
}

/// The first frame that carries something; none at the end.
fn poll_first<R: Body + Unpin>(body: &mut R, cx: &mut Context<'_>) -> Poll<Option<Given<R>>> {
    let mut skipped = 0;
    while !body.is_end_stream() {
        let frame = ready!(Pin::new(&mut *body).poll_frame(cx));
        if skipped == EMPTY_FRAMES || !frame.as_ref().is_some_and(is_empty) {
            return Poll::Ready(frame);
        }
        skipped += 1;
    }
    Poll::Ready(None)
}

fn is_empty<D: Buf, E>(frame: &Result<Frame<D>, E>) -> bool {
    let data = frame.as_ref().ok().and_then(Frame::data_ref);
    data.is_some_and(|data| !data.has_remaining())
}

fn trailers<D, E>(first: &Result<Frame<D>, E>) -> Option<&HeaderMap> {
    first.as_ref().ok()?.trailers_ref()
}

impl<F, R> fmt::Debug for PeekFuture<F, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PeekFuture").finish_non_exhaustive()
    }
}
