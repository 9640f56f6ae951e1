use std::fmt;
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tower_service::Service;

use super::error::ResumeError;
use super::resuming::Resuming;
use crate::classify::Classify;
use crate::error::BoxError;
use crate::read_ahead::in_bytes;

pin_project! {
    /// Response body of [`Resume`](crate::resume::Resume).
    ///
    /// It yields the inner service's body. If the connection breaks, it continues with the bodies of
    /// further responses.
    ///
    /// - Data frames are [`Bytes`]. They are not copied if the inner service's are `Bytes`.
    /// - If the response can be resumed, [`size_hint`](Body::size_hint) is always exact: it is the length
    ///   that the head of the first response promised, less what was delivered.
    /// - Trailers are those of the response that delivers the last byte.
    /// - Dropping the body cancels a resumption that is waiting or in flight.
    /// - The body is `Unpin` if the inner service's body is.
    ///
    /// The type contains the types of the whole stack below, so most users box it, or write `impl Body`.
    ///
    /// # Errors
    ///
    /// Yields a [`ResumeError`] if the body could not be delivered completely; it is the last item. The body
    /// of a response that cannot be resumed yields the inner service's own error.
    ///
    /// # Panics
    ///
    /// Panics when polled outside a tokio runtime with time enabled, if it has to wait.
    ///
    /// # Example
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), tower_http_retry::BoxError> {
    /// use http::{Request, Response};
    /// use http_body::Body as _;
    /// use http_body_util::{BodyExt, Full};
    /// use tower::{ServiceBuilder, ServiceExt};
    /// use tower_http_retry::{BoxError, ResumeLayer};
    ///
    /// type Body = Full<bytes::Bytes>;
    /// let service = ServiceBuilder::new()
    ///     .layer(ResumeLayer::new())
    ///     .service_fn(async |_: Request<Body>| {
    ///         let response = Response::builder().header("etag", "\"v1\"").header("content-length", 10);
    ///         Ok::<_, BoxError>(response.body(Body::from("0123456789"))?)
    ///     });
    ///
    /// let body = service.oneshot(Request::new(Body::default())).await?.into_body();
    /// assert!(body.is_resumable());
    /// assert_eq!(body.size_hint().exact(), Some(10));
    /// assert_eq!(body.collect().await?.to_bytes(), "0123456789");
    /// # Ok(())
    /// # }
    /// ```
    pub struct ResumeBody<S, C, B, R>
    where
        S: Service<Request<B>>,
    {
        // The current attempt's body. `None` between two attempts, and after the end.
        #[pin]
        body: Option<R>,
        // `None` if the body passes through unchanged, and after the end.
        resuming: Option<Pin<Box<Resuming<S, C, B>>>>,
    }
}

impl<S, C, B, R> ResumeBody<S, C, B, R>
where
    S: Service<Request<B>>,
{
    pub(super) fn new(body: R, resuming: Option<Pin<Box<Resuming<S, C, B>>>>) -> Self {
        let body = Some(body);
        Self { body, resuming }
    }

    /// Returns whether the body is resumed if its connection breaks.
    ///
    /// It is if its response [can be resumed](crate::resume#which-responses-can-be-resumed) and the body has
    /// not ended yet.
    pub fn is_resumable(&self) -> bool {
        let resuming = self.resuming.as_ref();
        resuming.is_some_and(|resuming| resuming.download().can_resume())
    }

    /// Ends the body, and drops the current attempt.
    fn end(self: Pin<&mut Self>) {
        let mut this = self.project();
        this.body.set(None);
        *this.resuming = None;
    }
}

type Given = Option<Result<Frame<Bytes>, BoxError>>;

impl<S, C, B, R> ResumeBody<S, C, B, R>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Error: Into<BoxError>,
    C: Classify,
    B: Default,
    R: Body,
    R::Error: Into<BoxError>,
{
    /// Polls the next frame of the current attempt. Waits for the next attempt if there is none.
    fn poll_attempt(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Given, ResumeError>> {
        let mut this = self.project();
        let Some(resuming) = this.resuming else {
            let body = this.body.as_pin_mut();
            return body.map_or(Poll::Ready(Ok(None)), |body| poll_frame(body, cx).map(Ok));
        };
        if this.body.is_none() {
            let body = ready!(resuming.as_mut().poll_resumed(cx))?;
            this.body.set(Some(body));
        }
        let body = this.body.as_pin_mut().expect("just set");
        Poll::Ready(Ok(match poll_frame(body, cx) {
            Poll::Ready(frame) => frame,
            Poll::Pending => {
                ready!(resuming.as_mut().poll_idle(cx));
                let idle = io::Error::new(
                    ErrorKind::TimedOut,
                    "no data arrived within the idle time-out",
                );
                Some(Err(idle.into()))
            }
        }))
    }

    /// Decides what the caller gets for a frame of an attempt, or for its end.
    fn take(mut self: Pin<&mut Self>, given: Given) -> Result<Taken, ResumeError> {
        let Some(resuming) = self.as_mut().project().resuming else {
            return Ok(Taken::Given(given));
        };
        let frame = match given {
            Some(Ok(frame)) => frame,
            Some(Err(error)) => return self.ended(Some(error)),
            None => return self.ended(None),
        };
        let data = match frame.into_data() {
            Ok(data) => data,
            Err(trailers) if resuming.download().is_done() => {
                return Ok(Taken::Given(Some(Ok(trailers))));
            }
            // Trailers end an attempt. Before the last byte, the caller does not get them.
            Err(_) => return self.ended(None),
        };
        let was_empty = data.is_empty();
        let data = resuming.as_mut().receive(data)?;
        if resuming.download().goes_on() {
            self.end();
        }
        Ok(match data.is_empty() && !was_empty {
            true => Taken::Nothing,
            false => Taken::Given(Some(Ok(Frame::data(data)))),
        })
    }

    /// Handles the end of an attempt. It ends the body, too, if all bytes were delivered.
    fn ended(mut self: Pin<&mut Self>, error: Option<BoxError>) -> Result<Taken, ResumeError> {
        let mut this = self.as_mut().project();
        if let Some(resuming) = this.resuming {
            let is_done = resuming.download().is_done();
            let early =
                || io::Error::new(ErrorKind::UnexpectedEof, "the response body ended early").into();
            let error = error.or_else(|| (!is_done).then(early));
            // After the last byte, a broken connection loses nothing. Any other error concerns the
            // data, for example one of a layer that compares a digest.
            if let Some(error) = error.filter(|error| !(is_done && resuming.passes(error))) {
                this.body.set(None);
                resuming.as_mut().broke(error)?;
                return Ok(Taken::Nothing);
            }
        }
        self.end();
        Ok(Taken::Given(None))
    }
}

/// What the caller gets for a frame of an attempt.
enum Taken {
    Given(Given),
    /// The data was delivered before, or the attempt has ended.
    Nothing,
}

fn poll_frame<R>(body: Pin<&mut R>, cx: &mut Context<'_>) -> Poll<Given>
where
    R: Body,
    R::Error: Into<BoxError>,
{
    let frame = ready!(body.poll_frame(cx));
    Poll::Ready(frame.map(|frame| frame.map(in_bytes).map_err(Into::into)))
}

impl<S, C, B, R> Body for ResumeBody<S, C, B, R>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Error: Into<BoxError>,
    C: Classify,
    B: Default,
    R: Body,
    R::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Given> {
        loop {
            let given = match ready!(self.as_mut().poll_attempt(cx)) {
                Ok(given) => self.as_mut().take(given),
                Err(error) => Err(error),
            };
            match given {
                Ok(Taken::Given(given)) => return Poll::Ready(given),
                Ok(Taken::Nothing) => {}
                Err(error) => {
                    self.end();
                    return Poll::Ready(Some(Err(error.into())));
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        let body_ends = self.body.as_ref().is_none_or(Body::is_end_stream);
        match &self.resuming {
            Some(resuming) => resuming.download().is_done() && body_ends,
            None => body_ends,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match (&self.resuming, &self.body) {
            (Some(resuming), _) => {
                let download = resuming.download();
                SizeHint::with_exact(download.expected() - download.delivered())
            }
            (None, Some(body)) => body.size_hint(),
            (None, None) => SizeHint::with_exact(0),
        }
    }
}

impl<S, C, B, R> fmt::Debug for ResumeBody<S, C, B, R>
where
    S: Service<Request<B>>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResumeBody").finish_non_exhaustive()
    }
}
