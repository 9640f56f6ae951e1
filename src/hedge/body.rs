use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use crate::body::{ReplayBody, Replays};
use crate::error::BoxError;

pin_project! {
    /// Request body of the service below a [`Hedge`](super::Hedge).
    ///
    /// If the request may be hedged, its body is recorded while it is sent, up to 1 MiB, and a hedge replays
    /// the recording if it is complete. A body that is in memory already, such as `Full<Bytes>`, is not
    /// limited. All other bodies pass through unchanged. Each attempt has the same size hint.
    ///
    /// For a service that takes another body type, add a layer below that converts the body. See
    /// [`ReplayBody`](crate::ReplayBody) for an example.
    ///
    /// # Errors
    ///
    /// Yields the error of the caller's body.
    pub struct HedgeBody<B> {
        #[pin]
        kind: Kind<B>,
        is_hedge: bool,
    }
}

pin_project! {
    #[project = KindProj]
    enum Kind<B> {
        Own {
            #[pin]
            body: B,
        },
        Shared {
            body: ReplayBody<B>,
        },
    }
}

impl<B> HedgeBody<B> {
    /// Passes the caller's body through.
    pub(super) fn own(body: B) -> Self {
        let kind = Kind::Own { body };
        Self {
            kind,
            is_hedge: false,
        }
    }

    pub(super) fn shared(body: ReplayBody<B>, is_hedge: bool) -> Self {
        let kind = Kind::Shared { body };
        Self { kind, is_hedge }
    }

    /// Returns whether this body belongs to a hedge, which is sent beside another attempt.
    ///
    /// Use it in layers directly below. Other layers can use the extension [`Attempt`](crate::Attempt), if a
    /// retry above [marks its attempts](crate::RetryLayer::mark_attempts).
    ///
    /// ```
    /// use http::Request;
    /// use tower_http_retry::hedge::HedgeBody;
    ///
    /// /// Sends hedges to another replica.
    /// fn host<B>(request: &Request<HedgeBody<B>>) -> &'static str {
    ///     match request.body().is_hedge() {
    ///         true => "replica-2.service.test",
    ///         false => "replica-1.service.test",
    ///     }
    /// }
    /// # assert_eq!(host(&Request::new(HedgeBody::<()>::default())), "replica-1.service.test");
    /// ```
    pub fn is_hedge(&self) -> bool {
        self.is_hedge
    }
}

impl<B> HedgeBody<B>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    /// Returns the whole body as bytes, if all of it is in memory. See [`ReplayBody::into_bytes`].
    ///
    /// # Errors
    ///
    /// Returns the unchanged body if it is not in memory, has trailers, has failed, or was already read in
    /// part.
    pub fn into_bytes(self) -> Result<Bytes, Self> {
        let Self { kind, is_hedge } = self;
        let body = match kind {
            Kind::Shared { body } => body,
            Kind::Own { body } if body.is_end_stream() => return Ok(Bytes::new()),
            Kind::Own { body } => Replays::passing(body),
        };
        body.into_bytes()
            .map_err(|body| Self::shared(body, is_hedge))
    }
}

impl<B> Body for HedgeBody<B>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BoxError;

    #[inline]
    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match self.project().kind.project() {
            KindProj::Shared { body } => Pin::new(body).poll_frame(cx),
            KindProj::Own { body } => {
                let polled = ready!(body.poll_frame(cx));
                let to_bytes = |mut data: B::Data| data.copy_to_bytes(data.remaining());
                Poll::Ready(polled.map(|frame| match frame {
                    Ok(frame) => Ok(frame.map_data(to_bytes)),
                    Err(error) => Err(error.into()),
                }))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Own { body } => body.is_end_stream(),
            Kind::Shared { body } => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Own { body } => body.size_hint(),
            Kind::Shared { body } => body.size_hint(),
        }
    }
}

/// Creates the empty body of a first attempt.
impl<B> Default for HedgeBody<B> {
    fn default() -> Self {
        Self::shared(ReplayBody::default(), false)
    }
}

impl<B> fmt::Debug for HedgeBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HedgeBody")
            .field("is_hedge", &self.is_hedge)
            .finish_non_exhaustive()
    }
}
