use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::{Request, Response};
use http_body::Body;
use pin_project_lite::pin_project;
use tower_service::Service;

use super::body::VerifyBody;
use super::verifying::Verifying;
use crate::body::ReplayBody;
use crate::error::BoxError;

pin_project! {
    /// Response future of [`Verify`](crate::verify::Verify).
    ///
    /// Dropping it cancels the probe or the request that is in flight. No request is sent afterwards, and no
    /// task or timer remains. After it has completed, it holds neither the inner service nor a part of a
    /// response.
    ///
    /// # Panics
    ///
    /// Panics when polled again after it has completed. Panics when polled outside a tokio runtime with time
    /// enabled, if it has to wait for the rest of a response.
    pub struct VerifyFuture<S, B, R>
    where
        S: Service<Request<ReplayBody<B>>>,
        R: Body,
    {
        #[pin]
        way: Way<S::Future, Verifying<S, B, R>>,
    }
}

pin_project! {
    #[project = WayProj]
    enum Way<F, V> {
        // The outcome of the attempt is returned unchanged.
        Passing {
            #[pin]
            attempt: F,
        },
        // Boxed, because it is rare and large.
        Verifying {
            verifying: Pin<Box<V>>,
        },
        // Contains an error if no request could be sent, until it is returned.
        Ended {
            error: Option<BoxError>,
        },
    }
}

impl<S, B, R> VerifyFuture<S, B, R>
where
    S: Service<Request<ReplayBody<B>>>,
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

    pub(super) fn failed(error: BoxError) -> Self {
        let error = Some(error);
        Self {
            way: Way::Ended { error },
        }
    }
}

impl<S, B, R> Future for VerifyFuture<S, B, R>
where
    S: Service<Request<ReplayBody<B>>, Response = Response<R>>,
    S::Error: Into<BoxError>,
    R: Body,
    R::Error: Into<BoxError>,
{
    type Output = Result<Response<VerifyBody<R>>, BoxError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let outcome = match self.as_mut().project().way.project() {
            WayProj::Passing { attempt } => match ready!(attempt.poll(cx)) {
                Ok(response) => Ok(response.map(VerifyBody::passing)),
                Err(error) => Err(error.into()),
            },
            WayProj::Verifying { verifying } => ready!(verifying.as_mut().poll(cx)),
            WayProj::Ended { error } => match error.take() {
                Some(error) => Err(error),
                None => panic!("`VerifyFuture` polled after completion"),
            },
        };
        self.project().way.set(Way::Ended { error: None });
        Poll::Ready(outcome)
    }
}

impl<S, B, R> fmt::Debug for VerifyFuture<S, B, R>
where
    S: Service<Request<ReplayBody<B>>>,
    R: Body,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifyFuture").finish_non_exhaustive()
    }
}
