use http_body::{Body, SizeHint};

use super::progress::BodyProgress;
use super::reader::Reader;
use super::replay_body::{Playing, ReplayBody};
use super::tape::{self, SharedTape, lock};
use crate::attempt::Mark;
use crate::error::BoxError;

/// The recording of a body, which creates the [`ReplayBody`] of each attempt.
pub(crate) struct Replays<B> {
    /// None if the body is empty.
    tape: Option<SharedTape<B>>,
    /// The number of the latest attempt.
    latest: u32,
}

impl<B: Body> Replays<B> {
    /// Starts to record a body, and returns the body of the first attempt.
    // Always inlined, so that it is built in place, which saves 40 instructions for each request.
    #[inline(always)]
    pub(crate) fn of(source: B, max_replay_bytes: usize, first: Mark) -> (Self, ReplayBody<B>) {
        let playing = match source.is_end_stream() {
            true => None,
            false => {
                let size = source.size_hint();
                let reader = Reader::new(&size);
                let tape = tape::shared(source, size, max_replay_bytes);
                Some(Playing { tape, reader })
            }
        };
        let replays = Self {
            tape: playing.as_ref().map(|playing| playing.tape.clone()),
            latest: first.number,
        };
        (replays, ReplayBody::new(playing, first))
    }

    /// Creates a body that is not recorded, unless it is in memory.
    pub(crate) fn passing(source: B) -> ReplayBody<B> {
        let (mut replays, body) = Self::of(source, 0, Mark::default());
        replays.commit();
        body
    }

    /// Returns the body of the next attempt.
    pub(crate) fn next(&mut self, attempt: Mark) -> ReplayBody<B> {
        self.latest = attempt.number;
        let playing = self.tape.as_ref().map(|tape| Playing {
            tape: tape.clone(),
            reader: lock(tape).map_or_else(|_| Reader::new(&SizeHint::new()), |tape| tape.reader()),
        });
        ReplayBody::new(playing, attempt)
    }

    /// Reads and records what is available immediately, if no attempt has begun to read the body.
    pub(crate) fn read_ahead(&self)
    where
        B::Error: Into<BoxError>,
    {
        if let Some(mut tape) = self.tape.as_ref().and_then(|tape| lock(tape).ok()) {
            tape.as_mut().read_all_ahead_of(self.latest);
        }
    }

    /// Returns the body for an attempt beside the latest one, or none if not all of it is recorded.
    pub(crate) fn beside(&self) -> Option<ReplayBody<B>>
    where
        B::Error: Into<BoxError>,
    {
        let attempt = Mark {
            number: self.latest,
            ..Mark::default()
        };
        let Some(tape) = &self.tape else {
            return Some(ReplayBody::new(None, attempt));
        };
        let mut locked = lock(tape).ok()?;
        locked.as_mut().read_ahead_of(self.latest);
        locked.is_whole().then(|| {
            let reader = locked.reader();
            let tape = tape.clone();
            ReplayBody::new(Some(Playing { tape, reader }), attempt)
        })
    }

    /// Reserves the body for a next attempt, and returns whether that is possible. Earlier attempts may
    /// then read only what can be recorded for it. [`confirm`](Self::confirm) must be called afterwards.
    pub(crate) fn reserve(&self) -> bool {
        let Some(tape) = &self.tape else {
            return true;
        };
        let next = self.latest.saturating_add(1);
        lock(tape).is_ok_and(|mut tape| tape.as_mut().reserve(next))
    }

    /// Confirms the reservation if the next attempt is made, and cancels it otherwise.
    pub(crate) fn confirm(&self, comes: bool) {
        let tape = self.tape.as_ref();
        let waiting = tape.and_then(|tape| lock(tape).ok()?.as_mut().confirm(comes));
        if let Some(waiting) = waiting {
            waiting.wake();
        }
    }

    /// Stops recording, because there is no next attempt. This does not wait for the lock: if the body is
    /// being read at this moment, it is still recorded up to the limit.
    #[inline]
    pub(crate) fn commit(&mut self) {
        if let Some(tape) = self.tape.take() {
            commit(&tape);
        }
    }

    /// Returns how much of the body the latest attempt has read.
    pub(crate) fn progress(&self) -> BodyProgress {
        let has_begun = |tape| lock(tape).is_ok_and(|tape| tape.has_begun(self.latest));
        match &self.tape {
            None => BodyProgress::Empty,
            Some(tape) if has_begun(tape) => BodyProgress::Begun,
            Some(_) => BodyProgress::Unread,
        }
    }

    /// Whether everything that the source has yielded so far can be replayed.
    pub(crate) fn is_replayable(&self) -> bool {
        let is_whole = |tape| lock(tape).is_ok_and(|tape| tape.is_replayable());
        self.tape.as_ref().is_none_or(is_whole)
    }
}

/// Stops the upload if the request is dropped before its response has arrived.
impl<B> Drop for Replays<B> {
    #[inline]
    fn drop(&mut self) {
        if let Some(tape) = self.tape.take() {
            take_back(&tape);
        }
    }
}

fn commit<B>(tape: &SharedTape<B>) {
    if let Ok(mut tape) = tape.as_ref().try_lock() {
        tape.as_mut().commit();
    }
}

fn take_back<B>(tape: &SharedTape<B>) {
    let reading = lock(tape)
        .ok()
        .and_then(|mut tape| tape.as_mut().take_back());
    if let Some(reading) = reading {
        reading.wake();
    }
}
