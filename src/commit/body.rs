use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use crate::read_ahead::ReadAhead;

/// Response body of [`Commit`](crate::commit::Commit).
///
/// It yields the frames that were read before the response was returned, and then the rest of the inner
/// service's body, unchanged. A body that was read completely is one data frame, followed by its trailers if
/// it has any. Data frames are [`Bytes`]. Several frames that were read ahead are copied into one. Other
/// frames are not copied if the inner service's are `Bytes`.
///
/// # Example
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), tower_http_retry::BoxError> {
/// use http::{Request, Response};
/// use http_body_util::{BodyExt, Full};
/// use tower::{ServiceBuilder, ServiceExt};
/// use tower_http_retry::commit::CommittedBody;
/// use tower_http_retry::{BoxError, CommitLayer};
///
/// type Body = Full<bytes::Bytes>;
/// let client = ServiceBuilder::new()
///     .layer(CommitLayer::whole(1024))
///     .service_fn(async |_: Request<Body>| Ok::<_, BoxError>(Response::new(Body::from("an item"))));
///
/// let response = client.oneshot(Request::new(Body::default())).await?;
/// let body: CommittedBody<Body> = response.into_body();
/// assert_eq!(body.collect().await?.to_bytes(), "an item");
/// # Ok(())
/// # }
/// ```
pub struct CommittedBody<R>
where
    R: Body,
{
    body: ReadAhead<R>,
}

impl<R: Body + Unpin> CommittedBody<R> {
    pub(super) fn new(body: ReadAhead<R>) -> Self {
        Self { body }
    }
}

impl<R: Body + Unpin> Body for CommittedBody<R> {
    type Data = Bytes;
    type Error = R::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, R::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl<R: Body> fmt::Debug for CommittedBody<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CommittedBody").finish_non_exhaustive()
    }
}
