use std::mem;
use std::pin::Pin;
use std::task::Waker;

use super::Tape;

/// Reservations for a reader that does not exist yet.
impl<B> Tape<B> {
    /// Reserves the tape for reader `number`: from now on, nothing is read that it could not replay. Returns
    /// whether it can replay what was read before. Until [`confirm`](Self::confirm) is called, a reader that
    /// would read more waits.
    pub(in crate::body) fn reserve(self: Pin<&mut Self>, number: u32) -> bool {
        let is_replayable = self.is_replayable();
        if is_replayable {
            let this = self.project();
            *this.reserved_for = number;
            *this.is_certain = false;
        }
        is_replayable
    }

    /// Confirms the reservation if the reader `comes`, and cancels it otherwise. Returns the waker of a
    /// reader that waits, like [`take_hold`](Self::take_hold).
    pub(in crate::body) fn confirm(self: Pin<&mut Self>, comes: bool) -> Option<Waker> {
        let this = self.project();
        *this.is_certain = true;
        let is_full = mem::take(this.is_full);
        match comes {
            true if is_full => *this.holder = *this.reserved_for,
            true => {}
            // The reservation for the previous reader remains.
            false => *this.reserved_for -= 1,
        }
        this.waker.take_if(|_| is_full)
    }

    /// Whether reader `number`, which is the latest, has begun to read.
    pub(in crate::body) fn has_begun(&self, number: u32) -> bool {
        self.begun == number
    }

    /// Stops all readers. Returns the waker of the one that waits, like [`take_hold`](Self::take_hold).
    pub(in crate::body) fn take_back(self: Pin<&mut Self>) -> Option<Waker> {
        let this = self.project();
        *this.holder = u32::MAX;
        this.waker.take()
    }

    /// Stops recording, because there is no later reader. The next piece of the source ends the recording.
    pub(in crate::body) fn commit(self: Pin<&mut Self>) {
        self.project().record.fill();
    }
}
