//! What tells the status of a gRPC call.

use http::HeaderMap;
use http_body::Body;

use super::{Data, ReadAhead, Rest};

impl<R: Body> ReadAhead<R> {
    /// The trailers, if nothing comes before them.
    pub(crate) fn first_trailers(&self) -> Option<&HeaderMap> {
        match self.data {
            Data::Nothing => self.frames.front()?.trailers_ref(),
            Data::Single(_) | Data::Joined(_) => None,
        }
    }

    pub(crate) fn is_broken(&self) -> bool {
        matches!(self.rest, Rest::Broken { .. })
    }

    /// Whether the end is in sight, beyond what was read.
    pub(crate) fn rest_is_at_end(&self) -> bool {
        self.rest.is_end_stream()
    }
}
