use std::mem;
use std::pin::Pin;
use std::task::Waker;

use super::Tape;

/// What the readers to come have a right to.
impl<B> Tape<B> {
    /// From now on, nothing is read that reader `number` could not play: true, if it can play what
    /// was read before. Until it is [certain](Self::confirm) that the reader comes, who would read
    /// more waits.
    pub(in crate::body) fn reserve(self: Pin<&mut Self>, number: u32) -> bool {
        let is_replayable = self.is_replayable();
        if is_replayable {
            let this = self.project();
            *this.reserved_for = number;
            *this.is_certain = false;
        }
        is_replayable
    }

    /// The reader for which the tape was reserved comes, or does not. Gives the waker of one that
    /// waits, as [`take_hold`](Self::take_hold) does.
    pub(in crate::body) fn confirm(self: Pin<&mut Self>, comes: bool) -> Option<Waker> {
        let this = self.project();
        *this.is_certain = true;
        let is_full = mem::take(this.is_full);
        match comes {
            true if is_full => *this.holder = *this.reserved_for,
            true => {}
            // For the one before it, it may still be.
            false => *this.reserved_for -= 1,
        }
        this.waker.take_if(|_| is_full)
    }

    /// Whether reader `number` has begun to read; the latest there is.
    pub(in crate::body) fn has_begun(&self, number: u32) -> bool {
        self.begun == number
    }

    /// No reader may read on. Gives the waker of the one that waits, as
    /// [`take_hold`](Self::take_hold) does.
    pub(in crate::body) fn take_back(self: Pin<&mut Self>) -> Option<Waker> {
        let this = self.project();
        *this.holder = u32::MAX;
        this.waker.take()
    }

    /// There is no reader after those there are: the next piece of the source ends the record.
    pub(in crate::body) fn commit(self: Pin<&mut Self>) {
        self.project().record.fill();
    }
}
