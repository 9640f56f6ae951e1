use bytes::Bytes;
use http_body::{Frame, SizeHint};

use super::record::Piece;

/// One attempt's place on the tape.
pub(super) struct Reader {
    /// How many bytes the source said it has, at least and at most.
    lower: u64,
    upper: Option<u64>,
    /// How many pieces, and bytes, it has been given.
    pub(super) pieces: usize,
    bytes: u64,
    /// Whether it has been given all: then no later reader can take that back.
    pub(super) ended: bool,
    /// Whether it has been given an error.
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

    /// Whether it has been given nothing yet.
    pub(super) fn is_at_start(&self) -> bool {
        self.pieces == 0 && !self.is_over()
    }

    /// Whether nothing more is given. A body that failed is over, too, but must not seem whole.
    pub(super) fn is_over(&self) -> bool {
        self.ended || self.failed
    }

    /// Not before the first poll, whatever is known of the source by then: each attempt starts as
    /// the first did.
    pub(super) fn is_end_stream(&self) -> bool {
        self.ended
    }

    /// What the source said when it came, less what has passed since.
    pub(super) fn size_hint(&self) -> SizeHint {
        let mut size = SizeHint::new();
        size.set_lower(self.lower.saturating_sub(self.bytes));
        if let Some(upper) = self.upper {
            size.set_upper(upper.saturating_sub(self.bytes));
        }
        size
    }
}
