use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use crate::read_ahead::{ReadAhead, in_bytes};

/// A body that is read and kept, to free its connection or to compare its data.
pub(super) type Kept<R> = ReadAhead<Pin<Box<R>>>;

pin_project! {
    /// Response body of [`Verify`](crate::verify::Verify).
    ///
    /// It is the inner service's body, unchanged; or a body that was read before the response was returned;
    /// or empty. Data frames are [`Bytes`]. Unless they were read before, they are not copied if the inner
    /// service's are `Bytes`.
    ///
    /// # Example
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), tower_http_retry::BoxError> {
    /// use http::{Request, Response};
    /// use http_body_util::{BodyExt, Full};
    /// use tower::{ServiceBuilder, ServiceExt};
    /// use tower_http_retry::verify::VerifyBody;
    /// use tower_http_retry::{BoxError, ReplayBody, RetryLayer, VerifyLayer};
    ///
    /// type Body = Full<bytes::Bytes>;
    /// let client = ServiceBuilder::new()
    ///     .layer(RetryLayer::new())
    ///     .layer(VerifyLayer::new())
    ///     .service_fn(async |_: Request<ReplayBody<Body>>| {
    ///         Ok::<_, BoxError>(Response::new(Body::from("an item")))
    ///     });
    /// let response = client.oneshot(Request::new(Body::default())).await?;
    /// let body: VerifyBody<Body> = response.into_body();
    /// assert_eq!(body.collect().await?.to_bytes(), "an item");
    /// # Ok(())
    /// # }
    /// ```
    pub struct VerifyBody<R>
    where
        R: Body,
    {
        #[pin]
        content: Content<R>,
    }
}

pin_project! {
    #[project = ContentProj]
    enum Content<R>
    where
        R: Body,
    {
        Passing {
            #[pin]
            body: R,
        },
        Kept {
            kept: Kept<R>,
        },
        Empty,
    }
}

impl<R: Body> VerifyBody<R> {
    pub(super) fn passing(body: R) -> Self {
        Self {
            content: Content::Passing { body },
        }
    }

    pub(super) fn kept(kept: Kept<R>) -> Self {
        Self {
            content: Content::Kept { kept },
        }
    }

    pub(super) fn empty() -> Self {
        Self {
            content: Content::Empty,
        }
    }
}

impl<R: Body> Body for VerifyBody<R> {
    type Data = Bytes;
    type Error = R::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, R::Error>>> {
        match self.project().content.project() {
            ContentProj::Passing { body } => body.poll_frame(cx).map_ok(in_bytes),
            ContentProj::Kept { kept } => Pin::new(kept).poll_frame(cx),
            ContentProj::Empty => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.content {
            Content::Passing { body } => body.is_end_stream(),
            Content::Kept { kept } => kept.is_end_stream(),
            Content::Empty => true,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Passing { body } => body.size_hint(),
            Content::Kept { kept } => kept.size_hint(),
            Content::Empty => SizeHint::with_exact(0),
        }
    }
}

impl<R: Body> fmt::Debug for VerifyBody<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifyBody").finish_non_exhaustive()
    }
}
