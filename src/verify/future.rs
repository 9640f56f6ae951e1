use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::{Request, Response};
use http_body::Body;
use pin_project_lite::pin_project;
use tower::Service;

use super::body::VerifyBody;
use super::verifying::Verifying;
use crate::error::BoxError;

pin_project! {
    /// The future of a [`Verify`](crate::Verify).
    ///
    /// Dropping it stops everything: nothing more is sent, no task or timer is left.
    ///
    /// # Panics
    ///
    /// When polled again after it has completed; and, if it has to wait for the rest of an answer,
    /// outside a tokio runtime with time enabled.
    pub struct VerifyFuture<S, B, R>
    where
        S: Service<Request<B>>,
        R: Body,
    {
        #[pin]
        way: Way<S::Future, Verifying<S, B, R>>,
    }
}

pin_project! {
    #[project = WayProj]
    enum Way<F, V> {
        // Whatever the attempt comes to is handed over.
        Passing {
            #[pin]
            attempt: F,
        },
        // In a box of its own: it is rare, and large.
        Verifying {
            verifying: Pin<Box<V>>,
        },
    }
}

impl<S, B, R> VerifyFuture<S, B, R>
where
    S: Service<Request<B>>,
    R: Body,
{
    pub(super) fn passing(attempt: S::Future) -> Self {
        Self {
            way: Way::Passing { attempt },
        }
    }

    pub(super) fn verifying(verifying: Verifying<S, B, R>) -> Self {
        let verifying = Box::pin(verifying);
        Self {
            way: Way::Verifying { verifying },
        }
    }
}

impl<S, B, R> Future for VerifyFuture<S, B, R>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Error: Into<BoxError>,
    B: Default,
    R: Body,
{
    type Output = Result<Response<VerifyBody<R>>, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().way.project() {
            WayProj::Passing { attempt } => {
                let outcome = ready!(attempt.poll(cx)).map_err(Into::into)?;
                Poll::Ready(Ok(outcome.map(VerifyBody::passing)))
            }
            WayProj::Verifying { verifying } => verifying.as_mut().poll(cx),
        }
    }
}

impl<S, B, R> fmt::Debug for VerifyFuture<S, B, R>
where
    S: Service<Request<B>>,
    R: Body,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifyFuture").finish_non_exhaustive()
    }
}
