use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::Response;
use http_body::Body;
use pin_project_lite::pin_project;

use super::ReadAhead;

pin_project! {
    /// A call, and the reading of its response until that can be handed over.
    pub(crate) struct Answering<F, R>
    where
        R: Body,
    {
        // None once its response is there: what it holds, as a permit, is let go.
        #[pin]
        call: Option<F>,
        // None before it is there, and once it was handed over.
        response: Option<Response<ReadAhead<R>>>,
    }
}

impl<F, R: Body + Unpin> Answering<F, R> {
    pub(crate) fn new(call: F) -> Self {
        Self {
            call: Some(call),
            response: None,
        }
    }

    /// The response, once it is there and `read` says that enough of it was read.
    ///
    /// # Panics
    ///
    /// When polled again after it was handed over.
    pub(crate) fn poll_read<E>(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        read: impl FnOnce(&mut Response<ReadAhead<R>>, &mut Context<'_>) -> Poll<()>,
    ) -> Poll<Result<Response<ReadAhead<R>>, E>>
    where
        F: Future<Output = Result<Response<R>, E>>,
    {
        let mut this = self.project();
        if let Some(call) = this.call.as_mut().as_pin_mut() {
            let outcome = ready!(call.poll(cx));
            this.call.set(None);
            *this.response = Some(outcome?.map(ReadAhead::new));
        }
        let response = this.response.as_mut();
        ready!(read(response.expect("polled after completion"), cx));
        Poll::Ready(Ok(this.response.take().expect("it was read just now")))
    }
}
