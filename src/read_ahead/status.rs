//! Looks for the status of a gRPC call in a body that was read ahead.

use http::HeaderMap;
use http_body::Body;

use super::{Data, ReadAhead, Rest};

impl<R: Body> ReadAhead<R> {
    /// Returns the trailers, if they are the first frame.
    pub(crate) fn first_trailers(&self) -> Option<&HeaderMap> {
        match self.data {
            Data::Nothing => self.frames.front()?.trailers_ref(),
            Data::Single(_) | Data::Joined(_) => None,
        }
    }

    pub(crate) fn is_broken(&self) -> bool {
        matches!(self.rest, Rest::Broken { .. })
    }

    /// Whether the body is known to end after what was read.
    pub(crate) fn rest_is_at_end(&self) -> bool {
        self.rest.is_end_stream()
    }
}
