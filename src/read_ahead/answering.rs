use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::Response;
use http_body::Body;
use pin_project_lite::pin_project;

use super::ReadAhead;

pin_project! {
    /// A call whose response is read ahead before it is returned.
    pub(crate) struct Answering<F, R>
    where
        R: Body,
    {
        // None after the response has arrived, so that what the call holds, such as a permit, is released.
        #[pin]
        call: Option<F>,
        // None before the response has arrived, and after it was returned.
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

    /// Returns the response as soon as it has arrived and `read`, which reads its body ahead, is ready.
    ///
    /// # Panics
    ///
    /// Panics if it is polled again after it has returned the response.
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
