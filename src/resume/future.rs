use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::{Request, Response};
use http_body::Body;
use pin_project_lite::pin_project;
use tower_service::Service;

use super::body::ResumeBody;
use super::download::Download;
use super::resuming::{Resuming, Start};
use crate::error::BoxError;

pin_project! {
    /// Response future of [`Resume`](crate::resume::Resume).
    ///
    /// # Panics
    ///
    /// Panics when polled again after it has completed, if the inner service's future does.
    pub struct ResumeFuture<S, C, B>
    where
        S: Service<Request<B>>,
    {
        #[pin]
        call: S::Future,
        start: Option<Start<S, C>>,
    }
}

impl<S, C, B> ResumeFuture<S, C, B>
where
    S: Service<Request<B>>,
{
    pub(super) fn new(call: S::Future, start: Option<Start<S, C>>) -> Self {
        Self { call, start }
    }
}

impl<S, C, B, R> Future for ResumeFuture<S, C, B>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Error: Into<BoxError>,
    R: Body,
{
    type Output = Result<Response<ResumeBody<S, C, B, R>>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let outcome = ready!(this.call.poll(cx));
        let start = this.start.take();
        let response = outcome?;
        let resuming = start.and_then(|start| {
            let download = Download::begin(&response, &start.settings.limits)?;
            Some(Resuming::new(start, download))
        });
        Poll::Ready(Ok(
            response.map(|body| ResumeBody::new(body, resuming.map(Box::pin)))
        ))
    }
}

impl<S, C, B> fmt::Debug for ResumeFuture<S, C, B>
where
    S: Service<Request<B>>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResumeFuture").finish_non_exhaustive()
    }
}
