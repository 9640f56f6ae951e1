use std::future::Future;
use std::task::{Context, Poll, Waker};

use http::{Request, Response, StatusCode};
use http_body::Body;
use http_body_util::BodyExt;
use tower::Service;

/// A client that is measured.
pub trait Client<B>: Clone + Send + 'static {
    type Answer: Answer;

    fn send(&mut self, request: Request<B>) -> impl Future<Output = Self::Answer> + Send + 'static;
}

/// The response to a request, or its error.
pub trait Answer: Send + 'static {
    /// Returns the status of the response. Panics if there is none.
    fn status(&self) -> StatusCode;

    /// Reads the body to its end, so that the connection can be reused.
    fn read(self) -> impl Future<Output = ()> + Send;
}

/// A function that is generic over the type of a client.
pub trait Visit<B> {
    type Output;

    fn visit<C: Client<B>>(self, client: C) -> Self::Output;
}

/// A tower service as a client. It returns the future of the service without wrapping it, which would
/// add to the figures.
#[derive(Clone)]
pub struct Tower<S>(pub S);

impl<S, B> Client<B> for Tower<S>
where
    S: Service<Request<B>> + Clone + Send + 'static,
    S::Future: Send + 'static,
    Result<S::Response, S::Error>: Answer,
{
    type Answer = Result<S::Response, S::Error>;

    fn send(&mut self, request: Request<B>) -> impl Future<Output = Self::Answer> + Send + 'static {
        // The services measured here are always ready.
        let ready = self.0.poll_ready(&mut Context::from_waker(Waker::noop()));
        assert!(matches!(ready, Poll::Ready(Ok(()))), "not ready");
        self.0.call(request)
    }
}

impl<R, E> Answer for Result<Response<R>, E>
where
    R: Body<Data: Send, Error: Send> + Send + Unpin + 'static,
    E: Send + 'static,
{
    fn status(&self) -> StatusCode {
        match self {
            Ok(response) => response.status(),
            Err(_) => panic!("no answer"),
        }
    }

    async fn read(self) {
        let Ok(mut response) = self else {
            return;
        };
        while let Some(frame) = response.frame().await {
            assert!(frame.is_ok(), "a broken body");
        }
    }
}
