use http_body::Body;

use super::body::HedgeBody;
use crate::attempt::Mark;
use crate::body::{BodyProgress, ReplayBody, Replays};
use crate::error::BoxError;

/// What is kept of a body for hedges; none of one that is empty.
pub(super) struct KeptBody<B> {
    replays: Option<Replays<B>>,
}

/// So many bytes of a streamed body are kept, as a retry keeps them.
const MAX_BYTES: usize = 1024 * 1024;

impl<B: Body> KeptBody<B> {
    /// Keeps a body, and gives the first attempt's.
    #[inline(always)]
    pub(super) fn of(body: B) -> (Self, HedgeBody<B>) {
        if body.is_end_stream() {
            return (Self { replays: None }, HedgeBody::own(body));
        }
        let (replays, first) = Replays::of(body, MAX_BYTES, Mark::default());
        let replays = Some(replays);
        (Self { replays }, HedgeBody::shared(first, false))
    }

    /// Reads what is there of a body that the first attempt has not begun to read: its connection may
    /// still be made.
    pub(super) fn read_ahead(&self)
    where
        B::Error: Into<BoxError>,
    {
        if let Some(replays) = &self.replays {
            replays.read_ahead();
        }
    }

    /// That of a hedge, if all of the body is there.
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

    /// How far the attempts have read it.
    pub(super) fn progress(&self) -> BodyProgress {
        self.replays
            .as_ref()
            .map_or(BodyProgress::Empty, Replays::progress)
    }

    /// There is an answer: who reads the body still may read on, and nothing more is kept of it.
    pub(super) fn commit(&mut self) {
        if let Some(replays) = &mut self.replays {
            replays.commit();
        }
    }
}
