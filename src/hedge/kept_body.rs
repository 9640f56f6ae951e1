use http_body::Body;

use super::body::HedgeBody;
use crate::attempt::Mark;
use crate::body::{BodyProgress, ReplayBody, Replays};
use crate::error::BoxError;

/// The recording of a body for hedges. `None` if the body is empty.
pub(super) struct KeptBody<B> {
    replays: Option<Replays<B>>,
}

/// How many bytes of a streamed body are recorded, which is the default of a retry.
const MAX_BYTES: usize = 1024 * 1024;

impl<B: Body> KeptBody<B> {
    /// Starts to record a body, and returns the body of the first attempt.
    #[inline(always)]
    pub(super) fn of(body: B) -> (Self, HedgeBody<B>) {
        if body.is_end_stream() {
            return (Self { replays: None }, HedgeBody::own(body));
        }
        let (replays, first) = Replays::of(body, MAX_BYTES, Mark::default());
        let replays = Some(replays);
        (Self { replays }, HedgeBody::shared(first, false))
    }

    /// Reads what is available of a body that the first attempt has not begun to read. The attempt may still
    /// be waiting for a connection.
    pub(super) fn read_ahead(&self)
    where
        B::Error: Into<BoxError>,
    {
        if let Some(replays) = &self.replays {
            replays.read_ahead();
        }
    }

    /// Returns the body of a hedge, if all of it is recorded.
    pub(super) fn hedge(&self) -> Option<HedgeBody<B>>
    where
        B::Error: Into<BoxError>,
    {
        let body = match &self.replays {
            Some(replays) => replays.beside()?,
            None => ReplayBody::default(),
        };
        Some(HedgeBody::shared(body, true))
    }

    /// How much of the body the attempts have read.
    pub(super) fn progress(&self) -> BodyProgress {
        self.replays
            .as_ref()
            .map_or(BodyProgress::Empty, Replays::progress)
    }

    /// Stops recording, because there is a response. An attempt that still reads the body may continue.
    pub(super) fn commit(&mut self) {
        if let Some(replays) = &mut self.replays {
            replays.commit();
        }
    }
}
