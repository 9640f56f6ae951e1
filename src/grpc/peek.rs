use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::header::CONTENT_TYPE;
use http::{HeaderMap, Request, Response};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tower::{Layer, Service};

use super::STATUS;
use crate::leftover::{length_of, size_with};

/// Looks at the trailers of a response that has nothing before them, so that a
/// [`ByGrpcStatus`](crate::ByGrpcStatus) above sees the status there.
///
/// A failed call that may be retried has its status in the response's head (Trailers-Only). Some
/// servers and proxies send the head first, and the status in trailers right after it. Stacked
/// under the retry, this layer waits for the first frame of a response that says
/// `content-type: application/grpc` and has no `grpc-status` yet. Where it is trailers, their
/// status counts as the head's. What the caller gets is the same.
///
/// The head of a stream is handed over when its first frame comes: a server that sends its headers
/// early, and its first message only after the client has sent more, may then wait for a client
/// that waits for it. Do not use it for such methods. An attempt's time-out then ends with the first
/// frame, too.
///
/// The response's body must be `Unpin`; one that is not can be boxed.
///
/// # Example
///
/// ```
/// use tonic::body::Body;
/// use tonic::client::GrpcService;
/// use tonic::transport::Channel;
/// use tower::ServiceBuilder;
/// use tower_http::map_request_body::MapRequestBodyLayer;
/// use tower_http_retry::{PeekTrailersLayer, PeekedBody, RetryLayer};
///
/// fn with_retries(
///     channel: Channel,
/// ) -> impl GrpcService<Body, ResponseBody = PeekedBody<Body>, Future: Send> + Clone {
///     ServiceBuilder::new()
///         .layer(RetryLayer::grpc())
///         .layer(PeekTrailersLayer::new())
///         .layer(MapRequestBodyLayer::new(Body::new))
///         .service(channel)
/// }
/// # let _ = with_retries;
/// ```
#[derive(Clone, Copy, Debug, Default)]
#[must_use = "a layer does nothing until it wraps a service"]
pub struct PeekTrailersLayer {
    _private: (),
}

/// Middleware that looks at trailers which come first; made by [`PeekTrailersLayer`].
#[derive(Clone, Copy, Debug)]
pub struct PeekTrailers<S> {
    inner: S,
}

/// Trailers that came first: an extension of their response.
#[derive(Clone)]
pub(super) struct PeekedTrailers(pub(super) HeaderMap);

pin_project! {
    /// The future of a [`PeekTrailers`].
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
    }
}

pin_project! {
    /// The body of a response whose first frame was looked at: gives that one first.
    pub struct PeekedBody<R>
    where
        R: Body,
    {
        first: Option<Result<Frame<R::Data>, R::Error>>,
        // Nobody is asked again after the end.
        ended: bool,
        #[pin]
        rest: R,
    }
}

impl PeekTrailersLayer {
    /// The layer; it has no settings.
    pub fn new() -> Self {
        Self::default()
    }
}

impl<S> Layer<S> for PeekTrailersLayer {
    type Service = PeekTrailers<S>;

    fn layer(&self, inner: S) -> PeekTrailers<S> {
        PeekTrailers { inner }
    }
}

impl<S> PeekTrailers<S> {
    /// The inner service.
    pub fn get_ref(&self) -> &S {
        &self.inner
    }

    /// The inner service.
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// The inner service, whose trailers are left alone.
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S, B, R> Service<Request<B>> for PeekTrailers<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    R: Body + Unpin,
{
    type Response = Response<PeekedBody<R>>;
    type Error = S::Error;
    type Future = PeekFuture<S::Future, R>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        PeekFuture {
            inner: Some(self.inner.call(request)),
            peeking: None,
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
        let (mut first, mut ended) = (None, false);
        if is_waiting_for_status(&response) && !response.body().is_end_stream() {
            let Poll::Ready(frame) = Pin::new(response.body_mut()).poll_frame(cx) else {
                *this.peeking = Some(response);
                return Poll::Pending;
            };
            ended = frame.is_none();
            first = frame;
        }
        if let Some(trailers) = first.as_ref().and_then(trailers) {
            let peeked = PeekedTrailers(trailers.clone());
            response.extensions_mut().insert(peeked);
        }
        Poll::Ready(Ok(response.map(|rest| PeekedBody { first, ended, rest })))
    }
}

fn is_waiting_for_status<R>(response: &Response<R>) -> bool {
    let headers = response.headers();
    // As in `application/grpc+proto`; gRPC-Web's trailers are data.
    let is_grpc = |value: &http::HeaderValue| {
        let rest = value.as_bytes().strip_prefix(b"application/grpc");
        rest.is_some_and(|rest| matches!(rest.first(), None | Some(b'+' | b';' | b' ')))
    };
    headers.get(CONTENT_TYPE).is_some_and(is_grpc) && !headers.contains_key(STATUS)
}

fn trailers<D, E>(first: &Result<Frame<D>, E>) -> Option<&HeaderMap> {
    first.as_ref().ok()?.trailers_ref()
}

impl<R: Body> Body for PeekedBody<R> {
    type Data = R::Data;
    type Error = R::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<R::Data>, R::Error>>> {
        let this = self.project();
        match this.first.take() {
            Some(first) => Poll::Ready(Some(first)),
            None if *this.ended => Poll::Ready(None),
            None => {
                let frame = ready!(this.rest.poll_frame(cx));
                *this.ended = frame.is_none();
                Poll::Ready(frame)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.first.is_none() && (self.ended || self.rest.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        let rest = self.rest.size_hint();
        let Some(Ok(first)) = &self.first else {
            return rest;
        };
        size_with(length_of(first), &rest)
    }
}

impl<F, R> fmt::Debug for PeekFuture<F, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PeekFuture").finish_non_exhaustive()
    }
}

impl<R: Body> fmt::Debug for PeekedBody<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PeekedBody").finish_non_exhaustive()
    }
}
