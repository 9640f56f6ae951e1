use bytes::Bytes;
use http_body::{Frame, SizeHint};

use super::record::Piece;

/// The position of one attempt on the tape.
pub(super) struct Reader {
    /// The bounds of the source's size hint at the start.
    lower: u64,
    upper: Option<u64>,
    /// How many pieces and bytes this reader has received.
    pub(super) pieces: usize,
    bytes: u64,
    /// Whether it has received everything. A later reader cannot change that.
    pub(super) ended: bool,
    /// Whether it has received an error.
    failed: bool,
}

impl Reader {
    pub(super) fn new(size: &SizeHint) -> Self {
        Self {
            lower: size.lower(),
            upper: size.upper(),
            pieces: 0,
            bytes: 0,
            ended: false,
            failed: false,
        }
    }

    pub(super) fn take(&mut self, piece: Piece) -> Frame<Bytes> {
        match piece {
            Piece::Data(data) => {
                self.passed(data.len());
                Frame::data(data)
            }
            Piece::Trailers(trailers) => {
                self.passed(0);
                Frame::trailers(*trailers)
            }
        }
    }

    #[inline]
    pub(super) fn passed(&mut self, bytes: usize) {
        self.pieces += 1;
        self.bytes += bytes as u64;
    }

    pub(super) fn fail(&mut self) {
        self.failed = true;
    }

    /// Whether it has received nothing yet.
    pub(super) fn is_at_start(&self) -> bool {
        self.pieces == 0 && !self.is_over()
    }

    /// Whether the body has ended or failed, so that nothing more is received. `is_end_stream` is false after
    /// a failure, because the body is not complete.
    pub(super) fn is_over(&self) -> bool {
        self.ended || self.failed
    }

    /// Returns false before the first poll, even if the source is known to have ended, so that each attempt
    /// starts like the first one.
    pub(super) fn is_end_stream(&self) -> bool {
        self.ended
    }

    /// Returns the source's size hint at the start, minus what this reader has received.
    pub(super) fn size_hint(&self) -> SizeHint {
        let mut size = SizeHint::new();
        size.set_lower(self.lower.saturating_sub(self.bytes));
        if let Some(upper) = self.upper {
            size.set_upper(upper.saturating_sub(self.bytes));
        }
        size
    }
}
